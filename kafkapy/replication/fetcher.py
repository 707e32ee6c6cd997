"""What a follower fetches from one other broker: which request is next, and what its answer means. Sans-IO.

```
            add                       records: appended, and fetched on from there
   (none) -------> FETCHING <------>  diverging epoch: truncated, and fetched on from there (KIP-595)
                    |    ^
  OFFSET_OUT_OF_RANGE    | begin anew at the leader's start, or truncate to its end
                    v    |
          ASKING_LATEST -> ASKING_EARLIEST        (ListOffsets)
```
After an error a partition waits, then it is fetched again. It is given up, until it has another leader epoch, when its
leader says that this one is over, or when its own log fails. What the leader sends is checked before it is stored:
whole batches, their checksums, offsets that ascend, no later leader epoch.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.partitions.replica import Role
from kafkapy.replication.fetch_session import FollowerSession
from kafkapy_log import StorageError, UnexpectedAppendOffset
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, ReplicaState
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.records import BATCH_HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from kafkapy.fetching.replication_quota import ReplicationQuota
    from kafkapy.partitions.partition import Partition
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.message import Records
    from kafkapy_wire.messages.fetch import PartitionData
    from kafkapy_wire.messages.list_offsets import ListOffsetsPartitionResponse
    from kafkapy_wire.uuid import Uuid

    Key: TypeAlias = tuple[Uuid, int]

logger = logging.getLogger("kafkapy.replication")

FIRST_DELAY_MS: Final = 10
"""Of a partition whose leader does not know of its leadership yet: it doubles up to replica.fetch.backoff.ms."""
THROTTLED_MS: Final = 100.0
"""How long throttled partitions are left out until the rate is looked at again."""
PIECE_BATCHES_MAX: Final = 128
PIECE_BYTES_MAX: Final = 256 << 10
"""So much is appended at once: a millisecond or less."""
LATEST: Final = -1
EARLIEST: Final = -2
BATCH_OVERHEAD: Final = 12
_BATCH_LENGTH = Struct(">8xi")

# The leader has yet to hear of its leadership, or of the topic: soon it will.
NOT_YET_KNOWN = (
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.INCONSISTENT_TOPIC_ID,
)
# The leader's session is another than this follower's.
SESSION_ERRORS = (
    ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
    ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
)


class Stage(Enum):
    """Where a followed partition stands."""

    FETCHING = auto()
    ASKING_LATEST = auto()
    """The leader does not have the fetch offset: where does its log end?"""
    ASKING_EARLIEST = auto()
    """It ends above this one: where does it begin?"""


class Then(Enum):
    """What is due before an answer is worked on any further."""

    TURN = auto()
    """Nothing: others may have the event loop."""
    CHECKPOINT = auto()
    """A log was truncated: its recovery point must be on the disk before anything is appended to it."""


class Followed:
    """One partition that is fetched. `due_ms`: not before then."""

    __slots__ = (
        "asked_offset",
        "asked_start_offset",
        "delay_ms",
        "due_ms",
        "is_in_sync",
        "leader_epoch",
        "partition",
        "refused_with",
        "stage",
    )

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.leader_epoch = partition.leader_epoch
        self.stage = Stage.FETCHING
        self.asked_offset = -1
        self.asked_start_offset = -1
        """What the leader was last told of the log start, which retention may have moved since."""
        self.due_ms = 0.0
        self.delay_ms = 0.0
        """How long the last wait was, if nothing has succeeded since."""
        self.refused_with = 0
        """The error by which the leader has answered last."""
        self.is_in_sync = False
        """It had all that was committed, when the leader last answered: no throttle holds it back."""

    @property
    def is_current(self) -> bool:
        """Whether this broker still follows in the same leader epoch."""
        partition = self.partition
        return partition.role is Role.FOLLOWER and partition.leader_epoch == self.leader_epoch

    def level_of(self, code: int) -> int:
        """At which an error of its leader is logged: the first time, it is worth a line."""
        before, self.refused_with = self.refused_with, code
        return logging.DEBUG if code == before else logging.ERROR


class Replica(NamedTuple):
    """This broker, as it names itself in fetches."""

    broker_id: int
    broker_epoch: int


class Fetcher:
    """The partitions that are followed from the broker `source_id`, in one session.

    Call `next_request`; then `take` with the answer, or `lost` without one; then `next_request` again.
    """

    def __init__(
        self,
        source_id: int,
        settings: CurrentSettings,
        quota: ReplicationQuota,
        replica: Callable[[], Replica],
    ) -> None:
        self.source_id = source_id
        self._settings = settings
        self._quota = quota
        self._replica = replica
        self._session = FollowerSession()
        self._followed: dict[Key, Followed] = {}
        self._changed: dict[Key, None] = {}  # the leader's session is to hear of them
        self._dropped: dict[Key, None] = {}  # the leader's session is to forget them, if it knows them
        self._delayed: dict[Key, None] = {}
        self._asking: dict[Key, None] = {}  # those that are not FETCHING
        self._held_back: dict[Key, None] = {}  # by follower.replication.throttled.rate
        self.unflushed: list[Partition] = []
        """Those that flush.messages asks to sync before the next request, which tells the leader what they have."""
        self._outage_ms = 0.0  # how long the last wait was, if the leader has not answered since
        self._needs_checkpoint = False
        """Logs were truncated: their recovery points must be on the disk before anything is appended to them. A
        failover may truncate thousands at once, and the checkpoint has all logs: it is written once for an answer.
        """

    def __len__(self) -> int:
        return len(self._followed)

    def keys(self) -> list[Key]:
        return list(self._followed)

    # -- which partitions

    def add(self, partition: Partition, *, now_ms: float, wall_ms: int) -> None:
        """Follow `partition` in its present leader epoch."""
        key = (partition.topic_id, partition.index)
        self._forget_waits(key)
        followed = self._followed[key] = Followed(partition)
        self._dropped.pop(key, None)
        self._changed[key] = None
        log = partition.log
        if log.leader_epochs.latest_epoch < 0 and log.log_end_offset > partition.high_watermark:
            # Without leader epochs the leader cannot tell where the logs diverge: as in Apache Kafka, what may not be
            # committed goes.
            try:
                partition.truncate_to(partition.high_watermark, now_ms=wall_ms)
            except StorageError as error:
                self._storage_failed(key, followed, error, now_ms)
            self._needs_checkpoint = True

    def remove(self, key: Key) -> None:
        """Do not follow the partition any more."""
        if self._followed.pop(key, None) is not None:
            self._forget_waits(key)
            self._changed.pop(key, None)
            self._dropped[key] = None

    def _forget_waits(self, key: Key) -> None:
        for waiting in (self._delayed, self._asking, self._held_back):
            waiting.pop(key, None)

    # -- requests

    def next_due_ms(self, now_ms: float) -> float | None:
        """When `next_request` is to be called again after it has returned None; None: when a partition is added."""
        waits = [self._followed[key].due_ms for key in self._delayed]
        if self._held_back:
            waits.append(now_ms + THROTTLED_MS)
        return min(waits, default=None)

    def next_request(self, now_ms: float) -> FetchRequest | ListOffsetsRequest | None:
        """What to ask the leader now; None: nothing, as every partition waits."""
        for key in [key for key in self._delayed if self._followed[key].due_ms <= now_ms]:
            del self._delayed[key]
            self._changed[key] = None
        for stage in (Stage.ASKING_LATEST, Stage.ASKING_EARLIEST):
            asking = [key for key in self._asking if key not in self._delayed and self._followed[key].stage is stage]
            if asking:
                return self._list_offsets(asking, LATEST if stage is Stage.ASKING_LATEST else EARLIEST)
        self._hold_back()
        waiting_count = len(self._delayed.keys() | self._asking.keys() | self._held_back.keys())
        if waiting_count == len(self._followed):
            return None
        return self._fetch(now_ms)

    def _fetch(self, now_ms: float) -> FetchRequest:
        replication = self._settings.now.replication
        max_bytes = replication.replica_fetch_max_bytes
        named = self._changed if self._session.is_incremental else self._followed
        wanted = {}
        for key in named:
            if key in self._delayed or key in self._asking or key in self._held_back:
                continue
            followed = self._followed[key]
            log = followed.partition.log
            followed.asked_offset = offset = log.log_end_offset
            followed.asked_start_offset = log.log_start_offset
            wanted[key] = FetchPartition(
                partition=key[1],
                current_leader_epoch=followed.leader_epoch,
                fetch_offset=offset,
                last_fetched_epoch=log.leader_epochs.latest_epoch,
                log_start_offset=log.log_start_offset,
                partition_max_bytes=max_bytes,
            )
        request = self._session.begin_request(wanted, self._dropped)
        self._changed, self._dropped = {}, {}
        replica = self._replica()
        request.replica_state = ReplicaState(replica_id=replica.broker_id, replica_epoch=replica.broker_epoch)
        request.max_wait_ms = replication.replica_fetch_wait_max_ms
        due_ms = self.next_due_ms(now_ms)
        if due_ms is not None:
            request.max_wait_ms = max(0, min(request.max_wait_ms, int(due_ms - now_ms)))
        request.min_bytes = replication.replica_fetch_min_bytes
        request.max_bytes = replication.replica_fetch_response_max_bytes
        return request

    def _list_offsets(self, keys: list[Key], timestamp: int) -> ListOffsetsRequest:
        topics: dict[str, list[ListOffsetsPartition]] = {}
        for key in keys:
            followed = self._followed[key]
            followed.asked_offset = followed.partition.log.log_end_offset
            asked = ListOffsetsPartition(
                partition_index=key[1], current_leader_epoch=followed.leader_epoch, timestamp=timestamp
            )
            topics.setdefault(followed.partition.topic, []).append(asked)
        return ListOffsetsRequest(
            replica_id=self._replica().broker_id,
            topics=[ListOffsetsTopic(name=name, partitions=asked) for name, asked in topics.items()],
        )

    def _hold_back(self) -> None:
        """Leave out the throttled partitions while more than follower.replication.throttled.rate was fetched."""
        exceeded = self._quota.is_bounded and self._quota.is_exceeded()
        if not exceeded:
            self._changed.update(self._held_back)
            self._held_back = {}
            return
        for key, followed in self._followed.items():
            if not followed.is_in_sync and key not in self._held_back and self._quota.is_for(followed.partition):
                self._held_back[key] = self._dropped[key] = None

    # -- answers

    def lost(self, now_ms: float) -> None:
        """The request has no answer: all partitions wait, and another session is begun."""
        self._session.reset()
        backoff_ms = self._settings.now.replication.replica_fetch_backoff_ms
        self._outage_ms = min(backoff_ms, max(FIRST_DELAY_MS, self._outage_ms * 2))
        for key, followed in self._followed.items():
            if key not in self._delayed:
                self._delay(key, followed, now_ms, self._outage_ms)

    def take(
        self, request: FetchRequest | ListOffsetsRequest, answer: object, *, now_ms: float, wall_ms: int
    ) -> Iterator[Then]:
        """Work on the answer, and yield what is due in between. `wall_ms` is the time for what is stored.

        Partitions may be added and removed between two steps.
        """
        yield from self._checkpoint_if_needed()
        if isinstance(answer, FetchResponse):
            yield from self._take_fetched(answer, now_ms, wall_ms)
        elif isinstance(answer, ListOffsetsResponse):
            assert isinstance(request, ListOffsetsRequest), request
            yield from self._take_offsets(request, answer, now_ms, wall_ms)
        yield from self._checkpoint_if_needed()

    def _checkpoint_if_needed(self) -> Iterator[Then]:
        if self._needs_checkpoint:
            self._needs_checkpoint = False
            yield Then.CHECKPOINT

    def _take_fetched(self, response: FetchResponse, now_ms: float, wall_ms: int) -> Iterator[Then]:
        if response.error_code in SESSION_ERRORS:
            logger.debug("broker %d: %s", self.source_id, ErrorCode(response.error_code).name)
            self._session.reset(close=response.error_code != ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
            return
        if response.error_code:
            logger.warning(
                "broker %d answers fetches of this broker with error %d", self.source_id, response.error_code
            )
            self.lost(now_ms)
            return
        self._session.end_request(response.session_id)
        self._outage_ms = 0.0
        for topic in response.responses:
            for data in topic.partitions:
                key = (topic.topic_id, data.partition_index)
                followed = self._followed.get(key)
                if followed is None or followed.stage is not Stage.FETCHING or not self._is_still_asked(followed):
                    continue  # it was removed, or has another leader, since the request was sent
                try:
                    yield from self._take_partition(key, followed, data, now_ms, wall_ms)
                except StorageError as error:
                    self._storage_failed(key, followed, error, now_ms)
                except KafkaError as error:
                    logger.error("%s from broker %d: %s", followed.partition, self.source_id, error.message)
                    self._back_off(key, followed, now_ms)
                except UnexpectedAppendOffset as error:
                    self._give_up(key, followed, f"its leader sent records out of order: {error}")
                yield Then.TURN

    def _is_still_asked(self, followed: Followed) -> bool:
        return followed.is_current and followed.partition.log.log_end_offset == followed.asked_offset

    def _is_still_followed(self, key: Key, followed: Followed) -> bool:
        return followed.is_current and self._followed.get(key) is followed

    def _take_partition(
        self, key: Key, followed: Followed, data: PartitionData, now_ms: float, wall_ms: int
    ) -> Iterator[Then]:
        """Raises KafkaError CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR; UnexpectedAppendOffset."""
        partition = followed.partition
        if data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            self._ask_for_offsets(key, followed, Stage.ASKING_LATEST)
            return
        if data.error_code:
            self._refused(key, followed, data.error_code, now_ms)
            return
        followed.delay_ms, followed.refused_with = 0.0, 0
        if data.diverging_epoch.epoch >= 0:
            self._truncate(key, followed, data, now_ms, wall_ms)
            return
        for piece in _pieces(data.records):
            try:
                self._append(partition, piece, data, wall_ms)
            except UnexpectedAppendOffset as error:
                log = partition.log
                is_empty = log.log_start_offset == log.log_end_offset
                if not (is_empty and error.first_offset < log.log_end_offset <= error.last_offset):
                    raise
                # The leader's log begins within a batch, after DeleteRecords: the batch comes whole.
                partition.start_over_at(error.first_offset, now_ms=wall_ms)
                yield Then.CHECKPOINT
                if not self._is_still_followed(key, followed):
                    return  # another leader, while the checkpoint was written
                self._append(partition, piece, data, wall_ms)
            yield Then.TURN
            if not self._is_still_followed(key, followed):
                return  # its topic was deleted, or it has another leader, while others had their turn
        if partition.must_flush:
            self.unflushed.append(partition)
        end_offset = partition.log.log_end_offset
        followed.is_in_sync = end_offset >= data.high_watermark
        if end_offset != followed.asked_offset or partition.log.log_start_offset != followed.asked_start_offset:
            self._changed[key] = None

    def _append(self, partition: Partition, piece: memoryview, data: PartitionData, wall_ms: int) -> None:
        partition.append_from_leader(
            piece,
            leader_high_watermark=data.high_watermark,
            leader_log_start_offset=data.log_start_offset,
            now_ms=wall_ms,
        )
        if len(piece) and self._quota.is_for(partition):
            self._quota.record(len(piece))

    def _truncate(self, key: Key, followed: Followed, data: PartitionData, now_ms: float, wall_ms: int) -> None:
        partition, diverging = followed.partition, data.diverging_epoch
        log, high_watermark = partition.log, partition.high_watermark
        before = log.log_end_offset, log.leader_epochs.latest_epoch
        partition.truncate_to_divergence(diverging.epoch, diverging.end_offset, now_ms=wall_ms)
        end_offset = log.log_end_offset
        if (end_offset, log.leader_epochs.latest_epoch) == before:
            self._back_off(key, followed, now_ms)  # what the leader says changes nothing: it would say it again
            return
        logger.log(
            logging.INFO if end_offset >= high_watermark else logging.WARNING,
            "%s: truncated from offset %d to %d, where the log of broker %d diverges; the high watermark was %d",
            partition,
            before[0],
            end_offset,
            self.source_id,
            high_watermark,
        )
        self._changed[key] = None
        self._needs_checkpoint = True

    def _refused(self, key: Key, followed: Followed, code: int, now_ms: float) -> None:
        if code == ErrorCode.FENCED_LEADER_EPOCH:
            self._give_up(key, followed, f"leader epoch {followed.leader_epoch} is over", level=logging.INFO)
            return
        name = ErrorCode(code).name if code in ErrorCode.__members__.values() else str(code)
        if code in NOT_YET_KNOWN:
            logger.debug("%s: broker %d does not lead it yet (%s)", followed.partition, self.source_id, name)
            self._try_soon(key, followed, now_ms)
        else:
            logger.log(followed.level_of(code), "%s: broker %d answers: %s", followed.partition, self.source_id, name)
            self._back_off(key, followed, now_ms)

    def _delay(self, key: Key, followed: Followed, now_ms: float, delay_ms: float) -> None:
        followed.due_ms = now_ms + delay_ms
        self._changed.pop(key, None)
        self._delayed[key] = self._dropped[key] = None

    def _back_off(self, key: Key, followed: Followed, now_ms: float) -> None:
        """Wait for replica.fetch.backoff.ms."""
        self._delay(key, followed, now_ms, self._settings.now.replication.replica_fetch_backoff_ms)

    def _try_soon(self, key: Key, followed: Followed, now_ms: float) -> None:
        """Wait briefly, and longer with each time that this is called without a success between."""
        backoff_ms = self._settings.now.replication.replica_fetch_backoff_ms
        followed.delay_ms = min(backoff_ms, max(FIRST_DELAY_MS, followed.delay_ms * 2))
        self._delay(key, followed, now_ms, followed.delay_ms)

    def _storage_failed(self, key: Key, followed: Followed, error: StorageError, now_ms: float) -> None:
        if error.passes:
            self._back_off(key, followed, now_ms)
        else:
            self._give_up(key, followed, f"its log has failed ({error.message})", level=logging.ERROR)

    def _give_up(self, key: Key, followed: Followed, reason: str, *, level: int = logging.ERROR) -> None:
        logger.log(
            level,
            "%s is not fetched from broker %d any more, until it has another leader epoch: %s",
            followed.partition,
            self.source_id,
            reason,
        )
        self.remove(key)

    # -- where the leader's log lies elsewhere

    def _ask_for_offsets(self, key: Key, followed: Followed, stage: Stage) -> None:
        followed.stage = stage
        self._asking[key] = self._dropped[key] = None
        self._changed.pop(key, None)

    def _fetch_on(self, key: Key, followed: Followed) -> None:
        followed.stage = Stage.FETCHING
        self._asking.pop(key, None)
        self._changed[key] = None

    def _take_offsets(
        self, request: ListOffsetsRequest, response: ListOffsetsResponse, now_ms: float, wall_ms: int
    ) -> Iterator[Then]:
        timestamps = {partition.timestamp for topic in request.topics for partition in topic.partitions}
        stage = Stage.ASKING_LATEST if timestamps == {LATEST} else Stage.ASKING_EARLIEST
        asked = {(self._followed[key].partition.topic, key[1]): key for key in self._asking if key in self._followed}
        for topic in response.topics:
            for answer in topic.partitions:
                key = asked.pop((topic.name, answer.partition_index), None)
                followed = None if key is None else self._followed.get(key)
                if key is None or followed is None or followed.stage is not stage or not self._is_still_asked(followed):
                    continue
                try:
                    self._take_offset(key, followed, answer, now_ms, wall_ms)
                except StorageError as error:
                    self._storage_failed(key, followed, error, now_ms)
                yield Then.TURN
        for key in asked.values():  # the leader says nothing of it: not again at once
            followed = self._followed.get(key)
            if followed is not None and followed.stage is stage:
                self._back_off(key, followed, now_ms)

    def _take_offset(
        self, key: Key, followed: Followed, answer: ListOffsetsPartitionResponse, now_ms: float, wall_ms: int
    ) -> None:
        """Raises StorageError."""
        if answer.error_code or answer.offset < 0:
            self._refused(key, followed, answer.error_code or ErrorCode.UNKNOWN_SERVER_ERROR, now_ms)
            return
        partition = followed.partition
        end_offset = partition.log.log_end_offset
        if followed.stage is Stage.ASKING_LATEST:
            if answer.offset >= end_offset:
                self._ask_for_offsets(key, followed, Stage.ASKING_EARLIEST)
                return
            # After an unclean election the leader may have fewer records than this follower.
            logger.warning(
                "%s: truncated from offset %d to %d, where the log of broker %d ends",
                partition,
                end_offset,
                answer.offset,
                self.source_id,
            )
            partition.truncate_to(answer.offset, now_ms=wall_ms)
        elif answer.offset > end_offset:
            logger.warning(
                "%s: begins anew at offset %d, where the log of broker %d begins; it ended at %d",
                partition,
                answer.offset,
                self.source_id,
                end_offset,
            )
            partition.start_over_at(answer.offset, now_ms=wall_ms)
        else:  # the leader has the fetch offset by now
            self._fetch_on(key, followed)
            self._try_soon(key, followed, now_ms)
            return
        self._fetch_on(key, followed)
        self._needs_checkpoint = True


def _pieces(records: Records | None) -> Iterator[memoryview]:
    """The records in pieces of whole batches, to be appended one after the other; an empty piece if there are none."""
    assert records is None or isinstance(records, bytes | bytearray | memoryview), records
    view = memoryview(b"" if records is None else records)
    start = position = batches = 0
    while len(view) - position >= BATCH_OVERHEAD:
        size = BATCH_OVERHEAD + int(_BATCH_LENGTH.unpack_from(view, position)[0])
        if not BATCH_HEADER_BYTES <= size <= len(view) - position:
            break  # cut off, or no batch: the append tells
        position += size
        batches += 1
        if batches >= PIECE_BATCHES_MAX or position - start >= PIECE_BYTES_MAX:
            yield view[start:position]
            start, batches = position, 0
    if start < len(view) or not start:
        yield view[start:]
