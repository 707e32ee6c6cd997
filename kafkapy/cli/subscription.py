"""Which topics `kafkapy consume` reads: those that were named, or those that match a pattern."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.offsets import Partition

LOOK_SECONDS = 5.0
"""How often it is looked for topics that have come and match the pattern."""


class Subscription:
    """`partitions` are those that are read now, in order."""

    def __init__(self, cluster: Cluster, names: Sequence[str], pattern: str | None) -> None:
        """Raises ClientError: neither names nor a pattern, or both; no such topic; not a regular expression."""
        if not names and pattern is None:
            raise ClientError("name one or more topics, or give a pattern with --include")
        if names and pattern is not None:
            raise ClientError(
                "TOPIC and --include exclude each other: a pattern can name topics too, as in 'orders|users'"
            )
        self._cluster = cluster
        self._pattern = None if pattern is None else _compiled(pattern)
        self._next_look = time.monotonic() + LOOK_SECONDS
        if self._pattern is None:
            found = {name: cluster.topic(name) for name in dict.fromkeys(names)}
            self.partitions = [
                (name, each.partition_index) for name, topic in found.items() for each in topic.partitions
            ]
        else:
            self.partitions = self._matching(self._pattern)

    @property
    def topics(self) -> list[str]:
        """Those that have partitions."""
        return list(dict.fromkeys(name for name, _ in self.partitions))

    def has_changed(self, *, look_now: bool = False) -> bool:
        """Whether the pattern matches other partitions than before; looks now and then."""
        if self._pattern is None or (not look_now and time.monotonic() < self._next_look):
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        partitions = self._matching(self._pattern)
        if partitions == self.partitions:
            return False
        self.partitions = partitions
        return True

    def _matching(self, pattern: re.Pattern[str]) -> list[Partition]:
        from kafkapy.client.topics import list_topics

        return [
            (topic.name or "", partition.partition_index)
            for topic in list_topics(self._cluster, include_internal=False)
            if pattern.fullmatch(topic.name or "")
            for partition in topic.partitions
        ]


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ClientError(f"--include {pattern!r} is not a regular expression: {error}") from None
