"""A member of a classic consumer group (JoinGroup, SyncGroup, Heartbeat, LeaveGroup) with the range assignor.

Heartbeats are sent by whoever reads records, between two reads: a command whose output nobody reads stands still, and
after `SESSION_TIMEOUT_MS` its partitions go to other members, as they should.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from kafkapy.client.assignor import RANGE, assign_ranges
from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, ConnectionLost, TryAgain, check
from kafkapy.client.groups import OFFSET_VERSION_WITH_NAMES_MAX, offset_commit_topics
from kafkapy.client.interrupts import uninterrupted
from kafkapy.client.offsets import Partition
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.consumer_protocol import (
    decode_assignment,
    decode_subscription,
    encode_assignment,
    encode_subscription,
)
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
    JoinGroupResponseMember,
)
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from kafkapy_wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse

SESSION_TIMEOUT_MS = 10_000
REBALANCE_TIMEOUT_MS = 60_000
HEARTBEAT_SECONDS = 1.0
LEAVE_SECONDS = 2.0
LEAVE_ATTEMPTS = 3
"""A signal may have left requests in flight on the connection to the coordinator and on the one that finds it: each of
the two is found to be of no use once, and the third attempt has new ones."""
_FIRST_VERSION_WITH_MEMBER_ID_REQUIRED = 4

_PROTOCOL_TYPE = "consumer"
_REJOIN = frozenset(
    {
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.UNKNOWN_MEMBER_ID,
    }
)


class GroupMember:
    """One member. `join` first; whenever `heartbeat` or `commit` says that it must, `join` again."""

    def __init__(self, cluster: Cluster, group_id: str, topics: Sequence[str]) -> None:
        self._cluster = cluster
        self._group_id = group_id
        self._topics = list(topics)
        self._member_id = ""
        self._generation_id = -1
        self._coordinator: Connection | None = None
        self._next_heartbeat = 0.0

    def subscribe(self, topics: Sequence[str]) -> None:
        """The topics that the next `join` asks for."""
        self._topics = list(topics)

    def join(self) -> list[Partition]:
        """Wait for the group to rebalance; the partitions that are ours now. Raises Refused, TryAgain."""
        while True:
            partitions = self._cluster.retrying(self._join_once)
            if partitions is not None:
                return partitions

    def heartbeat(self) -> bool:
        """Beat when it is time. False: the group rebalances, join again."""
        if time.monotonic() < self._next_heartbeat:
            return True
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS

        def attempt() -> bool:
            request = HeartbeatRequest(
                group_id=self._group_id, generation_id=self._generation_id, member_id=self._member_id
            )
            answer = self._cluster.ask_once(self._connection(), request, HeartbeatResponse)
            return self._is_member_still(answer.error_code)

        return self._cluster.retrying(attempt)

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """False: the group rebalances and these offsets are not committed; others may read the records again."""
        if not offsets:
            return True
        request = OffsetCommitRequest(
            group_id=self._group_id,
            generation_id_or_member_epoch=self._generation_id,
            member_id=self._member_id,
            topics=offset_commit_topics(offsets),
        )

        def attempt() -> bool:
            answer = self._cluster.ask_once(
                self._connection(), request, OffsetCommitResponse, version_max=OFFSET_VERSION_WITH_NAMES_MAX
            )
            codes = [partition.error_code for topic in answer.topics for partition in topic.partitions]
            return all(self._is_member_still(code) for code in codes)

        return self._cluster.retrying(attempt)

    def leave(self) -> None:
        """Hand the partitions to the others at once. Whatever goes wrong: the session times out and does it."""
        with uninterrupted():
            if self._member_id:
                self._cluster.hurry(LEAVE_SECONDS)
                with suppress(ClientError):
                    self._leave()
                self._member_id = ""
            if self._coordinator is not None:
                self._coordinator.close()

    def _leave(self) -> None:
        request = LeaveGroupRequest(
            group_id=self._group_id, members=[MemberIdentity(member_id=self._member_id, reason="the command ended")]
        )
        for _ in range(LEAVE_ATTEMPTS):
            with suppress(ConnectionLost):
                self._cluster.ask_once(self._connection(), request, LeaveGroupResponse)
                return

    def _connection(self) -> Connection:
        """A connection of our own: behind a waiting fetch a heartbeat would come late. Raises TryAgain."""
        if self._coordinator is None or not self._coordinator.is_open:
            self._coordinator = self._cluster.new_connection(self._cluster.coordinator_id(self._group_id))
        return self._coordinator

    def _is_member_still(self, code: int) -> bool:
        if code in _REJOIN:
            if code != ErrorCode.REBALANCE_IN_PROGRESS:
                self._member_id = ""
            return False
        self._check(code)
        return True

    def _check(self, code: int) -> None:
        """As `check`; if the broker is not the coordinator any more, the coordinator is looked up again."""
        try:
            check(code, f"group {self._group_id!r}")
        except TryAgain:
            if self._coordinator is not None:
                self._coordinator.close()
            raise

    def _join_once(self) -> list[Partition] | None:
        """One round; None: while it went on the group began another one."""
        connection = self._connection()
        if not self._member_id and connection.supports(ApiKey.JOIN_GROUP, _FIRST_VERSION_WITH_MEMBER_ID_REQUIRED):
            # This is answered at once, with a member id that the broker then waits for (KIP-394): who is interrupted
            # here must come to know it, or could not leave, and the others would wait for the end of its session.
            with uninterrupted():
                answer = self._ask_to_join(connection, self._cluster.timeout_seconds)
                self._member_id = answer.member_id
            if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
                return self._join_once()
        else:
            timeout_seconds = REBALANCE_TIMEOUT_MS / 1000 + self._cluster.timeout_seconds
            with self._cluster.doing(f"waiting for the members of group {self._group_id!r} to join", timeout_seconds):
                answer = self._ask_to_join(connection, timeout_seconds)
        if answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL:
            raise ClientError(
                f"group {self._group_id!r} is of another type (`kafkapy groups list` says which), or has members that "
                f"do not know the assignor {RANGE!r}"
            )
        if not self._is_member_still(answer.error_code):
            return None
        self._member_id, self._generation_id = answer.member_id, answer.generation_id
        assignments = self._assign(answer.members) if answer.leader == answer.member_id else []
        return self._sync(connection, assignments)

    def _ask_to_join(self, connection: Connection, timeout_seconds: float) -> JoinGroupResponse:
        request = JoinGroupRequest(
            group_id=self._group_id,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            member_id=self._member_id,
            protocol_type=_PROTOCOL_TYPE,
            protocols=[JoinGroupRequestProtocol(name=RANGE, metadata=encode_subscription(self._topics))],
        )
        return connection.request(request, JoinGroupResponse, timeout_seconds=timeout_seconds)

    def _sync(self, connection: Connection, assignments: list[SyncGroupRequestAssignment]) -> list[Partition] | None:
        request = SyncGroupRequest(
            group_id=self._group_id,
            generation_id=self._generation_id,
            member_id=self._member_id,
            protocol_type=_PROTOCOL_TYPE,
            protocol_name=RANGE,
            assignments=assignments,
        )
        timeout_seconds = REBALANCE_TIMEOUT_MS / 1000 + self._cluster.timeout_seconds
        with self._cluster.doing(f"waiting for the leader of group {self._group_id!r} to assign", timeout_seconds):
            answer = connection.request(request, SyncGroupResponse, timeout_seconds=timeout_seconds)
        if not self._is_member_still(answer.error_code):
            return None
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        try:
            return decode_assignment(answer.assignment) if answer.assignment else []
        except MalformedMessage as error:
            text = f"group {self._group_id!r}: its leader sent an assignment that cannot be decoded: {error}"
            raise ClientError(text) from None

    def _assign(self, members: Sequence[JoinGroupResponseMember]) -> list[SyncGroupRequestAssignment]:
        """The leader's work: who reads what."""
        try:
            subscriptions = {member.member_id: decode_subscription(member.metadata) for member in members}
        except MalformedMessage as error:
            text = f"group {self._group_id!r}: a member sent a subscription that cannot be decoded: {error}"
            raise ClientError(text) from None
        topics = sorted({topic for wanted in subscriptions.values() for topic in wanted})
        metadata = self._cluster.metadata(topics).topics
        counts = {topic.name or "": len(topic.partitions) for topic in metadata if topic.error_code == 0}
        return [
            SyncGroupRequestAssignment(member_id=member_id, assignment=encode_assignment(partitions))
            for member_id, partitions in assign_ranges(subscriptions, counts).items()
        ]
