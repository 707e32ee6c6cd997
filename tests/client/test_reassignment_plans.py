"""Plans as `kafka-reassign-partitions` has them in files."""

from __future__ import annotations

import json

import pytest

from kafkapy.client.errors import ClientError
from kafkapy.client.reassignments import parse_plan, plan_document


def entry(**changes: object) -> dict[str, object]:
    return {"topic": "t", "partition": 0, "replicas": [1, 2], **changes}


def test_a_plan_is_what_it_was_written_as() -> None:
    planned = {("t", 0): [1, 2], ("u", 3): [5]}
    assert parse_plan(json.dumps(plan_document(planned)), "x") == planned
    kafkas = '{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2],"log_dirs":["any"]}]}'
    assert parse_plan(kafkas, "x") == {("t", 0): [2]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "x is no plan: it is {"),
        ("[" * 100_000, "and this is not JSON"),
        ("[]", "x is no plan: it is {"),
        ('{"version":2,"partitions":[]}', "x has version 2, and 1 is the only one"),
        ('{"version":1}', "x is no plan"),
        ('{"version":1,"partitions":[]}', "x has no partitions"),
        ('{"version":1,"partitions":[1]}', "x is no plan"),
        *(
            (json.dumps({"version": 1, "partitions": [wrong]}), "x is no plan")
            for wrong in (
                entry(topic=1),
                entry(partition="0"),
                entry(partition=-1),
                entry(partition=True),
                entry(replicas=[]),
                entry(replicas="1,2"),
                entry(replicas=[1, "2"]),
                entry(replicas=[2**31]),
                entry(log_dirs=7),
            )
        ),
        (
            json.dumps({"version": 1, "partitions": [entry(log_dirs=["any", "/disk2"])]}),
            "x: partition t-0 is to go to log directories, which this command does not choose",
        ),
        (
            json.dumps({"version": 1, "partitions": [entry(replicas=[1, 2, 1])]}),
            "x: partition t-0 has a broker twice: 1, 2, 1",
        ),
        (json.dumps({"version": 1, "partitions": [entry(), entry()]}), "x: partition t-0 is there twice"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse_plan(text, "x")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
