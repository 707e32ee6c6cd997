"""Whether memory still grows: samples over time, the line through them, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.soak.broker import HeapStatistics, Usage

MEGABYTE = 1 << 20


class Sample(NamedTuple):
    seconds: float
    usage: Usage


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the least-squares line through at least two points (x, y)."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def after_first_third(samples: Sequence[Sample]) -> list[Sample]:
    """What is warm: caches are full, and every setting's time has come round."""
    begin, end = samples[0].seconds, samples[-1].seconds
    return [sample for sample in samples if sample.seconds >= begin + (end - begin) / 3]


def memory_growth(samples: Sequence[Sample]) -> float:
    """MB a minute over the last two thirds."""
    return slope([(one.seconds / 60, one.usage.anonymous_bytes / MEGABYTE) for one in after_first_third(samples)])


def descriptors_left(before: Usage, after: Usage) -> int:
    """Connections and deleted files that nobody has closed, of a broker at rest, before and after it had work."""
    return max(0, after.sockets - before.sockets) + after.deleted_files


def left_behind(before: HeapStatistics, after: HeapStatistics, done: Counter[str], lines: int = 25) -> list[str]:
    """What is there after the work `done` that was not there before it, largest growth first, in all and for each."""
    text = [f"done in between: {_counts(done)}"]
    text.append(
        f"pymalloc blocks {before.allocated_blocks} -> {after.allocated_blocks}, "
        f"arenas {before.arena_bytes / MEGABYTE:.1f} -> {after.arena_bytes / MEGABYTE:.1f} MB, "
        f"only the collector could free {after.collected} objects"
    )
    objects = Counter(after.objects)
    objects.subtract(before.objects)
    text += [f"{count:+9d} {name}" for name, count in objects.most_common(lines) if count > 0]
    where = Counter({line: size for line, (size, _) in after.traced.items()})
    where.subtract({line: size for line, (size, _) in before.traced.items()})
    text += [f"{size:+9d} bytes at {line}" for line, size in where.most_common(lines) if size > 0]
    return text


def _counts(done: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
