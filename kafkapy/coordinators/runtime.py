"""What every coordinator shares: decide, append, replay; answer when the records are committed.

A coordinator's state is cut into shards, one a partition of its internal topic. A *decision* reads a shard and returns
records and a response. `CoordinatorRuntime.execute` appends the records as one batch and *replays* them, which is the
only thing that changes what must survive a restart, in one `def`: between the check of a decision and the change made
by its records nothing else runs. The answer, and what else follows from the decision, leaves when the partition's high
watermark has passed everything it rests on. Loading a shard is replaying its partition, so a restart, or another
leader, cannot know more or less than the log. `serving.py` has the shards of those partitions that this broker leads.
"""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, NoReturn, TypeVar

import trio

from kafkapy.coordinators.ports import Shard
from kafkapy.coordinators.serving import Serving
from kafkapy.metadata.internal_topics import USED_BY
from kafkapy.pending import Pending, all_of, attempt, settled
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import Compression, NewRecord
from kafkapy_wire.records.building import build_batch_and_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.clock import Clock
    from kafkapy.coordinators.ports import CoordinatorLog, CoordinatorRecord, Position

logger = logging.getLogger("kafkapy.coordinators")

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1

T = TypeVar("T")
ShardT = TypeVar("ShardT", bound=Shard)

NO_LEADER = -1

SHORT_KEY_LENGTH_MAX: Final = 128
"""Of keys whose partitions are remembered: ids may have 32,767 bytes."""

COMMIT_TIMEOUT_MS = 5_000
METADATA_WAIT_MS = 1_000
"""How long a request waits, after the controller has created the topic, until this broker hears of it."""


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


