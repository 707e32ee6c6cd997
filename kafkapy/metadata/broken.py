"""Metadata on the disk that cannot be used: which file, why, and what the user can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.metadata_version import LATEST_METADATA_VERSION, level_name

if TYPE_CHECKING:
    from pathlib import Path

RESTORE_OR_BEGIN_ANEW = "restore it from a copy, or start with an empty directory"
BEGIN_ANEW = (
    f"delete it, and the new cluster begins with metadata.version {level_name(LATEST_METADATA_VERSION)}, or format an "
    "empty directory with `kafkapy format`"
)
"""What to do about a file of a cluster that has not begun."""
FETCH_AGAIN = (
    "the node has kept its own metadata; start it again and it fetches the leader's snapshot again, and if that fails "
    "too, see the disk and the memory of the leader"
)
"""What to do about a snapshot that has come from the leader."""


class BrokenMetadata(Exception):
    """This node cannot start from its metadata directory. The message says what to do."""


def log_file(directory: Path, offset: int) -> Path:
    """The file of the log in `directory` that holds the record at `offset`."""
    segments = [path for path in directory.glob("*.log") if path.stem.isdecimal()]
    return max((path for path in segments if int(path.stem) <= offset), default=directory)


def unreadable(file: Path, error: Exception, what_to_do: str = RESTORE_OR_BEGIN_ANEW) -> BrokenMetadata:
    """The error to raise when reading the file or replaying its records has raised `error`."""
    return BrokenMetadata(f"{file} cannot be read ({reason_of(error)}): {what_to_do}")


def reason_of(error: Exception) -> str:
    """Why reading or replaying records has raised `error`."""
    if isinstance(error, KeyError):
        return f"a record changes {error.args[0]!r}, which no record before it has made"
    return str(error)
