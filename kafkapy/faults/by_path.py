"""A map by paths, in which topics are the same if their names or their ids are.

A request may name a topic by its name or by its id, and the answer by both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from kafkapy.faults.layout import TopicId
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from kafkapy.faults.layout import Path

T = TypeVar("T")


class ByPath(Generic[T]):
    """In the order in which the values were put in."""

    def __init__(self) -> None:
        self._values: dict[Path, T] = {}
        self._paths: dict[Hashable, Path] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def __iter__(self) -> Iterator[Path]:
        return iter(list(self._values))

    def put(self, path: Path, value: T) -> None:
        self._values[path] = value
        for key in _keys(path):
            self._paths[key] = path

    def get(self, path: Path) -> T | None:
        known = self.known(path)
        return None if known is None else self._values[known]

    def known(self, path: Path) -> Path | None:
        """The path under which the value was put in."""
        for key in _keys(path):
            found = self._paths.get(key)
            if found in self._values:
                return found
        return None

    def pop(self, path: Path) -> Path | None:
        """Remove a value. Returns the path under which it was put in; None: there is none."""
        known = self.known(path)
        if known is not None:
            del self._values[known]
        return known


def _keys(path: Path) -> list[Hashable]:
    """One, or for a path with a topic that has both, one with the name and one with the id."""
    for place, entry in enumerate(path):
        if isinstance(entry, TopicId):
            names: list[Hashable] = []
            if entry.name:
                names.append(entry.name)
            if entry.topic_id != ZERO_UUID or not entry.name:
                names.append(entry.topic_id)
            return [(*path[:place], name, *path[place + 1 :]) for name in names]
    return [path]
