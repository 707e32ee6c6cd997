"""What must hold of a share group: what was accepted is not delivered again, and everything is delivered.

Delivered again: by a poll that was begun after the broker had said that the record is accepted. A poll that was begun
before may bring what a client has had for long. A leader that is outdated delivers what another has accepted: only
that it is not accepted again can be asked for then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from compat_tests.crash.clients import CALL_TIMEOUT_SECONDS
from compat_tests.crash.outdated import Outdated
from compat_tests.crash.problems import Problems

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Shared(NamedTuple):
    """What the members of one share group have seen and said."""

    delivered: set[Place]
    accepted: set[Place]
    perhaps: set[Place]
    """Accepted, or not: the answer is lost."""
    problems: list[str]


def judge(lines: Iterable[str], outdated: Sequence[Outdated] = ()) -> Shared:
    """From the lines of all members of a group, sorted by time. `outdated`: when a leader may have been."""
    delivered: set[Place] = set()
    accepted_at: dict[Place, int] = {}
    perhaps: set[Place] = set()
    problems = Problems()
    for text in lines:
        line = json.loads(text)
        places = [(record[0], record[1], record[2]) for record in line.get("records", ())]
        if line["f"] == "deliver":
            delivered.update(places)
            fetched_from = line["began"] / 1e9 - CALL_TIMEOUT_SECONDS  # while the acknowledgements before were sent
            was_outdated = any(each.meets(fetched_from, line["time"] / 1e9) for each in outdated)
            for place in places:
                if accepted_at.get(place, line["began"]) < line["began"] and not was_outdated:
                    problems.add("delivered after it was accepted", f"{place} to {line['process']}")
        elif line["f"] == "acknowledge" and line["type"] == "ok":
            for place in places:
                if place in accepted_at:
                    problems.add("accepted twice", f"{place}, then by {line['process']}")
                accepted_at.setdefault(place, line["time"])
        elif line["f"] == "acknowledge":
            perhaps.update(places)
    return Shared(delivered, {*accepted_at}, perhaps, problems.texts())


def lost(shared: Shared, there: Collection[Place], topics: Collection[str]) -> list[str]:
    """Problems: records that are there, and that nobody has accepted."""
    wanted = {place for place in there if place[0] in topics}
    problems = Problems()
    for place in sorted(wanted - shared.delivered):
        problems.add("never delivered to the share group", str(place))
    for place in sorted((wanted & shared.delivered) - shared.accepted - shared.perhaps):
        problems.add("never accepted by the share group", str(place))
    return problems.texts()


def judge_files(parts: Iterable[Path], outdated: Sequence[Outdated] = ()) -> Shared:
    """The files of all members of a group; as `judge`."""
    lines = [line for part in parts if part.exists() for line in part.read_text().splitlines()]
    return judge(sorted(lines, key=lambda line: int(json.loads(line)["time"])), outdated)
