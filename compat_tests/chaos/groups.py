"""What must hold of groups: offsets never go back, and at rest every group is whole and has seen everything."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from compat_tests.chaos.committed import Address, CommittedOffsets, NotTold, Place
from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile

ASK_SECONDS = 5.0
REST_SECONDS_MAX = 150.0  # longer than a member may be stuck, which librdkafka is for 100 s now and then
PAUSE_SECONDS = 0.2
EXAMPLES = 5


class GroupWatch(Client):
    """Asks again and again where each group stands. `members` is how many it has, by group.

    A coordinator that was cut off tells what it knows until it hears that there is another one: an answer is compared
    with the one before of the same broker, and at rest with the last ones of all.
    """

    USER = "watcher"

    def __init__(
        self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, members: Mapping[str, int]
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.offsets = CommittedOffsets(bootstrap, self.random, self.USER)
        self.members = dict(members)
        self.answers = 0
        self.went_back: list[str] = []
        self._told: dict[tuple[str, Address], dict[Place, int]] = {}

    def open(self) -> None: ...

    def step(self) -> None:
        for group in self.members:
            with suppress(NotTold):
                self._committed(group)
        self.pause(0.5)

    def close(self) -> None:
        self.offsets.close()

    def _committed(self, group: str) -> dict[Place, int]:
        """Raises NotTold."""
        broker, found = self.offsets.ask(group)
        self.answers += 1
        self.went_back += _went_back(group, self._told.get((group, broker), {}), found)
        self._told[group, broker] = found
        return found

    def problems_at_rest(self, seen_to: Mapping[str, Mapping[Place, int]]) -> list[str]:
        """What is not as it must be when nobody sends any more, after a time in which it may become so.

        `seen_to`: by group, the offset after the last record that it can see, of each partition that has records.
        """
        deadline = time.monotonic() + REST_SECONDS_MAX
        left = ["never asked"]
        while left and time.monotonic() < deadline:
            try:
                left = [problem for group in self.members for problem in self._left(group, seen_to[group])]
            except (KafkaException, NotTold) as failed:
                left = [f"groups cannot be asked for: {failed}"]
            time.sleep(PAUSE_SECONDS)
        self.offsets.close()
        return [*dict.fromkeys(self.went_back), *left]

    def _left(self, group: str, seen_to: Mapping[Place, int]) -> list[str]:
        librdkafka: Any = AdminClient(self.connection)
        (future,) = librdkafka.describe_consumer_groups([group], request_timeout=ASK_SECONDS).values()
        described = future.result()
        problems = []
        if described.state is not ConsumerGroupState.STABLE:
            problems.append(f"group {group} is {described.state.name}")
        if len(described.members) != self.members[group]:
            problems.append(f"group {group} has {len(described.members)} members instead of {self.members[group]}")
        owners = Counter(
            (each.topic, each.partition) for member in described.members for each in member.assignment.topic_partitions
        )
        problems += [f"group {group}: {place} has {owners[place]} owners" for place in seen_to if owners[place] != 1]
        committed = self._committed(group)
        for (of_group, _), told in self._told.items():
            if of_group == group:
                problems += _went_back(group, told, committed)
        ends = _ends(librdkafka, committed)
        for place, offset in committed.items():
            if offset > ends[place]:
                problems.append(f"group {group} has committed {offset} in {place}, which ends at {ends[place]}")
        for place, offset in seen_to.items():
            if committed.get(place, 0) < offset:
                problems.append(f"group {group} has committed {committed.get(place)} in {place} instead of {offset}")
        return problems


def _went_back(group: str, before: Mapping[Place, int], now: Mapping[Place, int]) -> list[str]:
    return [
        f"group {group} in {place[0]}-{place[1]}: {offset} was committed, then {now.get(place)}"
        for place, offset in before.items()
        if now.get(place, -1) < offset
    ]


def _ends(librdkafka: Any, places: Collection[Place]) -> dict[Place, int]:
    if not places:
        return {}
    spec: Any = OffsetSpec
    asked = {TopicPartition(*place): spec.latest() for place in places}
    found = librdkafka.list_offsets(asked, request_timeout=ASK_SECONDS)
    return {(each.topic, each.partition): future.result().offset for each, future in found.items()}


@dataclass
class Reading:
    """What the members of a group have read, in all its generations."""

    topics: set[str] = field(default_factory=set)
    seen: set[tuple[str, int, int]] = field(default_factory=set)
    rebalanced: int = 0
    """How often a member was told that partitions came or went."""


def readings(history: Iterable[str]) -> dict[str, Reading]:
    """By group, from the lines of a history."""
    groups: dict[str, Reading] = {}
    group_of: dict[str, str] = {}
    for text in history:
        if '"f":"subscribe"' in text:
            line = json.loads(text)
            group_of[line["process"]] = line["group"]
            groups.setdefault(line["group"], Reading()).topics.update(line["topics"])
        elif '"f":"poll"' in text:
            line = json.loads(text)
            group = group_of.get(line["process"])
            if group is not None:
                reading = groups[group]
                reading.seen.update((topic, partition, offset) for topic, partition, offset, _ in line["records"])
                reading.rebalanced += bool(line.get("rebalanced"))
    return groups


def unseen_records(groups: Mapping[str, Reading], there: Iterable[tuple[str, int, int]]) -> list[str]:
    """Problems: records of `there` that no member of a group of their topic has read."""
    records = sorted(there)
    problems = []
    for group, reading in sorted(groups.items()):
        missing = [record for record in records if record[0] in reading.topics and record not in reading.seen]
        if missing:
            problems.append(f"group {group} has never read {len(missing)} records: {missing[:EXAMPLES]}")
    return problems


def read_history(path: Path) -> dict[str, Reading]:
    with path.open() as lines:
        return readings(lines)
