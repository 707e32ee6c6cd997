"""Runs of records that are in the same delivery state, as `__share_group_state` stores them.

Of a record that several runs claim, the one with the higher delivery count holds, and among equals the later delivery
state: a delivery only ever goes on.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNKNOWN_START: Final = -1


class StateBatch(NamedTuple):
    """The records `[first_offset, last_offset]`, both included, as on the wire."""

    first_offset: int
    last_offset: int
    delivery_state: int
    delivery_count: int


def combine(so_far: Iterable[StateBatch], changes: Iterable[StateBatch], start_offset: int) -> tuple[StateBatch, ...]:
    """The runs of `so_far` with `changes`, in order, without overlaps, and without what is below `start_offset`.

    Neighbours in the same state become one. With -1 nothing is below the start.
    """
    kept = _not_below(start_offset, so_far)
    kept += _not_below(start_offset, changes)
    if len(kept) < 2:
        return tuple(kept)
    kept.sort()
    return _merged(kept)


def _not_below(start_offset: int, batches: Iterable[StateBatch]) -> list[StateBatch]:
    if start_offset == UNKNOWN_START:
        return list(batches)
    return [
        batch if batch.first_offset >= start_offset else batch._replace(first_offset=start_offset)
        for batch in batches
        if batch.last_offset >= start_offset
    ]


def _merged(batches: Sequence[StateBatch]) -> tuple[StateBatch, ...]:
    """One pass over the offsets; the runs that claim the present offset are in a heap, the winner on top."""
    merged: list[StateBatch] = []
    claims: list[tuple[int, int, int]] = []  # (-delivery count, -delivery state, last offset)
    index, count = 0, len(batches)
    offset = batches[0].first_offset
    while True:
        while claims and claims[0][2] < offset:
            heappop(claims)
        if not claims:
            if index == count:
                return tuple(merged)
            offset = max(offset, batches[index].first_offset)
        while index < count and batches[index].first_offset <= offset:
            _, last_offset, state, delivery_count = batches[index]
            if last_offset >= offset:
                heappush(claims, (-delivery_count, -state, last_offset))
            index += 1
        if not claims:
            continue
        negative_count, negative_state, last_offset = claims[0]
        if last_offset < offset:
            continue
        if index < count:
            last_offset = min(last_offset, batches[index].first_offset - 1)
        _append(merged, StateBatch(offset, last_offset, -negative_state, -negative_count))
        offset = last_offset + 1


def _append(merged: list[StateBatch], batch: StateBatch) -> None:
    if merged:
        last = merged[-1]
        if last.last_offset + 1 == batch.first_offset and last[2:] == batch[2:]:
            merged[-1] = last._replace(last_offset=batch.last_offset)
            return
    merged.append(batch)
