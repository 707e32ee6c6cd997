"""What was read of one partition for a share fetch: whole batches, whose headers are read as far as they are needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkapy_log.segment_batches import headers_in
from kafkapy_wire.records import ControlRecordType, decode_records, read_control_record_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkapy_log import FileSlice
    from kafkapy_log.segment_batches import BatchPosition
    from kafkapy_log.transaction_index import AbortedTransaction


class FetchedSlice:
    """A slice of the log as `acquiring.FetchedRecords`. All but its length is read from the file: OSError."""

    def __init__(self, piece: FileSlice) -> None:
        self._piece = piece
        self._headers = headers_in(lambda: piece.fd, piece.position, piece.position + piece.length)
        self._read: list[BatchPosition] = []
        self.last_offset = piece.next_offset - 1

    @property
    def base_offset(self) -> int:
        return next(self._batches()).header.base_offset

    def bounds(self) -> Iterator[tuple[int, int]]:
        for found in self._batches():
            yield found.header.base_offset, found.header.last_offset

    def _batches(self) -> Iterator[BatchPosition]:
        yield from self._read
        for found in self._headers:
            self._read.append(found)
            yield found

    def narrow(self, first_offset: int, last_offset: int) -> None:
        """Leave only the batches that have these offsets in the slice."""
        piece = self._piece
        start, end = piece.position, piece.position + piece.length
        for found in self._batches():
            if found.header.base_offset <= first_offset:
                start = found.position
            elif found.header.base_offset > last_offset:
                end = found.position
                break
        piece.position, piece.length = start, end - start

    def aborted(self, transactions: Iterable[AbortedTransaction], last_offset: int) -> Iterator[tuple[int, int]]:
        """(base offset, last offset) of the batches of aborted transactions, up to the one that has `last_offset`."""
        to_come = sorted(transactions, key=lambda transaction: transaction.first_offset, reverse=True)
        producer_ids: set[int] = set()
        for found in self._batches():
            header = found.header
            if header.base_offset > last_offset:
                return
            while to_come and to_come[-1].first_offset <= header.last_offset:
                producer_ids.add(to_come.pop().producer_id)
            if header.is_control:
                if header.producer_id in producer_ids and self._is_abort(found):
                    producer_ids.discard(header.producer_id)
            elif header.is_transactional and header.producer_id in producer_ids:
                yield header.base_offset, header.last_offset

    def _is_abort(self, found: BatchPosition) -> bool:
        data = os.pread(self._piece.fd, found.header.size_bytes, found.position)
        record = next(iter(decode_records(memoryview(data))), None)
        return record is not None and read_control_record_type(record.key) is ControlRecordType.ABORT
