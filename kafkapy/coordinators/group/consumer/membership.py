"""What ConsumerGroupHeartbeat decides: a member joins, says what has changed, goes a step on, leaves, or is fenced.

A decision reads the group and returns records; replaying them is what changes it. Records are written in Apache Kafka's
order: the member, the group's epoch, what is to be owned, what the member owns.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.assigning import NextTarget
from kafkapy.coordinators.group.consumer.group_settings import group_setting
from kafkapy.coordinators.group.consumer.member import (
    JOINING_EPOCH,
    LEAVING_STATIC_EPOCH,
    ConsumerMember,
)
from kafkapy.coordinators.group.consumer.reconciliation import Step
from kafkapy.coordinators.group.consumer.subscriptions import subscribed_topics
from kafkapy.coordinators.group.epochs import next_epoch
from kafkapy.coordinators.group.large_groups import LargeGroups, target_records
from kafkapy.coordinators.group.topic_metadata import metadata_hash, refuse_too_many_topics, topic_ids
from kafkapy.coordinators.runtime import Decision
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupHeartbeatResponseTopicPartitions,
)
from kafkapy_wire.uuid import random_uuid, uuid_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy.coordinators.group.consumer.group import ConsumerGroup
    from kafkapy.coordinators.group.consumer.subscriptions import Subscriptions
    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.group.typed_groups import TypedGroups
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.groups")

T = TypeVar("T")

MEMBERS_MAX = 10_000
"""Of a group, whatever group.consumer.max.size says: who makes members that never beat has room for so many."""


NAMES_MAX = 500_000
"""Topics that the members of a group name, each member's counted: about a hundred megabytes."""


class PatternChange(NamedTuple):
    """What a member's new pattern means."""

    has_changed: bool = False
    is_known: bool = False
    """Its topics are known already, or there is no pattern any more: the group may be assigned anew at once."""


class Draft:
    """A group as it will be after the records that are collected here. One for each decision."""

    def __init__(self, group: ConsumerGroup, written: list[CoordinatorRecord]) -> None:
        self.group = group
        self.written = written
        self.epoch = group.epoch
        self.replaced: ConsumerMember | None = None
        """A static member whose place the member has taken."""
        self.has_looked_at_topics = False
        self.begin_assigning: Callable[[], None] | None = None

    def apply(self) -> None:
        """With the append: before it, nothing may change."""
        if self.has_looked_at_topics:
            self.group.is_metadata_fresh = True
        if self.begin_assigning is not None:
            self.begin_assigning()

    def members_with(self, member: ConsumerMember) -> dict[str, ConsumerMember]:
        members = dict(self.group.members)
        if self.replaced is not None:
            members.pop(self.replaced.member_id, None)
        members[member.member_id] = member
        return members

    def targets(self, member: ConsumerMember) -> Mapping[str, Target]:
        if self.replaced is None:
            return self.group.targets
        targets = dict(self.group.targets)
        targets[member.member_id] = targets.pop(self.replaced.member_id, {})
        return targets


