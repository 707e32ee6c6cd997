"""Which records belong to which type of group, and what owns the groups of each type. Nothing is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.coordinators.group.group import GroupType

if TYPE_CHECKING:
    from kafkapy.coordinators.group.group import GroupKind, ShardParts

RECORD_TYPES: Final = {
    GroupType.CLASSIC: (2,),
    GroupType.CONSUMER: (8, 7, 6, 5, 16, 4, 3),
    GroupType.SHARE: (14, 13, 12, 10, 15, 11),
    GroupType.STREAMS: (22, 21, 20, 19, 17, 23),
}
"""The types of record, in the order in which their tombstones are written: Apache Kafka refuses to load that of a
member before those of its assignments, and that of a group before those of its members."""

TYPE_OF_RECORD: Final = {
    record_type: group_type for group_type, record_types in RECORD_TYPES.items() for record_type in record_types
}


def make_kind(group_type: GroupType, parts: ShardParts) -> GroupKind:
    """Called when the first record or request of that type arrives: a node without such groups imports nothing."""
    match group_type:
        case GroupType.CLASSIC:
            from kafkapy.coordinators.group.classic.kind import ClassicGroups

            return ClassicGroups(parts)
        case GroupType.CONSUMER if _serves(group_type, parts):
            from kafkapy.coordinators.group.consumer.kind import ConsumerGroups

            return ConsumerGroups(parts)
        case GroupType.SHARE:
            from kafkapy.coordinators.group.share.kind import ShareGroups

            return ShareGroups(parts)
        case GroupType.STREAMS if _serves(group_type, parts):
            from kafkapy.coordinators.group.streams.kind import StreamsGroups

            return StreamsGroups(parts)
        case _:
            from kafkapy.coordinators.group.unserved import UnservedGroups

            return UnservedGroups(group_type, RECORD_TYPES[group_type], parts)


def _serves(group_type: GroupType, parts: ShardParts) -> bool:
    return group_type.value in parts.settings.now.groups.group_coordinator_rebalance_protocols
