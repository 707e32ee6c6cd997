"""The groups and committed offsets of one partition of `__consumer_offsets`.

What every group is asked whatever its type is decided here; what its members ask is decided by the kind of the group.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.framing import unframed
from kafkapy.coordinators.group.classic.group import ClassicGroup
from kafkapy.coordinators.group.classic.kind import ClassicGroups
from kafkapy.coordinators.group.group import ClassicHost, GroupDirectory, GroupType, ShardParts
from kafkapy.coordinators.group.kinds import TYPE_OF_RECORD, make_kind
from kafkapy.coordinators.group.offsets import Offsets
from kafkapy.coordinators.group.records import RecordType, read_offset_commit
from kafkapy.coordinators.runtime import Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.group.group import Group, GroupKind, InBackground
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy.metadata.ports import Metadata
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.list_groups import ListedGroup
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestTopic, OffsetDeleteResponseTopic

logger = logging.getLogger("kafkapy.groups")

STATE_FILTERS: Final = {"NotReady": "not_ready"}
"""What filters call a state, if that is not its name in lower case: so Apache Kafka calls it."""

_OFFSET_RECORDS: Final = frozenset(map(int, RecordType))


class GroupShard:
    """Replays the partition's records, and decides about its groups. `execute` appends a decision's records."""

    def __init__(
        self,
        settings: CurrentSettings,
        clock: Clock,
        random: Random,
        metadata: Metadata,
        execute: Callable[[Decision[None]], bool],
        in_background: InBackground,
    ) -> None:
        self._clock = clock
        self.unknown_records: dict[int, int] = {}
        self.offsets = Offsets(settings)
        self.groups = GroupDirectory(self.offsets.has_any, ClassicGroup)
        self._parts = ShardParts(
            settings, clock, random, metadata, self.groups, execute, in_background, self._rebalance_classic
        )
        self.classic = ClassicGroups(self._parts)
        self._kinds: dict[GroupType, GroupKind] = {GroupType.CLASSIC: self.classic}
        self._is_loaded = False

    def _rebalance_classic(self, group_id: str, reason: str) -> None:
        self.classic.rebalance(group_id, reason)

    def kind(self, group_type: GroupType) -> GroupKind:
        """The owner of the groups of that type."""
        kind = self._kinds.get(group_type)
        if kind is None:
            kind = self._kinds[group_type] = make_kind(group_type, self._parts)
            if self._is_loaded:
                kind.loaded()
        return kind

    def classic_host(self, group_id: str) -> ClassicHost | None:
        """Who serves the classic protocol to the members of a group that is not classic; None: `classic` does, as the
        group is classic or empty.
        """
        group = self.groups.get(group_id)
        if group is None or group.group_type is GroupType.CLASSIC or group.is_empty:
            return None
        kind = self.kind(group.group_type)
        return kind if isinstance(kind, ClassicHost) else None

    # -- decisions about groups of any type (see also `kind` and `offsets`)

    def delete_group(self, group_id: str) -> Decision[ErrorCode]:
        """Tombstones for the group and its offsets, unless it has members."""
        group = self.groups.get(group_id)
        if group is None:
            return Decision((), ErrorCode.GROUP_ID_NOT_FOUND)
        if not group.is_empty:
            return Decision((), ErrorCode.NON_EMPTY_GROUP)
        return Decision([*self.offsets.delete_all(group_id), *group.tombstones()], ErrorCode.NONE)

    def delete_offsets(
        self, group_id: str, topics: Sequence[OffsetDeleteRequestTopic]
    ) -> Decision[list[OffsetDeleteResponseTopic]]:
        """Delete offsets of topics the group does not read.

        Raises KafkaError: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
        """
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        group.validate_offset_deletion()
        return self.offsets.delete(group, topics)

    def expire_offsets(self, group: Group) -> Decision[None]:
        """Tombstones for the group's expired offsets, and for itself once it is empty and has none (KIP-211)."""
        records, none_left = self.offsets.expire(group, self._clock.now_ms())
        if records:
            logger.info("group %s: expired offsets: %d", group.group_id, len(records))
        if none_left and group.is_empty and group.expires:
            records.extend(group.tombstones())
        return Decision(records, None)

    # -- reading

    def list(self, states: frozenset[str], types: frozenset[str]) -> Iterator[ListedGroup]:
        """Groups in one of the states, of one of the types, all in lower case; an empty filter lets everything pass.

        A generator: groups may be created and deleted between two items.
        """
        from kafkapy_wire.messages.list_groups import ListedGroup

        for group in self.groups:
            state, group_type = group.state_name, group.group_type.value
            if (not states or STATE_FILTERS.get(state, state.lower()) in states) and (not types or group_type in types):
                yield ListedGroup(
                    group_id=group.group_id,
                    protocol_type=group.protocol_type or "",
                    group_state=state,
                    group_type=group_type,
                )

    # -- replay

    def replay(self, record: CoordinatorRecord, producer_id: int, offset: int) -> None:  # noqa: ARG002 - of pruned topics
        record_type, key = unframed(record.key)
        if record_type in _OFFSET_RECORDS:
            commit = read_offset_commit(record_type, key, record.value)
            self.offsets.replay(commit, producer_id)
            if commit.committed is not None:
                self.groups.know_offsets(commit.group_id)
            return
        group_type = TYPE_OF_RECORD.get(record_type)
        if group_type is None:
            self.unknown_records[record_type] = self.unknown_records.get(record_type, 0) + 1
            return
        self.kind(group_type).replay(record_type, key, record)

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        self.offsets.replay_end_transaction(producer_id, committed=committed)

    def loaded(self) -> None:
        self._is_loaded = True
        for kind in self._kinds.values():
            kind.loaded()

    def resign(self) -> None:
        for kind in self._kinds.values():
            kind.resign()

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        for kind in self._kinds.values():
            kind.follow_metadata(image, delta)