class Membership:
    """The decisions about members of one shard's consumer groups. Errors are raised as KafkaError."""

    def __init__(self, parts: ShardParts, groups: TypedGroups[ConsumerGroup]) -> None:
        self._settings = parts.settings
        self._clock = parts.clock
        self._random = parts.random
        self._metadata = parts.metadata
        self._rebalance_classic = parts.rebalance_classic
        self._large_groups = LargeGroups(parts, groups)

    # -- a heartbeat

    def heartbeat(
        self,
        group: ConsumerGroup,
        request: ConsumerGroupHeartbeatRequest,
        caller: Caller,
        written: list[CoordinatorRecord],
    ) -> Decision[ConsumerGroupHeartbeatResponse]:
        """A member joins (epoch 0) or goes on. `written`: records that come before those of the member."""
        self.refuse_if_full(group, request.member_id, request.instance_id)
        member_id = request.member_id or self.new_member_id()
        draft = Draft(group, written)
        owned = None if request.topic_partitions is None else _owned(request)
        if request.instance_id is None:
            before = self._dynamic_member(group, member_id, request.member_epoch, owned)
        else:
            before = self._static_member(draft, member_id, request.instance_id, request.member_epoch, owned)
        member = _updated(before, request, caller)
        after = self.go_on(draft, before, member, owned)
        response = ConsumerGroupHeartbeatResponse(
            member_id=after.member_id,
            member_epoch=after.epoch,
            heartbeat_interval_ms=group_setting(
                group.group_id, "heartbeat.interval.ms", self._settings.now.groups, self._metadata.image
            ),
        )
        is_full = (
            request.rebalance_timeout_ms != -1
            and (request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None)
            and owned is not None
        )
        if request.member_epoch == JOINING_EPOCH or is_full or not before.is_assigned_the_same(after):
            response.assignment = _assignment(after)
        return Decision(draft.written, response, apply=draft.apply)

    def go_on(
        self, draft: Draft, before: ConsumerMember, member: ConsumerMember, owned: Mapping[Uuid, Sequence[int]] | None
    ) -> ConsumerMember:
        """Write what `member`, which was `before`, has said, what follows for the group, and the member's next step."""
        group = draft.group
        names_changed, pattern, bumps = False, PatternChange(), False
        if member is not before or member.member_id not in group.members or draft.replaced is not None:
            names_changed, pattern = self.write_member(draft, before, member)
            subscriptions, default = self._changed_subscriptions(draft, before, member), self.default_assignor
            preferred = subscriptions.preferred_assignor(default)
            assignor_changed = preferred != group.subscriptions.preferred_assignor(default)
            bumps = names_changed or pattern.is_known or assignor_changed
        self.write_epoch(draft, before, member, bumps=bumps)
        target_epoch, target = self.write_target(draft, before, member)
        return self.write_step(
            draft, member, target_epoch, target, owned, has_changed=names_changed or pattern.has_changed
        )

    # -- its parts

    def write_member(self, draft: Draft, before: ConsumerMember, member: ConsumerMember) -> tuple[bool, PatternChange]:
        """Whether the member reads other topics by name; and whether its pattern has changed.

        Raises KafkaError: INVALID_REQUEST, all together would name too many topics; INVALID_REGULAR_EXPRESSION.
        """
        group = draft.group
        if member.topics != before.topics:
            _refuse_too_many_names(group, before, member)
        if not member.says_the_same(before) or (member.member_id not in group.members and draft.replaced is None):
            draft.written.append(records.member(group.group_id, member))
        return member.topics != before.topics, self._pattern_change(draft, before, member)

    def _pattern_change(self, draft: Draft, before: ConsumerMember, member: ConsumerMember) -> PatternChange:
        if before.pattern == member.pattern:
            return PatternChange()
        group = draft.group
        users = group.subscriptions.patterns
        if before.pattern and users[before.pattern] == 1:
            draft.written.append(records.pattern_tombstone(group.group_id, before.pattern))
        if not member.pattern:
            return PatternChange(has_changed=True, is_known=True)
        if not users[member.pattern]:
            from kafkapy.coordinators.group.consumer.patterns import compile_pattern

            compile_pattern(member.pattern)
        return PatternChange(has_changed=True, is_known=member.pattern in group.resolved)

    def write_epoch(self, draft: Draft, before: ConsumerMember, member: ConsumerMember, *, bumps: bool) -> None:
        """Raise the group's epoch if the member reads something else (`bumps`), or a topic has changed."""
        group = draft.group
        if not bumps and group.is_metadata_fresh:
            return
        subscriptions = self._changed_subscriptions(draft, before, member)
        new_hash = metadata_hash(subscriptions.topics(group.resolved), self._metadata.image)
        if bumps or new_hash != group.metadata_hash:
            draft.epoch = next_epoch(draft.epoch)
            draft.written.append(records.group_epoch(group.group_id, draft.epoch, new_hash))
        draft.has_looked_at_topics = True
        if group.has_partition_metadata:
            draft.written.append(records.partition_metadata_tombstone(group.group_id))

    def write_target(self, draft: Draft, before: ConsumerMember, member: ConsumerMember) -> tuple[int, Target]:
        """Assign anew if the group's epoch is ahead, not more often than group.consumer.assignment.interval.ms."""
        group, targets = draft.group, draft.targets(member)
        before_it = group.assignment_epoch, targets.get(member.member_id, {})
        if draft.epoch <= group.assignment_epoch or self._large_groups.is_being_assigned(group.group_id):
            return before_it
        now_ms = self._clock.now_ms()
        interval_ms = group_setting(
            group.group_id, "assignment.interval.ms", self._settings.now.groups, self._metadata.image
        )
        if group.assigned_at_ms and interval_ms and now_ms < group.assigned_at_ms + interval_ms:
            return before_it
        subscriptions = self._changed_subscriptions(draft, before, member)
        members = draft.members_with(member)
        next_target = NextTarget(
            group.group_id,
            draft.epoch,
            members,
            subscriptions,
            group.resolved,
            targets,
            subscriptions.preferred_assignor(self.default_assignor),
            self._metadata.image,
        )
        if next_target.is_large:
            draft.begin_assigning = partial(self._large_groups.begin, next_target)
            return before_it
        computed = next_target.compute()
        draft.written += target_records(next_target, computed, now_ms)
        next_target.log()
        return draft.epoch, computed.all[member.member_id]

    def write_step(
        self,
        draft: Draft,
        member: ConsumerMember,
        target_epoch: int,
        target: Target,
        owned: Mapping[Uuid, Sequence[int]] | None,
        *,
        has_changed: bool,
    ) -> ConsumerMember:
        """The member after its next step towards what it is to own."""
        if not has_changed and member.is_reconciled_to(target_epoch):
            return member
        group = draft.group
        step = Step(
            target_epoch=target_epoch,
            target=target,
            topic_ids=topic_ids(subscribed_topics(member, group.resolved), self._metadata.image),
            owned=owned,
            owned_of=group.owned_of,
            has_subscription_changed=has_changed,
        )
        after = step.of(member)
        if after is not member:
            draft.written.append(records.current_assignment(group.group_id, after))
        return after

    def _changed_subscriptions(self, draft: Draft, before: ConsumerMember, member: ConsumerMember) -> Subscriptions:
        known = draft.replaced or draft.group.members.get(before.member_id)
        if known is not None and known.says_the_same(member):
            return draft.group.subscriptions
        return draft.group.subscriptions.changed([] if known is None else [known], [member])

    @property
    def default_assignor(self) -> str:
        return self._settings.now.groups.group_consumer_assignors[0]

    # -- who it is

    def new_member_id(self) -> str:
        return uuid_text(random_uuid(self._random))

    def refuse_if_full(self, group: ConsumerGroup, member_id: str, instance_id: str | None) -> None:
        """A static member may come back in its own place. Raises KafkaError(GROUP_MAX_SIZE_REACHED)."""
        if instance_id is not None and instance_id in group.static_members:
            return
        size_max = min(self._settings.now.groups.group_consumer_max_size, MEMBERS_MAX)
        if len(group.members) >= size_max and member_id not in group.members:
            message = f"The consumer group has reached its maximum capacity of {size_max} members."
            raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, message)

    def _dynamic_member(
        self, group: ConsumerGroup, member_id: str, epoch: int, owned: Mapping[Uuid, Sequence[int]] | None
    ) -> ConsumerMember:
        if epoch == JOINING_EPOCH and member_id not in group.members:
            logger.info("group %s: %s joins", group.group_id, member_id)
            return ConsumerMember(member_id)
        member = group.member(member_id)
        refuse_wrong_epoch(member, epoch, owned)
        return member

    def _static_member(
        self, draft: Draft, member_id: str, instance_id: str, epoch: int, owned: Mapping[Uuid, Sequence[int]] | None
    ) -> ConsumerMember:
        group = draft.group
        holder = group.static_member(instance_id)
        if epoch != JOINING_EPOCH:
            holder = static_holder(holder, instance_id, member_id)
            refuse_wrong_epoch(holder, epoch, owned)
            return holder
        if holder is None:
            logger.info("group %s: static member %s joins as %s", group.group_id, instance_id, member_id)
            return group.members.get(member_id) or ConsumerMember(member_id)
        if not holder.uses_classic_protocol and holder.epoch != LEAVING_STATIC_EPOCH:
            raise KafkaError(
                ErrorCode.UNRELEASED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} cannot join the group because the instance "
                f"id is owned by {holder.member_id} member.",
            )
        return self.take_place(draft, holder, member_id)

    def take_place(self, draft: Draft, holder: ConsumerMember, member_id: str) -> ConsumerMember:
        """Write the static member that is back under `member_id`, with what it has owned."""
        group_id = draft.group.group_id
        logger.info("group %s: static member %s is back as %s", group_id, holder.instance_id, member_id)
        member = holder._replace(member_id=member_id, epoch=JOINING_EPOCH, previous_epoch=JOINING_EPOCH)
        draft.replaced = holder
        draft.written += self.removal(group_id, holder.member_id)
        draft.written.append(records.member(group_id, member))
        draft.written.append(records.target(group_id, member_id, draft.group.targets.get(holder.member_id, {})))
        draft.written.append(records.current_assignment(group_id, member))
        return member

    # -- members that go

    def leave(
        self, group: ConsumerGroup, member_id: str, instance_id: str | None, epoch: int
    ) -> Decision[ConsumerGroupHeartbeatResponse]:
        """A member leaves (-1), or a static one for a while (-2). Raises KafkaError: UNKNOWN_MEMBER_ID,
        FENCED_INSTANCE_ID.
        """
        response = ConsumerGroupHeartbeatResponse(member_id=member_id, member_epoch=epoch)
        if instance_id is None:
            return _answering(self.fence(group, [group.member(member_id)], "left"), response)
        member = static_holder(group.static_member(instance_id), instance_id, member_id)
        if epoch != LEAVING_STATIC_EPOCH:
            return _answering(self.fence(group, [member], "left"), response)
        logger.info("group %s: static member %s left for a while", group.group_id, instance_id)
        away = member._replace(
            epoch=LEAVING_STATIC_EPOCH,
            pending_revocation={},
            assigned={topic_id: dict.fromkeys(partitions, 0) for topic_id, partitions in member.assigned.items()},
        )
        return Decision([records.current_assignment(group.group_id, away)], response)

    def fence(self, group: ConsumerGroup, members: Collection[ConsumerMember], reason: str) -> Decision[None]:
        """Remove members: their partitions are free at once."""
        if not members:
            return Decision((), None)
        group_id = group.group_id
        rest_count = len(group.members) - len(members)
        if rest_count and self.may_downgrade(group, members, rest_count):
            return self._downgrade_without(group, members, reason)
        written: list[CoordinatorRecord] = []
        for member in members:
            logger.info("group %s: %s %s", group_id, member.member_id, reason)
            written += self.removal(group_id, member.member_id)
        subscriptions = group.subscriptions.changed(members, ())
        unused = {member.pattern for member in members if member.pattern} - subscriptions.patterns.keys()
        written += [records.pattern_tombstone(group_id, pattern) for pattern in sorted(unused)]
        new_hash = metadata_hash(subscriptions.topics(group.resolved), self._metadata.image)
        written.append(records.group_epoch(group_id, next_epoch(group.epoch), new_hash))
        if len(members) == len(group.members):
            written.append(records.target_epoch(group_id, next_epoch(group.epoch), 0))
        return Decision(written, None)

    # -- the way back to a classic group

    def may_downgrade(self, group: ConsumerGroup, leaving: Collection[ConsumerMember], rest_count: int) -> bool:
        """Whether all who stay are classic members, and the group may become a classic one."""
        gone = {member.member_id for member in leaving}
        rest = [member for member_id, member in group.members.items() if member_id not in gone]
        if not all(member.uses_classic_protocol for member in rest):
            return False
        from kafkapy.coordinators.group.migration import allows_downgrade

        return allows_downgrade(self._settings.now.groups, rest_count)

    def _downgrade_without(
        self, group: ConsumerGroup, leaving: Collection[ConsumerMember], reason: str
    ) -> Decision[None]:
        for member in leaving:
            logger.info("group %s: %s %s", group.group_id, member.member_id, reason)
        gone = {member.member_id for member in leaving}
        rest = [member for member_id, member in group.members.items() if member_id not in gone]
        why = f"Downgrade group {group.group_id} from consumer to classic for member leaving."
        return self._downgrade(group, group.tombstones(), rest, group.targets, None, why)

    def downgrade_with(self, draft: Draft, member: ConsumerMember, response: T, *, rebalances: bool) -> Decision[T]:
        """The classic `member` has taken the place of the last one that did not use the classic protocol."""
        group = draft.group
        renamed = {} if draft.replaced is None else {draft.replaced.member_id: member.member_id}
        tombstones = group.tombstones_with(renamed)
        members = [*draft.members_with(member).values()]
        why = f"Downgrade group {group.group_id} from consumer to classic with stale assignment."
        targets = draft.targets(member)
        written = [*draft.written, *tombstones]
        return self._downgrade(group, written, members, targets, response, why if rebalances else None)

    def _downgrade(
        self,
        group: ConsumerGroup,
        written: list[CoordinatorRecord],
        members: list[ConsumerMember],
        targets: Mapping[str, Target],
        response: T,
        why: str | None,
    ) -> Decision[T]:
        """`why`: the classic members are to join again, as they may not have what they were to own."""
        from kafkapy.coordinators.group.migration import downgrade

        group_id = group.group_id
        logger.info("the consumer group %s is a classic group from now on", group_id)
        record = downgrade(group, members, targets, self._metadata.image, self._clock.now_ms())

        def then(error: KafkaError | None) -> None:
            if error is None and why is not None:
                self._rebalance_classic(group_id, why)

        return Decision([*written, record], response, then=then)

    @staticmethod
    def removal(group_id: str, member_id: str) -> list[CoordinatorRecord]:
        """Assignments before the member: Apache Kafka refuses to load another order."""
        return [
            records.current_assignment_tombstone(group_id, member_id),
            records.target_tombstone(group_id, member_id),
            records.member_tombstone(group_id, member_id),
        ]


