"""What every coordinator shares: decide, append, replay; answer when the records are committed.

A coordinator's state is cut into shards, one a partition of its internal topic. A *decision* reads a shard and returns
records and a response. `CoordinatorRuntime.execute` appends the records as one batch and *replays* them, which is the
only thing that changes what must survive a restart, in one `def`: between the check of a decision and the change made
by its records nothing else runs. The answer, and what else follows from the decision, leaves when the partition's high
watermark has passed everything it rests on. Loading a shard is replaying its partition, so a restart cannot know more
or less than the log.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import trio

from kafkapy.coordinators.loading import PartitionLoading, in_one_line
from kafkapy.pending import Pending, all_of, settled
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.records import Compression, NewRecord
from kafkapy_wire.records.building import build_batch_and_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kafkapy.clock import Clock
    from kafkapy.high_watermark import HighWatermark
    from kafkapy_wire.records.building import BuiltBatch

logger = logging.getLogger("kafkapy.coordinators")

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1

T = TypeVar("T")
ShardT = TypeVar("ShardT", bound="Shard")

COMMIT_TIMEOUT_MS = 5_000

LOAD_TURN_BATCHES_MAX = 500
"""Batches replayed before other tasks get a turn: a few milliseconds."""


class CoordinatorRecord(NamedTuple):
    """One record of a coordinator's topic. Two bytes of type begin a key, of version a value; no value deletes."""

    key: bytes
    value: bytes | None


class TransactionalProducer(NamedTuple):
    """The producer of the transaction in which a decision's records are written."""

    producer_id: int
    epoch: int


class Decision(NamedTuple, Generic[T]):
    """The records of a decision, written as one batch, and the answer that leaves when they are committed.

    `apply` changes what is in memory only, between the append and the replay; `then` answers the requests that have
    waited for the commit: with None when the records are committed, with an error as clients see it when that cannot
    be known, or took too long. It is called once. A decision whose append is refused calls neither.
    """

    records: Sequence[CoordinatorRecord]
    response: T
    then: Callable[[KafkaError | None], None] | None = None
    apply: Callable[[], None] | None = None


NOTHING: Decision[None] = Decision((), None)


class Position(NamedTuple):
    """The log end offset and the high watermark of a partition."""

    end_offset: int
    committed: HighWatermark


class CoordinatorLog(Protocol):
    """What a coordinator needs of its internal topic. Partitions are `[0, partition_count)`."""

    @property
    def partition_count(self) -> int:
        """0 as long as the topic does not exist."""

    async def create_topic(self) -> None:
        """Create the topic if it does not exist; returns when every partition takes appends."""

    def append(self, partition: int, batch: BuiltBatch) -> Position:
        """Append a batch and return the position after it. Raises KafkaError: NOT_LEADER_OR_FOLLOWER,
        NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR.
        """

    def position(self, partition: int) -> Position:
        """The position of the log. Raises KafkaError(NOT_LEADER_OR_FOLLOWER)."""

    def read_batches(self, partition: int) -> Iterator[memoryview]:
        """Whole batches from the log start to the end. A view is valid until the next one is asked for.

        Raises KafkaError; MalformedMessage: the bytes after the last batch are not a batch.
        """


class Shard(Protocol):
    """State held by one partition of a coordinator's topic."""

    unknown_records: dict[int, int]
    """Type of record -> how many of it were replayed without effect: a later Kafka wrote them."""

    def replay(self, record: CoordinatorRecord, producer_id: int) -> None:
        """Apply one record, written by a transaction of `producer_id` when that is not -1.

        Raises MalformedMessage, UnsupportedVersion: the record is invalid, and nothing has changed. Records of this
        coordinator's own decisions never raise.
        """

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        """Apply a transaction marker."""

    def loaded(self) -> None:
        """The whole log is replayed: the shard is in charge from now on."""

    def resign(self) -> None:
        """The shard is no longer in charge: stop its timers, answer parked requests with NOT_COORDINATOR."""