class CoordinatorRuntime(Generic[ShardT]):
    """The shards of one coordinator and the way into its topic."""

    def __init__(
        self,
        topic: str,
        log: CoordinatorLog,
        clock: Clock,
        new_shard: Callable[[int], ShardT],
        *,
        when_loaded: Callable[[list[tuple[int, ShardT]]], None],
        compression: Compression = Compression.NONE,
        base_sequence: int = 0,
        commit_timeout_ms: Callable[[], int] = lambda: COMMIT_TIMEOUT_MS,
    ) -> None:
        """`when_loaded` is called with the (partition, shard) pairs that have just been loaded.

        `base_sequence` is what Apache Kafka writes in this topic's batches, although there is no producer id.
        A decision that is not committed within `commit_timeout_ms` is answered with COORDINATOR_NOT_AVAILABLE; its
        records stay.
        """
        self._topic = topic
        self._log = log
        self._clock = clock
        self._when_loaded = when_loaded
        self._compression = compression
        self._base_sequence = base_sequence
        self._commit_timeout_ms = commit_timeout_ms
        self._serving: Serving[ShardT] = Serving(topic, log, new_shard)
        self._shards = self._serving.shards
        self._waiting: dict[int, dict[object, Callable[[KafkaError | None], None]]] = {}
        """By partition, how each answer is settled that waits for a commit."""
        self._topic_wanted = trio.Event()
        self._load_wanted = trio.Event()
        self._topic_changed = trio.Event()
        self._waiting_until_ready: list[tuple[str, Pending[None]]] = []
        self._said = ""  # the last logged reason why the topic could not be created

    @property
    def partition_count(self) -> int:
        return self._log.partition_count

    @property
    def shards(self) -> list[ShardT]:
        """The shards of the partitions that this broker leads and can replay.

        Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS): some are being replayed.
        """
        return [self.shard(partition) for partition in self._serving.served_partitions()]

    def loaded_shards(self) -> list[tuple[int, ShardT]]:
        """(partition, shard) of the shards that are loaded."""
        return list(self._shards.items())

    def shard(self, partition: int) -> ShardT:
        """Raises KafkaError: COORDINATOR_LOAD_IN_PROGRESS, the partition is still being replayed; NOT_COORDINATOR, it
        is led elsewhere, or cannot be replayed, as in Apache Kafka.
        """
        try:
            return self._shards[partition]
        except KeyError:
            raise self._serving.why_not_served(partition) from None

    def serves(self, partition: int, shard: ShardT) -> bool:
        """Whether this very shard is still in charge: after a change of leadership another one may be."""
        return self._shards.get(partition) is shard

    def leader_epoch(self, partition: int) -> int:
        """The leader epoch in which the shard is in charge. Raises KafkaError as `shard`."""
        self.shard(partition)
        return self._serving.terms[partition].leader_epoch

    def leader_of(self, key: str) -> int:
        """The broker that coordinates this group or transactional id; -1: none, now."""
        count = self.partition_count
        return self._log.leader_id(partition_for(key, count)) if count else NO_LEADER

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
            first_offset = position.end_offset - len(decision.records)
            for offset, record in enumerate(decision.records, first_offset):
                shard.replay(record, producer_id, offset)
        else:
            try:
                position = self._log.position(partition)
            except KafkaError as error:
                raise KafkaError(ErrorCode.NOT_COORDINATOR) from error
            if decision.apply is not None:
                decision.apply()
        if position.committed.offset < position.end_offset:
            return self._when_committed(partition, position, decision)
        if decision.then is not None:
            decision.then(None)
        return settled(decision.response)

    def is_committed(self, partition: int) -> bool:
        """Whether all records of the shard's partition are committed. Raises KafkaError(NOT_COORDINATOR)."""
        position = self._position(partition)
        return position.committed.offset >= position.end_offset

    def read(self, partition: int, answer: T) -> Pending[T]:
        """An answer read from a shard: it leaves when all records of the shard's partition are committed."""
        position = self._position(partition)
        if position.committed.offset >= position.end_offset:
            return settled(answer)
        return self._when_committed(partition, position, Decision((), answer))

    def read_all(self, answer: T) -> Pending[T]:
        """An answer read from all shards: it leaves when the records of all their partitions are committed.

        Raises KafkaError(COORDINATOR_LOAD_IN_PROGRESS), or is refused with it, if a partition has moved to another
        broker meanwhile: clients ask again, as they do while one is loaded.
        """
        reads = [attempt(partial(self.read, partition, None)) for partition in self._shards]
        return all_of(reads).otherwise(_refuse_list).map(lambda _: answer)

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

    def _position(self, partition: int) -> Position:
        try:
            return self._log.position(partition)
        except KafkaError as error:
            raise KafkaError(ErrorCode.NOT_COORDINATOR) from error

    # -- waiting for commits

    def _when_committed(self, partition: int, position: Position, decision: Decision[T]) -> Pending[T]:
        pending: Pending[T] = Pending()
        waiting = self._waiting.setdefault(partition, {})

        def settle(error: KafkaError | None) -> None:
            if waiting.pop(pending, None) is None:
                return
            timer.cancel()
            if decision.then is not None:
                decision.then(error)
            if error is None:
                pending.answer(decision.response)
            else:
                pending.refuse(error)

        waiting[pending] = settle
        timer = self._clock.call_later(
            self._commit_timeout_ms(), lambda: settle(KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE))
        )
        position.committed.release_at(
            position.end_offset,
            lambda error: settle(None if error is None else KafkaError(_wait_error_as_seen_by_clients(error.code))),
        )
        return pending

    # -- the topic, and who leads its partitions

    def when_ready(self, key: str) -> Pending[None]:
        """Answered when the topic exists, and the shard of `key` is loaded, if this broker leads its partition. Creates
        the topic if it is missing.

        A topic that was just created has nothing to replay, so the first request to a fresh node needs no retry.
        Refused with COORDINATOR_NOT_AVAILABLE: the disk has no room for it. Others wait for the same creation.
        """
        if self._is_ready(key):
            return settled(None)
        ready: Pending[None] = Pending()
        self._waiting_until_ready.append((key, ready))
        self._topic_wanted.set()
        self._load_wanted.set()
        return ready

    def _is_ready(self, key: str) -> bool:
        count = self.partition_count
        return count > 0 and not self._serving.is_loading(partition_for(key, count))

    def _tell_who_is_ready(self) -> None:
        waiting, self._waiting_until_ready = self._waiting_until_ready, []
        for key, ready in waiting:
            if self._is_ready(key):
                ready.answer(None)
            else:
                self._waiting_until_ready.append((key, ready))

    def follow_leadership(self) -> None:
        """The topic was created, changed or deleted: give up the shards of partitions that are led elsewhere now, or in
        another term, and have those loaded that this broker leads.
        """
        for partition, shard in self._serving.take_lost():
            self._resign(partition, shard)
        self._load_wanted.set()
        changed, self._topic_changed = self._topic_changed, trio.Event()
        changed.set()
        self._tell_who_is_ready()

    def resign(self) -> None:
        """Give up every shard: the node stops."""
        for partition, shard in self._serving.take_all():
            self._resign(partition, shard)

    def _resign(self, partition: int, shard: ShardT) -> None:
        """Refuse what waits for commits, then what waits for other members: the former may set timers anew."""
        for settle in list(self._waiting.pop(partition, {}).values()):
            settle(KafkaError(ErrorCode.NOT_COORDINATOR))
        shard.resign()

    async def run(self) -> None:
        """Create the topic when `when_ready` is called, and load what this broker leads of it; until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._create_when_wanted)
            nursery.start_soon(self._load_when_wanted)

    async def _create_when_wanted(self) -> None:
        while True:
            await self._topic_wanted.wait()
            self._topic_wanted = trio.Event()
            error = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            try:
                if not self.partition_count:
                    await self._create_topic()
                    if not self.partition_count:  # another node has created it: the metadata will tell
                        await self._clock.wait(self._topic_changed, METADATA_WAIT_MS)
            except KafkaError as failure:
                if failure.code is not ErrorCode.KAFKA_STORAGE_ERROR:
                    error = failure
            if self.partition_count:
                self._load_wanted.set()
            else:
                waiting, self._waiting_until_ready = self._waiting_until_ready, []
                for _, ready in waiting:
                    ready.refuse(error)

    async def _create_topic(self) -> None:
        """Raises KafkaError. The reason is logged once, not with every request that needs the topic."""
        try:
            await self._log.create_topic()
        except KafkaError as error:
            reason = error.message or error.code.name
            if reason != self._said and error.code is not ErrorCode.KAFKA_STORAGE_ERROR:  # logged already
                self._said = reason
                what = USED_BY[self._topic]
                logger.error("%s cannot work: the topic %s cannot be created: %s", what, self._topic, reason)
            raise
        self._said = ""

    async def _load_when_wanted(self) -> None:
        while True:
            await self._load_wanted.wait()
            self._load_wanted = trio.Event()
            await self._load(raises=False)

    async def load(self) -> None:
        """Replay every partition that is led here and not loaded yet. Raises KafkaError, OSError."""
        await self._load(raises=True)

    async def _load(self, *, raises: bool) -> None:
        loaded = await self._serving.load(raises=raises, bugs=self._clock.bugs, progress=self._tell_who_is_ready)
        self._when_loaded(loaded)
        self._tell_who_is_ready()

    def end_transaction(self, partition: int, producer_id: int, *, committed: bool) -> None:
        """A marker was appended to the partition. If the shard is still loading, it will replay the marker itself."""
        shard = self._shards.get(partition)
        if shard is not None:
            shard.replay_end_transaction(producer_id, committed=committed)


def partition_for(key: str, partition_count: int) -> int:
    """The partition that owns a group or transactional id: Java's String.hashCode, made positive, modulo the count."""
    return (_short_key_code(key) if len(key) <= SHORT_KEY_LENGTH_MAX else _key_code(key)) % partition_count


