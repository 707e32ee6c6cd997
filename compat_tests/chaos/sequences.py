"""What an idempotent producer promises beyond its answers: its records lie in a partition in order, without gaps.

`kafkapy check` judges sends that were acknowledged. Here those without an answer count, too: when a producer has ended
itself, or was still waiting, nothing of what it sent may lie before something that it sent earlier, and nothing may be
missing in between. A send that the client gave up, and said so, may be missing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

EXAMPLES = 3


@dataclass
class _Sent:
    """By one producer, from its beginning to its end, to one partition."""

    values: list[str] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)


def broken_sequences(history: Iterable[str], producers: Collection[str], reader: str) -> list[str]:
    """Problems, of what `reader` has polled."""
    lives: dict[str, int] = defaultdict(int)
    sent: dict[tuple[str, int, str, int], _Sent] = defaultdict(_Sent)
    where: dict[tuple[str, str], tuple[str, int, str, int]] = {}
    offsets: dict[tuple[str, int, str], int] = {}
    for text in history:
        line = json.loads(text)
        process, function = line["process"], line["f"]
        if process == reader and function == "poll":
            for topic, partition, offset, value in line["records"]:
                offsets[topic, partition, value] = offset
        elif process not in producers:
            continue
        elif function == "crash":
            lives[process] += 1
        elif function == "send" and line["type"] == "invoke":
            key = process, lives[process], line["topic"], line["partition"]
            sent[key].values.append(line["value"])
            where[line["topic"], line["value"]] = key
        elif function == "send" and line["type"] == "info":
            sent[where[line["topic"], line["value"]]].given_up.add(line["value"])
    problems = []
    for (process, life, topic, partition), each in sent.items():
        found = [(value, offsets.get((topic, partition, value))) for value in each.values]
        there = [(offset, value) for value, offset in found if offset is not None and value not in each.given_up]
        told = f"{process} (life {life}) in {topic}-{partition}"
        turned = [pair for pair in pairwise(there) if pair[0][0] >= pair[1][0]]
        if turned:
            problems.append(f"{told}: not in the order in which they were sent: {turned[:EXAMPLES]}")
        last = max((n for n, (_, offset) in enumerate(found) if offset is not None), default=0)
        missing = [value for value, offset in found[:last] if offset is None and value not in each.given_up]
        if missing:
            problems.append(
                f"{told}: {len(missing)} records are missing before one that is there: {missing[:EXAMPLES]}"
            )
    return problems
