"""One share fetch: waits until enough can be acquired, or its time is up; then reads, acquires, and answers.

As in Apache Kafka it is answered at once when what may be acquired of all its partitions has `min_bytes`, is in an
older segment than the end of the log, or cannot be read. `max_bytes` are shared out evenly among the partitions of
which something may be acquired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.fetching.reading import FILE_RANGE_BYTES_MIN
from kafkapy.pending import Pending
from kafkapy.sharing.acquiring import AcquireRequest, acquire, without_aborted
from kafkapy.sharing.fetched import FetchedSlice
from kafkapy.sharing.share_partition import SharePartition, Status
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.share_fetch import AcquiredRecords, PartitionData

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from kafkapy.clock import Clock, Timer
    from kafkapy.coordinators.share import SharePartitionKey
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.partition import Partition
    from kafkapy.sharing.acquiring import Acquired
    from kafkapy.sharing.sessions import WantedPartition
    from kafkapy.sharing.share_partitions import SharePartitions
    from kafkapy_log import FileSlice


class ShareFetchTerms(NamedTuple):
    """The fields of a share fetch that are not about one partition."""

    member_id: str
    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    max_records: int
    batch_size: int
    strict: bool
    """Record limit mode."""
    committed_only: bool
    """share.isolation.level=read_committed"""


class ShareFetching:
    """`pending` is answered with what is told of each partition; those of which nothing is to be said are left out."""

    def __init__(
        self, share_partitions: SharePartitions, terms: ShareFetchTerms, clock: Clock, disk: DiskWatch, random: Random
    ) -> None:
        self._share_partitions = share_partitions
        self._terms = terms
        self._clock = clock
        self._disk = disk
        self._random = random
        self._found: dict[SharePartition, WantedPartition] = {}
        self._errors: dict[WantedPartition, ErrorCode] = {}
        self._watched: set[Partition] = set()
        self._deadline: Timer | None = None
        self._next_turn: Timer | None = None
        self.pending: Pending[dict[WantedPartition, PartitionData]] = Pending(self._stop)

    def begin(
        self, wanted: Sequence[tuple[WantedPartition, SharePartitionKey]]
    ) -> Pending[dict[WantedPartition, PartitionData]]:
        """Begin with partitions that exist; returns the pending answer."""
        if not wanted or not self._terms.max_records or not self._terms.max_bytes:
            self.pending.answer({})
            return self.pending
        for one, key in wanted:
            self._find(one, key)
        if not self._found:
            self._answer({})
        elif not self._complete_if_enough():
            self._wait()
        return self.pending

    def _find(self, wanted: WantedPartition, key: SharePartitionKey) -> None:
        try:
            share_partition = self._share_partitions.get_or_make(key)
        except KafkaError as error:
            self._errors[wanted] = error.code
            return
        if share_partition.status is not Status.ACTIVE:
            initialized = self._share_partitions.initialize(share_partition)

            def note_error(initialized: Pending[None]) -> None:
                try:
                    initialized.result()
                except KafkaError as error:
                    if error.code is not ErrorCode.LEADER_NOT_AVAILABLE:
                        self._errors[wanted] = error.code
                        self._found.pop(share_partition, None)

            self._found[share_partition] = wanted
            initialized.when_settled(note_error)
        else:
            self._found[share_partition] = wanted

    # -- waiting

    def _wait(self) -> None:
        for share_partition in self._found:
            share_partition.watch(self, lambda _: self._news_of_group())
            partition = share_partition.partition
            if partition not in self._watched:
                self._watched.add(partition)
                partition.watch(self, self._news)
        self._deadline = self._clock.call_later(self._terms.max_wait_ms, self._complete)

    def _news(self, _: Partition, at_once: bool) -> None:
        if at_once:
            self._look_again()
        elif self._next_turn is None:
            self._next_turn = self._clock.call_in_turn(self._look_again)

    def _news_of_group(self) -> None:
        """Not at once: the share partition is in the middle of a change."""
        if self._next_turn is None:
            self._next_turn = self._clock.call_in_turn(self._look_again)

    def _look_again(self) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        if not self.pending.settled:
            self._complete_if_enough()

    def _stop(self) -> None:
        """It is answered, or its client is gone."""
        for share_partition in self._found:
            share_partition.unwatch(self)
        for partition in self._watched:
            partition.unwatch(self)
        self._watched.clear()
        for timer in (self._deadline, self._next_turn):
            if timer is not None:
                timer.cancel()
        self._deadline = self._next_turn = None

    # -- enough

    def _complete_if_enough(self) -> bool:
        acquirable = self._acquirable()
        if not acquirable or not self._is_enough(acquirable):
            return False
        self._complete(acquirable)
        return True

    def _acquirable(self) -> list[tuple[SharePartition, int]]:
        """The share partitions of which something may be acquired, with the offset to fetch from."""
        return [
            (each, each.window.next_fetch_offset())
            for each in self._found
            if each.status is Status.ACTIVE and each.window.can_acquire(each.limits)
        ]

    def _is_enough(self, acquirable: Sequence[tuple[SharePartition, int]]) -> bool:
        available_bytes = 0
        sizes = self._share_out(len(acquirable))
        for (share_partition, offset), size in zip(acquirable, sizes, strict=True):
            partition = share_partition.partition
            if not share_partition.still_leads():
                self._give_up(share_partition, ErrorCode.NOT_LEADER_OR_FOLLOWER)
                continue
            end_offset = self._readable_end(partition)
            log = partition.log
            if not log.log_start_offset <= offset <= end_offset:
                return True
            if offset < end_offset:
                try:
                    begin, end = log.locate(offset), log.locate(end_offset)
                except KafkaError:
                    return True  # reading it says why
                if begin.base_offset < end.base_offset:
                    return True
                available_bytes += min(end.position - begin.position, size)
        return available_bytes >= self._terms.min_bytes

    def _readable_end(self, partition: Partition) -> int:
        return partition.last_stable_offset if self._terms.committed_only else partition.high_watermark

    def _share_out(self, count: int) -> list[int]:
        """`max_bytes` for each of so many partitions; what is left over is one partition's, by chance."""
        share, left_over = divmod(self._terms.max_bytes, count)
        sizes = [share] * count
        if left_over:
            lucky = self._random.randrange(count)
            if share:
                sizes[lucky] += left_over
            else:
                for step in range(left_over):
                    sizes[(lucky + step) % count] = 1
        return sizes

    def _give_up(self, share_partition: SharePartition, code: ErrorCode) -> None:
        self._errors[self._found[share_partition]] = code
        self._share_partitions.drop(share_partition)

    # -- reading

    def _complete(self, acquirable: Sequence[tuple[SharePartition, int]] | None = None) -> None:
        """Acquire what there is, and answer."""
        if acquirable is None:
            acquirable = self._acquirable()
        told: dict[WantedPartition, PartitionData] = {}
        read_bytes = read_records = 0
        for (share_partition, offset), size in zip(acquirable, self._share_out(len(acquirable) or 1), strict=False):
            wanted = self._found[share_partition]
            if wanted in self._errors:
                continue
            data = PartitionData(partition_index=wanted.partition, records=b"")
            try:
                room = min(size, self._terms.max_bytes - read_bytes)
                acquired, length = self._read(
                    share_partition, offset, room, data, is_first=not read_bytes, acquired_count=read_records
                )
                read_bytes += length
                read_records += sum([each.record_count for each in acquired])
            except KafkaError as error:
                self._note_error(share_partition, error, data)
            except OSError as error:
                self._note_error(share_partition, StorageError(share_partition.partition, error), data)
            told[wanted] = data
        self._answer(told)

    def _answer(self, told: dict[WantedPartition, PartitionData]) -> None:
        self._stop()
        for wanted, code in self._errors.items():
            told[wanted] = PartitionData(partition_index=wanted.partition, error_code=code, records=b"")
        self.pending.answer(told)

    def _read(
        self,
        share_partition: SharePartition,
        offset: int,
        room: int,
        data: PartitionData,
        *,
        is_first: bool,
        acquired_count: int,
    ) -> tuple[list[Acquired], int]:
        """Read from `offset` and acquire; returns what was acquired, and how many bytes were read.

        Raises KafkaError, OSError.
        """
        partition, terms = share_partition.partition, self._terms
        if not share_partition.still_leads():
            self._share_partitions.drop(share_partition)
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if room <= 0 and not is_first:
            return [], 0
        log = partition.log
        end_offset = self._readable_end(partition)
        piece = log.read(offset, room, up_to_offset=end_offset, min_one_batch=is_first)
        length = piece.length
        if not length:
            return [], 0
        fetched = FetchedSlice(piece)
        request = AcquireRequest(
            terms.member_id, terms.max_records - acquired_count, terms.batch_size, terms.strict, offset
        )
        try:
            acquired = acquire(
                share_partition.window, request, fetched, share_partition.limits, self._clock.monotonic_ms()
            )
            if acquired and terms.committed_only:
                last_offset = acquired[-1].last_offset
                aborted = log.aborted_transactions(offset, piece.next_offset)
                if aborted:
                    acquired = without_aborted(share_partition.window, acquired, fetched.aborted(aborted, last_offset))
            if not acquired:
                piece.release()
                return [], 0
            share_partition.note_acquired()
            fetched.narrow(acquired[0].first_offset, acquired[-1].last_offset)
        except BaseException:
            piece.release()
            raise
        data.acquired_records = _as_answered(acquired)
        data.records = _copied(piece) if piece.length < FILE_RANGE_BYTES_MIN else piece
        return acquired, length

    def _note_error(self, share_partition: SharePartition, error: KafkaError, data: PartitionData) -> None:
        if error.code is ErrorCode.OFFSET_OUT_OF_RANGE:  # records were deleted: the next fetch begins behind them
            share_partition.log_start_moved(share_partition.partition.log.log_start_offset)
            return
        if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
            self._disk.unreadable(error)
        data.error_code = error.code


def _as_answered(acquired: Iterable[Acquired]) -> list[AcquiredRecords]:
    return [
        AcquiredRecords(first_offset=first, last_offset=last, delivery_count=count) for first, last, count in acquired
    ]


def _copied(piece: FileSlice) -> bytes:
    """The bytes of a slice, which is released. Raises OSError."""
    try:
        return piece.read()
    finally:
        piece.release()
