"""Reading several partitions for one fetch, within its sizes, in turns of the event loop; and whether it is enough.

Sizes (KIP-74): the first non-empty partition sends one batch whole even when it is larger than the limits, so that a
consumer always advances; after that, `max_bytes` and each partition's limit hold.

When a fetch is answered, as in Apache Kafka. At once: if `min_bytes` were read, a partition has an error or has
diverged, or no partition exists. Before and during the wait: if `min_bytes` are available (perhaps more than are sent),
a fetch offset is in an older segment than the log end, a fetch offset is above the end, or a partition was deleted or
has another leader. A log start offset that moves does not end the wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

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
    from collections.abc import Callable, Iterator

    from kafkapy.fetching.fetch_key import FetchKey
    from kafkapy.fetching.sessions import FetchedPartition
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition
    from kafkapy_log import PartitionLog, SegmentPosition

# Records shorter than this are copied into the answer: one copy is cheaper than the two system calls more that a file
# range costs. Measured with the benchmark's rows for produce-to-consumer latency and for batches out.
FILE_RANGE_BYTES_MIN = 32_768
DOES_NOT_EXIST = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)
OTHER_LEADER = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)
TURN_PARTITIONS = 16  # between two looks at the clock
READ_AT_ONCE_MAX = 64  # partitions: more are read in turns from the first on

# The default structs of an answer, shared by all partitions and never changed: three objects less for each.
_NO_DIVERGENCE = EpochEndOffset()
_NO_LEADER = LeaderIdAndEpoch()
_NO_SNAPSHOT = SnapshotId()


class ReplicaSelector(Protocol):
    """Chooses the replica that a consumer is to read from (KIP-392)."""

    def preferred(self, partition: Partition, fetch_offset: int) -> int:
        """The id of a follower that has the record at `fetch_offset`; -1: the leader."""


class FetchTerms(NamedTuple):
    """The fields of a fetch request that are not about one partition."""

    min_bytes: int
    max_bytes: int
    committed_only: bool
    """read_committed: up to the last stable offset, with the aborted transactions."""
    by_id: bool
    """Topics are named by their ids."""
    leader_only: bool
    """Followers are not read, either: the client does not know that it might."""


class _Counted:
    """A partition of a waiting fetch: its fetch offset in `log` when the wait began, and the bytes behind it."""

    __slots__ = ("available_bytes", "begin", "log")

    def __init__(self, log: PartitionLog, begin: SegmentPosition) -> None:
        self.log = log
        self.begin = begin
        self.available_bytes = 0


class Reading:
    """The partitions of one fetch as they stood when they were read. `results` are in their order, but as in Apache
    Kafka those that did not exist when the fetch came are the last, with unknown topic ids before the others.

    Call `go_on` until it returns True: all are read. `begin_anew` begins another reading. In between the fetch may
    wait: `park` each partition of `found`, and `look_again` when that partition has changed.
    """

    __slots__ = (
        "_at",
        "_available_bytes",
        "_counted",
        "_counts_bytes",
        "_disk",
        "_is_anew",
        "_partitions",
        "_selector",
        "_terms",
        "_unknown",
        "_wanted",
        "found",
        "has_other_leaders",
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
        selector: ReplicaSelector | None = None,
    ) -> None:
        self._wanted = wanted
        self._terms = terms
        self._partitions = partitions
        self._disk = disk
        self._selector = selector
        self.results: list[tuple[FetchKey, PartitionData]] = []
        self.found: dict[Partition, FetchedPartition] = {}
        self.readable_bytes = 0
        self._available_bytes = 0
        """Counted as long as `readable_bytes` are fewer than `min_bytes`: what the sizes have cut off is in it."""
        self.urgent = False
        """The fetch is answered now, whatever there is to read: an error, a divergence, a fetch offset elsewhere."""
        self.has_other_leaders = False
        """A partition was refused with one of `OTHER_LEADER`: the answer says who leads (KIP-951)."""
        self._unknown: dict[FetchKey, PartitionData] = {}
        """Partitions that did not exist when the fetch came, which is what it is told of them in the end, too."""
        self._is_anew = False
        # A copy: another request of the session may change it between two turns.
        self._at: Iterator[tuple[FetchKey, FetchedPartition]] = iter(list(wanted.items()))
        self._counts_bytes = False
        self._counted: dict[Partition, _Counted] = {}

    follower_id = -1
    """The broker that fetches, as follower; -1: a consumer."""

    @property
    def is_enough(self) -> bool:
        min_bytes = self._terms.min_bytes
        return self.urgent or self.readable_bytes >= min_bytes or self._available_bytes >= min_bytes or not self.found

    @property
    def read_count(self) -> int:
        """How many partitions are to be read."""
        return len(self._wanted)

    def begin_anew(self) -> None:
        """Begin to read every partition again from its fetch offset."""
        self.release()
        self.found = {}
        self.readable_bytes = 0
        self._available_bytes = 0
        self.urgent = False
        self._is_anew = True
        self._at = iter(list(self._wanted.items()))

    def go_on(self) -> bool:
        """Read until a turn is over. Returns whether all partitions are read."""
        turn: Turn | None = None
        since_looked = 0
        for key, wanted in self._at:
            if not self._is_anew or key not in self._unknown:
                self._read(key, wanted, self._terms.max_bytes - self.readable_bytes)
            since_looked += 1
            if since_looked >= TURN_PARTITIONS:
                since_looked = 0
                if turn is None:  # most fetches end before the clock needs to be read
                    turn = Turn()
                elif turn.is_over:
                    return False
        if self._unknown:
            others: list[tuple[FetchKey, PartitionData]] = []
            for found in self._unknown.items():
                (self.results if found[1].error_code == ErrorCode.UNKNOWN_TOPIC_ID else others).append(found)
            self.results += others
        return True

    # -- while the fetch waits

    def begin_to_wait(self) -> bool:
        """Whether bytes must be counted, so that `park` is to be called for all of `found`; else any record is enough.

        Any record is enough for fetch.min.bytes=1, the default of consumers.
        """
        self.readable_bytes = self._available_bytes = 0
        self._counted = {}
        self._counts_bytes = self._terms.min_bytes > 1
        for wanted in self.found.values():
            if wanted.max_bytes <= 0:
                self._counts_bytes = True
        return self._counts_bytes

    def watch(self, partition: Partition, watcher: object, tell: Callable[[Partition, bool], None]) -> None:
        """Have `tell` called with what may be enough for the fetch, until `partition.unwatch(watcher)`."""
        partition.watch(watcher, tell)

    def wait(self, tell: Callable[[Partition, bool], None] | None) -> None:
        """The fetch begins to wait; None: it waits no more. For those that watch their partitions all the time."""

    def park(self, partition: Partition) -> None:
        """Note where the fetch offset of a partition lies, and count what is there; sets `is_enough`."""
        if self._counts_bytes:
            try:
                log = partition.log
                self._counted[partition] = _Counted(log, log.locate(self.found[partition].fetch_offset))
            except KafkaError:
                self.urgent = True
                return
        self.look_again(partition)

    def look_again(self, partition: Partition) -> None:
        """Count again what this partition could return; sets `is_enough`. Reads no records."""
        wanted = self.found.get(partition)
        if wanted is None:
            return
        try:
            if self._find(wanted) is not partition:
                self.urgent = True
                return
            end_offset = self._readable_end(partition)
            if wanted.fetch_offset > end_offset:
                self.urgent = True
            elif wanted.fetch_offset < end_offset:
                self._count(partition, wanted, end_offset)
            if wanted.last_fetched_epoch >= 0 and divergence_of(partition, wanted) is not None:
                self.urgent = True
        except KafkaError:
            self.urgent = True

    def _count(self, partition: Partition, wanted: FetchedPartition, end_offset: int) -> None:
        if not self._counts_bytes:
            self._available_bytes = max(self._available_bytes, 1)
            return
        counted = self._counted[partition]
        end = partition.log.locate(end_offset)
        # A replica that has moved to another log directory may have other segments there.
        if counted.begin.base_offset < end.base_offset or counted.log is not partition.log:
            self.urgent = True
            return
        available_bytes = min(end.position - counted.begin.position, wanted.max_bytes)
        self._available_bytes += available_bytes - counted.available_bytes
        counted.available_bytes = available_bytes

    def _readable_end(self, partition: Partition) -> int:
        return partition.last_stable_offset if self._terms.committed_only else partition.committed.offset

    # -- reading

    def _read(self, key: FetchKey, wanted: FetchedPartition, room: int) -> None:
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
            self.found[partition] = wanted
            if self._selector is not None and partition.leads:
                data.preferred_read_replica = self._selector.preferred(partition, wanted.fetch_offset)
            self._fill(data, partition, wanted, room)
        except KafkaError as error:
            self._note_error(data, wanted, error)
            if data.error_code in DOES_NOT_EXIST and not self._is_anew:
                self._unknown[key] = data
                return
            # Topics that the client may not read have an empty list, too: as in Kafka.
            data.aborted_transactions = [] if data.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED else None
            self.urgent = True
        self.results.append((key, data))

    def _find(self, wanted: FetchedPartition) -> Partition:
        """The partition, in the leader epoch that the client knows."""
        # Other APIs refuse negative epochs other than -1; a fetch takes every negative epoch for "not given".
        epoch = max(-1, wanted.current_leader_epoch)
        if self._terms.by_id:
            partition = self._partitions.replica_by_id(wanted.topic_id, wanted.index)
            wanted.topic_name = partition.topic
        elif self._terms.leader_only:
            return self._partitions.leader(wanted.topic_name, wanted.index, epoch)
        else:
            partition = self._partitions.replica(wanted.topic_name, wanted.index)
        partition.check_leader_epoch(epoch)
        return partition

    def _note_error(self, data: PartitionData, wanted: FetchedPartition, error: KafkaError) -> None:
        code = error.code
        if code is ErrorCode.UNKNOWN_TOPIC_ID and wanted.topic_name:
            # The topic existed when the session or the wait began. By now another topic may have its name.
            if 0 <= wanted.index < self._partitions.count(wanted.topic_name):
                code = ErrorCode.INCONSISTENT_TOPIC_ID
            else:
                code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        elif not wanted.topic_name:
            wanted.topic_name = self._partitions.topic_name(wanted.topic_id)
        data.error_code = code
        if code is ErrorCode.OFFSET_OUT_OF_RANGE:  # then the partition's answer has nothing else
            data.high_watermark = data.last_stable_offset = data.log_start_offset = -1
        elif code is ErrorCode.KAFKA_STORAGE_ERROR:
            self._disk.unreadable(error)
        elif code in OTHER_LEADER:
            self.has_other_leaders = True

    def _fill(self, data: PartitionData, partition: Partition, wanted: FetchedPartition, room: int) -> None:
        log = partition.log
        offset = wanted.fetch_offset
        committed_only = self._terms.committed_only
        data.high_watermark = partition.committed.offset
        data.last_stable_offset = partition.last_stable_offset
        data.log_start_offset = start_offset = log.log_start_offset
        if data.preferred_read_replica >= 0:
            self.urgent = True
            return
        if wanted.last_fetched_epoch >= 0:
            divergence = divergence_of(partition, wanted)
            if divergence is not None:
                data.diverging_epoch = divergence
                self.urgent = True
                return
        readable_end = data.last_stable_offset if committed_only else data.high_watermark
        if committed_only:
            data.aborted_transactions = []
        if offset < start_offset or offset > log.log_end_offset:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        if offset >= readable_end:
            if offset > readable_end:
                self.urgent = True
            return
        first = not self.readable_bytes
        if room <= 0 and not first:
            return
        room = min(wanted.max_bytes, room)
        piece = log.read(offset, room, up_to_offset=readable_end, min_one_batch=first)
        self.readable_bytes += piece.length
        if self.readable_bytes < self._terms.min_bytes:
            self._available_bytes += _available(piece, room, readable_end)
            if offset < log.active_base_offset:
                begin, end = log.locate(offset), log.locate(readable_end)
                self.urgent = self.urgent or begin.base_offset < end.base_offset
        if not piece.length:
            if room > 0:
                data.aborted_transactions = None  # as in Apache Kafka, where this is a batch cut short
            return
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

    def note_sent(self) -> None:
        """To be called when the answer to a follower is sent."""

    def release(self) -> None:
        """Release the file ranges that will not be sent."""
        for _, data in self.results:
            if isinstance(data.records, FileSlice):
                data.records.release()
        self.results = []


def _available(piece: FileSlice, room: int, end_offset: int) -> int:
    """Bytes that count for `min_bytes`: whole batches are sent, but as in Apache Kafka a cut one counts with its part.

    So an answer does not wait for more when the next batch does not fit into it.
    """
    return piece.length if piece.next_offset >= end_offset else max(piece.length, room)


def divergence_of(partition: Partition, wanted: FetchedPartition) -> EpochEndOffset | None:
    """The epoch and offset at which the fetcher's log diverges from this one; None if it does not.

    Raises KafkaError OFFSET_OUT_OF_RANGE: the epoch was never led, or the fetch offset is below the log start.
    """
    log, offset = partition.log, wanted.fetch_offset
    if wanted.last_fetched_epoch == log.leader_epochs.latest_epoch and (
        log.log_start_offset <= offset <= log.log_end_offset
    ):
        return None  # as a rule
    epoch, end_offset = log.end_offset_for_epoch(wanted.last_fetched_epoch)
    if epoch < 0 or offset < log.log_start_offset:
        raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
    if end_offset < offset or epoch < wanted.last_fetched_epoch:
        return EpochEndOffset(epoch=epoch, end_offset=end_offset)
    return None
