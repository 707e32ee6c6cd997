"""The streams groups of one shard: their records, their timers, and the topics behind them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.records import first_string
from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.describing import described, described_in_turns
from kafkapy.coordinators.group.streams.group import StreamsGroup
from kafkapy.coordinators.group.streams.leaving import leave
from kafkapy.coordinators.group.streams.member import JOINING_EPOCH
from kafkapy.coordinators.group.streams.membership import Membership
from kafkapy.coordinators.group.streams.reading import read
from kafkapy.coordinators.group.streams.timers import Timers
from kafkapy.coordinators.group.topic_metadata import changed_topics
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.group_coordinator import StreamsGroupCurrentMemberAssignmentKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.group.streams.answering import Beaten
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.coordinators.runtime import Decision
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.streams_group_describe import DescribedGroup
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue

logger = logging.getLogger("kafkapy.groups")


class StreamsGroups:
    """The `GroupKind` of streams groups."""

    def __init__(self, parts: ShardParts) -> None:
        self._parts = parts
        self._directory = parts.directory
        self._is_in_charge = False
        self._membership = Membership(parts)
        self.timers = Timers(parts, self._membership)

    # -- requests

    def group(self, group_id: str) -> StreamsGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        group = self._directory.get(group_id)
        if isinstance(group, StreamsGroup):
            return group
        what = "not found" if group is None else "is not a streams group"
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {what}.")

    def heartbeat(
        self, request: StreamsGroupHeartbeatRequest, topology: StreamsGroupTopologyValue | None, caller: Caller
    ) -> Decision[Beaten]:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, and as `Membership` and `leave`."""
        if request.member_epoch < JOINING_EPOCH:
            return leave(self.group(request.group_id), request)
        written: list[CoordinatorRecord] = []
        group = self._group_to_join(request.group_id, written, creates=request.member_epoch == JOINING_EPOCH)
        return self._membership.heartbeat(group, request, topology, caller, written)

    def _group_to_join(self, group_id: str, written: list[CoordinatorRecord], *, creates: bool) -> StreamsGroup:
        """The group; a new one, also in place of an empty classic group, whose offsets it inherits. A new one is not
        stored before a record about it is.
        """
        group = self._directory.get(group_id)
        if group is None and not creates:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Streams group {group_id} not found.")
        if group is None:
            return StreamsGroup(group_id)
        if creates and group.group_type is GroupType.CLASSIC and group.is_empty:
            logger.info("the empty classic group %s is a streams group from now on", group_id)
            written += group.tombstones()
            return StreamsGroup(group_id)
        return self.group(group_id)

    def describe(self, group_id: str) -> DescribedGroup:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, UNKNOWN_SERVER_ERROR."""
        return described(self.group(group_id))

    async def describe_in_turns(self, group_id: str) -> DescribedGroup:
        """The same, of a large group."""
        return await described_in_turns(self.group(group_id))

    # -- GroupKind

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:
        group_id = first_string(key)
        if record.value is None and record_type == records.GROUP:
            self._remove(group_id)
            return
        apply = read(record_type, key, record.value)
        group = self._directory.get(group_id)
        if record.value is not None:
            group = self._directory.held(group_id, GroupType.STREAMS)
            if group is None:
                group = StreamsGroup(group_id)
                self._directory.put(group)
        if not isinstance(group, StreamsGroup):
            return  # the tombstone of a group that is gone
        apply(group)
        if self._is_in_charge and record_type == records.CURRENT_ASSIGNMENT:
            self.timers.watch_revocation(group, decode(StreamsGroupCurrentMemberAssignmentKey, key, 0).member_id)

    def _remove(self, group_id: str) -> None:
        group = self._directory.get(group_id)
        if isinstance(group, StreamsGroup):
            group.cancel_timers()
            for member_id in [*group.members]:
                group.remove_member(member_id)
            self._directory.remove(group_id)

    def loaded(self) -> None:
        """Every member has its whole session again."""
        self._is_in_charge = True
        for group in self._groups():
            for member_id in group.members:
                self.timers.expect_heartbeat(group.group_id, member_id)
                self.timers.watch_revocation(group, member_id)

    def resign(self) -> None:
        self._is_in_charge = False
        for group in self._groups():
            group.cancel_timers()

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:  # noqa: ARG002 - the next heartbeat looks at the image
        """Groups whose topics have changed look at them with the next heartbeat."""
        changed = changed_topics(delta)
        for group in self._groups():
            if group.topology is not None and not changed.isdisjoint(group.topology.required_topics):
                group.is_metadata_fresh = False

    def _groups(self) -> Iterator[StreamsGroup]:
        return (group for group in self._directory if isinstance(group, StreamsGroup))
