"""Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches, and sends only what changed.

One `FetchSessionCache` a node owns all sessions. `begin()` turns a request into a `FetchPlan`: which partitions to
read, and whether the answer is full, incremental or sessionless. After the read, `FetchPlan.answer()` says which
partitions go into the response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.fetching.fetch_key import FetchKey
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.uuid import ZERO_UUID, Uuid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from kafkapy.fetching.follower_progress import FollowerProgress
    from kafkapy_wire.messages.fetch import FetchableTopicResponse, FetchPartition, FetchRequest, PartitionData

INVALID_SESSION_ID = 0
INITIAL_EPOCH = 0  # a full fetch that asks for a session
FINAL_EPOCH = -1  # a full fetch that wants none, and closes the one it names
TOPIC_IDS_VERSION = 13
PARTITIONS_PER_SESSION_MAX = 10_000
"""A fetch of more gets no session, and names them all each time."""
PARTITIONS_MAX = 1_000_000
"""Of all sessions together: 250 MB."""


class FollowerId(NamedTuple):
    """Which fetcher of which broker a session is for: with num.replica.fetchers a broker has several, and each has a
    client id of its own."""

    broker_id: int
    client_id: str | None


class FetchedPartition:
    """One partition of a session: what the consumer asks for, and what it was last sent."""

    __slots__ = (
        "current_leader_epoch",
        "fetch_offset",
        "index",
        "last_fetched_epoch",
        "log_start_offset",
        "max_bytes",
        "must_be_told",
        "told_high_watermark",
        "told_log_start_offset",
        "topic_id",
        "topic_name",
    )

    def __init__(self, topic_name: str, topic_id: Uuid, wanted: FetchPartition) -> None:
        self.topic_name = topic_name
        """From version 13 on the name that the id had when a topic was first found for it, "" until then (KIP-516)."""
        self.topic_id = topic_id
        self.index = wanted.partition
        self.told_high_watermark = -1
        self.told_log_start_offset = -1
        self.must_be_told = False
        """The next answer has the partition even if nothing has changed."""
        self.update(wanted)

    def update(self, wanted: FetchPartition) -> None:
        self.fetch_offset = wanted.fetch_offset
        self.current_leader_epoch = wanted.current_leader_epoch
        self.last_fetched_epoch = wanted.last_fetched_epoch
        self.max_bytes = wanted.partition_max_bytes
        self.log_start_offset = wanted.log_start_offset

    def note_told(self, data: PartitionData) -> bool:
        """Remember `data` as sent to the consumer. Returns whether it differs from what was sent before: only
        then an incremental answer must have it.
        """
        changed = (
            data.high_watermark != self.told_high_watermark
            or data.log_start_offset != self.told_log_start_offset
            or data.error_code != ErrorCode.NONE
            or data.diverging_epoch.epoch != -1
            or bool(data.records)
            or data.preferred_read_replica >= 0
            or self.must_be_told
        )
        self.must_be_told = False
        if data.error_code == ErrorCode.NONE:
            self.told_high_watermark = data.high_watermark
            self.told_log_start_offset = data.log_start_offset
        else:
            # After an error the consumer knows no offsets: the next answer must have them.
            self.told_high_watermark = self.told_log_start_offset = -1
        return changed


class FetchSession:
    """The partitions of one consumer, in the order in which they are read."""

    __slots__ = ("created_ms", "epoch", "follower", "id", "last_used_ms", "partitions", "progress", "uses_topic_ids")

    def __init__(
        self,
        session_id: int,
        partitions: dict[FetchKey, FetchedPartition],
        now_ms: float,
        *,
        uses_topic_ids: bool,
        follower: FollowerId | None = None,
        progress: FollowerProgress | None = None,
    ) -> None:
        """`follower` and `progress` are given for a follower's."""
        self.id = session_id
        self.epoch = 1  # the session epoch that the next request must have
        self.partitions = partitions
        self.uses_topic_ids = uses_topic_ids
        self.follower = follower
        self.progress = progress
        self.created_ms = self.last_used_ms = now_ms

    def advance_epoch(self) -> None:
        self.epoch = 1 if self.epoch == 0x7FFF_FFFF else self.epoch + 1

    def move_to_end(self, keys: Iterable[FetchKey]) -> None:
        """Partitions that had records are read last the next time, so that each gets its share of the response."""
        for key in keys:
            if (partition := self.partitions.pop(key, None)) is not None:
                self.partitions[key] = partition


