"""The share groups of one shard: their records, their timers, and topics that are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.records import first_string
from kafkapy.coordinators.group.share import records
from kafkapy.coordinators.group.share.describing import described
from kafkapy.coordinators.group.share.group import ShareGroup
from kafkapy.coordinators.group.share.member import JOINING_EPOCH, LEAVING_EPOCH
from kafkapy.coordinators.group.share.membership import Membership
from kafkapy.coordinators.group.share.reading import read
from kafkapy.coordinators.group.share.timers import Timers
from kafkapy.coordinators.group.share.topic_states import TopicState, TopicStates, merged, name_of
from kafkapy.coordinators.group.topic_metadata import changed_topics
from kafkapy.coordinators.group.typed_groups import TypedGroups
from kafkapy.coordinators.runtime import NOTHING, Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.coordinators.group.group import Caller, ShardParts
    from kafkapy.coordinators.group.share.membership import Beaten
    from kafkapy.coordinators.group.share.topic_states import Partitions
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.share_group_describe import DescribedGroup
    from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
    from kafkapy_wire.uuid import Uuid

NO_STATE = "There is no offset information to delete."


class ShareGroups:
    """The `GroupKind` of share groups."""

    def __init__(self, parts: ShardParts) -> None:
        self._parts = parts
        self._groups = TypedGroups(parts.directory, ShareGroup, GroupType.SHARE)
        self._is_in_charge = False
        self._membership = Membership(parts, self._groups)
        self.timers = Timers(parts, self._groups, self._membership)

    # -- requests

    def group(self, group_id: str) -> ShareGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return self._groups.named(group_id)

    def group_or_new(self, group_id: str) -> ShareGroup:
        """A new one is not stored before a record about it is. Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return ShareGroup(group_id) if self._parts.directory.get(group_id) is None else self.group(group_id)

    def heartbeat(self, request: ShareGroupHeartbeatRequest, caller: Caller) -> Decision[Beaten]:
        """Raises KafkaError: GROUP_ID_NOT_FOUND, and as `Membership`."""
        if request.member_epoch == LEAVING_EPOCH:
            group = self.group(request.group_id)
            return self._membership.leave(group, request.member_id, request.member_epoch)
        if request.member_epoch != JOINING_EPOCH and self._parts.directory.get(request.group_id) is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Share group {request.group_id} not found.")
        return self._membership.heartbeat(self.group_or_new(request.group_id), request, caller)

    def describe(self, group_id: str) -> DescribedGroup:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        return described(self.group(group_id), self._parts.metadata.image)

    # -- states at the share coordinator

    def initialized(self, group_id: str, partitions: Partitions) -> Decision[None]:
        """The share coordinator has initialized these."""
        group = self._groups.get(group_id)
        if group is None:
            return NOTHING
        image = self._parts.metadata.image
        states = (group.topic_states or TopicStates()).finish(partitions, image, self._parts.clock.now_ms())
        return Decision([records.topic_states(group_id, states, image)], None)

    def not_initialized(self, group_id: str, partitions: Partitions) -> Decision[None]:
        """It has not."""
        group = self._groups.get(group_id)
        if group is None or group.topic_states is None or not group.topic_states.initializing:
            return NOTHING
        states = group.topic_states.give_up(partitions)
        return Decision([records.topic_states(group_id, states, self._parts.metadata.image)], None)

    def initialized_partitions(self, group_id: str) -> dict[Uuid, list[int]]:
        """Those whose state is initialized; none, if there is no such group."""
        group = self._groups.get(group_id)
        states = None if group is None else group.topic_states
        if states is None:
            return {}
        return {topic_id: sorted(state.partitions) for topic_id, state in states.initialized.items()}

    def alter(self, group_id: str, offsets: Mapping[Uuid, Mapping[int, int]]) -> Decision[int]:
        """States begin anew; the epoch in which they do. A group that does not exist is created.

        Raises KafkaError: GROUP_ID_NOT_FOUND (not a share group), NON_EMPTY_GROUP.
        """
        group = self.group_or_new(group_id)
        group.refuse_unless_empty()
        image, now_ms = self._parts.metadata.image, self._parts.clock.now_ms()
        topics = {
            topic_id: TopicState(name_of(topic_id, image), frozenset(by_index), now_ms)
            for topic_id, by_index in offsets.items()
        }
        if not topics:
            return Decision((), group.epoch)
        states = (group.topic_states or TopicStates()).begin(topics)
        return Decision([records.topic_states(group_id, states, image)], group.epoch)

    def delete_states(
        self, group_id: str, topics: Sequence[str]
    ) -> Decision[tuple[dict[Uuid, tuple[str, list[int]]], dict[str, KafkaError]]]:
        """States of these topics are going to be deleted: by topic id the name and the partitions; and the refusals.

        Raises KafkaError: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
        """
        group = self.group(group_id)
        group.refuse_unless_empty()
        states, image = group.topic_states, self._parts.metadata.image
        wanted: dict[Uuid, tuple[str, list[int]]] = {}
        refused: dict[str, KafkaError] = {}
        if states is None:
            return Decision((), (wanted, refused))
        for name in topics:
            topic = image.topics.get(name)
            if topic is None:
                refused[name] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            elif topic.topic_id in states.initialized:
                wanted[topic.topic_id] = (name, sorted(states.initialized[topic.topic_id].partitions))
            elif topic.topic_id in states.deleting:
                wanted[topic.topic_id] = (name, [*range(len(topic.partitions))])
            else:
                refused[name] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, NO_STATE)
        after = states.begin_deletion(frozenset(wanted))
        return Decision([records.topic_states(group_id, after, image)], (wanted, refused))

    def states_deleted(self, group_id: str, topic_ids: frozenset[Uuid]) -> Decision[None]:
        """The share coordinator has deleted the states of these topics."""
        group = self._groups.get(group_id)
        if group is None or group.topic_states is None:
            return NOTHING
        states = group.topic_states._replace(deleting=group.topic_states.deleting - topic_ids)
        return Decision([records.topic_states(group_id, states, self._parts.metadata.image)], None)

    def delete_all_states(self, group_id: str) -> Decision[list[tuple[Uuid, int]]]:
        """All states of the group are going to be deleted: these.

        Raises KafkaError: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
        """
        group = self.group(group_id)
        group.refuse_unless_empty()
        states, image = group.topic_states, self._parts.metadata.image
        if states is None:
            return Decision((), [])
        doomed = {
            topic_id: state.partitions for topic_id, state in merged(states.initialized, states.initializing).items()
        }
        for topic_id in states.deleting & image.topics_by_id.keys():
            doomed[topic_id] = frozenset(range(len(image.topics_by_id[topic_id].partitions)))
        after = TopicStates(deleting=frozenset(doomed))
        places = [(topic_id, index) for topic_id, indexes in doomed.items() for index in sorted(indexes)]
        return Decision([records.topic_states(group_id, after, image)], places)

    # -- GroupKind

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:
        group_id = first_string(key)
        if record.value is None and record_type == records.GROUP:
            self._groups.remove(group_id)
            return
        apply = read(record_type, key, record.value, self._parts.clock.now_ms())
        group = self._groups.of_record(group_id, record)
        if group is not None:
            apply(group)
            group.note_change()

    def loaded(self) -> None:
        """Every member has its whole session again."""
        self._is_in_charge = True
        self.timers.begin_anew()

    def resign(self) -> None:
        self._is_in_charge = False
        for group in self._groups:
            group.cancel_timers()

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Groups whose topics have changed look at them with the next heartbeat; states of deleted ones are gone."""
        deleted = frozenset(topic.topic_id for topic in delta.deleted_topics)
        changed = changed_topics(delta)
        for group in self._groups:
            if group.is_metadata_fresh and not changed.isdisjoint(group.names):
                group.is_metadata_fresh = False
            if deleted and self._is_in_charge and group.topic_states is not None:
                states = group.topic_states.forget(deleted)
                if states != group.topic_states:
                    self._parts.execute(Decision([records.topic_states(group.group_id, states, image)], None))
