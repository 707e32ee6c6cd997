"""A seed looked through without a broker: its entries are right by themselves and agree with one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.seeds.entries import SeedAcl, SeedGroup, SeedRecord, SeedTopic
from kafkapy.turns import Turn

if TYPE_CHECKING:
    from kafkapy.seeds.entries import Entry
    from kafkapy.seeds.seed import Seed
    from kafkapy_controller.acl import Acl

TOPICS_MAX: Final = 100_000
GROUPS_MAX: Final = 100_000
ACLS_MAX: Final = 100_000


class Plan:
    """The topics, groups and ACLs of a seed, and which topics get records."""

    def __init__(self) -> None:
        self.topics: dict[str, SeedTopic] = {}
        self.groups: dict[str, SeedGroup] = {}
        self.acls: dict[Acl, SeedAcl] = {}
        """One that is there twice counts once."""
        self.record_counts: dict[str, int] = {}
        self.first_records: dict[str, SeedRecord] = {}
        """By topic: what to point at if there is no such topic."""

    @classmethod
    async def of(cls, seed: Seed) -> Plan:
        """Looks through all of it; others have turns meanwhile. Raises InvalidSeed."""
        plan = cls()
        turn = Turn()
        for entry in seed.entries():
            plan.add(entry)
            await turn.share()
        return plan

    @classmethod
    def checked(cls, seed: Seed) -> Plan:
        """The same, where there is nobody else. Raises InvalidSeed."""
        plan = cls()
        for entry in seed.entries():
            plan.add(entry)
        return plan

    def add(self, entry: Entry) -> None:
        """Raises InvalidSeed."""
        if isinstance(entry, SeedRecord):
            topic = entry.topic
            if topic not in self.record_counts:
                self.record_counts[topic] = 0
                self.first_records[topic] = entry._replace(key=None, value=None, headers=())
            self.record_counts[topic] += 1
        elif isinstance(entry, SeedTopic):
            if entry.name in self.topics:
                raise entry.place.refusal(
                    "topic", f"topic {entry.name!r} is there twice{_line_of(self.topics[entry.name])}"
                )
            if len(self.topics) >= TOPICS_MAX:
                raise entry.place.refusal("topic", f"there are more than {TOPICS_MAX} topics")
            self.topics[entry.name] = entry
        elif isinstance(entry, SeedAcl):
            if len(self.acls) >= ACLS_MAX:
                raise entry.place.refusal("", f"there are more than {ACLS_MAX} ACLs")
            self.acls.setdefault(entry.acl, entry)
        else:
            assert isinstance(entry, SeedGroup)
            if entry.group_id in self.groups:
                raise entry.place.refusal(
                    "group", f"group {entry.group_id!r} is there twice{_line_of(self.groups[entry.group_id])}"
                )
            if len(self.groups) >= GROUPS_MAX:
                raise entry.place.refusal("group", f"there are more than {GROUPS_MAX} groups")
            self.groups[entry.group_id] = entry

    @property
    def record_count(self) -> int:
        return sum(self.record_counts.values())


def _line_of(entry: SeedTopic | SeedGroup) -> str:
    return "" if entry.place.line is None else f", first in line {entry.place.line}"
