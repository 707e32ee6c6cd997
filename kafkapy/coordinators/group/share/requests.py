"""The requests about share groups and their members: ShareGroupHeartbeat, ShareGroupDescribe, and deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.share.member import LEAVING_EPOCH
from kafkapy.coordinators.group.share.states import GroupStates, share_groups
from kafkapy.coordinators.group.topic_metadata import refuse_too_long_names
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.coordinators.group.group import Caller
    from kafkapy.coordinators.group.shards import GroupShards
    from kafkapy.coordinators.group.share.membership import Beaten
    from kafkapy.coordinators.share.persister import SharePersister
    from kafkapy.pending import Pending
    from kafkapy_wire.messages.share_group_describe import DescribedGroup
    from kafkapy_wire.messages.share_group_heartbeat import (
        ShareGroupHeartbeatRequest,
        ShareGroupHeartbeatResponse,
    )

MEMBER_ID_LENGTH_MAX = 36
TOPIC_NAMES_MAX = 5_000
"""Of one member: a few milliseconds. A record in Apache Kafka may not have more than a megabyte of them."""


class ShareGroupRequests:
    """Errors that concern a whole request are raised as KafkaError."""

    def __init__(self, shards: GroupShards, persister: SharePersister) -> None:
        self._shards = shards
        self.states = GroupStates(shards, persister)

    async def run(self) -> None:
        """Have states initialized, until cancelled."""
        await self.states.run()

    def heartbeat(self, request: ShareGroupHeartbeatRequest, caller: Caller) -> Pending[ShareGroupHeartbeatResponse]:
        """Raises KafkaError: INVALID_REQUEST, and as `ShareGroups.heartbeat`."""
        _refuse_invalid(request)
        partition, shard = self._shards.find(request.group_id)
        groups = share_groups(shard)
        beaten = self._shards.runtime.execute(partition, groups.heartbeat(request, caller))
        groups.timers.expect_heartbeat(request.group_id, request.member_id)
        return beaten.map(self._go_on)

    def _go_on(self, beaten: Beaten) -> ShareGroupHeartbeatResponse:
        if beaten.initialization is not None:
            self.states.begin(beaten.initialization)
        return beaten.response

    def describe_group(self, group_id: str) -> Pending[DescribedGroup]:
        """Raises KafkaError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR."""
        partition, shard = self._shards.find(group_id)
        return self._shards.runtime.read(partition, share_groups(shard).describe(group_id))

    async def delete_states(self, group_id: str) -> ErrorCode:
        """Before the group is deleted, its states are. NONE; NON_EMPTY_GROUP, and what the share coordinator says.

        Raises KafkaError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, or of the log.
        """
        partition, shard = self._shards.find_any(group_id)
        decision = share_groups(shard).delete_all_states(group_id)
        places = await self._shards.runtime.execute(partition, decision).wait()
        refused = await self.states.delete(group_id, places)
        return next(iter(refused.values())).code if refused else ErrorCode.NONE


def _refuse_invalid(request: ShareGroupHeartbeatRequest) -> None:
    """What can be said without the group, in Apache Kafka's order."""
    if not request.member_id or len(request.member_id) > MEMBER_ID_LENGTH_MAX:
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    for text, name in (
        (request.member_id, "MemberId"),
        (request.group_id, "GroupId"),
        (request.rack_id, "RackId"),
    ):
        if text is not None and not text.strip():
            raise _invalid(f"{name} can't be empty.")
    if request.subscribed_topic_names is not None and len(request.subscribed_topic_names) > TOPIC_NAMES_MAX:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"A member may name at most {TOPIC_NAMES_MAX} topics.")
    refuse_too_long_names(request.subscribed_topic_names)
    if request.member_epoch == 0:
        if not request.subscribed_topic_names:
            raise _invalid("SubscribedTopicNames must be set in first request.")
    elif request.member_epoch < LEAVING_EPOCH:
        raise _invalid("MemberEpoch is invalid.")


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)
