"""The consumer groups of one shard: their records, their timers, and the topics behind them."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from kafkapy.coordinators.deadline import Deadline
from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.describing import described
from kafkapy.coordinators.group.consumer.group import ConsumerGroup
from kafkapy.coordinators.group.consumer.group_settings import group_setting
from kafkapy.coordinators.group.consumer.member import JOINING_EPOCH, ConsumerMember, MemberState
from kafkapy.coordinators.group.consumer.membership import Membership
from kafkapy.coordinators.group.consumer.reading import read
from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.records import first_string
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.group_coordinator import ConsumerGroupCurrentMemberAssignmentKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kafkapy.coordinators.group.classic.member import Caller
    from kafkapy.coordinators.group.group import ShardParts
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.consumer_group_describe import DescribedGroup
    from kafkapy_wire.messages.consumer_group_heartbeat import (
        ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse,
    )

logger = logging.getLogger("kafkapy.groups")

RETRY_MS = 1_000
"""A timer whose decision the log has refused comes again."""


class ConsumerGroups:
    """The `GroupKind` of consumer groups."""

    def __init__(self, parts: ShardParts) -> None:
        self._parts = parts
        self._directory = parts.directory
        self._is_in_charge = False
        self._resolving: set[str] = set()
        """Groups whose patterns are being matched."""
        self._newest_topic_version = parts.metadata.image.offset
        """The offset of the metadata in which the newest topic came."""
        self.membership = Membership(parts)

    # -- requests

    def group(self, group_id: str) -> ConsumerGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        group = self._directory.get(group_id)
        if isinstance(group, ConsumerGroup):
            return group
        what = "not found" if group is None else "is not a consumer group"
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {what}.")

    def heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller
    ) -> Decision[ConsumerGroupHeartbeatResponse]:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, and as `Membership`."""
        if request.member_epoch < JOINING_EPOCH:
            group = self.group(request.group_id)
            return self.membership.leave(group, request.member_id, request.instance_id, request.member_epoch)
        written: list[CoordinatorRecord] = []
        group = self._group_to_join(request.group_id, written, creates=request.member_epoch == JOINING_EPOCH)
        return self.membership.heartbeat(group, request, caller, written)

    def _group_to_join(self, group_id: str, written: list[CoordinatorRecord], *, creates: bool) -> ConsumerGroup:
        """The group; a new one in place of an empty classic group, whose tombstones are written."""
        group = self._directory.get(group_id)
        if group is None and not creates:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Consumer group {group_id} not found.")
        if group is None:
            return ConsumerGroup(group_id)
        if creates and group.group_type is GroupType.CLASSIC and group.is_empty:
            logger.info("the empty classic group %s is a consumer group from now on", group_id)
            written += group.tombstones()
            return ConsumerGroup(group_id)
        return self.group(group_id)

    def describe(self, group_id: str) -> DescribedGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return described(self.group(group_id), self.membership.default_assignor, self._parts.metadata.image)

    # -- patterns

    def refresh_patterns(self, group_id: str) -> None:
        """Have the topics of the group's patterns found, if that is due: matching many names takes time."""
        group = self._directory.get(group_id)
        if not isinstance(group, ConsumerGroup) or not group.subscriptions.patterns or group_id in self._resolving:
            return
        from kafkapy.coordinators.group.consumer.patterns import is_refresh_due, matches

        interval_ms = self._parts.settings.now.groups.group_consumer_regex_refresh_interval_ms
        if not is_refresh_due(group, self._parts.clock.now_ms(), interval_ms, self._newest_topic_version):
            return
        image = self._parts.metadata.image
        patterns = [*group.subscriptions.patterns]
        self._resolving.add(group_id)
        self._parts.in_background(
            lambda: matches(patterns, image.topics), lambda matched: self._take_topics(group_id, matched, image.offset)
        )

    def _take_topics(self, group_id: str, matched: Mapping[str, frozenset[str]], version: int) -> None:
        from kafkapy.coordinators.group.consumer.patterns import resolution

        self._resolving.discard(group_id)
        group = self._directory.get(group_id)
        if isinstance(group, ConsumerGroup) and self._is_in_charge:
            now_ms = self._parts.clock.now_ms()
            # If the append is refused, the next heartbeat has them found again.
            self._parts.execute(resolution(group, matched, self._parts.metadata.image, version, now_ms))

    # -- GroupKind

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:
        group_id = first_string(key)
        if record.value is None and record_type == records.GROUP:
            self._remove(group_id)
            return
        apply = read(record_type, key, record.value)
        group = self._directory.get(group_id)
        if record.value is not None:
            group = self._directory.held(group_id, GroupType.CONSUMER)
            if group is None:
                group = ConsumerGroup(group_id)
                self._directory.put(group)
        if not isinstance(group, ConsumerGroup):
            return  # the tombstone of a group that is gone
        apply(group)
        if self._is_in_charge and record_type == records.CURRENT_ASSIGNMENT:
            self._watch_revocation(group, decode(ConsumerGroupCurrentMemberAssignmentKey, key, 0).member_id)

    def _remove(self, group_id: str) -> None:
        group = self._directory.get(group_id)
        if isinstance(group, ConsumerGroup):
            for member_id in [*group.members]:
                group.remove_member(member_id)
            self._directory.remove(group_id)

    def loaded(self) -> None:
        """Every member has its whole session again."""
        self._is_in_charge = True
        for group in self._groups():
            for member_id in group.members:
                self.expect_heartbeat(group.group_id, member_id)
                self._watch_revocation(group, member_id)

    def resign(self) -> None:
        self._is_in_charge = False
        for group in self._groups():
            for deadline in (*group.sessions.values(), *group.revocations.values()):
                deadline.cancel()

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Groups whose topics have changed look at them with the next heartbeat."""
        if delta.created_topics:
            self._newest_topic_version = image.offset
        changed = {*delta.created_topics, *(topic.name for topic in delta.deleted_topics)}
        changed |= {topic for topic, _ in delta.changed_partitions}
        for group in self._groups():
            if group.is_metadata_fresh and not changed.isdisjoint(group.subscriptions.topics(group.resolved)):
                group.is_metadata_fresh = False

    def _groups(self) -> Iterator[ConsumerGroup]:
        return (group for group in self._directory if isinstance(group, ConsumerGroup))

    # -- timers

    def expect_heartbeat(self, group_id: str, member_id: str) -> None:
        """Begin the member's session anew, if it is still there."""
        group = self._directory.get(group_id)
        member = group.members.get(member_id) if isinstance(group, ConsumerGroup) else None
        if member is None:
            return
        assert isinstance(group, ConsumerGroup)
        session = group.sessions.get(member_id)
        if session is None:
            session = group.sessions[member_id] = self._deadline(partial(self._expire_session, group_id, member_id))
        session.set(self._session_ms(group_id, member))

    def _session_ms(self, group_id: str, member: ConsumerMember) -> int:
        if member.classic is not None:
            return member.classic.session_timeout_ms
        image = self._parts.metadata.image
        return group_setting(group_id, "session.timeout.ms", self._parts.settings.now.groups, image)

    def _expire_session(self, group_id: str, member_id: str) -> Decision[None]:
        return self._fence(group_id, member_id, "is fenced: its session has ended")

    def _watch_revocation(self, group: ConsumerGroup, member_id: str) -> None:
        """A member that must give up partitions has its rebalance timeout for it, from when it was told what."""
        deadline = group.revocations.pop(member_id, None)
        if deadline is not None:
            deadline.cancel()
        member = group.members.get(member_id)
        if member is None or member.uses_classic_protocol or member.state is not MemberState.UNREVOKED_PARTITIONS:
            return
        expire = partial(self._expire_revocation, group.group_id, member_id, member.epoch)
        deadline = group.revocations[member_id] = self._deadline(expire)
        deadline.set(max(member.rebalance_timeout_ms, 0))

    def _expire_revocation(self, group_id: str, member_id: str, epoch: int) -> Decision[None]:
        group = self._directory.get(group_id)
        member = group.members.get(member_id) if isinstance(group, ConsumerGroup) else None
        if member is None or member.epoch != epoch:
            return NOTHING
        reason = f"is fenced: it has not left epoch {epoch} within {member.rebalance_timeout_ms} ms"
        return self._fence(group_id, member_id, reason)

    def _fence(self, group_id: str, member_id: str, reason: str) -> Decision[None]:
        group = self._directory.get(group_id)
        if not isinstance(group, ConsumerGroup) or member_id not in group.members:
            return NOTHING
        return self.membership.fence(group, [group.members[member_id]], reason)

    def _deadline(self, expire: Callable[[], Decision[None]]) -> Deadline:
        def expired() -> None:
            if not self._parts.execute(expire()):
                deadline.set(RETRY_MS)  # the append failed, so nothing has changed

        deadline = Deadline(self._parts.clock, expired)
        return deadline
