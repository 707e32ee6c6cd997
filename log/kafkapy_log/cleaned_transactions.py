"""Which transactional batches and markers compaction may drop (KIP-98, KIP-534).

Records of aborted transactions are dropped; a marker stays as long as the pass has met a batch of its transaction.
"""

from collections.abc import Iterable

from kafkapy_log.transaction_index import AbortedTransaction
from kafkapy_log.transaction_markers import EndTransactionMarker
from kafkapy_wire.records import BatchHeader, ControlRecordType


class CleanedTransactions:
    """Follows the batches of a log in order, through all segments of one pass."""

    __slots__ = ("_aborted", "_next", "_ongoing_aborted", "_ongoing_committed", "retained_aborted")

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        """`aborted`: those whose markers are in the range of the pass."""
        self._aborted = sorted(aborted, key=lambda transaction: transaction.first_offset)
        self._next = 0
        self._ongoing_aborted: dict[int, tuple[AbortedTransaction, bool]] = {}  # by producer; whether a batch was met
        self._ongoing_committed: set[int] = set()
        self.retained_aborted: list[AbortedTransaction] = []
        """For the index of the segment being written, in the order of the markers; who writes it empties this."""

    def may_drop(self, header: BatchHeader) -> bool:
        """Whether a data batch may be dropped, as its transaction was aborted."""
        if not header.is_transactional:
            return False
        self._begin_up_to(header.last_offset)
        producer_id = header.producer_id
        ongoing = self._ongoing_aborted.get(producer_id)
        if ongoing is None:
            self._ongoing_committed.add(producer_id)
            return False
        self._ongoing_aborted[producer_id] = (ongoing[0], True)
        return True

    def may_drop_marker(self, header: BatchHeader, marker: EndTransactionMarker | None) -> bool:
        """Whether a control batch may be dropped. `marker` is None if it is empty or of another type."""
        self._begin_up_to(header.last_offset)
        if marker is None:
            return not header.record_count
        if marker.control_type is ControlRecordType.ABORT:
            transaction, was_met = self._ongoing_aborted.pop(header.producer_id, (None, False))
            if transaction is not None and was_met:
                self.retained_aborted.append(transaction)
                return False
            return True
        if marker.control_type is ControlRecordType.COMMIT:
            # The producer's batches since its last marker belong to this marker.
            if header.producer_id in self._ongoing_committed:
                self._ongoing_committed.remove(header.producer_id)
                return False
            return True
        return False

    def _begin_up_to(self, offset: int) -> None:
        while self._next < len(self._aborted) and self._aborted[self._next].first_offset <= offset:
            transaction = self._aborted[self._next]
            self._ongoing_aborted.setdefault(transaction.producer_id, (transaction, False))
            self._next += 1
