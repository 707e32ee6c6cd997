"""The control API as any language asks for it, by plain HTTP, with an unmodified client at the broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")


@pytest.fixture(scope="module")
def one_kafka() -> Iterator[Kafka]:
    with Kafka(control=True) as kafka:
        yield kafka


def ask(kafka: Kafka, operation: str, **arguments: Any) -> Any:
    """The result. Raises HTTPError."""
    request = Request(
        f"{kafka.control_url}/v1/{operation}",
        data=json.dumps(arguments).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=PATIENCE_SECONDS) as response:
        return json.load(response)


def producer(kafka: Kafka) -> Any:
    return confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "client.id": "app", "linger.ms": 0, "retry.backoff.ms": 10}
    )


def test_a_client_meets_a_fault_that_was_asked_for(kafka: Kafka) -> None:
    ask(kafka, "create_topic", name="orders", partitions=1)
    rule = {"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2, "must_fire": True}
    (fault,) = ask(kafka, "add_faults", rules=[rule])
    assert fault["rule"] == rule
    assert [each["fault_id"] for each in ask(kafka, "unfired_faults")] == [fault["fault_id"]]
    app = producer(kafka)
    app.produce("orders", b"a", key=b"\xff", headers=[("h", b"1")])
    assert app.flush(PATIENCE_SECONDS) == 0
    fired = ask(kafka, "wait_for_fault", fault_id=fault["fault_id"], fired=2, timeout=PATIENCE_SECONDS)
    assert (fired["matched"], fired["fired"], fired["is_spent"]) == (2, 2, True)
    (record,) = ask(kafka, "wait_for_records", topic="orders", count=1, timeout=PATIENCE_SECONDS)
    assert (record["value"], record["key"], record["headers"]) == ("a", {"base64": "/w=="}, [["h", "1"]])
    found = ask(kafka, "recorded", api="Produce", client="app")
    assert [each["errors"] for each in found["exchanges"]] == [["NOT_LEADER_OR_FOLLOWER"]] * 2 + [[]]
    ask(kafka, "reset")
    assert (ask(kafka, "topics"), ask(kafka, "faults")) == ([], [])


def test_a_request_is_held_and_released(kafka: Kafka) -> None:
    ask(kafka, "create_topic", name="orders", partitions=1)
    (fault,) = ask(kafka, "add_faults", rules=[{"api": "Produce", "hold": "before"}])
    app = producer(kafka)
    app.produce("orders", b"held")
    app.poll(0)
    ask(kafka, "wait_for_fault", fault_id=fault["fault_id"], fired=1, held=1, timeout=PATIENCE_SECONDS)
    assert ask(kafka, "records", topic="orders") == []
    assert ask(kafka, "release_fault", fault_id=fault["fault_id"]) == 1
    assert app.flush(PATIENCE_SECONDS) == 0
    assert len(ask(kafka, "records", topic="orders")) == 1


def test_a_transaction_times_out_when_time_is_moved(kafka: Kafka) -> None:
    ask(kafka, "create_topic", name="orders", partitions=1)
    app = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "t", "transaction.timeout.ms": 600_000}
    )
    app.init_transactions(PATIENCE_SECONDS)
    app.begin_transaction()
    app.produce("orders", b"open")
    app.flush(PATIENCE_SECONDS)
    assert ask(kafka, "transaction", transactional_id="t")["state"] == "Ongoing"
    ask(kafka, "advance_time", milliseconds=660_000)
    aborted = ask(kafka, "wait_for_transaction", transactional_id="t", timeout=PATIENCE_SECONDS)
    assert aborted["state"] == "CompleteAbort"
    assert ask(kafka, "records", topic="orders") == []
    assert len(ask(kafka, "records", topic="orders", isolation="read_uncommitted")) == 1


def test_what_is_refused_says_why(kafka: Kafka) -> None:
    with pytest.raises(HTTPError) as refused:
        ask(kafka, "add_faults", rules=[{"api": "Produce", "topik": "orders", "disconnect": "before"}])
    error = json.load(refused.value)["error"]
    refused.value.close()
    assert (refused.value.code, error["kind"], error["nearest"]) == (400, "InvalidRule", "topic")
    assert "topik" in error["field"]
    assert kafka.faults.all() == []
