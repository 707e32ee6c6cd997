"""The consumer groups of one shard: their records, their timers, and the topics behind them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.classic_members import ClassicMembers
from kafkapy.coordinators.group.consumer.describing import described, described_in_turns
from kafkapy.coordinators.group.consumer.group import ConsumerGroup
from kafkapy.coordinators.group.consumer.member import JOINING_EPOCH
from kafkapy.coordinators.group.consumer.membership import Membership
from kafkapy.coordinators.group.consumer.reading import read
from kafkapy.coordinators.group.consumer.timers import Timers
from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.records import first_string
from kafkapy.coordinators.group.topic_metadata import changed_topics
from kafkapy.coordinators.group.typed_groups import TypedGroups
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.group_coordinator import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupMemberMetadataKey,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.coordinators.runtime import Decision
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.errors import ErrorCode
    from kafkapy_wire.messages.consumer_group_describe import DescribedGroup
    from kafkapy_wire.messages.consumer_group_heartbeat import (
        ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse,
    )
    from kafkapy_wire.messages.heartbeat import HeartbeatRequest
    from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
    from kafkapy_wire.messages.leave_group import MemberIdentity, MemberResponse
    from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

logger = logging.getLogger("kafkapy.groups")


class ConsumerGroups:
    """The `GroupKind` of consumer groups."""

    def __init__(self, parts: ShardParts) -> None:
        self._parts = parts
        self._groups = TypedGroups(parts.directory, ConsumerGroup, GroupType.CONSUMER)
        self._is_in_charge = False
        self._resolving: set[str] = set()
        """Groups whose patterns are being matched."""
        self._newest_topic_version = parts.metadata.image.offset
        """The offset of the metadata in which the newest topic came."""
        self.membership = Membership(parts, self._groups)
        self.timers = Timers(parts, self._groups, self.membership)
        self.classic_members = ClassicMembers(parts, self.membership, self.timers)

    # -- requests

    def group(self, group_id: str) -> ConsumerGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return self._groups.named(group_id)

    def heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller
    ) -> Decision[ConsumerGroupHeartbeatResponse]:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, and as `Membership`."""
        if request.member_epoch < JOINING_EPOCH:
            group = self.group(request.group_id)
            return self.membership.leave(group, request.member_id, request.instance_id, request.member_epoch)
        written: list[CoordinatorRecord] = []
        group = self._group_to_join(request.group_id, written, creates=request.member_epoch == JOINING_EPOCH)
        return self.membership.heartbeat(group, request, caller, written)

    def _group_to_join(self, group_id: str, written: list[CoordinatorRecord], *, creates: bool) -> ConsumerGroup:
        """The group; a new one in place of a classic group, which is empty, or whose members go on in the new one."""
        group = self._parts.directory.get(group_id)
        if creates and group is not None and group.group_type is GroupType.CLASSIC and not group.is_empty:
            from kafkapy.coordinators.group.migration import upgrade

            upgraded = upgrade(group, self._parts.settings.now.groups, self._parts.metadata.image)
            logger.info("the classic group %s is a consumer group from now on", group_id)
            written += upgraded.records
            return upgraded.group
        return self._groups.to_join(group_id, written, creates=creates)

    def describe(self, group_id: str) -> DescribedGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return described(self.group(group_id), self.membership.default_assignor, self._parts.metadata.image)

    async def describe_in_turns(self, group_id: str) -> DescribedGroup:
        """The same, of a group with very many members."""
        return await described_in_turns(
            self.group(group_id), self.membership.default_assignor, self._parts.metadata.image
        )

    # -- ClassicHost

    def join_classic(self, request: JoinGroupRequest, caller: Caller) -> Decision[JoinGroupResponse]:
        return self.classic_members.join(self.group(request.group_id), request, caller)

    def sync_classic(self, request: SyncGroupRequest) -> Decision[SyncGroupResponse]:
        return self.classic_members.sync(self.group(request.group_id), request)

    def heartbeat_classic(self, request: HeartbeatRequest) -> ErrorCode:
        return self.classic_members.heartbeat(self.group(request.group_id), request)

    def leave_classic(self, group_id: str, members: list[MemberIdentity]) -> Decision[list[MemberResponse]]:
        return self.classic_members.leave(self.group(group_id), members)

    # -- patterns

    def refresh_patterns(self, group_id: str, may_describe: Callable[[str], bool] | None = None) -> None:
        """Have the topics of the group's patterns found, if that is due: matching many names takes time.

        `may_describe`: which topics the member may describe that is heard of just now, where there is an authorizer.
        """
        group = self._groups.get(group_id)
        if group is None or not group.subscriptions.patterns or group_id in self._resolving:
            return
        from kafkapy.coordinators.group.consumer.patterns import is_refresh_due, matches

        interval_ms = self._parts.settings.now.groups.group_consumer_regex_refresh_interval_ms
        if not is_refresh_due(group, self._parts.clock.now_ms(), interval_ms, self._newest_topic_version):
            return
        image = self._parts.metadata.image
        patterns = [*group.subscriptions.patterns]
        self._resolving.add(group_id)

        def take(matched: Mapping[str, frozenset[str]]) -> None:
            if may_describe is not None:
                matched = {pattern: frozenset(filter(may_describe, names)) for pattern, names in matched.items()}
            self._take_topics(group_id, matched, image.offset)

        self._parts.in_background(lambda: matches(patterns, image.topics), take)

    def _take_topics(self, group_id: str, matched: Mapping[str, frozenset[str]], version: int) -> None:
        from kafkapy.coordinators.group.consumer.patterns import resolution

        self._resolving.discard(group_id)
        group = self._groups.get(group_id)
        if group is not None and self._is_in_charge:
            now_ms = self._parts.clock.now_ms()
            # If the append is refused, the next heartbeat has them found again.
            self._parts.execute(resolution(group, matched, self._parts.metadata.image, version, now_ms))

    # -- GroupKind

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:
        group_id = first_string(key)
        if record.value is None and record_type == records.GROUP:
            self._groups.remove(group_id)
            return
        apply = read(record_type, key, record.value)
        group = self._groups.of_record(group_id, record)
        if group is None:
            return
        apply(group)
        if self._is_in_charge and record_type == records.CURRENT_ASSIGNMENT:
            self.timers.watch_revocation(group, decode(ConsumerGroupCurrentMemberAssignmentKey, key, 0).member_id)
        elif self._is_in_charge and record_type == records.MEMBER:
            member_id = decode(ConsumerGroupMemberMetadataKey, key, 0).member_id
            if member_id not in group.sessions:
                self.timers.expect_heartbeat(group_id, member_id)

    def loaded(self) -> None:
        """Every member has its whole session again."""
        self._is_in_charge = True
        self.timers.begin_anew()

    def resign(self) -> None:
        self._is_in_charge = False
        for group in self._groups:
            group.cancel_timers()

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Groups whose topics have changed look at them with the next heartbeat."""
        if delta.created_topics:
            self._newest_topic_version = image.offset
        changed = changed_topics(delta)
        for group in self._groups:
            if group.is_metadata_fresh and not changed.isdisjoint(group.subscriptions.topics(group.resolved)):
                group.is_metadata_fresh = False
