"""Disk errors: logged once and not with every request; and the end of a node whose disk has failed.

Code that writes notes its errors here. If an error passes (a full disk), there is one line in the log, another line
when it is over, and the node goes on: it serves reads, and every write that fits. After any other error nobody knows
what the log directory holds. It goes offline with its replicas; as Apache Kafka does, the node ends when it was the
last one, or has the metadata log. See docs/decisions/0007-disk-failures.md.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy_log import DirectoryOffline, LostRecords, MissingRecords
from kafkapy_log.disk_errors import StorageError, passes, what_to_do
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kafkapy.clock import Clock
    from kafkapy_log import Damage, PartitionLog

logger = logging.getLogger("kafkapy.disk")

TOLD_AGAIN_MS = 60_000
LOSS_CHECK_INTERVAL_MS = 1_000
"""How often is looked whether the files that are written to still lie in the data directory. Looking with each append
would cost every produce two calls of the system."""


class DiskWatch:
    """Logs the disk errors of a node, and ends it if it cannot go on without a directory whose disk has failed."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._logged_ms: dict[str, float] = {}  # kind of trouble -> when a line last said so
        self._has_logged = False
        self.refusing: set[str] = set()
        """The partitions whose last append the disk refused. While it is not empty, each write that succeeds calls
        `accepted`.
        """
        self.directory_failed: Callable[[Path, str], bool] = _none_to_spare
        """Called with a log directory whose disk has failed, and why: whether the node goes on without it."""
        self.failed = trio.Event()
        """Set once the disk has failed for good; `failure` then says why in one line."""
        self.failure = ""

    def note_disk_error(self, log: PartitionLog, error: StorageError) -> None:
        """A write or flush of `log` has failed: log it, or end the node. Errors that are not the disk's are ignored."""
        if log.has_failed and isinstance(error.cause, FileNotFoundError):
            self.lost(f"{error.cause.filename or log.directory} is gone", log.directory.parent)
        elif log.has_failed:
            self._fail(log, error)
        elif error.passes:
            self.refused(log.topic_partition, error)

    def refused(self, what: str, error: StorageError) -> None:
        """The disk refuses writes to the log `what`, with an error that passes."""
        self.refusing.add(what)
        if self._should_log("a write"):
            self._has_logged = True
            logger.error(
                "%s cannot be written (%s): %s. Until then requests that write get an error; reading goes on",
                what,
                _words(error),
                error.what_to_do,
            )

    def accepted(self, what: str) -> None:
        """A write to the log `what` has succeeded."""
        self.refusing.discard(what)
        self._log_recovery("the disk under %s takes writes again")

    def gone(self, what: str) -> None:
        """The topic of the log `what` was deleted, perhaps to make room: its refused writes are over."""
        if self.refusing:
            self.refusing.discard(what)
            self._log_recovery("topics whose writes the disk under %s refused were deleted: none is refused now")

    def unreadable(self, error: KafkaError) -> None:
        """A client's read got KAFKA_STORAGE_ERROR. Logged for each partition, but not each time."""
        if not isinstance(error, DirectoryOffline) and self._should_log(
            f"a read of {error.subject if isinstance(error, StorageError) else error.message}"
        ):
            logger.error("cannot read %s: %s", error.message, what_to_do(error))

    def damaged(self, damage: Damage) -> None:
        """Damaged bytes were cut off a log when it was opened, or records are missing in it."""
        if isinstance(damage, MissingRecords):
            if self._should_log(f"what is missing in {damage.topic_partition} before {damage.end_offset}"):
                logger.warning(
                    "%s: no file holds the records from offset %d to %d, which a client asked for: it gets those "
                    "behind them. As the topic is not compacted, a segment file is missing: restore it from a copy",
                    damage.topic_partition,
                    damage.start_offset,
                    damage.end_offset - 1,
                )
        elif isinstance(damage, LostRecords):
            logger.warning(
                "%s: its files end at offset %d, below its first offset %d, so files are missing: "
                "it goes on at offset %d, without records",
                damage.topic_partition,
                damage.log_end_offset,
                damage.log_start_offset,
                damage.log_start_offset,
            )
        elif damage.kept_in is None:
            logger.info(
                "%s: cut off %d bytes at byte %d of %s, the torn end of the last write (%s): it ends at offset %d",
                damage.topic_partition,
                damage.size_bytes,
                damage.position,
                damage.file,
                damage.reason,
                damage.offset,
            )
        else:
            logger.warning(
                "%s: damaged at byte %d of %s (%s): it ends at offset %d now; what was stored behind it, %d bytes that "
                "may have been acknowledged, is kept in %s",
                damage.topic_partition,
                damage.position,
                damage.file,
                damage.reason,
                damage.offset,
                damage.size_bytes,
                damage.kept_in,
            )

    def lost_records(self, log: PartitionLog, high_watermark: int) -> None:
        """The log ends below the high watermark of the last checkpoint."""
        logger.warning(
            "%s: its log ends at offset %d, although records below offset %d were committed: files are missing. If "
            "another broker leads the partition, the records are fetched from there; otherwise restore the files from "
            "a copy",
            log.topic_partition,
            log.log_end_offset,
            high_watermark,
        )

    def lost(self, reason: str, directory: Path) -> None:
        """Files in a log directory that the node writes to were deleted or replaced: further writes would be lost."""
        if not self.failed.is_set() and not self.directory_failed(directory, reason):
            seconds = LOSS_CHECK_INTERVAL_MS // 1_000
            self.end(
                f"stopped, since {reason}: what was acknowledged in the last {seconds} s may be lost; "
                "restore what was deleted from a copy, or start with another directory"
            )

    def end(self, failure: str) -> None:
        """End the node, which cannot go on without a log directory; `failure` says why in one line."""
        if not self.failed.is_set():
            self.failure = failure
            self.failed.set()

    def directory_refused(self, directory: Path, error: OSError) -> bool:
        """A file beside the logs cannot be written. Whether that is over, since the directory is offline now."""
        return not passes(error) and self.directory_failed(directory, f"its disk has failed ({_words(error)})")

    def put_off(self, chore: str, error: OSError | KafkaError) -> None:
        """A background chore has failed and will be tried again."""
        if self._should_log(chore):
            logger.error("%s failed and will be tried again (%s): %s", chore, _words(error), what_to_do(error))

    def _log_recovery(self, message: str) -> None:
        if self._has_logged and not self.refusing:
            self._has_logged = False
            logger.warning(message, self._directory)

    def _should_log(self, trouble: str) -> bool:
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._logged_ms.get(trouble, -TOLD_AGAIN_MS) < TOLD_AGAIN_MS:
            return False
        self._logged_ms[trouble] = now_ms
        return True

    def _fail(self, log: PartitionLog, error: StorageError) -> None:
        directory, why = log.directory.parent, f"{log.topic_partition}: {_words(error)}"
        if not self.failed.is_set() and not self.directory_failed(directory, f"its disk has failed ({why})"):
            self.end(
                f"stopped, since the disk under {directory} has failed ({why}): {error.what_to_do}; the next start "
                "recovers what is there"
            )


def _none_to_spare(_directory: Path, _reason: str) -> bool:
    """A node with one directory cannot go on without it."""
    return False


def _words(error: OSError | KafkaError) -> str:
    cause = error.cause if isinstance(error, StorageError) else error
    if isinstance(cause, KafkaError):
        return cause.message or cause.code.name
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