class CoordinatorRuntime(Generic[ShardT]):
    """The shards of one coordinator and the way into its topic."""

    def __init__(
        self,
        topic: str,
        log: CoordinatorLog,
        clock: Clock,
        new_shard: Callable[[int], ShardT],
        *,
        compression: Compression = Compression.NONE,
        base_sequence: int = 0,
        commit_timeout_ms: Callable[[], int] = lambda: COMMIT_TIMEOUT_MS,
    ) -> None:
        """`base_sequence` is what Apache Kafka writes in this topic's batches, although there is no producer id.

        A decision that is not committed within `commit_timeout_ms` is answered with COORDINATOR_NOT_AVAILABLE; its
        records stay.
        """
        self._topic = topic
        self._log = log
        self._clock = clock
        self._new_shard = new_shard
        self._compression = compression
        self._base_sequence = base_sequence
        self._commit_timeout_ms = commit_timeout_ms
        self._shards: dict[int, ShardT] = {}
        self._unreadable: set[int] = set()
        """Partitions that could not be replayed: what they hold is not served until the next start."""
        self._loading = trio.Lock()
        self._wanted = trio.Event()
        self._waiting_until_ready: list[Pending[None]] = []
        self._said = ""  # the last logged reason why the topic could not be created

    @property
    def partition_count(self) -> int:
        return self._log.partition_count

    @property
    def shards(self) -> list[ShardT]:
        """All shards that are served. Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS): some are being replayed."""
        served = [partition for partition in range(self.partition_count) if partition not in self._unreadable]
        return [self.shard(partition) for partition in served]

    def loaded_shards(self) -> list[tuple[int, ShardT]]:
        """(partition, shard) of the shards that are loaded."""
        return list(self._shards.items())

    def shard(self, partition: int) -> ShardT:
        """Raises KafkaError: COORDINATOR_LOAD_IN_PROGRESS, the partition is still being replayed; NOT_COORDINATOR, it
        cannot be, as in Apache Kafka.
        """
        try:
            return self._shards[partition]
        except KeyError:
            if partition in self._unreadable:
                raise KafkaError(ErrorCode.NOT_COORDINATOR) from None
            raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) from None

    def execute(
        self, partition: int, decision: Decision[T], producer: TransactionalProducer | None = None
    ) -> Pending[T]:
        """Append and replay a decision. Its response leaves when all records that it depends on are committed.

        With `producer` the records are part of its transaction, and wait for its marker.
        Raises KafkaError when the log takes no records: then nothing has changed.
        """
        if decision.records:
            position = self._append(partition, decision.records, producer)
            if decision.apply is not None:
                decision.apply()
            shard = self._shards[partition]
            producer_id = NO_PRODUCER_ID if producer is None else producer.producer_id
            for record in decision.records:
                shard.replay(record, producer_id)
        else:
            if decision.apply is not None:
                decision.apply()
            position = self._log.position(partition)
        if position.committed.offset < position.end_offset:
            return self._when_committed(position, decision)
        if decision.then is not None:
            decision.then(None)
        return settled(decision.response)

    def is_committed(self, partition: int) -> bool:
        """Whether all records of the shard's partition are committed."""
        position = self._log.position(partition)
        return position.committed.offset >= position.end_offset

    def read(self, partition: int, answer: T) -> Pending[T]:
        """An answer read from a shard: it leaves when all records of the shard's partition are committed."""
        if self.is_committed(partition):
            return settled(answer)
        return self._when_committed(self._log.position(partition), Decision((), answer))

    def read_all(self, answer: T) -> Pending[T]:
        """An answer read from all shards: it leaves when the records of all their partitions are committed."""
        return all_of([self.read(partition, None) for partition in self._shards]).map(lambda _: answer)

    def _append(
        self, partition: int, records: Sequence[CoordinatorRecord], producer: TransactionalProducer | None
    ) -> Position:
        now_ms = self._clock.now_ms()
        batch = build_batch_and_header(
            [NewRecord(now_ms, record.key, record.value) for record in records],
            compression=self._compression,
            base_sequence=self._base_sequence,
            producer_id=NO_PRODUCER_ID if producer is None else producer.producer_id,
            producer_epoch=NO_PRODUCER_EPOCH if producer is None else producer.epoch,
            is_transactional=producer is not None,
        )
        try:
            return self._log.append(partition, batch)
        except KafkaError as error:
            raise KafkaError(_append_error_as_seen_by_clients(error.code)) from error

    def _when_committed(self, position: Position, decision: Decision[T]) -> Pending[T]:
        pending: Pending[T] = Pending()

        def settle(error: KafkaError | None) -> None:
            if pending.settled:
                return
            if decision.then is not None:
                decision.then(error)
            if error is None:
                pending.answer(decision.response)
            else:
                pending.refuse(error)

        timer = self._clock.call_later(
            self._commit_timeout_ms(), lambda: settle(KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE))
        )

        def release(error: KafkaError | None) -> None:
            timer.cancel()
            settle(None if error is None else KafkaError(_append_error_as_seen_by_clients(error.code)))

        position.committed.release_at(position.end_offset, release)
        return pending

    @property
    def is_ready(self) -> bool:
        """Whether the topic exists and every shard that can be replayed can be used."""
        count = self.partition_count
        return count > 0 and len(self._shards) + len(self._unreadable) >= count

    def when_ready(self) -> Pending[None]:
        """Answered when the topic exists and every shard is loaded. Creates the topic if it is missing.

        A topic that was just created has nothing to replay, so the first request to a fresh node needs no retry.
        Refused with COORDINATOR_NOT_AVAILABLE: the disk has no room for it. Others wait for the same creation.
        """
        if self.is_ready:
            return settled(None)
        ready: Pending[None] = Pending()
        self._waiting_until_ready.append(ready)
        self._wanted.set()
        return ready

    async def run(self) -> None:
        """Create the topic and load it when `when_ready` is called, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            error: KafkaError | None = None
            try:
                if not self.partition_count:
                    await self._create_topic()
                await self.load()  # also if a client created the topic, or added partitions
            except KafkaError as failure:
                error = failure
                if failure.code is ErrorCode.KAFKA_STORAGE_ERROR:
                    error = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            waiting, self._waiting_until_ready = self._waiting_until_ready, []
            for ready in waiting:
                if error is None:
                    ready.answer(None)
                else:
                    ready.refuse(error)

    async def _create_topic(self) -> None:
        """Raises KafkaError. The reason is logged once, not with every request that needs the topic."""
        try:
            await self._log.create_topic()
        except KafkaError as error:
            reason = str(error)
            if reason != self._said and error.code is not ErrorCode.KAFKA_STORAGE_ERROR:  # logged already
                self._said = reason
                logger.error("cannot create %s, so that clients find no coordinator: %s", self._topic, reason)
            raise
        self._said = ""

    def end_transaction(self, partition: int, producer_id: int, *, committed: bool) -> None:
        """A marker was appended to the partition. If the shard is still loading, it will replay the marker itself."""
        shard = self._shards.get(partition)
        if shard is not None:
            shard.replay_end_transaction(producer_id, committed=committed)

    async def load(self) -> None:
        """Replay every partition that is not loaded yet; other tasks get their turns meanwhile. Raises KafkaError."""
        unknown: dict[int, int] = {}
        async with self._loading:  # a second caller returns when the first one has loaded the shards
            for partition in range(self.partition_count):
                if partition not in self._shards and partition not in self._unreadable:
                    for record_type, count in (await self._load_partition(partition)).items():
                        unknown[record_type] = unknown.get(record_type, 0) + count
        for record_type, count in sorted(unknown.items()):
            logger.warning("skipped %d records of type %d, which is unknown, in %s", count, record_type, self._topic)

    async def _load_partition(self, partition: int) -> dict[int, int]:
        """Load one partition; returns the number of records of unknown types. An unreadable one is not served."""
        name = f"{self._topic}-{partition}"
        shard = self._new_shard(partition)

        def replay(key: bytes, value: bytes | None, producer_id: int) -> None:
            shard.replay(CoordinatorRecord(key, value), producer_id)

        def replay_end_transaction(producer_id: int, committed: bool) -> None:
            shard.replay_end_transaction(producer_id, committed=committed)

        loading = PartitionLoading(name, replay, replay_end_transaction)
        try:
            for batch_index, batch in enumerate(self._log.read_batches(partition), start=1):
                loading.take(batch)
                if batch_index % LOAD_TURN_BATCHES_MAX == 0:
                    await trio.lowlevel.checkpoint()
            loading.end()
            self._shards[partition] = shard
            shard.loaded()
        except MalformedMessage as error:
            logger.error(
                "%s cannot be read to its end (%s): what it holds is not served (NOT_COORDINATOR); "
                "restore its directory from a copy and start again",
                name,
                in_one_line(error),
            )
            self._give_up(partition, shard)
            return {}
        except (KafkaError, OSError):
            raise
        except Exception as error:
            # A bug that stored bytes cause at every start: the other partitions must be served all the same.
            self._report_bug(f"in replaying {name}, which is not served now (NOT_COORDINATOR)", error)
            self._give_up(partition, shard)
            return {}
        return shard.unknown_records

    def _give_up(self, partition: int, shard: ShardT) -> None:
        self._shards.pop(partition, None)
        self._unreadable.add(partition)
        shard.resign()

    def _report_bug(self, where: str, error: Exception) -> None:
        if self._clock.bugs is None:
            raise error
        self._clock.bugs.report(where, error)

    def resign(self) -> None:
        """Give up every shard: the topic was deleted, or the node stops."""
        shards = list(self._shards.values())
        self._shards.clear()
        self._unreadable.clear()
        for shard in shards:
            shard.resign()


def partition_for(key: str, partition_count: int) -> int:
    """The partition that owns a group or transactional id: Java's String.hashCode, made positive, modulo the count."""
    code = 0
    units = key.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(units), 2):
        code = (31 * code + (units[index] << 8 | units[index + 1])) & 0xFFFFFFFF
    if code >= 1 << 31:
        code = (1 << 32) - code
        if code == 1 << 31:  # -Integer.MIN_VALUE overflows in Java; Kafka's Utils.abs makes it 0
            code = 0
    return code % partition_count


def _append_error_as_seen_by_clients(error: ErrorCode) -> ErrorCode:
    match error:
        case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION | ErrorCode.NOT_ENOUGH_REPLICAS | ErrorCode.REQUEST_TIMED_OUT:
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        case ErrorCode.NOT_LEADER_OR_FOLLOWER | ErrorCode.KAFKA_STORAGE_ERROR:
            return ErrorCode.NOT_COORDINATOR
        case _:
            return error