def _answering(decision: Decision[None], response: T) -> Decision[T]:
    return Decision(decision.records, response, decision.then, decision.apply)


def static_holder(holder: ConsumerMember | None, instance_id: str, member_id: str) -> ConsumerMember:
    """Raises KafkaError: UNKNOWN_MEMBER_ID, nobody has the instance id; FENCED_INSTANCE_ID, another member has it."""
    if holder is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    if holder.member_id != member_id:
        raise KafkaError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member {holder.member_id}.",
        )
    return holder


def _refuse_too_many_names(group: ConsumerGroup, before: ConsumerMember, member: ConsumerMember) -> None:
    """Raises KafkaError(INVALID_REQUEST)."""
    named = group.subscriptions
    refuse_too_many_topics(named.names, member.topics)
    if named.name_count - len(before.topics) + len(member.topics) > NAMES_MAX:
        message = f"The members of the group name more than {NAMES_MAX} topics all together: a pattern can name them."
        raise KafkaError(ErrorCode.INVALID_REQUEST, message)


def refuse_wrong_epoch(member: ConsumerMember, epoch: int, owned: Mapping[Uuid, Sequence[int]] | None) -> None:
    """A member may come with its previous epoch once more, if it owns nothing beyond what it was given since: the
    answer with its present one may be lost. Raises KafkaError(FENCED_MEMBER_EPOCH).
    """
    if epoch in (JOINING_EPOCH, member.epoch):
        return
    if epoch < member.epoch:
        if epoch == member.previous_epoch and owned is not None and _is_within(owned, member):
            return
        how = "smaller"
    else:
        how = "greater"
    raise KafkaError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {how} member epoch ({epoch}) than the one known by the group coordinator "
        f"({member.epoch}). The member must abandon all its partitions and rejoin.",
    )


