"""Kafka's names for the files of a log: the base offset in 20 digits, and a suffix for the kind of file."""

from typing import Final

LOG_SUFFIX: Final = ".log"
INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TRANSACTION_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"
DELETED_SUFFIX: Final = ".deleted"

OFFSET_DIGITS: Final = 20
OFFSET_MAX: Final = 2**63 - 1


def file_name(base_offset: int, suffix: str) -> str:
    """Kafka's name: 20 digits and the suffix."""
    return f"{base_offset:020d}{suffix}"


def parse_offset(stem: str) -> int | None:
    """The offset of a name without its suffix; None if it is not the name of a log file."""
    if len(stem) != OFFSET_DIGITS or not (stem.isascii() and stem.isdecimal()):
        return None
    offset = int(stem)
    return offset if offset <= OFFSET_MAX else None