class FetchPlan:
    """The partitions that one request reads; or `error`, if its session does not exist or has another epoch."""

    __slots__ = ("_epoch", "_incremental", "error", "partitions", "session", "session_id")

    def __init__(
        self,
        partitions: dict[FetchKey, FetchedPartition],
        *,
        session: FetchSession | None = None,
        incremental: bool = False,
        error: ErrorCode = ErrorCode.NONE,
    ) -> None:
        self.partitions = partitions
        self.session = session
        self.session_id = session.id if session else INVALID_SESSION_ID
        self.error = error
        self._incremental = incremental
        self._epoch = session.epoch if session else INITIAL_EPOCH

    @property
    def is_overtaken(self) -> bool:
        """Whether the session's next request came on another connection while this one waited."""
        return self._incremental and self.session is not None and self.session.epoch != self._epoch

    def answer(self, results: list[tuple[FetchKey, PartitionData]]) -> list[tuple[FetchKey, PartitionData]]:
        """The results that go into the response, in order."""
        session = self.session
        if session is None:
            return results
        told = []
        for key, data in results:
            # While this request waited, another one of the same session may have removed the partition.
            partition = self.partitions.get(key)
            changed = partition is not None and partition.note_told(data)
            if changed or not self._incremental:
                told.append((key, data))
        if self._incremental:
            session.move_to_end([key for key, data in told if data.records])
        return told