def _is_within(owned: Mapping[Uuid, Sequence[int]], member: ConsumerMember) -> bool:
    return all(
        topic_id in member.assigned and member.assigned[topic_id].keys() >= {*partitions}
        for topic_id, partitions in owned.items()
    )


def _owned(request: ConsumerGroupHeartbeatRequest) -> dict[Uuid, list[int]]:
    owned: dict[Uuid, list[int]] = {}
    for topic in request.topic_partitions or ():
        owned.setdefault(topic.topic_id, []).extend(topic.partitions)
    return owned


def _updated(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, caller: Caller) -> ConsumerMember:
    """What the request says; what it leaves out is as before. The same member, if it says nothing of itself."""
    names, pattern = request.subscribed_topic_names, request.subscribed_topic_regex
    says_nothing = (
        names is None
        and pattern is None
        and request.instance_id is None
        and request.rack_id is None
        and request.rebalance_timeout_ms == -1
        and request.server_assignor is None
    )
    if says_nothing and (caller.client_id, caller.client_host, None) == (
        member.client_id,
        member.client_host,
        member.classic,
    ):
        return member
    return member._replace(
        instance_id=member.instance_id if request.instance_id is None else request.instance_id,
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=(
            member.rebalance_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms
        ),
        server_assignor=member.server_assignor if request.server_assignor is None else request.server_assignor,
        topics=member.topics if names is None else frozenset(names),
        pattern=member.pattern if pattern is None else pattern,
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic=None,
    )


def _assignment(member: ConsumerMember) -> Assignment:
    return Assignment(
        topic_partitions=[
            ConsumerGroupHeartbeatResponseTopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in member.assigned.items()
        ]
    )
