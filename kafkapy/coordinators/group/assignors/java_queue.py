"""The order in which `java.util.PriorityQueue` gives elements that are equal.

`heapq` gives them in another one, and Kafka's assignor of tasks gives the next task to whoever comes first.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class JavaPriorityQueue(Generic[T]):
    """Elements with their loads; the one with the smallest load comes first."""

    def __init__(self) -> None:
        self._loads: list[float] = []
        self._elements: list[T] = []

    def __bool__(self) -> bool:
        return bool(self._loads)

    def add(self, load: float, element: T) -> None:
        loads, elements = self._loads, self._elements
        hole = len(loads)
        loads.append(load)
        elements.append(element)
        while hole:
            parent = hole - 1 >> 1
            if load >= loads[parent]:
                break
            loads[hole], elements[hole] = loads[parent], elements[parent]
            hole = parent
        loads[hole], elements[hole] = load, element

    def poll(self) -> T:
        """Take out the first one."""
        loads, elements = self._loads, self._elements
        first = elements[0]
        load, element = loads.pop(), elements.pop()
        count = len(loads)
        if not count:
            return first
        hole = 0
        while (child := 2 * hole + 1) < count:
            if child + 1 < count and loads[child] > loads[child + 1]:
                child += 1
            if load <= loads[child]:
                break
            loads[hole], elements[hole] = loads[child], elements[child]
            hole = child
        loads[hole], elements[hole] = load, element
        return first
