"""How Kafka names the files of a log: the base offset in 20 digits, and what is in it."""

from typing import Final

LOG_SUFFIX: Final = ".log"
INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TRANSACTION_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"
DELETED_SUFFIX: Final = ".deleted"


def file_name(base_offset: int, suffix: str) -> str:
    """Kafka's name: 20 digits and the suffix."""
    return f"{base_offset:020d}{suffix}"
