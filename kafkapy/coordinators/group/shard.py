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
    GroupMetadataRecord,
    OffsetCommitRecord,
    empty_group_metadata,
    group_tombstone,
    read_record,
)
from kafkapy.coordinators.group.unserved_groups import UnservedGroup, UnservedGroupRecord
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.describe_groups import DescribedGroup
    from kafkapy_wire.messages.list_groups import ListedGroup
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestTopic, OffsetDeleteResponseTopic
    from kafkapy_wire.record_formats.group_coordinator import GroupMetadataValue

logger = logging.getLogger("kafkapy.groups")


class GroupShard:
    """Replays the partition's records, and decides about its groups. `execute` appends a decision's records."""

    def __init__(
        self, settings: CurrentSettings, clock: Clock, random: Random, execute: Callable[[Decision[None]], bool]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._execute = execute
        self.groups: dict[str, ClassicGroup] = {}
        self.unserved: dict[str, UnservedGroup] = {}
        self.unknown_records: dict[int, int] = {}
        self.offsets = Offsets(settings)
        self._rebalancer = Rebalancer(settings, clock, execute)
        self.classic = ClassicProtocol(settings, self._rebalancer, random)

    def group(self, group_id: str) -> ClassicGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        try:
            return self.groups[group_id]
        except KeyError:
            what = "is not a classic group" if group_id in self.unserved else "not found"
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {what}.") from None

    # -- decisions about whole groups (see also `classic` and `offsets`)

    def create_group(self, group_id: str) -> Decision[None]:
        """Create an empty group: the first JoinGroup stores it, even if the join itself is refused.

        Raises KafkaError(INCONSISTENT_GROUP_PROTOCOL): it is a share group.
        """
        if group_id in self.groups:
            return NOTHING
        records = [empty_group_metadata(group_id, self._clock.now_ms())]
        unserved = self.unserved.get(group_id)
        if unserved is not None:
            if not unserved.may_become_classic:
                raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
            logger.info("the %s group %s is a classic group from now on", unserved.group_type.value, group_id)
            records = [*unserved.tombstones(), *records]
        return Decision(records, None)

    def delete_group(self, group_id: str) -> Decision[ErrorCode]:
        """Tombstones for the group and its offsets, unless it has members."""
        unserved = self.unserved.get(group_id)
        if unserved is not None:
            return Decision([*self.offsets.delete_all(group_id), *unserved.tombstones()], ErrorCode.NONE)
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
        group = ClassicGroup(group_id) if group_id in self.unserved else self.group(group_id)
        if group.state is not ClassicGroupState.EMPTY and not group.is_consumer_group:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP)
        return self.offsets.delete(group, topics)

    def expire_offsets(self, group_id: str) -> Decision[None]:
        """Tombstones for the group's expired offsets, and for itself once it is empty and has none (KIP-211)."""
        group = self.groups[group_id]
        records, none_left = self.offsets.expire(group, self._clock.now_ms())
        if records:
            logger.info("group %s: expired offsets: %d", group_id, len(records))
        if none_left and group.state is ClassicGroupState.EMPTY:
            records.append(group_tombstone(group_id))
        return Decision(records, None)

    # -- reading

    def describe(self, group: ClassicGroup) -> DescribedGroup:
        """Only a stable group has its protocol and the members' metadata for it in the answer."""
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

    def list(self, states: frozenset[str], types: frozenset[str]) -> Iterator[ListedGroup]:
        """Groups in one of the states, of one of the types, all in lower case; an empty filter lets everything pass.

        A generator: groups may be created and deleted between two items.
        """
        from kafkapy_wire.messages.list_groups import ListedGroup

        def passes(state: ClassicGroupState, group_type: str) -> bool:
            return (not states or state.value.lower() in states) and (not types or group_type in types)

        groups, all_unserved = [*self.groups.values()], [*self.unserved.values()]
        for group in groups:
            if passes(group.state, GROUP_TYPE):
                yield ListedGroup(
                    group_id=group.group_id,
                    protocol_type=group.protocol_type or "",
                    group_state=group.state.value,
                    group_type=GROUP_TYPE,
                )
        for unserved in all_unserved:
            if passes(ClassicGroupState.EMPTY, unserved.group_type.value):
                yield ListedGroup(
                    group_id=unserved.group_id,
                    protocol_type=unserved.group_type.value,
                    group_state=ClassicGroupState.EMPTY.value,
                    group_type=unserved.group_type.value,
                )

    # -- replay

    def replay(self, record: CoordinatorRecord, producer_id: int) -> None:
        match read_record(record):
            case OffsetCommitRecord() as commit:
                self.offsets.replay(commit, producer_id)
                if commit.committed is not None:
                    self._know(commit.group_id)
            case GroupMetadataRecord(group_id, value):
                self._replay_group(group_id, value)
            case UnservedGroupRecord() as unserved:
                self._replay_unserved(unserved)
            case None:
                record_type = int.from_bytes(record.key[:2])
                self.unknown_records[record_type] = self.unknown_records.get(record_type, 0) + 1

    def _know(self, group_id: str) -> None:
        """A group with commits but no JoinGroup: a classic group without a protocol type and without a record."""
        if group_id not in self.groups and group_id not in self.unserved:
            self.groups[group_id] = ClassicGroup(group_id)

    def _replay_unserved(self, record: UnservedGroupRecord) -> None:
        unserved = self.unserved.get(record.group_id)
        if not record.is_tombstone:
            if unserved is None or unserved.group_type is not record.group_type:
                unserved = self.unserved[record.group_id] = UnservedGroup(record.group_id, record.group_type)
                group = self.groups.get(record.group_id)
                if group is not None and not group.is_stored:
                    del self.groups[record.group_id]
            unserved.keys.add(record.key)
        elif unserved is not None:
            unserved.keys.discard(record.key)
            if not unserved.keys:
                del self.unserved[record.group_id]
                if self.offsets.has_any(record.group_id):
                    self._know(record.group_id)

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
        """Start the sessions of all members. A group with more than group.max.size members begins a rebalance."""
        for group in self.groups.values():
            for member in group.members.values():
                self._rebalancer.expect_heartbeat(group, member)
            if len(group.members) > self._settings.now.groups.group_max_size:
                self._rebalancer.prepare(group, "loaded with more members than group.max.size")

    def resign(self) -> None:
        for group in self.groups.values():
            for deadline in group.all_deadlines():
                deadline.cancel()
            for member in group.members.values():
                group.answer_join(member, ErrorCode.NOT_COORDINATOR)
                group.answer_sync(member, ErrorCode.NOT_COORDINATOR)
