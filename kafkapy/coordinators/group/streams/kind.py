"""The streams groups of one shard: their records, their timers, and the topics behind them."""

from __future__ import annotations

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
from kafkapy.coordinators.group.typed_groups import TypedGroups
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.group_coordinator import StreamsGroupCurrentMemberAssignmentKey

if TYPE_CHECKING:
    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.group.streams.answering import Beaten
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.coordinators.runtime import Decision
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.streams_group_describe import DescribedGroup
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue


class StreamsGroups:
    """The `GroupKind` of streams groups."""

    def __init__(self, parts: ShardParts) -> None:
        self._parts = parts
        self._groups = TypedGroups(parts.directory, StreamsGroup, GroupType.STREAMS)
        self._is_in_charge = False
        self._membership = Membership(parts, self._groups)
        self.timers = Timers(parts, self._groups, self._membership)

    # -- requests

    def group(self, group_id: str) -> StreamsGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return self._groups.named(group_id)

    def heartbeat(
        self, request: StreamsGroupHeartbeatRequest, topology: StreamsGroupTopologyValue | None, caller: Caller
    ) -> Decision[Beaten]:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, and as `Membership` and `leave`."""
        if request.member_epoch < JOINING_EPOCH:
            return leave(self.group(request.group_id), request)
        written: list[CoordinatorRecord] = []
        group = self._groups.to_join(request.group_id, written, creates=request.member_epoch == JOINING_EPOCH)
        return self._membership.heartbeat(group, request, topology, caller, written)

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
            self._groups.remove(group_id)
            return
        apply = read(record_type, key, record.value)
        group = self._groups.of_record(group_id, record)
        if group is None:
            return
        apply(group)
        if self._is_in_charge and record_type == records.CURRENT_ASSIGNMENT:
            self.timers.watch_revocation(group, decode(StreamsGroupCurrentMemberAssignmentKey, key, 0).member_id)

    def loaded(self) -> None:
        """Every member has its whole session again."""
        self._is_in_charge = True
        self.timers.begin_anew()

    def resign(self) -> None:
        self._is_in_charge = False
        for group in self._groups:
            group.cancel_timers()

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:  # noqa: ARG002 - the next heartbeat looks at the image
        """Groups whose topics have changed look at them with the next heartbeat."""
        changed = changed_topics(delta)
        for group in self._groups:
            if group.topology is not None and not changed.isdisjoint(group.topology.required_topics):
                group.is_metadata_fresh = False
