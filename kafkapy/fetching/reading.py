"""Reading several partitions for one fetch, within its sizes, in turns of the event loop.

Sizes (KIP-74): the first non-empty partition sends one batch whole even when it is larger than the limits, so that a
consumer always advances; after that, `max_bytes` and each partition's limit hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.turns import Turn
from kafkapy_log import FileSlice, StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    LeaderIdAndEpoch,
    PartitionData,
    SnapshotId,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.fetching.sessions import FetchedPartition, FetchKey
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition

# Records shorter than this are copied into the answer: one copy is cheaper than the two system calls more that a file
# range costs. Measured with the benchmark's rows for produce-to-consumer latency and for batches out.
FILE_RANGE_BYTES_MIN = 32_768
DOES_NOT_EXIST = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)
TURN_PARTITIONS = 16  # between two looks at the clock
READ_AT_ONCE_MAX = 64  # partitions: more are read in turns from the first on

# The default structs of an answer, shared by all partitions and never changed: three objects less for each.
_NO_DIVERGENCE = EpochEndOffset()
_NO_LEADER = LeaderIdAndEpoch()
_NO_SNAPSHOT = SnapshotId()


class FetchTerms(NamedTuple):
    """What one fetch asks for beside its partitions. `replica_id` -1: a consumer."""

    min_bytes: int
    max_bytes: int
    committed_only: bool
    """read_committed: up to the last stable offset, with the aborted transactions."""
    by_id: bool
    """Topics are named by their ids."""
    replica_id: int


class Reading:
    """The partitions of one fetch as they stood when they were read. `results` are in their order.

    `go_on` until it returns True reads them, once, and once more after each `begin_anew`.
    """

    __slots__ = (
        "_at",
        "_available_bytes",
        "_disk",
        "_measured",
        "_partitions",
        "_terms",
        "_wanted",
        "found",
        "readable_bytes",
        "results",
        "urgent",
    )

    def __init__(
        self,
        wanted: dict[FetchKey, FetchedPartition],
        terms: FetchTerms,
        partitions: PartitionManager,
        disk: DiskWatch,
    ) -> None:
        self._wanted = wanted
        self._terms = terms
        self._partitions = partitions
        self._disk = disk
        self.results: list[tuple[FetchKey, PartitionData]] = []
        self.found: dict[Partition, FetchedPartition] = {}
        self.readable_bytes = 0
        self._available_bytes = 0
        """The same, and what the sizes have cut off: a partition that has more than fits counts with what would fit."""
        self.urgent = False
        """An error or a divergence, but for partitions that do not exist: answered at once."""
        # A copy: another request of the session may change it between two turns.
        self._at: Iterator[tuple[FetchKey, FetchedPartition]] = iter(list(wanted.items()))
        self._measured: dict[Partition, int] = {}

    @property
    def is_enough(self) -> bool:
        return self.urgent or self._available_bytes >= self._terms.min_bytes or not self.found

    @property
    def is_as_quick_as_a_look(self) -> bool:
        """Whether reading anew costs no more than `look_again`: one partition, any of whose records are enough."""
        return len(self.found) == 1 and self._terms.min_bytes <= 1

    def begin_anew(self) -> None:
        """Every partition is to be read again from its fetch offset."""
        self.release()
        self.found = {}
        self.readable_bytes = 0
        self._available_bytes = 0
        self.urgent = False
        self._at = iter(list(self._wanted.items()))
        self._measured = {}

    def go_on(self) -> bool:
        """Read until a turn is over; whether all partitions are read."""
        turn: Turn | None = None
        since_looked = 0
        for key, wanted in self._at:
            self.results.append((key, self._read(wanted, self._terms.max_bytes - self.readable_bytes)))
            since_looked += 1
            if since_looked >= TURN_PARTITIONS:
                since_looked = 0
                if turn is None:  # most fetches are over before the clock is worth a look
                    turn = Turn()
                elif turn.is_over:
                    return False
        return True

    def look_again(self, partition: Partition) -> None:
        """Count again what this partition could return; sets `is_enough`. Reads no bytes."""
        wanted = self.found.get(partition)
        if wanted is None:
            return
        try:
            if self._find(wanted) is not partition:
                self.urgent = True
                return
            partition.check_leader_epoch(max(wanted.current_leader_epoch, -1))
            log, offset = partition.log, wanted.fetch_offset
            end_offset = self._readable_end(partition)
            if not log.log_start_offset <= offset <= log.log_end_offset:
                self.urgent = True
            elif offset < end_offset:
                piece = log.read(offset, wanted.max_bytes, up_to_offset=end_offset, min_one_batch=True)
                available_bytes = _available(piece, wanted.max_bytes, end_offset)
                self._available_bytes += available_bytes - self._measured.get(partition, 0)
                self._measured[partition] = available_bytes
                piece.release()
        except KafkaError:
            self.urgent = True

    def _readable_end(self, partition: Partition) -> int:
        return partition.last_stable_offset if self._terms.committed_only else partition.committed.offset

    def _read(self, wanted: FetchedPartition, room: int) -> PartitionData:
        data = PartitionData(
            partition_index=wanted.index,
            high_watermark=-1,
            records=b"",
            diverging_epoch=_NO_DIVERGENCE,
            current_leader=_NO_LEADER,
            snapshot_id=_NO_SNAPSHOT,
        )
        try:
            partition = self._find(wanted)
            data.aborted_transactions = None  # an unknown partition has an empty list instead: as in Kafka
            if self._terms.replica_id >= 0:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)  # a single node has no followers
            # Other APIs refuse a negative epoch other than -1; a fetch treats all negative ones as not given.
            if wanted.current_leader_epoch >= 0:
                partition.check_leader_epoch(wanted.current_leader_epoch)
            self.found[partition] = wanted
            self._fill(data, partition, wanted, room)
        except KafkaError as error:
            data.error_code = error.code
            self.urgent = self.urgent or error.code not in DOES_NOT_EXIST
            if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
                self._disk.unreadable(error)
        return data

    def _find(self, wanted: FetchedPartition) -> Partition:
        if self._terms.by_id:
            return self._partitions.leader_by_id(wanted.topic_id, wanted.index)
        return self._partitions.leader(wanted.topic_name, wanted.index)

    def _fill(self, data: PartitionData, partition: Partition, wanted: FetchedPartition, room: int) -> None:
        log = partition.log
        offset = wanted.fetch_offset
        committed_only = self._terms.committed_only
        data.high_watermark = partition.committed.offset
        data.last_stable_offset = partition.last_stable_offset
        data.log_start_offset = start_offset = log.log_start_offset
        if wanted.last_fetched_epoch >= 0:
            epoch, end_offset = log.end_offset_for_epoch(wanted.last_fetched_epoch)
            if epoch < 0:
                raise _out_of_range(data)  # an epoch that was never led
            if end_offset < offset or epoch < wanted.last_fetched_epoch:
                data.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end_offset)
                self.urgent = True
                return
        readable_end = data.last_stable_offset if committed_only else data.high_watermark
        if committed_only:
            data.aborted_transactions = []
        if offset < start_offset:
            raise _out_of_range(data)
        if offset >= readable_end:
            if offset > log.log_end_offset:
                raise _out_of_range(data)
            return
        first = not self.readable_bytes
        if room <= 0 and not first:
            return
        room = min(wanted.max_bytes, room)
        piece = log.read(offset, room, up_to_offset=readable_end, min_one_batch=first)
        self._measured[partition] = available_bytes = _available(piece, room, readable_end)
        self._available_bytes += available_bytes
        if not piece.length:
            return
        self.readable_bytes += piece.length
        if committed_only:
            data.aborted_transactions = [
                AbortedTransaction(producer_id=aborted.producer_id, first_offset=aborted.first_offset)
                for aborted in log.aborted_transactions(offset, piece.next_offset)
            ]
        if piece.length < FILE_RANGE_BYTES_MIN:
            try:
                data.records = piece.take()
            except OSError as error:
                raise StorageError(partition, error) from error
        else:
            data.records = piece

    def release(self) -> None:
        """Let go of the file ranges that will not be sent."""
        for _, data in self.results:
            if isinstance(data.records, FileSlice):
                data.records.release()
        self.results = []


def _available(piece: FileSlice, room: int, end_offset: int) -> int:
    """Bytes that count for `min_bytes`: whole batches are sent, but as in Apache Kafka a cut one counts with its part.

    It is why an answer does not wait for more when the next batch has no room in it.
    """
    return piece.length if piece.next_offset >= end_offset else max(piece.length, room)


def _out_of_range(data: PartitionData) -> KafkaError:
    """The answer says nothing else about the partition then."""
    data.high_watermark = data.last_stable_offset = data.log_start_offset = -1
    data.aborted_transactions = None
    return KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
