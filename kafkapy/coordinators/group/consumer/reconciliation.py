"""The next step of one member on its way to what it is to own.

A member gives up what it is not to own before it gets the next epoch, and gets a partition only when no other member
owns it. So a partition never has two owners, and members need not wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.consumer.member import ConsumerMember, MemberState, Partitions
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kafkapy.coordinators.group.assignors.specification import Target
    from kafkapy_wire.uuid import Uuid


class Step(NamedTuple):
    """What a step of a member depends on."""

    target_epoch: int
    target: Target
    topic_ids: AbstractSet[Uuid]
    """Those that it reads: nothing of another topic is left to it, whatever the target says."""
    owned: Mapping[Uuid, Sequence[int]] | None
    """What the member says it owns; None: it has not said it in this heartbeat."""
    owned_of: Callable[[Uuid], Container[int]]
    """Which partitions of a topic some member owns now."""
    has_subscription_changed: bool

    def of(self, member: ConsumerMember) -> ConsumerMember:
        """The member after the step; the same one if it cannot go on.

        Raises KafkaError(FENCED_MEMBER_EPOCH): its state is unknown, and it must own nothing to begin anew.
        """
        if not self.has_subscription_changed and member.is_reconciled_to(self.target_epoch):
            return member
        match member.state:
            case MemberState.STABLE:
                if member.epoch != self.target_epoch:
                    return self._next(member, member.epoch)
                return self._without_unread_topics(member) if self.has_subscription_changed else member
            case MemberState.UNREVOKED_PARTITIONS:
                if self._still_owns(member.pending_revocation):
                    return self._without_unread_topics(member) if self.has_subscription_changed else member
                return self._next(member, member.epoch)
            case MemberState.UNRELEASED_PARTITIONS:
                return self._next(member, member.epoch)
            case MemberState.UNKNOWN:
                if self.owned is None or self.owned:
                    raise KafkaError(
                        ErrorCode.FENCED_MEMBER_EPOCH,
                        "The consumer group member is in a unknown state. "
                        "The member must abandon all its partitions and rejoin.",
                    )
                return self._next(member, self.target_epoch)

    def _next(self, member: ConsumerMember, epoch: int) -> ConsumerMember:
        assigned: Partitions = {}
        revoked: Partitions = {}
        pending: dict[Uuid, list[int]] = {}
        has_unreleased = False
        for topic_id in {**self.target, **member.assigned}:
            target = self.target.get(topic_id, frozenset()) if topic_id in self.topic_ids else frozenset()
            current = member.assigned.get(topic_id, {})
            kept = {partition: since for partition, since in current.items() if partition in target}
            lost = {partition: since for partition, since in current.items() if partition not in target}
            own = member.pending_revocation.get(topic_id, {})
            wanted = sorted(target.difference(kept))
            taken = self.owned_of(topic_id)
            free = [partition for partition in wanted if partition in own or partition not in taken]
            has_unreleased |= len(free) < len(wanted)
            if kept:
                assigned[topic_id] = kept
            if lost:
                revoked[topic_id] = lost
            if free:
                pending[topic_id] = free
        if revoked and self._still_owns(revoked):
            return member.with_epoch(epoch)._replace(
                state=MemberState.UNREVOKED_PARTITIONS,
                assigned=assigned,
                pending_revocation=revoked,
            )
        for topic_id, partitions in pending.items():
            assigned[topic_id] = {**assigned.get(topic_id, {}), **dict.fromkeys(partitions, self.target_epoch)}
        return member.with_epoch(self.target_epoch)._replace(
            state=MemberState.UNRELEASED_PARTITIONS if has_unreleased else MemberState.STABLE,
            assigned=assigned,
            pending_revocation={},
        )

    def _without_unread_topics(self, member: ConsumerMember) -> ConsumerMember:
        """Take what the member does not read any more from it, before anything is assigned anew."""
        unread = {topic_id: epochs for topic_id, epochs in member.assigned.items() if topic_id not in self.topic_ids}
        if not unread:
            return member
        kept = {topic_id: epochs for topic_id, epochs in member.assigned.items() if topic_id in self.topic_ids}
        pending = dict(member.pending_revocation)
        for topic_id, epochs in unread.items():
            pending[topic_id] = {**pending.get(topic_id, {}), **epochs}
        next_member = member._replace(previous_epoch=member.epoch, assigned=kept)
        if not self._still_owns(pending):
            return next_member
        return next_member._replace(state=MemberState.UNREVOKED_PARTITIONS, pending_revocation=pending)

    def _still_owns(self, revoked: Partitions) -> bool:
        """Whether the member owns one of these, or has not said what it owns."""
        if self.owned is None:
            return True
        return any(
            partition in revoked.get(topic_id, {})
            for topic_id, partitions in self.owned.items()
            for partition in partitions
        )
