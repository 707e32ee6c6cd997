"""A consumer group: members, each a value, and what each is to own. Only replayed records change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.member import ConsumerMember
from kafkapy.coordinators.group.consumer.subscriptions import Subscriptions
from kafkapy.coordinators.group.consumer.validation import validate_commit, validate_epoch
from kafkapy.coordinators.group.group import EMPTY_STATE, GroupType, OffsetAge
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.member import Partitions
    from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern
    from kafkapy.coordinators.group.group import Committer
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.uuid import Uuid


FIRST_EPOCH = 1
"""Of a group that nobody has joined. Members join with epoch 0."""


class ConsumerGroup:
    """A `Group`.

    Its epoch rises when somebody reads something else, or a topic changes; the assignment epoch follows when it was
    assigned anew; each member's epoch follows when it has what it is to own.
    """

    group_type = GroupType.CONSUMER
    protocol_type = "consumer"
    is_stored = True
    expires = True

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = FIRST_EPOCH
        self.metadata_hash = 0
        self.assignment_epoch = FIRST_EPOCH
        self.assigned_at_ms = 0
        """When the assignment was computed; 0: it may be computed anew at once."""
        self.members: dict[str, ConsumerMember] = {}
        self.static_members: dict[str, str] = {}
        """instance id -> member id."""
        self.targets: dict[str, Target] = {}
        self.owners: dict[Uuid, dict[int, str]] = {}
        """topic id -> partition -> the member that owns it, or is to give it up."""
        self.subscriptions = Subscriptions()
        self.resolved: dict[str, ResolvedPattern] = {}
        self.has_partition_metadata = False
        """A record of Kafka before 4.1 is to be deleted."""
        self.is_metadata_fresh = False
        """Whether the topics were looked at since they changed. Not stored: a new coordinator looks again."""
        self.sessions: dict[str, Deadline] = {}
        self.revocations: dict[str, Deadline] = {}
        """Until when members must have given up what they are asked for."""
        self.joins: dict[str, Deadline] = {}
        """Until when classic members must have joined again."""
        self.syncs: dict[str, Deadline] = {}
        """Until when classic members must have asked for their assignments."""

    # -- Group

    @property
    def state_name(self) -> str:
        if not self.members:
            return EMPTY_STATE
        if self.epoch > self.assignment_epoch:
            return "Assigning"
        if all(member.is_reconciled_to(self.assignment_epoch) for member in self.members.values()):
            return "Stable"
        return "Reconciling"

    @property
    def is_empty(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        return topic in self.subscriptions.topics(self.resolved)

    def tombstones(self) -> list[CoordinatorRecord]:
        return self.tombstones_with({})

    def tombstones_with(self, replaced: dict[str, str]) -> list[CoordinatorRecord]:
        """The same, of members that are named otherwise in the log by now: member id -> the name there."""
        group_id = self.group_id
        names = [replaced.get(member_id, member_id) for member_id in self.members]
        targets = [*dict.fromkeys([*names, *(replaced.get(member_id, member_id) for member_id in self.targets)])]
        return [
            *(records.current_assignment_tombstone(group_id, name) for name in names),
            *(records.target_tombstone(group_id, name) for name in targets),
            records.target_epoch_tombstone(group_id),
            *(records.member_tombstone(group_id, name) for name in names),
            *(records.pattern_tombstone(group_id, pattern) for pattern in self.resolved),
            records.partition_metadata_tombstone(group_id),
            records.group_tombstone(group_id),
        ]

    def validate_commit(self, committer: Committer, topics: Sequence[TopicToCommit]) -> None:
        validate_commit(self, committer, topics)

    def note_commit(self, member_id: str) -> None:
        """A commit is no heartbeat here: a member that only commits is fenced when its session ends."""

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Raises KafkaError: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION (a classic member)."""
        if member_id is not None:
            validate_epoch(self.member(member_id), member_epoch)
        elif member_epoch >= 0:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)  # as Apache Kafka: an epoch of nobody

    def validate_offset_deletion(self) -> None:
        """Offsets of topics that nobody reads may always be deleted."""

    def offset_age(self) -> OffsetAge | None:
        return OffsetAge(None)

    # -- members

    def member(self, member_id: str) -> ConsumerMember:
        """Raises KafkaError(UNKNOWN_MEMBER_ID)."""
        try:
            return self.members[member_id]
        except KeyError:
            message = f"Member {member_id} is not a member of group {self.group_id}."
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, message) from None

    def static_member(self, instance_id: str) -> ConsumerMember | None:
        member_id = self.static_members.get(instance_id)
        return None if member_id is None else self.members.get(member_id)

    def target_of(self, member: ConsumerMember) -> Target:
        """What the member is to own; a static member that is back inherits what it was to own under another id."""
        target = self.targets.get(member.member_id)
        if target is None and member.instance_id is not None:
            target = self.targets.get(self.static_members.get(member.instance_id, ""))
        return {} if target is None else target

    def owned_of(self, topic_id: Uuid) -> Container[int]:
        """The partitions of a topic that some member owns."""
        return self.owners.get(topic_id, ())

    def present_id(self, member_id: str, instance_id: str | None) -> str | None:
        """The member's id by now: a static member may be back under another one. None: it is gone."""
        if member_id in self.members:
            return member_id
        return None if instance_id is None else self.static_members.get(instance_id)

    # -- replay

    def put_member(self, member: ConsumerMember) -> None:
        self._forget(self.members.get(member.member_id))
        self.members[member.member_id] = member
        self.subscriptions.count(member, 1)
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        for partitions in (member.assigned, member.pending_revocation):
            for topic_id, epochs in partitions.items():
                self.owners.setdefault(topic_id, {}).update(dict.fromkeys(epochs, member.member_id))

    def remove_member(self, member_id: str) -> None:
        self._forget(self.members.pop(member_id, None))
        for deadlines in self._deadlines():
            deadline = deadlines.pop(member_id, None)
            if deadline is not None:
                deadline.cancel()

    def cancel_timers(self) -> None:
        for deadlines in self._deadlines():
            for deadline in deadlines.values():
                deadline.cancel()

    def _deadlines(self) -> tuple[dict[str, Deadline], ...]:
        return self.sessions, self.revocations, self.joins, self.syncs

    def _forget(self, member: ConsumerMember | None) -> None:
        if member is None:
            return
        self.subscriptions.count(member, -1)
        if member.instance_id is not None and self.static_members.get(member.instance_id) == member.member_id:
            del self.static_members[member.instance_id]
        self._disown(member.member_id, member.assigned)
        self._disown(member.member_id, member.pending_revocation)

    def _disown(self, member_id: str, partitions: Partitions) -> None:
        """A compacted log may name another owner already, before it tells that this one has given it up."""
        for topic_id, epochs in partitions.items():
            owners = self.owners.get(topic_id, {})
            for partition in epochs:
                if owners.get(partition) == member_id:
                    del owners[partition]
            if not owners:
                self.owners.pop(topic_id, None)
