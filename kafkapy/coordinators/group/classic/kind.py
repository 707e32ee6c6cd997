"""The classic groups of one shard: their records, their life as a whole, and how they are described."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.classic.group import ClassicGroup
from kafkapy.coordinators.group.classic.protocol import ClassicProtocol
from kafkapy.coordinators.group.classic.rebalance import Rebalancer
from kafkapy.coordinators.group.classic.records import empty_group_metadata, read_group_metadata
from kafkapy.coordinators.group.classic.state import ClassicGroupState
from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.describe_groups import DescribedGroup

logger = logging.getLogger("kafkapy.groups")


class ClassicGroups:
    """The `GroupKind` of classic groups."""

    def __init__(self, parts: ShardParts) -> None:
        self._settings = parts.settings
        self._clock = parts.clock
        self._directory = parts.directory
        self._is_in_charge = False
        self._rebalancer = Rebalancer(parts.settings, parts.clock, parts.execute)
        self.protocol = ClassicProtocol(parts.settings, self._rebalancer, parts.random)

    def get(self, group_id: str) -> ClassicGroup | None:
        group = self._directory.get(group_id)
        return group if isinstance(group, ClassicGroup) else None

    def create(self, group_id: str) -> Decision[None]:
        """Create an empty group: the first JoinGroup stores it, even if the join itself is refused. It takes the place
        of an empty consumer or streams group, whose offsets it inherits.

        Raises KafkaError(INCONSISTENT_GROUP_PROTOCOL): the name is that of another group.
        """
        records = [empty_group_metadata(group_id, self._clock.now_ms())]
        self.refuse_other_type(group_id)
        group = self._directory.get(group_id)
        if group is not None:
            if group.group_type is GroupType.CLASSIC:
                return NOTHING
            logger.info("the %s group %s is a classic group from now on", group.group_type.value, group_id)
            records = [*group.tombstones(), *records]
        return Decision(records, None)

    def refuse_other_type(self, group_id: str) -> None:
        """Raises KafkaError(INCONSISTENT_GROUP_PROTOCOL): the name is that of another group, which keeps it."""
        group = self._directory.get(group_id)
        if group is None or group.group_type is GroupType.CLASSIC:
            return
        if group.group_type is GroupType.SHARE or not group.is_empty:
            raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)

    def rebalance(self, group_id: str, reason: str) -> None:
        """Ask the members to join again, if the group can rebalance now."""
        group = self.get(group_id)
        if group is not None and group.can_rebalance and group.members:
            self._rebalancer.prepare(group, reason)

    def describe(self, group_id: str) -> DescribedGroup:
        """Only a stable group has its protocol and the members' metadata for it in the answer.

        Raises KafkaError(GROUP_ID_NOT_FOUND).
        """
        from kafkapy_wire.messages.describe_groups import DescribedGroup, DescribedGroupMember

        group = self.get(group_id)
        if group is None:
            what = "not found" if self._directory.get(group_id) is None else "is not a classic group"
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {what}.")
        is_stable = group.state is ClassicGroupState.STABLE
        return DescribedGroup(
            group_id=group.group_id,
            group_state=group.state.value,
            protocol_type=group.protocol_type or "",
            protocol_data=(group.protocol_name or "") if is_stable else "",
            members=[
                DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.metadata(group.protocol_name) if is_stable else b"",
                    member_assignment=member.assignment,
                )
                for member in group.members.values()
            ],
        )

    # -- GroupKind

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:  # noqa: ARG002 - there is one type
        group_id, value = read_group_metadata(key, record.value)
        if value is not None:
            group = self._directory.held(group_id, GroupType.CLASSIC)
            if group is None:
                group = ClassicGroup(group_id)
                self._directory.put(group)
            assert isinstance(group, ClassicGroup), f"group {group_id} is a {type(group)}"
            group.replay(value)
            if self._is_in_charge:
                for member in group.members.values():
                    if member.session is None:  # it was a member of a consumer group
                        self._rebalancer.expect_heartbeat(group, member)
            return
        group = self.get(group_id)
        if group is not None:
            self._directory.remove(group_id)
            for deadline in group.all_deadlines():
                deadline.cancel()
            for member in group.members.values():  # the group becomes a consumer group: they go on there
                group.answer_join(member, ErrorCode.REBALANCE_IN_PROGRESS)
                group.answer_sync(member, ErrorCode.REBALANCE_IN_PROGRESS)
            group.transition_to(ClassicGroupState.DEAD, self._clock.now_ms())

    def loaded(self) -> None:
        """Start the sessions of all members. A group with more than group.max.size members begins a rebalance."""
        self._is_in_charge = True
        for group in self._groups():
            for member in group.members.values():
                self._rebalancer.expect_heartbeat(group, member)
            if len(group.members) > self._settings.now.groups.group_max_size:
                self._rebalancer.prepare(group, "loaded with more members than group.max.size")

    def resign(self) -> None:
        for group in self._groups():
            for deadline in group.all_deadlines():
                deadline.cancel()
            for member in group.members.values():
                group.answer_join(member, ErrorCode.NOT_COORDINATOR)
                group.answer_sync(member, ErrorCode.NOT_COORDINATOR)

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Members look after topics themselves."""

    def _groups(self) -> Iterator[ClassicGroup]:
        return (group for group in self._directory if isinstance(group, ClassicGroup))
