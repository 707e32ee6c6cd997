"""Stored groups of a type that this broker does not serve: streams and consumer groups where
group.coordinator.rebalance.protocols does not name them.

They have no members here, even if their records have some. So such a group counts as empty: its committed
offsets are fetched, committed and deleted as before, and it may be deleted. The first JoinGroup under the name of a
consumer or streams group makes it a classic one, as Apache Kafka does with an empty group: tombstones for all its
records, offsets kept.

Differs: in Apache Kafka members of such a group last until their sessions expire, and their offsets expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.group import EMPTY_STATE
from kafkapy.coordinators.group.records import first_string
from kafkapy.coordinators.ports import CoordinatorRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.coordinators.group.group import Committer, GroupType, OffsetAge, ShardParts
    from kafkapy.coordinators.group.offset_commits import TopicToCommit
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage


class UnservedGroup:
    """A `Group`: the keys of the stored records."""

    state_name = EMPTY_STATE
    is_empty = True
    is_stored = True
    expires = False

    def __init__(self, group_id: str, group_type: GroupType, order: tuple[int, ...]) -> None:
        """`order`: the types of its records, as their tombstones are to be written."""
        self.group_id = group_id
        self.group_type = group_type
        self.keys: set[bytes] = set()
        self._order = order

    @property
    def protocol_type(self) -> str:
        return self.group_type.value

    def is_subscribed_to(self, topic: str) -> bool:  # noqa: ARG002 - there are no members
        return False

    def tombstones(self) -> list[CoordinatorRecord]:
        keys = sorted(self.keys, key=lambda key: (self._order.index(int.from_bytes(key[:2])), key))
        return [CoordinatorRecord(key, None) for key in keys]

    def validate_commit(self, committer: Committer, topics: Sequence[TopicToCommit]) -> None:
        """Everybody may."""

    def note_commit(self, member_id: str) -> None:
        """There are no members."""

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """Everybody may."""

    def validate_offset_deletion(self) -> None:
        """Any offset may be deleted."""

    def offset_age(self) -> OffsetAge | None:
        return None


class UnservedGroups:
    """The `GroupKind` of a type that is not served."""

    def __init__(self, group_type: GroupType, order: tuple[int, ...], parts: ShardParts) -> None:
        self._type = group_type
        self._order = order
        self._directory = parts.directory

    def replay(self, record_type: int, key: memoryview, record: CoordinatorRecord) -> None:  # noqa: ARG002 - all are kept alike
        group_id = first_string(key)
        if record.value is not None:
            group = self._directory.held(group_id, self._type)
            if group is None:
                group = UnservedGroup(group_id, self._type, self._order)
                self._directory.put(group)
            assert isinstance(group, UnservedGroup), f"group {group_id} of type {self._type} is a {type(group)}"
            group.keys.add(record.key)
            return
        group = self._directory.get(group_id)
        if isinstance(group, UnservedGroup) and group.group_type is self._type:
            group.keys.discard(record.key)
            if not group.keys:
                self._directory.remove(group_id)

    def loaded(self) -> None:
        """There are no timers."""

    def resign(self) -> None:
        """Nothing waits."""

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Nobody reads topics."""
