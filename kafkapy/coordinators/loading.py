"""Replaying what a partition of a coordinator's topic holds, whoever has written it and whatever the disk made of it.

What no coordinator can have written is skipped, with a line in the log that names topic, partition, offset and reason:
one bad record costs that record, neither the others nor the broker. An admin client may write anything into these
topics, as in Apache Kafka, and a disk may flip a bit in a record that was good.

Differs: Apache Kafka does not serve the groups of a partition with such a record, and of a partition with such a
transactional id only what was stored before it. It believes a batch whose CRC is wrong. Records of an unknown type it
skips, too.
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
    from collections.abc import Callable

    from kafkapy_wire.records import BatchHeader

logger = logging.getLogger("kafkapy.coordinators")

SKIPPED_LINES_MAX: Final = 20
"""Of one partition; how many more were skipped is told in one line."""

_REASON_CHARACTERS_MAX: Final = 200
_NO_PRODUCER_ID: Final = -1


class PartitionLoading:
    """One partition being replayed, batch by batch; then `end`.

    `replay(key, value, producer_id)` is told each record, with the producer id -1 when it was not written in a
    transaction, and `replay_end_transaction(producer_id, committed)` each marker. Where they raise MalformedMessage or
    UnsupportedVersion they have changed nothing.
    """

    def __init__(
        self,
        name: str,
        replay: Callable[[bytes, bytes | None, int], None],
        replay_end_transaction: Callable[[int, bool], None],
    ) -> None:
        self._name = name
        self._replay = replay
        self._replay_end_transaction = replay_end_transaction
        self._skipped = 0

    def take(self, batch: memoryview) -> None:
        """Take in one stored batch; what it cannot mean is skipped. Raises MalformedMessage: `batch` is none."""
        header = read_batch_header(batch)
        if not crc_matches(batch):
            self._skip(f"the records at offsets {header.base_offset} to {header.last_offset}", "their CRC is wrong")
            return
        offset = header.base_offset
        try:
            for record in decode_records(batch):
                offset = record.offset + 1
                try:
                    self._replay_record(header, record)
                except (MalformedMessage, UnsupportedVersion) as error:
                    self._skip(f"the record at offset {record.offset}", error)
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
            self._replay(record.key, record.value, header.producer_id if header.is_transactional else _NO_PRODUCER_ID)

    def _skip(self, what: str, reason: Exception | str) -> None:
        self._skipped += 1
        if self._skipped <= SKIPPED_LINES_MAX:
            logger.warning("skipped %s of %s, which cannot be read: %s", what, self._name, in_one_line(reason))


def in_one_line(reason: Exception | str) -> str:
    """The text of an error about stored bytes, fit for a line of the log: anyone may have sent what is in it."""
    text = str(reason)[: _REASON_CHARACTERS_MAX + 1]
    escaped = text.encode("unicode_escape").decode()
    return escaped if len(text) <= _REASON_CHARACTERS_MAX else escaped[:_REASON_CHARACTERS_MAX] + "..."
