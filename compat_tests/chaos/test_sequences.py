"""The judge of sequences finds records that lie out of order, and gaps; not what a client gave up."""

from __future__ import annotations

import json

from compat_tests.chaos.sequences import broken_sequences


def line(kind: str, function: str, process: str = "p", **fields: object) -> str:
    return json.dumps({"time": 1, "process": process, "type": kind, "f": function, **fields}, separators=(",", ":"))


def invoke(*values: str) -> list[str]:
    return [line("invoke", "send", topic="t", partition=0, value=value) for value in values]


def given_up(value: str) -> str:
    return line("info", "send", topic="t", partition=0, value=value, error="timed out")


def there(*values: str) -> str:
    return line("ok", "poll", "auditor", records=[["t", 0, offset, value] for offset, value in enumerate(values)])


def problems(*lines: str) -> list[str]:
    return broken_sequences(lines, {"p"}, "auditor")


def test_unanswered_sends_at_the_end_may_be_missing() -> None:
    assert problems(*invoke("a", "b", "c"), line("info", "crash"), *invoke("d"), there("x", "a", "b", "d")) == []


def test_what_was_given_up_may_be_missing_or_late() -> None:
    assert problems(*invoke("a", "b", "c"), given_up("a"), given_up("b"), there("c", "b")) == []


def test_a_gap_before_a_record_that_is_there() -> None:
    assert problems(*invoke("a", "b", "c"), there("a", "c")) == [
        "p (life 0) in t-0: 1 records are missing before one that is there: ['b']"
    ]


def test_records_that_lie_in_another_order() -> None:
    assert problems(*invoke("a", "b"), there("b", "a")) == [
        "p (life 0) in t-0: not in the order in which they were sent: [((1, 'a'), (0, 'b'))]"
    ]


def test_each_life_has_sequences_of_its_own() -> None:
    assert problems(*invoke("a", "b"), line("info", "crash"), *invoke("c"), there("c", "a")) == []
