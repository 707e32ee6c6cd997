"""The committed offsets of many groups, in few bytes: most groups are idle, and their offsets are rarely read.

An offset is kept for days after its group has gone (offsets.retention.minutes), so each is packed: `offset i64, leader
epoch i32, commit timestamp i64, expire timestamp i64 (-1: none), topic id` and the metadata. Groups that read the same
partition share its key.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kafkapy.coordinators.group.records import CommittedOffset
from kafkapy_wire.uuid import Uuid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OffsetsByTopic = dict[str, dict[int, CommittedOffset]]
_Key = tuple[str, int]

_NO_OFFSETS: dict[_Key, bytes] = {}
_FIELDS = struct.Struct("<qiqq16s")


class _Topic:
    """The groups with offsets in a topic, with their number, and the keys of its partitions."""

    __slots__ = ("counts", "keys")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.keys: dict[int, _Key] = {}


class OffsetStore:
    """group id -> topic -> partition -> committed offset, and the way back from a topic to its groups.

    `superseded`: of a transaction's offsets, those that a later plain commit has replaced.
    """

    def __init__(self) -> None:
        self.superseded: set[tuple[str, str, int]] = set()
        self._groups: dict[str, dict[_Key, bytes]] = {}
        self._topics: dict[str, _Topic] = {}

    def get(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        packed = self._groups.get(group_id, _NO_OFFSETS).get((topic, partition))
        return None if packed is None else _unpack(packed)

    def has(self, group_id: str, topic: str, partition: int) -> bool:
        return (topic, partition) in self._groups.get(group_id, _NO_OFFSETS)

    def of_group(self, group_id: str) -> OffsetsByTopic:
        offsets: OffsetsByTopic = {}
        for (topic, partition), packed in self._groups.get(group_id, _NO_OFFSETS).items():
            offsets.setdefault(topic, {})[partition] = _unpack(packed)
        return offsets

    def count(self, group_id: str) -> int:
        """How many offsets the group has."""
        return len(self._groups.get(group_id, _NO_OFFSETS))

    def partitions_of(self, group_id: str) -> dict[str, list[int]]:
        """topic -> partitions of which the group has offsets, in no order."""
        partitions: dict[str, list[int]] = {}
        for topic, partition in self._groups.get(group_id, _NO_OFFSETS):
            partitions.setdefault(topic, []).append(partition)
        return partitions

    def of_topic(self, topic: str) -> Iterator[tuple[str, dict[int, CommittedOffset]]]:
        """(group id, its offsets) of every group that has some in the topic."""
        known = self._topics.get(topic)
        if known is None:
            return
        for group_id in sorted(known.counts):
            offsets = self._groups[group_id]
            yield group_id, {index: _unpack(offsets[key]) for index, key in known.keys.items() if key in offsets}

    @property
    def topics(self) -> Iterable[str]:
        return self._topics.keys()

    @property
    def groups(self) -> Iterable[str]:
        return self._groups.keys()

    def put(self, group_id: str, topic: str, partition: int, committed: CommittedOffset) -> None:
        known = self._topics.get(topic)
        if known is None:
            known = self._topics[topic] = _Topic()
        key = known.keys.setdefault(partition, (topic, partition))
        offsets = self._groups.setdefault(group_id, {})
        if key not in offsets:
            known.counts[group_id] = known.counts.get(group_id, 0) + 1
        offsets[key] = _pack(committed)

    def remove(self, group_id: str, topic: str, partition: int) -> None:
        """Remove one offset, if there is one, and entries that are empty then."""
        offsets = self._groups.get(group_id)
        if offsets is None or offsets.pop((topic, partition), None) is None:
            return
        if not offsets:
            del self._groups[group_id]
        known = self._topics[topic]
        known.counts[group_id] -= 1
        if not known.counts[group_id]:
            del known.counts[group_id]
            if not known.counts:
                del self._topics[topic]


def _pack(committed: CommittedOffset) -> bytes:
    expire_timestamp_ms = -1 if committed.expire_timestamp_ms is None else committed.expire_timestamp_ms
    fields = _FIELDS.pack(
        committed.offset,
        committed.leader_epoch,
        committed.commit_timestamp_ms,
        expire_timestamp_ms,
        committed.topic_id,
    )
    return fields + committed.metadata.encode()


def _unpack(packed: bytes) -> CommittedOffset:
    offset, leader_epoch, commit_timestamp_ms, expire_timestamp_ms, topic_id = _FIELDS.unpack_from(packed)
    return CommittedOffset(
        offset=offset,
        leader_epoch=leader_epoch,
        metadata=packed[_FIELDS.size :].decode(),
        commit_timestamp_ms=commit_timestamp_ms,
        expire_timestamp_ms=None if expire_timestamp_ms == -1 else expire_timestamp_ms,
        topic_id=Uuid(topic_id),
    )