def _key_code(key: str) -> int:
    code = 0
    units = key.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(units), 2):
        code = (31 * code + (units[index] << 8 | units[index + 1])) & 0xFFFFFFFF
    if code >= 1 << 31:
        code = (1 << 32) - code
        if code == 1 << 31:  # -Integer.MIN_VALUE overflows in Java; Kafka's Utils.abs makes it 0
            code = 0
    return code


_short_key_code = lru_cache(4_096)(_key_code)  # each heartbeat of each member asks for it


def _refuse_list(error: KafkaError) -> NoReturn:
    if error.code is ErrorCode.NOT_COORDINATOR:
        raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) from error
    raise error


def _append_error_as_seen_by_clients(error: ErrorCode) -> ErrorCode:
    match error:
        case (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode.NOT_ENOUGH_REPLICAS
            | ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | ErrorCode.REQUEST_TIMED_OUT
        ):
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        case ErrorCode.MESSAGE_TOO_LARGE | ErrorCode.RECORD_LIST_TOO_LARGE:
            return ErrorCode.UNKNOWN_SERVER_ERROR
        case ErrorCode.NOT_LEADER_OR_FOLLOWER | ErrorCode.KAFKA_STORAGE_ERROR:
            return ErrorCode.NOT_COORDINATOR
        case _:
            return error


def _wait_error_as_seen_by_clients(error: ErrorCode) -> ErrorCode:
    """Of records that were appended: when a partition is given up, all that waits for it hears NOT_COORDINATOR."""
    if error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        return ErrorCode.NOT_COORDINATOR
    return _append_error_as_seen_by_clients(error)
