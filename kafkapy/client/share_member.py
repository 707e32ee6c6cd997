"""A member of a share group (KIP-932): it is given records, each for itself, and says when they are done with.

Records are acknowledged with the next fetch from the same broker, or when the member leaves: what was printed by then
is accepted, and the rest is released, so that another member gets it at once.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.epoch_member import JOINING_EPOCH, LEAVING_EPOCH, EpochMember
from kafkapy.client.errors import ClientError, ConnectionLost, TryAgain, check
from kafkapy.client.fetcher import Chunk, read_acquired
from kafkapy.client.interrupts import uninterrupted
from kafkapy.client.offsets import Partition, leaders_of
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.messages.share_acknowledge import (
    AcknowledgementBatch as LastBatch,
)
from kafkapy_wire.messages.share_acknowledge import (
    AcknowledgePartition,
    AcknowledgeTopic,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
)
from kafkapy_wire.messages.share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ShareFetchRequest,
    ShareFetchResponse,
)
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse

ACCEPT, RELEASE = 1, 2
RECORDS_MAX = 500
BATCH_RECORDS = 500
MAX_WAIT_MS = 500
FETCH_BYTES_MAX = 8 * 1024 * 1024
ASSIGNED_SOON_SECONDS = 0.2
"""Between two heartbeats while nothing is assigned."""
NO_MORE_THAN_ASKED = 1
"""ShareFetch v2 (KIP-1206): `max_records` is the limit, even within a batch."""
_FINAL_EPOCH = -1
_SESSION_LOST = frozenset(
    {ErrorCode.SHARE_SESSION_NOT_FOUND, ErrorCode.INVALID_SHARE_SESSION_EPOCH, ErrorCode.SHARE_SESSION_LIMIT_REACHED}
)

Ranges = dict[Partition, list[tuple[int, int]]]


class _Session:
    """With one broker: the epoch of the next request, and what was acquired and not yet acknowledged."""

    __slots__ = ("acquired", "connection", "epoch", "in_flight", "known")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.epoch = 0
        self.in_flight = False
        self.known: set[Partition] = set()
        self.acquired: Ranges = {}

    def begin_anew(self) -> None:
        """The broker has released what was acquired."""
        self.epoch, self.known, self.acquired = 0, set(), {}

    def advance(self) -> None:
        self.epoch = self.epoch % 2_147_483_647 + 1


class ShareMember(EpochMember):
    """One member: `poll` it until it is enough, then `leave_after` what was printed."""

    def __init__(self, cluster: Cluster, group_id: str, topics: Sequence[str]) -> None:
        super().__init__(cluster, group_id, topics)
        self._assigned: list[Partition] = []
        self._leaders: dict[int, list[Partition]] = {}
        self._sessions: dict[int, _Session] = {}

    def subscribe(self, topics: Sequence[str]) -> None:
        """The topics that are wanted from now on."""
        self._topics = list(topics)
        self._epoch, self._next_heartbeat = JOINING_EPOCH, 0.0

    @property
    def is_assigned(self) -> bool:
        """Whether the group has given it any partitions."""
        return bool(self._assigned)

    def poll(self, timeout_seconds: float, records_max: int = RECORDS_MAX) -> list[Chunk]:
        """What has come, waiting at most so long; all that came before is accepted. Raises Refused, ClientError."""
        if time.monotonic() >= self._next_heartbeat:
            self._beat()
        if not self._assigned:
            select.poll().poll(min(timeout_seconds, ASSIGNED_SOON_SECONDS) * 1_000)
            self._next_heartbeat = 0.0
            return []
        self._cluster.retrying(lambda: self._ask_leaders(records_max))
        waited_for = [session for session in self._sessions.values() if session.in_flight]
        by_descriptor = {session.connection.fileno(): session for session in waited_for}
        answers = select.poll()
        for descriptor in by_descriptor:
            answers.register(descriptor, select.POLLIN)
        chunks: list[Chunk] = []
        for descriptor, _ in answers.poll(timeout_seconds * 1_000):
            chunks += self._receive(by_descriptor[descriptor])
        return chunks

    def leave_after(self, printed: Mapping[Partition, int]) -> None:
        """Accept what is below these offsets, release the rest, and leave."""
        with uninterrupted():
            self._cluster.hurry(2.0)
            for session in self._sessions.values():
                with suppress(ClientError):
                    self._end(session, printed)
                session.connection.close()
            self._sessions.clear()
            self.leave()

    def _beat_once(self) -> ShareGroupHeartbeatResponse:
        request = ShareGroupHeartbeatRequest(
            group_id=self._group_id, member_id=self._member_id, member_epoch=self._epoch
        )
        if self._epoch == JOINING_EPOCH:
            request.subscribed_topic_names = self._topics
        answer = self._cluster.ask_once(self._connection(), request, ShareGroupHeartbeatResponse)
        self._checked(answer)
        if answer.error_code == ErrorCode.NONE and answer.assignment is not None and self._epoch != LEAVING_EPOCH:
            self._assigned = self._named(answer.assignment.topic_partitions)
            self._leaders = {}
        return answer

    def _ask_leaders(self, records_max: int) -> None:
        """A fetch to each leader that owes no answer."""
        if not self._leaders:
            self._leaders = leaders_of(self._cluster, dict.fromkeys(self._assigned))
        for leader_id, partitions in self._leaders.items():
            session = self._sessions.get(leader_id)
            if session is None or not session.connection.is_open:
                session = self._sessions[leader_id] = _Session(self._cluster.new_connection(leader_id))
            if session.in_flight:
                continue
            try:
                session.connection.send(
                    self._request(session, partitions, records_max), timeout_seconds=self._cluster.timeout_seconds
                )
            except ConnectionLost:
                self._leaders = {}
                raise
            session.in_flight = True
            session.advance()

    def _request(self, session: _Session, partitions: list[Partition], records_max: int) -> ShareFetchRequest:
        acknowledged, session.acquired = session.acquired, {}
        topics: dict[str, list[FetchPartition]] = {}
        # A session has the partitions that were named before.
        for topic, index in dict.fromkeys([*acknowledged, *(each for each in partitions if each not in session.known)]):
            ranges = acknowledged.get((topic, index), ())
            batches = [
                AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=[ACCEPT])
                for first, last in ranges
            ]
            topics.setdefault(topic, []).append(FetchPartition(partition_index=index, acknowledgement_batches=batches))
        session.known |= set(partitions)
        return ShareFetchRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            share_session_epoch=session.epoch,
            max_wait_ms=MAX_WAIT_MS,
            min_bytes=1,
            max_bytes=FETCH_BYTES_MAX,
            max_records=records_max,
            batch_size=min(BATCH_RECORDS, records_max),
            share_acquire_mode=NO_MORE_THAN_ASKED,
            topics=[FetchTopic(topic_id=self._topic_id(topic), partitions=each) for topic, each in topics.items()],
        )

    def _receive(self, session: _Session) -> list[Chunk]:
        session.in_flight = False
        try:
            answer = session.connection.receive(ShareFetchResponse, timeout_seconds=self._cluster.timeout_seconds)
            if answer.error_code in _SESSION_LOST:
                session.begin_anew()
                return []
            check(answer.error_code, f"group {self._group_id!r}", answer.error_message)
        except TryAgain:
            self._leaders = {}
            return []
        chunks = []
        for topic in answer.responses:
            name = self._topic_names.get(topic.topic_id)
            for data in topic.partitions:
                if name is None:
                    continue
                partition = name, data.partition_index
                what = f"partition {name}-{data.partition_index}"
                try:
                    check(data.error_code, what, data.error_message)
                except TryAgain:
                    self._leaders = {}
                    continue
                ranges = [(each.first_offset, each.last_offset) for each in data.acquired_records]
                if not ranges:
                    continue
                session.acquired.setdefault(partition, []).extend(ranges)
                try:
                    chunks.append(read_acquired(partition, data.records, ranges))
                except MalformedMessage as error:
                    raise ClientError(f"{what}: a batch cannot be read: {error}") from None
        return chunks

    def _end(self, session: _Session, printed: Mapping[Partition, int]) -> None:
        """End the session, which releases what is not accepted."""
        if session.in_flight and session.connection.is_open:
            self._receive(session)  # what came too late is released with the rest
        topics: dict[str, list[AcknowledgePartition]] = {}
        for (topic, index), ranges in session.acquired.items():
            end = printed.get((topic, index), 0)
            batches = []
            for first, last in ranges:
                if first < end:
                    batches.append(
                        LastBatch(first_offset=first, last_offset=min(last, end - 1), acknowledge_types=[ACCEPT])
                    )
                if last >= end:
                    batches.append(
                        LastBatch(first_offset=max(first, end), last_offset=last, acknowledge_types=[RELEASE])
                    )
            topics.setdefault(topic, []).append(
                AcknowledgePartition(partition_index=index, acknowledgement_batches=batches)
            )
        named = [AcknowledgeTopic(topic_id=self._topic_id(topic), partitions=each) for topic, each in topics.items()]
        request = ShareAcknowledgeRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            share_session_epoch=_FINAL_EPOCH,
            topics=named,
        )
        self._cluster.ask_once(session.connection, request, ShareAcknowledgeResponse)
