"""The requests of classic members: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and DescribeGroups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, settled
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.coordinators.group.group import Caller
    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.describe_groups import DescribedGroup
    from kafkapy_wire.messages.heartbeat import HeartbeatRequest
    from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
    from kafkapy_wire.messages.leave_group import MemberIdentity, MemberResponse
    from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_FORGETS_MEMBER_ID = (
    ErrorCode.GROUP_MAX_SIZE_REACHED,
    ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
)


METADATA_BYTES_MAX = 8 << 20
"""What a member may say with all its protocols; a consumer says a few hundred bytes."""


def refused_join(member_id: str, error: KafkaError) -> JoinGroupResponse:
    """The answer to a JoinGroup with an error. After some errors the client must drop its member id."""
    from kafkapy_wire.messages.join_group import JoinGroupResponse

    forgets_id = error.code in _FORGETS_MEMBER_ID
    return JoinGroupResponse(error_code=error.code, member_id="" if forgets_id else member_id, protocol_name=None)


def _refused_by_host(error: KafkaError) -> JoinGroupResponse:
    """Other groups than classic ones say no member id with an error, as in Apache Kafka."""
    from kafkapy_wire.messages.join_group import JoinGroupResponse

    return JoinGroupResponse(error_code=error.code, protocol_name=None)


class ClassicRequests:
    """Errors that concern a whole request are raised as KafkaError, unless said otherwise."""

    def __init__(self, settings: CurrentSettings, shards: GroupShards, *, joins_uncommitted: bool = False) -> None:
        """With `joins_uncommitted` members may join a new group before the record of it is committed."""
        self._settings = settings
        self._shards = shards
        self._joins_uncommitted = joins_uncommitted

    def join_group(self, request: JoinGroupRequest, caller: Caller) -> Pending[JoinGroupResponse]:
        """Answered when the join phase ends. Raises KafkaError, or is refused with one."""
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        settings = self._settings.now.groups
        shortest_ms, longest_ms = settings.group_min_session_timeout_ms, settings.group_max_session_timeout_ms
        if not shortest_ms <= request.session_timeout_ms <= longest_ms:
            raise KafkaError(ErrorCode.INVALID_SESSION_TIMEOUT)
        if sum([len(protocol.metadata) for protocol in request.protocols]) > METADATA_BYTES_MAX:
            # Apache Kafka refuses the SyncGroup with it: the group's record does not fit into the log.
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
        partition, shard = self._shards.find(request.group_id)
        host = shard.classic_host(request.group_id)
        if host is not None:
            try:
                return self._shards.runtime.execute(partition, host.join_classic(request, caller))
            except KafkaError as error:
                return settled(_refused_by_host(error))
        try:
            shard.classic.refuse_other_type(request.group_id)
        except KafkaError as error:
            return settled(_refused_by_host(error))
        created: Pending[None] | None = None
        if not request.member_id and shard.classic.get(request.group_id) is None:
            created = self._shards.runtime.execute(partition, shard.classic.create(request.group_id))
        group = shard.classic.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        parked: Pending[JoinGroupResponse] = Pending()
        self._shards.runtime.execute(partition, shard.classic.protocol.join(group, request, caller, parked))
        if created is None or created.settled or self._joins_uncommitted:
            return parked
        return created.and_then(lambda _: parked)

    def sync_group(self, request: SyncGroupRequest) -> Pending[SyncGroupResponse]:
        """Answered when the leader has sent the assignment. Raises KafkaError."""
        partition, shard = self._shards.find(request.group_id)
        host = shard.classic_host(request.group_id)
        if host is not None:
            return self._shards.runtime.execute(partition, host.sync_classic(request))
        group = shard.classic.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        parked: Pending[SyncGroupResponse] = Pending()
        self._shards.runtime.execute(partition, shard.classic.protocol.sync(group, request, parked))
        return parked

    def heartbeat(self, request: HeartbeatRequest) -> Pending[ErrorCode]:
        """NONE, or REBALANCE_IN_PROGRESS.

        Raises KafkaError: INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID.
        """
        partition, shard = self._shards.find(request.group_id)
        host = shard.classic_host(request.group_id)
        if host is not None:
            return self._shards.runtime.read(partition, host.heartbeat_classic(request))
        group = shard.classic.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        error = shard.classic.protocol.heartbeat(
            group, request.member_id, request.group_instance_id, request.generation_id
        )
        return self._shards.runtime.read(partition, error)

    def leave_group(self, group_id: str, members: list[MemberIdentity]) -> Pending[list[MemberResponse]]:
        """One response for each member. In a group that does not exist, each is an UNKNOWN_MEMBER_ID."""
        partition, shard = self._shards.find(group_id)
        host = shard.classic_host(group_id)
        if host is not None:
            return self._shards.runtime.execute(partition, host.leave_classic(group_id, members))
        group = shard.classic.get(group_id)
        if group is None:
            from kafkapy_wire.messages.leave_group import MemberResponse

            return settled(
                [
                    MemberResponse(
                        member_id=member.member_id,
                        group_instance_id=member.group_instance_id,
                        error_code=ErrorCode.UNKNOWN_MEMBER_ID,
                    )
                    for member in members
                ]
            )
        return self._shards.runtime.execute(partition, shard.classic.protocol.leave(group, members))

    def describe_group(self, group_id: str) -> Pending[DescribedGroup]:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, COORDINATOR_LOAD_IN_PROGRESS."""
        partition, shard = self._shards.find_any(group_id)
        return self._shards.runtime.read(partition, shard.classic.describe(group_id))
