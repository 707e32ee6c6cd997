"""The judge of share groups finds what was accepted and comes again, and what is lost, and nothing else."""

from __future__ import annotations

import json

from compat_tests.crash.outdated import Outdated
from compat_tests.crash.share_judge import judge, lost

SECOND = 1_000_000_000


def line(time: int, kind: str, function: str, *offsets: int, process: str = "a", **fields: object) -> str:
    records = [["t", 0, offset, f"v{offset}"] for offset in offsets]
    return json.dumps({"time": time, "process": process, "type": kind, "f": function, "records": records, **fields})


def test_a_released_record_may_come_again_and_an_unknown_one_may() -> None:
    shared = judge(
        [
            line(1, "ok", "deliver", 0, 1, 2, began=0),
            line(2, "ok", "acknowledge", 0),
            line(3, "info", "acknowledge", 1),
            line(5, "ok", "deliver", 1, 2, began=4, process="b"),
            line(6, "ok", "acknowledge", 1, 2, process="b"),
        ]
    )
    assert shared.problems == []
    assert lost(shared, {("t", 0, 0), ("t", 0, 1), ("t", 0, 2), ("other", 0, 0)}, {"t"}) == []


def test_what_was_accepted_does_not_come_again() -> None:
    begun_before = line(9, "ok", "deliver", 0, began=1, process="b")
    begun_after = line(9, "ok", "deliver", 0, began=3, process="b")
    accepted = line(2, "ok", "acknowledge", 0)
    assert judge([accepted, begun_before]).problems == []
    assert judge([accepted, begun_after]).problems == ["delivered after it was accepted: 1: ('t', 0, 0) to b"]
    again = line(10, "ok", "acknowledge", 0, process="b")
    assert judge([accepted, begun_before, again]).problems == ["accepted twice: 1: ('t', 0, 0), then by b"]


def test_only_an_outdated_leader_may_deliver_what_another_has_accepted() -> None:
    accepted = line(20 * SECOND, "ok", "acknowledge", 0)
    delivered = line(30 * SECOND, "ok", "deliver", 0, began=29 * SECOND, process="b")
    assert judge([accepted, delivered], [Outdated(18, 21)]).problems == []
    assert judge([accepted, delivered], [Outdated(17, 18), Outdated(31, 32)]).problems != []
    again = line(31 * SECOND, "ok", "acknowledge", 0, process="b")
    assert judge([accepted, delivered, again], [Outdated(18, 21)]).problems == [
        "accepted twice: 1: ('t', 0, 0), then by b"
    ]


def test_what_nobody_got_or_accepted_is_lost() -> None:
    shared = judge([line(1, "ok", "deliver", 0, 1, began=0), line(2, "ok", "acknowledge", 0)])
    assert lost(shared, {("t", 0, 0), ("t", 0, 1), ("t", 0, 2)}, {"t"}) == [
        "never delivered to the share group: 1: ('t', 0, 2)",
        "never accepted by the share group: 1: ('t', 0, 1)",
    ]
