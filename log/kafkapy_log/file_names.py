"""Kafka's names for the files of a log: the base offset in 20 digits, and a suffix for the kind of file."""

import re
from typing import Final

LOG_SUFFIX: Final = ".log"
INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TRANSACTION_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"
DELETED_SUFFIX: Final = ".deleted"

FUTURE_SUFFIX: Final = "-future"
"""Of the directory of a replica that is being copied there from another log directory."""
FUTURE_DIRECTORY: Final = re.compile(r"([a-zA-Z0-9._-]{1,249})-(\d+)\.[0-9a-f]{32}-future")

OFFSET_DIGITS: Final = 20
OFFSET_MAX: Final = 2**63 - 1


def file_name(base_offset: int, suffix: str) -> str:
    """Kafka's name: 20 digits and the suffix."""
    return f"{base_offset:020d}{suffix}"


def partition_name(directory: str) -> str:
    """`TOPIC-PARTITION` of a log's directory, be it that of a future replica."""
    future = FUTURE_DIRECTORY.fullmatch(directory) if directory.endswith(FUTURE_SUFFIX) else None
    return directory if future is None else f"{future[1]}-{future[2]}"


def parse_offset(stem: str) -> int | None:
    """The offset of a name without its suffix; None if it is not the name of a log file."""
    if len(stem) != OFFSET_DIGITS or not (stem.isascii() and stem.isdecimal()):
        return None
    offset = int(stem)
    return offset if offset <= OFFSET_MAX else None
