"""A topic while records change its partitions: what that costs depends on how many change, not on how many it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kafkapy_controller.image import PartitionImage


class TopicChange:
    """The partitions of a topic by index, of which some have changed, or are new."""

    __slots__ = ("_before", "_changed", "name")

    def __init__(self, name: str, before: tuple[PartitionImage, ...] = ()) -> None:
        self.name = name
        self._before = before
        self._changed: dict[int, PartitionImage] = {}

    def __getitem__(self, index: int) -> PartitionImage:
        """Raises KeyError: there is no such partition."""
        changed = self._changed.get(index)
        if changed is not None:
            return changed
        if 0 <= index < len(self._before):
            return self._before[index]
        raise KeyError(index)

    def __setitem__(self, index: int, partition: PartitionImage) -> None:
        """New ones may come in any order, one record at a time."""
        self._changed[index] = partition

    def items(self) -> Iterator[tuple[int, PartitionImage]]:
        """All of them as they are now; they may be set meanwhile."""
        return iter({**dict(enumerate(self._before)), **self._changed}.items())

    def differing(self, base: Sequence[PartitionImage]) -> list[int]:
        """The indexes of those that are new, or not as in `base`."""
        return sorted(i for i, each in self._changed.items() if i >= len(base) or base[i] is not each)

    def partitions(self) -> tuple[PartitionImage, ...]:
        """All in order. Raises ValueError: one was not made, but a later one was."""
        partitions = list(self._before)
        for index in sorted(self._changed):
            if 0 <= index < len(partitions):
                partitions[index] = self._changed[index]
            elif index == len(partitions):
                partitions.append(self._changed[index])
            else:
                raise ValueError(f"partition {len(partitions)} of topic {self.name} was not made, but others were")
        return tuple(partitions)
