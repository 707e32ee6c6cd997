"""Groups of the newer protocols, which Apache Kafka has stored and this broker does not serve yet: consumer groups
(KIP-848), share groups (KIP-932) and streams groups (KIP-1071).

They have no members here, even if their records have some. So such a group counts as empty: its committed
offsets are fetched, committed and deleted as before, and it may be deleted. The first JoinGroup under the name of a
consumer or streams group makes it a classic one, as Apache Kafka does with an empty group: tombstones for all its
records, offsets kept. A share group has no offsets for consumers: a JoinGroup is refused with
INCONSISTENT_GROUP_PROTOCOL, as in Apache Kafka.

Differs: in Apache Kafka members of a consumer group last until their sessions expire, and a classic member that joins
meanwhile becomes one of the group. Offsets of a consumer group expire there.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from kafkapy.coordinators.ports import CoordinatorRecord


class GroupType(Enum):
    """The type of a group, named as in ListGroups."""

    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"


# The types of record, in the order in which their tombstones are written: Apache Kafka refuses to load that of a member
# before those of its assignments, and that of a group before those of its members.
_RECORD_TYPES: Final = {
    GroupType.CONSUMER: (8, 7, 6, 5, 16, 4, 3),
    GroupType.SHARE: (14, 13, 12, 10, 15, 11),
    GroupType.STREAMS: (22, 21, 20, 19, 23, 17),
}
TYPE_OF_RECORD: Final = {
    record_type: group_type for group_type, record_types in _RECORD_TYPES.items() for record_type in record_types
}


class UnservedGroupRecord(NamedTuple):
    """One record of such a group; `is_tombstone` if it deletes an earlier one."""

    group_id: str
    group_type: GroupType
    key: bytes
    is_tombstone: bool


class UnservedGroup:
    """The stored records of one group."""

    def __init__(self, group_id: str, group_type: GroupType) -> None:
        self.group_id = group_id
        self.group_type = group_type
        self.keys: set[bytes] = set()

    @property
    def may_become_classic(self) -> bool:
        return self.group_type is not GroupType.SHARE

    def tombstones(self) -> list[CoordinatorRecord]:
        """Tombstones for all records of the group."""
        order = _RECORD_TYPES[self.group_type]
        keys = sorted(self.keys, key=lambda key: (order.index(int.from_bytes(key[:2])), key))
        return [CoordinatorRecord(key, None) for key in keys]
