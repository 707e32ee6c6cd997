"""A share group: members, each a value, and what each is to read. Only replayed records change it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.group import EMPTY_STATE, GroupType
from kafkapy.coordinators.group.share import records
from kafkapy.coordinators.group.share.topic_states import TopicStates
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.group import Committer, OffsetAge
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy.coordinators.group.share.member import ShareMember
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.uuid import Uuid

STABLE_STATE = "Stable"
FIRST_EPOCH = 1
"""Of a group that nobody has joined. Members join with epoch 0."""


class ShareGroup:
    """A `Group`. It has no committed offsets: share coordinators know how far it has come."""

    group_type = GroupType.SHARE
    protocol_type = "share"
    is_stored = True
    expires = False

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = FIRST_EPOCH
        self.metadata_hash = 0
        self.assignment_epoch = FIRST_EPOCH
        self.assigned_at_ms = 0
        """When the assignment was computed; 0: it may be computed anew at once."""
        self.members: dict[str, ShareMember] = {}
        self.targets: dict[str, Target] = {}
        self.topic_states: TopicStates | None = None
        """None: no record tells of any."""
        self.names: Counter[str] = Counter()
        """How many members read each topic."""
        self.is_metadata_fresh = False
        """Whether the topics were looked at since they changed. Not stored: a new coordinator looks again."""
        self.sessions: dict[str, Deadline] = {}
        self._has_unread_partitions: bool | None = None
        """None: not looked at since the last record."""

    # -- Group

    @property
    def state_name(self) -> str:
        return STABLE_STATE if self.members else EMPTY_STATE

    @property
    def is_empty(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        return topic in self.names

    def tombstones(self) -> list[CoordinatorRecord]:
        group_id = self.group_id
        targets = [*dict.fromkeys([*self.members, *self.targets])]
        return [
            *(records.current_assignment_tombstone(group_id, member_id) for member_id in self.members),
            *(records.target_tombstone(group_id, member_id) for member_id in targets),
            records.target_epoch_tombstone(group_id),
            *(records.member_tombstone(group_id, member_id) for member_id in self.members),
            records.topic_states_tombstone(group_id),
            records.group_tombstone(group_id),
        ]

    def validate_commit(self, committer: Committer, topics: Sequence[TopicToCommit]) -> None:  # noqa: ARG002
        self._refuse_offsets()

    def note_commit(self, member_id: str) -> None:
        """Nobody commits."""

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Everybody may: there are no offsets."""

    def validate_offset_deletion(self) -> None:
        self._refuse_offsets()

    def offset_age(self) -> OffsetAge | None:
        return None

    def _refuse_offsets(self) -> None:
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {self.group_id} is not a consumer group.")

    # -- members

    def member(self, member_id: str) -> ShareMember:
        """Raises KafkaError(UNKNOWN_MEMBER_ID)."""
        try:
            return self.members[member_id]
        except KeyError:
            message = f"Member {member_id} is not a member of group {self.group_id}."
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, message) from None

    def refuse_unless_empty(self) -> None:
        """Raises KafkaError(NON_EMPTY_GROUP)."""
        if self.members:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP, "The group is not empty.")

    def names_with(self, before: ShareMember | None, after: ShareMember | None) -> Mapping[str, int]:
        """`names`, once one member is another, has come, or is gone."""
        names = self.names.copy()
        if before is not None and before.member_id in self.members:
            _count(names, before, -1)
        if after is not None:
            _count(names, after, 1)
        return names

    def present_id(self, member_id: str, instance_id: str | None) -> str | None:  # noqa: ARG002 - none is static
        """None: the member is gone."""
        return member_id if member_id in self.members else None

    def has_unread_partitions(self) -> bool:
        """Whether the share coordinator has initialized what nobody is to read yet, although somebody has named it."""
        if self._has_unread_partitions is None:
            self._has_unread_partitions = bool(self.members) and self._looks_for_unread_partitions()
        return self._has_unread_partitions

    def _looks_for_unread_partitions(self) -> bool:
        if self.topic_states is None:
            return False
        read: dict[Uuid, set[int]] = {}
        for target in self.targets.values():
            for topic_id, partitions in target.items():
                read.setdefault(topic_id, set()).update(partitions)
        return any(
            state.name in self.names and read.get(topic_id, set()) != state.partitions
            for topic_id, state in self.topic_states.initialized.items()
        )

    # -- replay

    def note_change(self) -> None:
        """A record has changed the group."""
        self._has_unread_partitions = None

    def put_member(self, member: ShareMember) -> None:
        self._forget(self.members.get(member.member_id))
        self.members[member.member_id] = member
        _count(self.names, member, 1)

    def remove_member(self, member_id: str) -> None:
        self._forget(self.members.pop(member_id, None))
        session = self.sessions.pop(member_id, None)
        if session is not None:
            session.cancel()

    def cancel_timers(self) -> None:
        for session in self.sessions.values():
            session.cancel()

    def _forget(self, member: ShareMember | None) -> None:
        if member is not None:
            _count(self.names, member, -1)


def _count(names: Counter[str], member: ShareMember, step: int) -> None:
    for name in member.topics:
        names[name] += step
        if not names[name]:
            del names[name]
