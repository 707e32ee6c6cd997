"""Whatever is given as a rule, it is a rule or it is refused: rules come over HTTP, too."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kafkapy.faults import FIELDS, InvalidRule, Rule

texts = st.text(max_size=8) | st.sampled_from(
    ["Produce", "Fetch", "Metadata", "JoinGroup", "before", "after", "*", "top"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.integers(-2, 20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)
rules = st.dictionaries(st.sampled_from(list(FIELDS)) | texts, values, max_size=5)
likely = st.fixed_dictionaries(
    {"api": st.sampled_from(["Produce", "Fetch", "Metadata", "OffsetFetch", "LeaveGroup"])},
    optional={
        "error": st.sampled_from(["NOT_COORDINATOR", 3, "NONE"]),
        "topic": texts,
        "partition": st.integers(-1, 3),
        "group": texts,
        "at": texts | st.sampled_from(["topic", "partition", "group"]),
        "where": st.builds(
            "{} {} {}".format,
            st.sampled_from(["acks", "topics", "topics.partitions", "groupId", "topics.name", "maxWaitMs", "x"]),
            st.sampled_from(["==", "!=", "<", ">=", "in", "matches", "="]),
            st.builds(json.dumps, values),
        ),
        "edit": st.dictionaries(
            st.sampled_from(["throttleTimeMs", "topics.partitions.leaderId", "topics.name", "responses", "groups"]),
            values,
            max_size=2,
        ),
        "times": st.integers(0, 3),
        "delay_ms": st.integers(-1, 5),
    },
)


def check(given_rule: dict[str, Any]) -> None:
    refused: InvalidRule | None = None
    try:
        rule = Rule.parse(given_rule)
    except InvalidRule as refusal:
        refused = refusal
    if refused is None:
        assert Rule.parse(json.loads(json.dumps(rule.described()))) == rule
    else:
        assert refused.field
        assert refused.reason
        assert len(str(refused)) < 2_000


@given(rules)
def test_any_values(given_rule: dict[str, Any]) -> None:
    check(given_rule)


@given(likely)
def test_values_that_are_nearly_right(given_rule: dict[str, Any]) -> None:
    check(given_rule)


def test_extreme_values() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    for value in (10**5_000, deep, "\ud800", "x" * 40_000, "ä" * 20_000, {"a": deep}, [5] * 100_000, b"x", object()):
        for name in FIELDS:
            check({"api": "Fetch", "error": 1, name: value})
        check({"api": "Fetch", "error": 1, "x" * 40_000: value})
        check({"api": "Fetch", "error": 1, "where": f"maxWaitMs == {'9' * 5_000}"})
