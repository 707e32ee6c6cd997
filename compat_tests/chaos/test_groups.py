"""The judge of groups finds what nobody has read, and nothing else."""

from __future__ import annotations

import json

from compat_tests.chaos.groups import readings, unseen_records


def line(process: str, function: str, **fields: object) -> str:
    event = {"time": 1, "process": process, "type": "ok", "f": function, **fields}
    return json.dumps(event, separators=(",", ":"))


def poll(process: str, *offsets: int, **fields: object) -> str:
    return line(process, "poll", records=[["t", 0, offset, f"v{offset}"] for offset in offsets], **fields)


def subscribe(process: str, group: str = "g") -> str:
    return line(process, "subscribe", group=group, topics=["t"], isolation="read_committed")


def test_members_read_for_one_another_and_twice() -> None:
    history = [subscribe("a"), poll("a", 0, 1), subscribe("b"), poll("b", rebalanced=True), poll("b", 1, 2)]
    groups = readings(history)
    assert unseen_records(groups, {("t", 0, 0), ("t", 0, 1), ("t", 0, 2), ("other", 0, 0)}) == []
    assert groups["g"].rebalanced == 1


def test_a_record_that_only_another_group_has_read_is_missing() -> None:
    history = [subscribe("a"), subscribe("b", "h"), poll("a", 0, 2), poll("b", 0, 1, 2), poll("auditor", 0, 1, 2)]
    assert unseen_records(readings(history), {("t", 0, 0), ("t", 0, 1), ("t", 0, 2)}) == [
        "group g has never read 1 records: [('t', 0, 1)]"
    ]
