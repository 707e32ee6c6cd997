"""A seed as a whole: an object, a file, or a directory of files in the order of their names.

It is read more than once: first to see whether all of it is right. A file of JSON lines is read anew each time, so that
its size does not matter; the others are kept.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.seeds.document import entries_of
from kafkapy.seeds.invalid_seed import InvalidSeed
from kafkapy.seeds.json_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkapy.seeds.entries import Entry

JSON_LINES: Final = (".jsonl", ".ndjson")
YAML: Final = (".yaml", ".yml")
SUFFIXES: Final = (*JSON_LINES, *YAML)
READ_BYTES: Final = 1 << 20


class _Lines(NamedTuple):
    """A file of JSON lines, and what it was when it was first looked at."""

    path: Path
    name: str | None
    size_bytes: int
    mtime_ns: int

    def entries(self) -> Iterator[Entry]:
        try:
            with self.path.open("rb", READ_BYTES) as file:
                yield from read_lines(file, self.name)
                status = self.path.stat()
        except OSError as error:
            raise _unreadable(self.name, error) from None
        if (status.st_size, status.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
            raise InvalidSeed("", "it has changed while it was read", file=self.name)


class _Document(NamedTuple):
    content: object
    name: str | None

    def entries(self) -> Iterator[Entry]:
        return entries_of(self.content, self.name)


@dataclass(frozen=True)
class Seed:
    """What is to be there: topics, records, committed offsets, ACLs. It can be pickled."""

    _parts: tuple[_Lines | _Document, ...]

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Seed:
        """From an object: see `document`."""
        return cls((_Document(dict(document) if hasattr(document, "keys") else document, None),))

    @classmethod
    def read(cls, path: Path) -> Seed:
        """From a file or a directory of files. Blocks. Raises InvalidSeed: it cannot be read, or is not YAML."""
        try:
            if not path.is_dir():
                return cls((_part(path, str(path)),))
            files = sorted(each for each in path.iterdir() if not each.name.startswith("."))
        except OSError as error:
            raise _unreadable(str(path), error) from None
        return cls(tuple(_part(each, str(each)) for each in files))

    @classmethod
    def spooled(cls, path: Path) -> Seed:
        """From a file of JSON lines of this process, whatever its name."""
        return cls((_lines(path, None),))

    def entries(self) -> Iterator[Entry]:
        """In their order; may be called more than once. Raises InvalidSeed."""
        for part in self._parts:
            yield from part.entries()


def _part(path: Path, name: str) -> _Lines | _Document:
    suffix = path.suffix.lower()
    try:
        if suffix in JSON_LINES:
            return _lines(path, name)
        if suffix not in YAML:
            raise InvalidSeed("", f"its name ends in none of {', '.join(SUFFIXES)}, so its format is not known")
        return _Document(_read_yaml(path), name)
    except OSError as error:
        raise _unreadable(name, error) from None
    except InvalidSeed as error:
        raise InvalidSeed(error.field, error.reason, error.nearest, error.line, name) from None


def _lines(path: Path, name: str | None) -> _Lines:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidSeed("", "it is no regular file, so that it cannot be read twice: copy it into one")
    with path.open("rb"):
        pass  # whether it may be read
    return _Lines(path, name, status.st_size, status.st_mtime_ns)


def _read_yaml(path: Path) -> object:
    from kafkapy.seeds.yaml_file import YAML_BYTES_MAX, parse_yaml

    with path.open("rb") as file:
        data = file.read(YAML_BYTES_MAX + 1)
    if len(data) > YAML_BYTES_MAX:
        raise InvalidSeed(
            "", f"it has more than {YAML_BYTES_MAX} bytes: write JSON lines (.jsonl), which have no limit"
        )
    try:
        return parse_yaml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidSeed("", f"it is not in UTF-8: {error.reason} at byte {error.start}") from None


def _unreadable(name: str | None, error: OSError) -> InvalidSeed:
    return InvalidSeed("", f"it cannot be read: {error.strerror}", file=name)
