"""`kafkapy control seed FILE`, `export [FILE]` and `recorded [FILE]`: files of this machine, for a broker anywhere.

A seed is looked through here before anything of it is sent. It is sent as JSON lines, an entry a line; what the broker
says of a line is said of the place that the entry has in the file.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from kafkapy.client.errors import ClientError
from kafkapy.client.streams import write_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kafkapy.seeds import Seed

JSON_LINES_TYPE: Final = "application/jsonl"
COPY_BYTES: Final = 1 << 20
REFUSED: Final = 400
NAMES: Final = ("seed", "export", "recorded")
TYPES_OF_RECORDED: Final = {
    ".jsonl": JSON_LINES_TYPE,
    ".ndjson": JSON_LINES_TYPE,
    ".pcapng": "application/x-pcapng",
}
"""What a file with such a name is to hold."""


def file_in(operation: str, words: list[str]) -> str | None:
    """The file that one of NAMES is given, taken out of its words; None: it has arguments only."""
    for word in words:
        name, equals, _ = word.partition("=")
        if operation == "recorded":
            is_file = not equals
        else:
            is_file = not (equals and name in ("seed", "topics", "groups", "records", "acls"))
        if operation in NAMES and is_file:
            words.remove(word)
            return word
    return None


def send_seed(path: str, send: Callable[[BinaryIO, Mapping[str, str]], tuple[int, Any]]) -> tuple[int, Any]:
    """Status and answer of the API. `send`: POSTs a body with headers. Raises InvalidSeed."""
    from kafkapy.seeds import Seed
    from kafkapy.seeds.json_lines import line_of
    from kafkapy.seeds.plan import Plan

    seed = Seed.read(Path(path))
    Plan.checked(seed)
    with TemporaryFile() as body:
        for entry in seed.entries():
            body.write(line_of(entry))
        size = body.tell()
        body.seek(0)
        status, answer = send(body, {"Content-Type": JSON_LINES_TYPE, "Content-Length": str(size)})
    if status == REFUSED:
        _raise_of(seed, answer)
    return status, answer


def _raise_of(seed: Seed, answer: Any) -> None:
    """Raises InvalidSeed: what is said of a line that was sent, of its place in the file."""
    with suppress(KeyError, TypeError):
        said = answer["error"]
        line, field, reason, nearest = said["line"], said["field"], said["reason"], said["nearest"]
        entry = next(islice(seed.entries(), line - 1, None))
        raise entry.place.refusal(field, reason, nearest)


def type_of_recorded(path: str) -> str:
    """Raises ValueError: the name does not say what the file is to hold."""
    found = TYPES_OF_RECORDED.get(Path(path).suffix.lower())
    if found is None:
        raise ValueError(f"{path} ends in none of {', '.join(TYPES_OF_RECORDED)}, so its format is not known")
    return found


def write_recorded(path: str, pieces: Iterable[bytes]) -> None:
    """To a file that is there when it is whole. Raises OSError; ClientError."""
    _write(path, pieces)


def write_export(path: str | None, pieces: Iterable[bytes]) -> None:
    """To standard output, or to a file that is there when it is whole. Raises OSError; ClientError: it breaks off."""
    pieces = _whole(pieces)
    if path is None:
        for piece in pieces:
            write_output(piece)
        return
    _write(path, pieces)


def _write(path: str, pieces: Iterable[bytes]) -> None:
    unfinished = Path(f"{path}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.writelines(pieces)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _whole(pieces: Iterable[bytes]) -> Iterator[bytes]:
    from kafkapy.seeds.json_lines import END_BYTES, broken_off_by

    end = b""
    for piece in pieces:
        yield piece
        end = (end + piece)[-END_BYTES:]
    why = broken_off_by(end)
    if why is not None:
        raise ClientError(f"the export has broken off: {why}")
