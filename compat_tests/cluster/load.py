"""Producers and members of groups that work while a test does something to the cluster."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from compat_tests.client_program import ClientProgram, Member, Outcome, ProducerProgram, Record
from compat_tests.cluster.sending import read_all
from compat_tests.deadlines import eventually

PAUSE_SECONDS = 0.01
# Longer than a broker that is gone holds up commits: a heartbeat waits behind a commit on its connection.
SESSION_TIMEOUT_MS = 15_000
READ_SECONDS_MAX = 60.0
_GROUP_MEMBER = Path(__file__).parents[1] / "group_member.py"


class Load:
    """What was sent, what became of it, and who reads it."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.partitions = partitions
        self.producers: dict[str, ProducerProgram] = {}
        self.groups: dict[str, list[Member]] = {}
        self.sent: dict[str, list[Record]] = defaultdict(list)
        self._stopping = threading.Event()
        self._outcomes: dict[str, list[Outcome]] = {}

    def feed(self) -> None:
        """Give every producer a record now and then, until it is stopped."""
        for n in itertools.count():
            for name, producer in self.producers.items():
                record = Record(f"{name} {n}".encode(), partition=n % self.partitions)
                self.sent[name].append(record)
                producer.send([record])
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def stop(self) -> None:
        self._stopping.set()

    def finish(self) -> None:
        self._outcomes = {name: producer.finish() for name, producer in self.producers.items()}

    def acknowledged(self) -> int:
        return sum(len(producer.outcomes()) for producer in self.producers.values())

    def goes_on(self, count: int = 100) -> None:
        """Return when so many records more are acknowledged."""
        wanted = self.acknowledged() + count
        eventually(lambda: self.acknowledged() >= wanted, f"{count} records more are acknowledged")

    def check(self) -> None:
        """Every record was acknowledged, is there once, in the order of its producer, and was read by each group."""
        values = {name: [(record.value or b"").decode() for record in records] for name, records in self.sent.items()}
        for name, outcomes in self._outcomes.items():
            assert [each.error for each in outcomes] == [0] * len(values[name]), f"{name} was told errors"
        found = read_all(self.bootstrap, self.topic, self.partitions)
        expected = [value for own in values.values() for value in own]
        assert sorted(found) == sorted(expected)
        for name in values:
            for partition in range(self.partitions):
                own = [
                    n for n in (int(each.split()[1]) for each in found if each.split()[0] == name)
                    if n % self.partitions == partition
                ]  # fmt: skip
                assert own == sorted(own), f"the records of {name} in partition {partition} changed places"
        for group, members in self.groups.items():
            eventually(
                partial(_have_read, members, set(expected)),
                f"group {group} has read {len(expected)} records; {[member.errors() for member in members]}",
                seconds=READ_SECONDS_MAX,
            )


@contextmanager
def under_load(
    bootstrap: str, topic: str, partitions: int, group: str, producers: Sequence[ClientProgram], work: Path
) -> Iterator[Load]:
    """Within the block idempotent producers send, and `group` and another one read; everybody works when it begins.

    What must hold is checked at its end.
    """
    load = Load(bootstrap, topic, partitions)
    with ExitStack() as stack:
        for n, program in enumerate(producers):
            load.producers[f"producer-{n}"] = stack.enter_context(program.producing(bootstrap, topic))
        # Two groups, as members of one must have an assignor in common.
        command = [sys.executable, str(_GROUP_MEMBER), bootstrap, group, topic, str(SESSION_TIMEOUT_MS)]
        load.groups = {
            group: [stack.enter_context(Member(command, work / f"member-{n}.jsonl")) for n in range(2)],
            f"{group}-of-one": [
                stack.enter_context(
                    producers[0].member(bootstrap, f"{group}-of-one", topic, session_timeout_ms=SESSION_TIMEOUT_MS)
                )
            ],
        }
        feeding = threading.Thread(target=load.feed, daemon=True)
        feeding.start()
        try:
            load.goes_on()
            members = [member for group in load.groups.values() for member in group]
            eventually(lambda: all(member.values for member in members), "all members read")
            yield load
            load.goes_on()
        finally:
            load.stop()
            feeding.join()
        load.finish()
        load.check()


def _have_read(members: Sequence[Member], values: set[str]) -> bool:
    return values <= {value for member in members for value in member.values}
