"""Replays a partition of a coordinator's topic, whose records a client may have written or the disk have damaged.

What no coordinator can have written is skipped, with a line in the log that names topic, partition, offset and reason:
one bad record costs that record, neither the others nor the broker. An admin client may write anything into these
topics, as in Apache Kafka, and a disk may flip a bit in a record that was good.

Differs: if a partition has such a record, Apache Kafka does not serve its groups, and of its transactional ids only
those stored before that record. It accepts a batch whose CRC is wrong. Records of an unknown type are skipped there,
too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from kafkapy_wire.errors import MalformedMessage, UnsupportedVersion
from kafkapy_wire.records import (
    ControlRecordType,
    Record,
    crc_matches,
    decode_records,
    read_batch_header,
    read_control_record_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy_wire.records import BatchHeader

logger = logging.getLogger("kafkapy.coordinators")

SKIPPED_LINES_MAX: Final = 20
"""Of one partition; how many more were skipped is told in one line."""

_REASON_CHARACTERS_MAX: Final = 200
_NO_PRODUCER_ID: Final = -1


class PartitionLoading:
    """One partition being replayed, batch by batch; then `end`.

    `replay(key, value, producer_id, offset)` is called for each record, with producer id -1 if it was not written in a
    transaction, and `replay_end_transaction(producer_id, committed)` each marker. Where they raise MalformedMessage or
    UnsupportedVersion, they have changed nothing.
    """

    def __init__(
        self,
        name: str,
        replay: Callable[[bytes, bytes | None, int, int], None],
        replay_end_transaction: Callable[[int, bool], None],
    ) -> None:
        self._name = name
        self._replay = replay
        self._replay_end_transaction = replay_end_transaction
        self._skipped = 0

    def take(self, batch: memoryview) -> Iterator[None]:
        """Replay one stored batch, a record a step; invalid records are skipped.

        Raises MalformedMessage: `batch` is not a batch.
        """
        header = read_batch_header(batch)
        if not crc_matches(batch):
            self._skip(f"the records at offsets {header.base_offset} to {header.last_offset}", "their CRC is wrong")
            yield
            return
        offset = header.base_offset
        try:
            for record in decode_records(batch):
                offset = record.offset + 1
                try:
                    self._replay_record(header, record)
                except (MalformedMessage, UnsupportedVersion) as error:
                    self._skip(f"the record at offset {record.offset}", error)
                yield
        except MalformedMessage as error:
            self._skip(f"the records at offsets {offset} to {header.last_offset}", error)

    def end(self) -> None:
        """There are no more batches."""
        if self._skipped > SKIPPED_LINES_MAX:
            logger.warning("skipped %d more in %s", self._skipped - SKIPPED_LINES_MAX, self._name)

    def _replay_record(self, header: BatchHeader, record: Record) -> None:
        if header.is_control:
            marker = read_control_record_type(record.key)
            if marker in (ControlRecordType.ABORT, ControlRecordType.COMMIT):
                self._replay_end_transaction(header.producer_id, marker is ControlRecordType.COMMIT)
        elif record.key is None:
            raise MalformedMessage("it has no key")
        else:
            producer_id = header.producer_id if header.is_transactional else _NO_PRODUCER_ID
            self._replay(record.key, record.value, producer_id, record.offset)

    def _skip(self, what: str, reason: Exception | str) -> None:
        self._skipped += 1
        if self._skipped <= SKIPPED_LINES_MAX:
            logger.warning("skipped %s of %s, which cannot be read: %s", what, self._name, in_one_line(reason))


def in_one_line(reason: Exception | str) -> str:
    """The text of an error about stored bytes, escaped for one line of the log: a client may have sent them."""
    text = str(reason)[: _REASON_CHARACTERS_MAX + 1]
    escaped = text.encode("unicode_escape").decode()
    return escaped if len(text) <= _REASON_CHARACTERS_MAX else escaped[:_REASON_CHARACTERS_MAX] + "..."