class FetchSessionCache:
    """All sessions of a node, at most `slots` of them.

    When it is full, a session that was not used for `eviction_ms` makes room, and for a follower the oldest one of a
    consumer does; otherwise the newcomer gets none, which is an ordinary answer (session id 0). A follower that begins
    a session has given up its former one: that one would watch all its partitions, at a cost with each append.
    """

    def __init__(self, *, slots: int, eviction_ms: int, rng: Random) -> None:
        self._slots = slots
        self._eviction_ms = eviction_ms
        self._sessions: dict[int, FetchSession] = {}
        self._of_followers: dict[FollowerId, int] = {}
        self._partition_count = 0
        self._random = rng

    def __len__(self) -> int:
        return len(self._sessions)

    def partitions_of(self, session_id: int) -> tuple[FetchedPartition, ...]:
        """What a session has; nothing if there is no such session."""
        session = self._sessions.get(session_id)
        return () if session is None else tuple(session.partitions.values())

    def begin(
        self,
        request: FetchRequest,
        version: int,
        now_ms: float,
        wanted: dict[FetchKey, FetchedPartition] | None = None,
        *,
        follower: FollowerId | None = None,
    ) -> FetchPlan:
        """Find or make the session of `request`; its epoch moves on at once.

        `wanted`: the result of `wanted_partitions` for the request, if the caller has it. `follower`: who it is, if it
        is no consumer.
        """
        session_id, epoch = request.session_id, request.session_epoch
        if epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            if session_id != INVALID_SESSION_ID:
                self._drop(session_id)
            partitions = wanted_partitions(request) if wanted is None else wanted
            if epoch == FINAL_EPOCH:
                return FetchPlan(partitions)
            return FetchPlan(partitions, session=self._create(partitions, version, now_ms, follower))
        session = self._sessions.get(session_id)
        if session is None:
            return FetchPlan({}, error=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != epoch:
            return FetchPlan({}, error=ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        if session.uses_topic_ids != (version >= TOPIC_IDS_VERSION):
            return FetchPlan({}, error=ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        count = len(session.partitions)
        if wanted is not None and len(wanted) > PARTITIONS_PER_SESSION_MAX:
            self._drop(session_id)
            return FetchPlan({}, error=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        self._update(session, request)
        self._partition_count += len(session.partitions) - count
        if not session.partitions:
            self._drop(session.id)
            return FetchPlan({})
        grows_too_much = len(session.partitions) > count and self._partition_count > PARTITIONS_MAX
        if grows_too_much or len(session.partitions) > PARTITIONS_PER_SESSION_MAX:
            self._drop(session_id)
            return FetchPlan({}, error=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        session.last_used_ms = now_ms
        session.advance_epoch()
        return FetchPlan(session.partitions, session=session, incremental=True)

    def withhold(self, session_id: int, answered: Iterable[FetchableTopicResponse]) -> int:
        """An answer of the session is not sent, except for its session id, which is returned: the next answer has what
        it had. As in Apache Kafka no session begins with such an answer.
        """
        session = self._sessions.get(session_id)
        if session is None:
            return INVALID_SESSION_ID
        if session.epoch == 1:
            self._drop(session_id)
            return INVALID_SESSION_ID
        for topic in answered:
            name: str | Uuid = topic.topic_id if session.uses_topic_ids else topic.topic
            for data in topic.partitions:
                partition = session.partitions.get(FetchKey((name, data.partition_index)))
                if partition is not None:
                    partition.must_be_told = True
        return session_id

    def _update(self, session: FetchSession, request: FetchRequest) -> None:
        partitions = session.partitions
        for topic in request.topics:
            name: str | Uuid = topic.topic_id if session.uses_topic_ids else topic.topic
            for wanted in topic.partitions:
                known = partitions.get(FetchKey((name, wanted.partition)))
                if known is None:
                    partitions[FetchKey((name, wanted.partition))] = FetchedPartition(
                        topic.topic, topic.topic_id, wanted
                    )
                else:
                    known.update(wanted)
                    # A follower that names it again may have thrown away the last answer, and the high watermark in it.
                    known.must_be_told = session.progress is not None
        for forgotten in request.forgotten_topics_data:
            name = forgotten.topic_id if session.uses_topic_ids else forgotten.topic
            for index in forgotten.partitions:
                partitions.pop(FetchKey((name, index)), None)
                if session.progress is not None:
                    session.progress.forget(FetchKey((name, index)))

    def _create(
        self, partitions: dict[FetchKey, FetchedPartition], version: int, now_ms: float, follower: FollowerId | None
    ) -> FetchSession | None:
        if follower is not None and (former := self._of_followers.get(follower)) is not None:
            self._drop(former)
        if len(partitions) > PARTITIONS_PER_SESSION_MAX:
            return None
        while len(self._sessions) >= self._slots or self._partition_count + len(partitions) > PARTITIONS_MAX:
            if not self._evict(now_ms, for_follower=follower is not None):
                return None
        session_id = INVALID_SESSION_ID
        while session_id == INVALID_SESSION_ID or session_id in self._sessions:
            session_id = self._random.randint(1, 0x7FFF_FFFF)
        progress = None
        if follower is not None:
            from kafkapy.fetching.follower_progress import FollowerProgress

            progress = FollowerProgress()
            self._of_followers[follower] = session_id
        by_id = version >= TOPIC_IDS_VERSION
        session = FetchSession(
            session_id, partitions, now_ms, uses_topic_ids=by_id, follower=follower, progress=progress
        )
        self._sessions[session_id] = session
        self._partition_count += len(partitions)
        return session

    def _drop(self, session_id: int) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._partition_count -= len(session.partitions)
            if session.follower is not None:
                del self._of_followers[session.follower]
            if session.progress is not None:
                session.progress.close()

    def _evict(self, now_ms: float, *, for_follower: bool) -> bool:
        stalest = min(self._sessions.values(), key=lambda session: session.last_used_ms, default=None)
        if stalest is not None and now_ms - stalest.last_used_ms < self._eviction_ms:
            consumers = [session for session in self._sessions.values() if for_follower and session.progress is None]
            stalest = min(consumers, key=lambda session: session.last_used_ms, default=None)
        if stalest is None:
            return False
        self._drop(stalest.id)
        return True


def wanted_partitions(request: FetchRequest) -> dict[FetchKey, FetchedPartition]:
    """The partitions that the request itself names, in its order."""
    partitions = {}
    for topic in request.topics:
        name: str | Uuid = topic.topic if topic.topic_id == ZERO_UUID else topic.topic_id
        for wanted in topic.partitions:
            partitions[FetchKey((name, wanted.partition))] = FetchedPartition(topic.topic, topic.topic_id, wanted)
    return partitions


async def wanted_in_turns(request: FetchRequest) -> dict[FetchKey, FetchedPartition]:
    """As `wanted_partitions`, for very many partitions; other tasks get turns meanwhile."""
    turn = Turn()
    partitions = {}
    for topic in request.topics:
        name: str | Uuid = topic.topic if topic.topic_id == ZERO_UUID else topic.topic_id
        for wanted in topic.partitions:
            partitions[FetchKey((name, wanted.partition))] = FetchedPartition(topic.topic, topic.topic_id, wanted)
            if turn.is_over:
                await turn.share()
        await turn.share()
    return partitions
