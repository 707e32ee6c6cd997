"""What judges of a history have in common: its lines as events, and what they found wrong, by kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

EXAMPLES_MAX = 3
Event = dict[str, Any]  # a JSON object, as `HistoryFile` writes them


class Problems:
    """All are counted, the first EXAMPLES_MAX of each kind are kept."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, kind: str, text: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES_MAX:
            examples.append(text)

    def texts(self) -> list[str]:
        """One for each kind."""
        return [f"{kind}: {count}: {'; '.join(self._examples[kind])}" for kind, count in self.counts.items()]


def events_of(lines: Iterable[str], topic: str) -> Iterator[tuple[int, Event]]:
    """Line numbers, from 1, and events that concern this topic or none."""
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        if event.get("topic", topic) == topic:
            yield number, event
