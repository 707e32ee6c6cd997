"""Rules: what they mean, and how wrong ones are refused."""

from __future__ import annotations

import pytest

from kafkapy.faults import FIELDS, InvalidRule, Rule
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode

RULES: list[dict[str, object]] = [
    {"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2},
    {"api": ["Produce", "Fetch"], "version": "3-9", "delay_ms": 20, "jitter_ms": 5, "seed": 7},
    {"api": "Fetch", "version": "13+", "topic_id": "AAAAAAAAAAAAAAAAAAAAAQ", "partition": [0, 2], "corrupt_crc": True},
    {"api": "Fetch", "sender": "nodes", "broker": [2, 3], "disconnect": "before", "probability": 0.25, "seed": 3},
    {"client_id": ["billing*", "a"], "principal": "User:alice", "listener": "PLAINTEXT", "black_hole": "after"},
    {"client_software": "librdkafka", "client_version": "2.?.*", "latency_ms": 100, "slicer_bytes": 10},
    {"api": "JoinGroup", "group": "g", "hold": "before", "nth": [1, 3]},
    {"api": "LeaveGroup", "member": "m*", "error": "UNKNOWN_MEMBER_ID", "at": "member"},
    {"api": "EndTxn", "transactional_id": "t", "disconnect": "after", "must_fire": True, "name": "lost commit"},
    {"api": "Produce", "where": ["acks == -1", "transactionalId != null"], "error": 7, "applied": True},
    {"api": "Metadata", "topic": "orders", "edit": {"topics.partitions.leaderId": 7, "controllerId": -1}},
    {"api": "Metadata", "stale_metadata": True, "every": 2, "skip": 1},
    {"api": "FindCoordinator", "group": "g", "error": "COORDINATOR_NOT_AVAILABLE", "message": "not yet"},
    {"api": "Fetch", "error": "FETCH_SESSION_ID_NOT_FOUND", "at": "top", "throttle_time_ms": 5},
    {"api": "Produce", "black_hole": "before", "timeout_ms": 100},
    {"topic": "orders", "answer_delay_ms": 5},
    {"bandwidth_bytes_per_second": 1000, "upload_bytes_per_second": 1000, "limit_data_bytes": 0, "slow_close_ms": 5},
    {"api": "Vote", "reset_peer": "middle"},
    {"api": "BrokerHeartbeat", "sender": "anyone", "delay_ms": 0},
]


@pytest.mark.parametrize("given", RULES, ids=[" ".join(rule) for rule in RULES])
def test_a_rule_is_described_as_it_was_given(given: dict[str, object]) -> None:
    rule = Rule.parse(given)
    assert Rule.parse(rule.described()) == rule
    numbered = {name: "REQUEST_TIMED_OUT" if value == 7 and name == "error" else value for name, value in given.items()}
    assert rule.described() == numbered
    assert hash(rule) == hash(Rule.parse(given))


def test_values_are_typed() -> None:
    rule = Rule.parse({"api": ["FIND_COORDINATOR", "produce"], "version": 3, "error": "not_coordinator"})
    assert rule.api == (ApiKey.FIND_COORDINATOR, ApiKey.PRODUCE)
    assert rule.error is ErrorCode.NOT_COORDINATOR
    assert rule.version is not None
    assert 3 in rule.version
    assert 4 not in rule.version


WRONG: list[tuple[dict[str, object], str, str, str | None]] = [
    # what is no field, and no value of one
    ({"apii": "Produce", "error": 1}, "apii", "no such field", "api"),
    ({"latency": 5}, "latency", "no such field", "latency_ms"),
    ({"group_id": "g", "error": 1}, "group_id", "no such field", "group"),
    ({"api": "Produc", "error": 1}, "api", "is no API of Apache Kafka", "Produce"),
    ({"api": 3, "error": 1}, "api", "is no API of Apache Kafka", None),
    ({"api": [], "error": 1}, "api", "an empty list matches nothing", None),
    ({"api": "Produce", "error": "NOT_LEADER"}, "error", "is no error code", "NOT_LEADER_OR_FOLLOWER"),
    ({"api": "Produce", "error": 9999}, "error", "no error code 9999", None),
    ({"api": "Produce", "disconnect": "befor"}, "disconnect", "is no choice here", "before"),
    ({"api": "Produce", "delay_ms": -1}, "delay_ms", "from 0 to", None),
    ({"api": "Produce", "delay_ms": True}, "delay_ms", "whole number", None),
    ({"api": "Produce", "delay_ms": "5"}, "delay_ms", "whole number", None),
    ({"delay_ms": 1, "probability": 0}, "probability", "above 0", None),
    ({"delay_ms": 1, "probability": float("nan")}, "probability", "above 0", None),
    ({"delay_ms": 1, "times": 0}, "times", "from 1 to", None),
    ({"api": "Produce", "version": "x", "delay_ms": 1}, "version", "a version, or a range", None),
    ({"api": "Produce", "version": "9-3", "delay_ms": 1}, "version", "a version, or a range", None),
    ({"api": "Fetch", "topic_id": "x", "delay_ms": 1}, "topic_id", "as Kafka prints it", None),
    ({"client_id": 5, "delay_ms": 1}, "client_id", "it is a text", None),
    # what does nothing
    ({"api": "Produce"}, "rule", "does nothing", None),
    ({"delay_ms": 5, "at": "topic"}, "at", "together with error", None),
    ({"delay_ms": 5, "timeout_ms": 5}, "timeout_ms", "together with black_hole", None),
    ({"delay_ms": 5, "seed": 5}, "seed", "together with probability", None),
    ({"api": "Produce", "error": 1, "disconnect": "after"}, "disconnect", "does not go with error", None),
    ({"api": "Produce", "disconnect": "after", "throttle_time_ms": 5}, "throttle_time_ms", "no answer is sent", None),
    ({"api": "Produce", "black_hole": "before", "answer_delay_ms": 5}, "answer_delay_ms", "no answer is sent", None),
    ({"delay_ms": 5, "nth": 2, "every": 2}, "every", "does not go with nth", None),
    # what could never match
    ({"principal": "alice", "delay_ms": 1}, "principal", "has a type in front", "User:alice"),
    ({"api": "Produce", "group": "g", "error": 1}, "group", "is not about a group", None),
    ({"api": "Heartbeat", "topic": "t", "error": 1}, "topic", "is not about topics", None),
    ({"api": "JoinGroup", "partition": 1, "error": 1}, "partition", "is not about partitions", None),
    ({"api": "Produce", "version": "14+", "error": 1}, "version", "versions 3 to 13", "13"),
    ({"api": "LeaveGroup", "version": "0-2", "member": "m", "error": 1, "at": "member"}, "at", "is no place", "top"),
    ({"api": "Produce", "topic": "t", "error": 1, "at": "topic"}, "at", "is no place for an error", "partition"),
    ({"api": "Produce", "error": 1, "at": "partitions"}, "at", "is no place for an error", "partition"),
    ({"api": "Metadata", "partition": 1, "error": 1, "at": "topic"}, "at", "not as far inside", None),
    ({"api": "ListGroups", "group": "g", "error": 1}, "group", "is not about a group", None),
    ({"api": "Produce", "corrupt_crc": True}, "corrupt_crc", "no record batches in the answer", "Fetch"),
    ({"api": "Fetch", "stale_metadata": True}, "stale_metadata", "is not metadata", "Metadata"),
    ({"api": "Vote", "throttle_time_ms": 1}, "throttle_time_ms", "no such field", None),
    ({"api": "Vote", "sender": "clients", "delay_ms": 1}, "sender", "only nodes send Vote", "nodes"),
    ({"api": "Produce", "sender": "nodes", "delay_ms": 1}, "sender", "nodes never send Produce", "clients"),
    (
        {"api": "AddPartitionsToTxn", "version": "4+", "sender": "clients", "delay_ms": 1},
        "sender",
        "only nodes send",
        "nodes",
    ),
    (
        {"transactional_id": "t", "corrupt_crc": True},
        "corrupt_crc",
        "no API has all of transactional_id, corrupt_crc",
        None,
    ),
    # fields of requests and answers
    ({"api": "Produce", "where": "acks = 1", "error": 1}, "where", "is no operator", "=="),
    ({"api": "Produce", "where": "acks", "error": 1}, "where", "is no condition", None),
    ({"api": "Produce", "where": "ack == 1", "error": 1}, "where", "has no field 'ack'", "acks"),
    ({"api": "Produce", "where": "acks == x", "error": 1}, "where", "is no JSON value", None),
    ({"api": "Produce", "where": 'acks == "1"', "error": 1}, "where", "is an integer", None),
    ({"api": "Produce", "where": "acks == 70000", "error": 1}, "where", "never 70000", None),
    ({"api": "Produce", "where": "topicData == 1", "error": 1}, "where", "has fields of its own", None),
    ({"api": "Produce", "where": "acks == null", "error": 1}, "where", "is never null", None),
    ({"api": "Fetch", "version": "4-6", "where": 'rackId == "a"', "error": 1}, "where", "v6 has no field", None),
    ({"where": "acks == 1", "delay_ms": 1}, "api", "name it", None),
    ({"api": "Metadata", "edit": {"topics.partition.leaderId": 1}}, "edit", "has no field", "topics.partitions"),
    ({"api": "Metadata", "edit": {"topics.partitions.leaderId": "1"}}, "edit", "is an integer", None),
    ({"api": "Metadata", "edit": {"topics": [1]}}, "edit", "has fields of its own", None),
    ({"api": "Metadata", "edit": {}}, "edit", "an object of fields", None),
    ({"api": "Fetch", "edit": {"responses.partitions.records": ""}}, "edit", "of type records", None),
]


@pytest.mark.parametrize(("given", "field", "reason", "nearest"), WRONG, ids=[str(wrong[0]) for wrong in WRONG])
def test_a_wrong_rule_is_refused(given: dict[str, object], field: str, reason: str, nearest: str | None) -> None:
    with pytest.raises(InvalidRule) as refused:
        Rule.parse(given)
    assert refused.value.field == field
    assert reason in refused.value.reason
    if nearest is not None:
        assert refused.value.nearest == nearest
        assert f"did you mean '{nearest}'?" in str(refused.value)


@pytest.mark.parametrize("given", [None, [], "Produce", 5])
def test_what_is_no_object_is_refused(given: object) -> None:
    with pytest.raises(InvalidRule, match="an object of fields"):
        Rule.parse(given)  # type: ignore[arg-type]


def test_every_field_is_documented() -> None:
    for known in FIELDS.values():
        assert known.doc
        assert known.doc[0] in "`1aAbcdefghijklmnopqrstuvwxyzTK", known.doc
