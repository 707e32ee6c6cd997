"""Which partition and which offset each record of a seed gets. The same answers each time the seed is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.partitioner import partition_for_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.seeds.entries import SeedRecord, SeedTopic

GAP_MAX: Final = 2**30
"""Between two records: with one before and one after its records, a batch spans what Kafka's format can say."""


class Placing:
    """For the partitions of the topics that get records."""

    def __init__(self, partition_counts: Mapping[str, int], next_offsets: Mapping[tuple[str, int], int]) -> None:
        """`next_offsets`: of partitions that have had records."""
        self._counts = partition_counts
        self._next = dict(next_offsets)
        self._begun = dict(next_offsets)
        self._ends: dict[tuple[str, int], tuple[SeedTopic, int]] = {}
        self._starts: dict[tuple[str, int], int] = {}
        self._rotation: dict[str, int] = {}

    def expect(self, topic: SeedTopic) -> None:
        """Heed what a topic says of its partitions' offsets. Raises InvalidSeed."""
        count = self._counts[topic.name]
        for index, (start, end) in topic.offsets.items():
            if index >= count:
                raise topic.place.refusal(f"offsets.{index}", _has(topic.name, count), str(count - 1))
            if self._next.get((topic.name, index), 0):
                raise topic.place.refusal(
                    f"offsets.{index}", f"partition {topic.name}-{index} has records already: leave `offsets` out"
                )
            self._starts[topic.name, index] = start
            self._ends[topic.name, index] = topic, end

    def place(self, record: SeedRecord) -> tuple[int, int]:
        """Partition and offset. Raises InvalidSeed."""
        count = self._counts[record.topic]
        index = record.partition
        if index is None:
            number = self._rotation.get(record.topic, 0)
            self._rotation[record.topic] = number + 1
            index = number % count if record.key is None else partition_for_key(record.key, count)
        elif index >= count:
            raise record.place.refusal("partition", _has(record.topic, count), str(count - 1))
        where = record.topic, index
        following = self._next.get(where, 0)
        offset = self._offset(record, where, following)
        end = self._ends.get(where)
        if end is not None and offset >= end[1]:
            raise record.place.refusal(
                "offset" if record.offset is not None else "topic",
                f"offset {offset} of partition {record.topic}-{index} is not below the end that its topic names, "
                f"{end[1]}",
            )
        self._next[where] = offset + 1
        return index, offset

    def _offset(self, record: SeedRecord, where: tuple[str, int], following: int) -> int:
        start = self._starts.get(where, 0)
        if record.offset is None:
            return max(following, start)
        name = f"{where[0]}-{where[1]}"
        if record.offset < following:
            reason = (
                f"partition {name} has the offsets up to {following - 1} already: leave `offset` out to append"
                if following == self._begun.get(where)
                else f"it is not above {following - 1}, that of the record before it in partition {name}"
            )
            raise record.place.refusal("offset", reason, str(following))
        if record.offset < start:
            raise record.place.refusal("offset", f"it is below the first offset that its topic names, {start}")
        if record.offset - max(following, start) >= GAP_MAX:
            raise record.place.refusal("offset", f"it is more than {GAP_MAX} above the record before it")
        return record.offset

    def check_ends(self) -> None:
        """To be called when all records have their places. Raises InvalidSeed."""
        for where, (topic, end) in self._ends.items():
            if end - max(self._next.get(where, 0), self._starts[where]) > GAP_MAX:
                raise topic.place.refusal(
                    f"offsets.{where[1]}", f"its end is more than {GAP_MAX} above its last record"
                )

    @property
    def spans(self) -> dict[tuple[str, int], tuple[int, int]]:
        """By partition whose topic says so: the first offset that can be read, and the next one."""
        return {where: (self._starts[where], end) for where, (_, end) in self._ends.items()}


def _has(topic: str, count: int) -> str:
    return f"topic {topic!r} has {'the partition 0' if count == 1 else f'the partitions 0 to {count - 1}'}"
