"""A classic group: its members, its state, and the rules that depend on nothing else.

Who joins when, and what follows, is `rebalance.py` and `protocol.py`.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.classic.member import ClassicMember, Protocols, member_from_record
from kafkapy.coordinators.group.classic.records import group_tombstone
from kafkapy.coordinators.group.classic.state import (
    FIRST_GENERATION,
    GENERATION_MAX,
    PREVIOUS_STATES,
    ClassicGroupState,
)
from kafkapy.coordinators.group.group import GroupType, OffsetAge
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.messages.join_group import JoinGroupResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkapy.coordinators.deadline import Deadline
    from kafkapy.coordinators.group.group import Committer
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.pending import Pending
    from kafkapy_wire.messages.sync_group import SyncGroupResponse
    from kafkapy_wire.record_formats.group_coordinator import GroupMetadataValue, MemberMetadata

logger = logging.getLogger("kafkapy.groups")

CONSUMER_PROTOCOL_TYPE = "consumer"


class ClassicGroup:
    """A `Group`. Members in the order in which they joined; the first one leads until it leaves."""

    __slots__ = (
        "awaiting_join_count",
        "generation_id",
        "group_id",
        "is_stored",
        "join_deadline",
        "leader",
        "members",
        "new_member_added",
        "pending_joins",
        "pending_syncs",
        "previous_state",
        "protocol_name",
        "protocol_type",
        "state",
        "state_timestamp_ms",
        "static_members",
        "subscribed_topics",
        "supporters",
        "sync_deadline",
    )

    group_type = GroupType.CLASSIC
    expires = True

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.is_stored = False
        """A record tells of it; without one it is the name under which offsets were found."""
        self.state = ClassicGroupState.EMPTY
        self.previous_state = ClassicGroupState.DEAD
        self.state_timestamp_ms: int | None = None
        """When the state was entered; None in groups that Kafka before 2.1 wrote."""
        self.generation_id = 0
        self.protocol_type: str | None = None
        """None as long as nobody has joined: then the group is a name under which offsets are committed."""
        self.protocol_name: str | None = None
        self.leader: str | None = None
        self.members: dict[str, ClassicMember] = {}
        self.static_members: dict[str, str] = {}
        """group_instance_id -> member id."""
        self.pending_joins: dict[str, Deadline] = {}
        """Member ids given out with MEMBER_ID_REQUIRED (KIP-394) that have not joined yet."""
        self.pending_syncs: dict[str, None] = {}
        """Members that are to ask for their assignment. Not a set: an empty one takes three times as much memory, and
        most groups are at rest."""
        self.awaiting_join_count = 0
        """Members whose JoinGroup is parked."""
        self.supporters: dict[str, int] = {}
        """Protocol name -> number of members that support it."""
        self.subscribed_topics: frozenset[str] | None = None
        """None when unknown: not a consumer group, or its metadata cannot be read."""
        self.new_member_added = False
        """Whether a member joined during the initial rebalance delay, which is then extended."""
        self.join_deadline: Deadline | None = None
        self.sync_deadline: Deadline | None = None

    # -- state

    def transition_to(self, state: ClassicGroupState, now_ms: int) -> None:
        assert self.state in PREVIOUS_STATES[state], f"group {self.group_id}: {self.state} does not lead to {state}"
        self.previous_state, self.state = self.state, state
        self.state_timestamp_ms = now_ms

    def is_in(self, *states: ClassicGroupState) -> bool:
        return self.state in states

    @property
    def state_name(self) -> str:
        return self.state.value

    @property
    def is_empty(self) -> bool:
        return self.state is ClassicGroupState.EMPTY

    @property
    def can_rebalance(self) -> bool:
        return self.state in PREVIOUS_STATES[ClassicGroupState.PREPARING_REBALANCE]

    @property
    def has_all_members_joined(self) -> bool:
        return self.awaiting_join_count == len(self.members) and not self.pending_joins

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest of all members', 0 if all are negative: a client may send any number, as to Apache Kafka."""
        return max(0, max((member.rebalance_timeout_ms for member in self.members.values()), default=0))

    @property
    def is_consumer_group(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    # -- members

    def add(self, member: ClassicMember, join: Pending[JoinGroupResponse] | None) -> None:
        if member.group_instance_id is not None:
            assert member.group_instance_id not in self.static_members, f"{member} would be there twice"
            self.static_members[member.group_instance_id] = member.member_id
        if not self.members:
            self.protocol_type = member.protocol_type
        assert self.protocol_type == member.protocol_type, (self.protocol_type, member.protocol_type)
        self.members[member.member_id] = member
        self._count_protocols(member, 1)
        if self.leader is None:
            self.leader = member.member_id
        self.park_join(member, join)

    def remove(self, member_id: str) -> None:
        """Remove a member, pending or not. If it was the leader, the next one leads.

        Its parked requests are answered with UNKNOWN_MEMBER_ID: a running client joins again. (Apache Kafka leaves a
        parked SyncGroup of a removed member without an answer.)
        """
        member = self.members.pop(member_id, None)
        if member is not None:
            self.answer_join(member, ErrorCode.UNKNOWN_MEMBER_ID)
            self.answer_sync(member, ErrorCode.UNKNOWN_MEMBER_ID)
            self._count_protocols(member, -1)
            if member.session is not None:
                member.session.cancel()
            if member.group_instance_id is not None:
                del self.static_members[member.group_instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)
        pending = self.pending_joins.pop(member_id, None)
        if pending is not None:
            pending.cancel()
        self.pending_syncs.pop(member_id, None)
        if not self.members and not self.pending_joins:
            # A dict keeps its memory when its last key is removed; `clear` frees it.
            for emptied in (self.members, self.static_members, self.pending_joins, self.pending_syncs, self.supporters):
                emptied.clear()

    def update(
        self,
        member: ClassicMember,
        *,
        protocols: Protocols,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        join: Pending[JoinGroupResponse],
    ) -> None:
        """Take over what a member has changed that joins again."""
        self._count_protocols(member, -1)
        member.protocols = protocols
        self._count_protocols(member, 1)
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms
        self.answer_join(member, ErrorCode.REBALANCE_IN_PROGRESS)
        self.park_join(member, join)

    def replace_static(self, old: ClassicMember, new: ClassicMember) -> None:
        """Give a static member a new id (KIP-345); if it led, it leads on. Answer its parked requests before."""
        assert old.group_instance_id is not None
        if old.session is not None:
            old.session.cancel()
        self._count_protocols(old, -1)
        self._count_protocols(new, 1)
        del self.members[old.member_id]
        self.members[new.member_id] = new
        self.static_members[old.group_instance_id] = new.member_id
        if self.leader == old.member_id:
            self.leader = new.member_id

    def validate_member(self, member_id: str, group_instance_id: str | None) -> None:
        """Raises KafkaError: UNKNOWN_MEMBER_ID; FENCED_INSTANCE_ID if another member has the instance id."""
        if group_instance_id is not None:
            holder = self.static_members.get(group_instance_id)
            if holder is None:
                raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
            if holder != member_id:
                raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)
        if member_id not in self.members:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)

    def elect_joined_leader(self) -> bool:
        """If the leader has not joined, elect a member that has. False: no member has joined."""
        if self.leader is None:
            return False
        if self.members[self.leader].join is not None:
            return True
        for member in self.members.values():
            if member.join is not None:
                logger.info(
                    "group %s: leader %s has not joined in time, %s leads now",
                    self.group_id, self.leader, member.member_id,
                )  # fmt: skip
                self.leader = member.member_id
                return True
        return False

    # -- protocols

    def supports_protocols(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether a member with these protocols could join: all other members support at least one of them."""
        if self.state is ClassicGroupState.EMPTY:
            return bool(protocol_type and protocols)
        return self.protocol_type == protocol_type and any(
            self.supporters.get(name, 0) == len(self.members) for name, _ in protocols
        )

    def select_protocol(self, replacing: tuple[ClassicMember, ClassicMember] | None = None) -> str:
        """The protocol supported by all that gets the most votes; between equals, the one voted for first.

        With `replacing`, as if the second member had replaced the first.
        """
        members = list(self.members.values())
        supporters = self.supporters
        if replacing is not None:
            old, new = replacing
            members = [member for member in members if member is not old] + [new]
            supporters = Counter(name for member in members for name, _ in member.protocols)
        candidates = {name for name, count in supporters.items() if count == len(members)}
        votes: dict[str, int] = {}
        for member in members:
            vote = member.vote(candidates)
            votes[vote] = votes.get(vote, 0) + 1
        return max(votes, key=votes.__getitem__)

    def next_generation(self, now_ms: int) -> None:
        """End the join phase with the present members."""
        self.generation_id = self.generation_id + 1 if self.generation_id < GENERATION_MAX else FIRST_GENERATION
        self.pending_syncs.clear()
        if self.members:
            self.protocol_name = self.select_protocol()
            self.transition_to(ClassicGroupState.COMPLETING_REBALANCE, now_ms)
        else:
            self.protocol_name = None
            self.transition_to(ClassicGroupState.EMPTY, now_ms)
        self.subscribed_topics = self._read_subscriptions()

    def is_subscribed_to(self, topic: str) -> bool:
        """A consumer group whose metadata cannot be read counts as subscribed to everything."""
        if self.subscribed_topics is None:
            return self.is_consumer_group
        return topic in self.subscribed_topics

    def _count_protocols(self, member: ClassicMember, step: int) -> None:
        for name, _ in member.protocols:
            self.supporters[name] = self.supporters.get(name, 0) + step
            if not self.supporters[name]:
                del self.supporters[name]

    def _read_subscriptions(self) -> frozenset[str] | None:
        if not self.members and self.is_consumer_group:
            return frozenset()
        if self.protocol_name is None or not self.is_consumer_group:
            return None
        try:
            return frozenset(
                topic for member in self.members.values() for topic in member.subscribed_topics(self.protocol_name)
            )
        except MalformedMessage as error:
            logger.warning("group %s: cannot read the subscription of a member: %s", self.group_id, error)
            return None

    # -- offsets

    def validate_commit(self, committer: Committer, topics: Sequence[TopicToCommit]) -> None:  # noqa: ARG002
        """Whether such a member may commit offsets. An admin client or a consumer that assigns itself its partitions
        has no member id and generation -1, and may commit only while the group has no members; in a transaction at any
        time, as older producers send no member id: the transaction has fenced others.

        Raises KafkaError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
        """
        member_id, group_instance_id, generation_id = committer.member_id, committer.group_instance_id, committer.epoch
        if generation_id < 0 and self.is_empty:
            return
        if generation_id < 0 and committer.is_transactional and not (member_id or group_instance_id):
            return
        if generation_id < 0 and not member_id and group_instance_id is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
        self.validate_member(member_id, group_instance_id)
        if generation_id != self.generation_id:
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        if self.state is ClassicGroupState.COMPLETING_REBALANCE and not committer.is_transactional:
            raise KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)

    def note_commit(self, member_id: str) -> None:
        """A commit counts as a heartbeat, but not while the leader assigns."""
        member = self.members.get(member_id)
        if member is not None and self.is_in(ClassicGroupState.STABLE, ClassicGroupState.PREPARING_REBALANCE):
            member.keep_session()

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Everybody may."""

    def validate_offset_deletion(self) -> None:
        """While a group that is not of consumers has members, it is unknown what it reads.

        Raises KafkaError(NON_EMPTY_GROUP).
        """
        if not self.is_empty and not self.is_consumer_group:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP)

    def offset_age(self) -> OffsetAge | None:
        """In a group that was joined and is now empty, offsets grow old from when it became so. A group that is neither
        empty, nor stable with known subscriptions, keeps everything (KIP-211).
        """
        if self.is_empty and self.protocol_type is not None:
            return OffsetAge(self.state_timestamp_ms)
        is_known = self.is_consumer_group and self.subscribed_topics is not None
        at_rest = self.protocol_type is None or (is_known and self.state is ClassicGroupState.STABLE)
        return OffsetAge(None) if at_rest else None

    # -- deadlines of the phases

    def drop_join_deadline(self) -> None:
        if self.join_deadline is not None:
            self.join_deadline.cancel()
            self.join_deadline = None

    def drop_sync_deadline(self) -> None:
        if self.sync_deadline is not None:
            self.sync_deadline.cancel()
            self.sync_deadline = None

    # -- parked requests

    def park_join(self, member: ClassicMember, join: Pending[JoinGroupResponse] | None) -> None:
        self.awaiting_join_count += (join is not None) - (member.join is not None)
        member.join = join

    def answer_join(self, member: ClassicMember, answer: JoinGroupResponse | ErrorCode) -> None:
        """Answer the member's parked JoinGroup, if there is one."""
        parked = member.join
        if parked is None:
            return
        self.park_join(member, None)
        if isinstance(answer, ErrorCode):
            # UNKNOWN_MEMBER_ID makes the client drop its member id, so the answer has none.
            member_id = "" if answer is ErrorCode.UNKNOWN_MEMBER_ID else member.member_id
            answer = JoinGroupResponse(error_code=answer, member_id=member_id, protocol_name=None)
        parked.answer(answer)

    def answer_sync(self, member: ClassicMember, error: ErrorCode = ErrorCode.NONE) -> bool:
        """Answer the member's parked SyncGroup with its assignment or an error. False when there is none."""
        parked = member.sync
        if parked is None:
            return False
        member.sync = None
        parked.answer(self.sync_response(member, error))
        return True

    def sync_response(self, member: ClassicMember, error: ErrorCode = ErrorCode.NONE) -> SyncGroupResponse:
        from kafkapy_wire.messages.sync_group import SyncGroupResponse

        if error is not ErrorCode.NONE:
            return SyncGroupResponse(error_code=error)
        return SyncGroupResponse(
            protocol_type=self.protocol_type, protocol_name=self.protocol_name, assignment=member.assignment
        )

    # -- records

    def tombstones(self) -> list[CoordinatorRecord]:
        return [group_tombstone(self.group_id)]

    def replay(self, value: GroupMetadataValue) -> None:
        """Take over the state in a GroupMetadata record. Present members keep their parked requests and sessions.

        Its member ids are unique (`records.read_group_metadata`); no other field is checked, and the disk may have
        damaged it.
        """
        self.is_stored = True
        stored = {member.member_id: member for member in value.members}
        for member in list(self.members.values()):
            record = stored.get(member.member_id)
            if record is None or not _is_as_stored(member, record, value):
                self.remove(member.member_id)
        for member_id, record in stored.items():
            known = self.members.get(member_id)
            if known is None:
                self.protocol_type = value.protocol_type
                self.add(member_from_record(record, value), None)
            else:
                known.assignment = record.assignment
        self.generation_id = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol_name = value.protocol
        # The leader must be a member, or no member would be asked to assign.
        self.leader = value.leader if value.leader in self.members else next(iter(self.members), None)
        self.state = ClassicGroupState.STABLE if self.members else ClassicGroupState.EMPTY
        self.state_timestamp_ms = None if value.current_state_timestamp == -1 else value.current_state_timestamp
        self.subscribed_topics = self._read_subscriptions()

    def all_deadlines(self) -> Iterable[Deadline]:
        """Every timer that may fire for this group."""
        yield from self.pending_joins.values()
        yield from (member.session for member in self.members.values() if member.session is not None)
        if self.join_deadline is not None:
            yield self.join_deadline
        if self.sync_deadline is not None:
            yield self.sync_deadline

    def assignments(self) -> dict[str, bytes]:
        return {member_id: member.assignment for member_id, member in self.members.items()}


def _is_as_stored(member: ClassicMember, record: MemberMetadata, value: GroupMetadataValue) -> bool:
    """Whether the record is of the present member, so that only its assignment can be new."""
    return (
        member.group_instance_id == record.group_instance_id
        and member.protocol_type == value.protocol_type
        and member.metadata(value.protocol) == record.subscription
    )
