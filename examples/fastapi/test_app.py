from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from app import make_app
from fastapi.testclient import TestClient

if TYPE_CHECKING:
    from kafkapy.testing import Kafka

pytestmark = pytest.mark.kafka(topics={"orders": 1, "invoices": 1})


@pytest.fixture
def client(kafka: Kafka) -> Iterator[TestClient]:
    with TestClient(make_app(kafka.bootstrap_servers)) as client:
        kafka.wait_for_group("billing", members=1)
        yield client


def test_an_order_is_stored(kafka: Kafka, client: TestClient) -> None:
    answer = client.post("/orders", json={"customer": "alice", "item": "tea"})
    assert answer.status_code == 202
    [record] = kafka.records("orders")
    assert record.key == b"alice"
    assert json.loads(record.value or b"") == {"customer": "alice", "item": "tea", "amount": 1}


def test_a_wrong_order_is_refused(kafka: Kafka, client: TestClient) -> None:
    assert client.post("/orders", json={"customer": "alice"}).status_code == 422
    assert kafka.records("orders") == []


def test_an_order_has_an_invoice(kafka: Kafka, client: TestClient) -> None:
    client.post("/orders", json={"customer": "alice", "item": "tea", "amount": 3})
    [invoice] = kafka.wait_for_records("invoices")
    assert json.loads(invoice.value or b"") == {"customer": "alice", "text": "3 tea", "cents": 750}


def test_an_order_is_sent_again_when_the_leader_moves(kafka: Kafka, client: TestClient) -> None:
    kafka.faults.add(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", times=2, must_fire=True)
    assert client.post("/orders", json={"customer": "alice", "item": "tea"}).status_code == 202
    assert len(kafka.records("orders")) == 1
