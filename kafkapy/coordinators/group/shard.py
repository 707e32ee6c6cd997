"""The groups and committed offsets of one partition of `__consumer_offsets`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.classic_group import GROUP_TYPE, ClassicGroup
from kafkapy.coordinators.group.classic_protocol import ClassicProtocol
from kafkapy.coordinators.group.classic_state import ClassicGroupState
from kafkapy.coordinators.group.offsets import Offsets
from kafkapy.coordinators.group.rebalance import Rebalancer
from kafkapy.coordinators.group.records import (
    OffsetCommitRecord,
    empty_group_metadata,
    group_tombstone,
    read_record,
)
from kafkapy.coordinators.runtime import NOTHING, CoordinatorRecord, Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.clock import Clock
    from kafkapy.settings.broker import GroupCoordinatorSettings
    from kafkapy_wire.messages.describe_groups import DescribedGroup
    from kafkapy_wire.messages.list_groups import ListedGroup
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestTopic, OffsetDeleteResponseTopic
    from kafkapy_wire.record_formats.group_coordinator import GroupMetadataValue

logger = logging.getLogger("kafkapy.groups")


class GroupShard:
    """Replays the partition's records and decides about what it holds. `execute` appends a decision's records."""

    def __init__(
        self, settings: GroupCoordinatorSettings, clock: Clock, execute: Callable[[Decision[None]], None]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._execute = execute
        self.groups: dict[str, ClassicGroup] = {}
        self.offsets = Offsets(settings)
        self._rebalancer = Rebalancer(settings, clock, execute)
        self.classic = ClassicProtocol(settings, self._rebalancer)

    def group(self, group_id: str) -> ClassicGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        try:
            return self.groups[group_id]
        except KeyError:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.") from None

    # -- decisions about whole groups (see also `classic` and `offsets`)

    def create_group(self, group_id: str) -> Decision[None]:
        """A group that does not exist yet, empty: the first JoinGroup stores it, whatever becomes of the join."""
        if group_id in self.groups:
            return NOTHING
        return Decision([empty_group_metadata(group_id, self._clock.now_ms())], None)

    def delete_group(self, group_id: str) -> Decision[ErrorCode]:
        """Tombstones for the group and its offsets, unless it has members."""
        group = self.groups.get(group_id)
        if group is None:
            return Decision((), ErrorCode.GROUP_ID_NOT_FOUND)
        if group.state is not ClassicGroupState.EMPTY:
            return Decision((), ErrorCode.NON_EMPTY_GROUP)
        return Decision([*self.offsets.delete_all(group_id), group_tombstone(group_id)], ErrorCode.NONE)

    def delete_offsets(
        self, group_id: str, topics: Sequence[OffsetDeleteRequestTopic]
    ) -> Decision[list[OffsetDeleteResponseTopic]]:
        """Delete offsets of topics the group does not read. While a group that is not of consumers has members, it is
        unknown what it reads.

        Raises KafkaError: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
        """
        group = self.group(group_id)
        if group.state is not ClassicGroupState.EMPTY and not group.is_consumer_group:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP)
        return self.offsets.delete(group, topics)

    def expire_offsets(self, group_id: str) -> Decision[None]:
        """Tombstones for the group's expired offsets, and for itself once it is empty and has none (KIP-211)."""
        group = self.groups[group_id]
        records, none_left = self.offsets.expire(group, self._clock.now_ms())
        if records:
            logger.info("group %s: %d offsets have expired", group_id, len(records))
        if none_left and group.state is ClassicGroupState.EMPTY:
            records.append(group_tombstone(group_id))
        return Decision(records, None)

    # -- reading

    def describe(self, group: ClassicGroup) -> DescribedGroup:
        """A stable group shows its protocol and what its members sent for it; until then neither is settled."""
        from kafkapy_wire.messages.describe_groups import DescribedGroup, DescribedGroupMember

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

    def list(self, states: frozenset[str], types: frozenset[str]) -> list[ListedGroup]:
        """Groups in one of the states, of one of the types, all in lower case; an empty filter lets everything pass."""
        from kafkapy_wire.messages.list_groups import ListedGroup

        if types and GROUP_TYPE not in types:
            return []
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type or "",
                group_state=group.state.value,
                group_type=GROUP_TYPE,
            )
            for group in self.groups.values()
            if not states or group.state.value.lower() in states
        ]

    # -- replay

    def replay(self, record: CoordinatorRecord, producer_id: int) -> None:
        match read_record(record):
            case OffsetCommitRecord() as commit:
                if commit.committed is not None and commit.group_id not in self.groups:
                    # Committed without joining: a group without a protocol type, of which no record tells.
                    self.groups[commit.group_id] = ClassicGroup(commit.group_id)
                self.offsets.replay(commit, producer_id)
            case None:
                logger.warning("skipping a record of type %d in __consumer_offsets", int.from_bytes(record.key[:2]))
            case group_metadata:
                self._replay_group(group_metadata.group_id, group_metadata.value)

    def _replay_group(self, group_id: str, value: GroupMetadataValue | None) -> None:
        if value is not None:
            self.groups.setdefault(group_id, ClassicGroup(group_id)).replay(value)
            return
        group = self.groups.pop(group_id, None)
        if group is not None:
            for deadline in group.all_deadlines():
                deadline.cancel()
            group.transition_to(ClassicGroupState.DEAD, self._clock.now_ms())

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        self.offsets.replay_end_transaction(producer_id, committed=committed)

    def loaded(self) -> None:
        """Members may be gone since: their sessions start now. A group above group.max.size rebalances to shrink."""
        for group in self.groups.values():
            for member in group.members.values():
                self._rebalancer.expect_heartbeat(group, member)
            if len(group.members) > self._settings.group_max_size:
                self._execute(self._rebalancer.prepare(group, "loaded with more members than group.max.size"))

    def resign(self) -> None:
        for group in self.groups.values():
            for deadline in group.all_deadlines():
                deadline.cancel()
            for member in group.members.values():
                group.answer_join(member, ErrorCode.NOT_COORDINATOR)
                group.answer_sync(member, ErrorCode.NOT_COORDINATOR)
