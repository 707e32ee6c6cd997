"""A streams group: members, each a value, their topology, and what each is to have. Only replayed records change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.group import EMPTY_STATE, GroupType, OffsetAge
from kafkapy.coordinators.group.streams import records
from kafkapy.coordinators.group.streams.owners import TaskOwners
from kafkapy.coordinators.group.streams.records import GroupMetadata
from kafkapy.coordinators.group.streams.validation import validate_commit, validate_epoch
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.group import Committer
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import TaskSets
    from kafkapy.coordinators.group.streams.topology import ConfiguredTopology, StoredTopology
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.messages.streams_group_heartbeat import EndpointToPartitions

FIRST_EPOCH = 1
"""Of a group that nobody has joined. Members join with epoch 0."""

Offsets = dict[str, dict[int, int]]
"""subtopology id -> partition -> offset."""


class TaskOffsets(NamedTuple):
    """How far a member's state stores are, and how long their changelogs."""

    offsets: Mapping[str, Mapping[int, int]] = {}
    end_offsets: Mapping[str, Mapping[int, int]] = {}


NO_TASK_OFFSETS = TaskOffsets()


class StreamsGroup:
    """A `Group`.

    Its epoch rises when its members, their topology, or a topic changes; the assignment epoch follows when tasks were
    assigned anew; each member's epoch follows when it has what it is to have.
    """

    group_type = GroupType.STREAMS
    protocol_type = "streams"
    is_stored = True
    expires = True

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.metadata = GroupMetadata(FIRST_EPOCH)
        self.topology: StoredTopology | None = None
        self.assignment_epoch = FIRST_EPOCH
        self.assigned_at_ms = 0
        """When the assignment was computed; 0: it may be computed anew at once."""
        self.members: dict[str, StreamsMember] = {}
        self.static_members: dict[str, str] = {}
        """instance id -> member id."""
        self.targets: dict[str, TaskSets] = {}
        self.owners = TaskOwners()
        # What follows is not stored: a new coordinator begins without it.
        self.configured: ConfiguredTopology | None = None
        self.is_metadata_fresh = False
        """Whether the topics were looked at since they changed."""
        self.task_offsets: dict[str, TaskOffsets] = {}
        self.shutdown_requested_by: str | None = None
        self.endpoint_epoch = 0
        """Rises when it has changed who answers interactive queries, and for what."""
        self.endpoints: dict[str, EndpointToPartitions] = {}
        """Those of members, once computed."""
        self.sessions: dict[str, Deadline] = {}
        self.revocations: dict[str, Deadline] = {}
        """Until when members must have given up what they are asked for."""
        self.first_assignment: Deadline | None = None
        """While the first members of a group are waited for."""

    @property
    def epoch(self) -> int:
        return self.metadata.epoch

    @property
    def topology_epoch(self) -> int:
        return records.NO_TOPOLOGY_EPOCH if self.topology is None else self.topology.epoch

    # -- Group

    @property
    def state_name(self) -> str:
        if not self.members:
            return EMPTY_STATE
        if self.topology is None or self.topology.epoch != self.metadata.validated_topology_epoch:
            return "NotReady"
        if self.epoch > self.assignment_epoch:
            return "Assigning"
        if all(member.is_reconciled_to(self.assignment_epoch) for member in self.members.values()):
            return "Stable"
        return "Reconciling"

    @property
    def is_empty(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        return bool(self.members) and self.topology is not None and topic in self.topology.source_topics

    def tombstones(self) -> list[CoordinatorRecord]:
        group_id = self.group_id
        targets = [*dict.fromkeys([*self.members, *self.targets])]
        return [
            *(records.current_assignment_tombstone(group_id, member_id) for member_id in self.members),
            *(records.target_tombstone(group_id, member_id) for member_id in targets),
            records.target_epoch_tombstone(group_id),
            *(records.member_tombstone(group_id, member_id) for member_id in self.members),
            records.group_tombstone(group_id),
            records.topology_tombstone(group_id),
        ]

    def validate_commit(self, committer: Committer, topics: Sequence[TopicToCommit]) -> None:
        validate_commit(self, committer, topics)

    def note_commit(self, member_id: str) -> None:
        """A commit is no heartbeat here: a member that only commits is fenced when its session ends."""

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Raises KafkaError: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH."""
        if member_id is not None:
            validate_epoch(self.member(member_id), member_epoch)
        elif member_epoch >= 0:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)  # as Apache Kafka: an epoch of nobody

    def validate_offset_deletion(self) -> None:
        """Offsets of topics that nobody reads may always be deleted."""

    def offset_age(self) -> OffsetAge | None:
        return OffsetAge(None)

    # -- members

    def member(self, member_id: str) -> StreamsMember:
        """Raises KafkaError(UNKNOWN_MEMBER_ID)."""
        try:
            return self.members[member_id]
        except KeyError:
            message = f"Member {member_id} is not a member of group {self.group_id}."
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, message) from None

    def static_member(self, instance_id: str) -> StreamsMember | None:
        member_id = self.static_members.get(instance_id)
        return None if member_id is None else self.members.get(member_id)

    def present_id(self, member_id: str, instance_id: str | None) -> str | None:
        """The member's id by now: a static member may be back under another one. None: it is gone."""
        if member_id in self.members:
            return member_id
        return None if instance_id is None else self.static_members.get(instance_id)

    # -- replay

    def put_topology(self, topology: StoredTopology | None) -> None:
        self.topology = topology
        self.is_metadata_fresh = False

    def put_member(self, member: StreamsMember) -> None:
        self._forget(self.members.get(member.member_id))
        self.members[member.member_id] = member
        self.owners.add(member)
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id

    def remove_member(self, member_id: str) -> None:
        self._forget(self.members.pop(member_id, None))
        self.task_offsets.pop(member_id, None)
        if not self.members:
            self.shutdown_requested_by = None
        for deadlines in (self.sessions, self.revocations):
            deadline = deadlines.pop(member_id, None)
            if deadline is not None:
                deadline.cancel()

    def cancel_timers(self) -> None:
        for deadlines in (self.sessions, self.revocations):
            for deadline in deadlines.values():
                deadline.cancel()
        self.stop_waiting()

    def stop_waiting(self) -> None:
        """The first assignment waits for nobody any more."""
        if self.first_assignment is not None:
            self.first_assignment.cancel()
            self.first_assignment = None

    def _forget(self, member: StreamsMember | None) -> None:
        if member is None:
            return
        self.owners.remove(member)
        self.endpoints.pop(member.member_id, None)
        if member.instance_id is not None and self.static_members.get(member.instance_id) == member.member_id:
            del self.static_members[member.instance_id]
