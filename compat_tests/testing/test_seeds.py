"""Seeds met by unmodified clients: what they read, what they have committed, and what an export keeps of their work."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.polled import polled
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")

SEED = """\
topics:
  orders: {partitions: 1, offsets: {0: [3, 12]}}
records:
  orders:
    - {key: alice, value: 1 tea, headers: {trace: "1"}, timestamp: 2026-01-31T12:00:00Z, partition: 0}
    - {key: bob, value: {base64: /wA=}, timestamp: 5, partition: 0, offset: 7}
groups:
  shop: {orders: {0: {offset: 4, metadata: mine}}}
"""
ALICE = (3, 1769860800000, b"alice", b"1 tea", [("trace", b"1")])
BOB: tuple[Any, ...] = (7, 5, b"bob", b"\xff\x00", [])


@pytest.fixture
def seeded(kafka: Kafka, tmp_path: Path) -> Kafka:
    (tmp_path / "seed.yaml").write_text(SEED)
    kafka.seed(tmp_path / "seed.yaml")
    return kafka


def read_by_confluent(kafka: Kafka, group: str, count: int) -> list[Any]:
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    try:
        consumer.subscribe(["orders"])
        messages: list[Any] = []
        until = time.monotonic() + PATIENCE_SECONDS
        while len(messages) < count and time.monotonic() < until:
            message = consumer.poll(1)
            if message is not None:
                assert message.error() is None
                messages.append(message)
        return [(m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers() or []) for m in messages]
    finally:
        consumer.close()


def read_by_kafka_python(kafka: Kafka, group: str, count: int) -> list[Any]:
    consumer = kafka_python.KafkaConsumer(
        "orders", bootstrap_servers=kafka.bootstrap_servers, group_id=group, auto_offset_reset="earliest"
    )
    try:
        return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in polled(consumer, count)]
    finally:
        consumer.close()


def read_by_aiokafka(kafka: Kafka, group: str, count: int) -> list[Any]:
    async def read() -> list[Any]:
        consumer = aiokafka.AIOKafkaConsumer(
            "orders", bootstrap_servers=kafka.bootstrap_servers, group_id=group, auto_offset_reset="earliest"
        )
        async with consumer, asyncio.timeout(PATIENCE_SECONDS):
            records = [await consumer.getone() for _ in range(count)]
        return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records]

    return asyncio.run(read())


READERS = [read_by_confluent, read_by_kafka_python, read_by_aiokafka]


@pytest.mark.parametrize("read", READERS)
def test_clients_read_what_was_seeded(seeded: Kafka, read: Any) -> None:
    assert seeded.produce("orders", "next")[0].offset == 12
    everything = read(seeded, "others", 3)
    assert everything[:2] == [ALICE, BOB]
    assert everything[2][0] == 12
    assert [each[0] for each in read(seeded, "shop", 2)] == [7, 12]
    assert seeded.wait_for_lag("shop").offsets == {("orders", 0): 13}


@pytest.mark.parametrize("read", READERS)
def test_clients_pass_over_a_partition_of_no_records(kafka: Kafka, read: Any) -> None:
    """As it is left when all of its transactions were aborted: the offsets are there, in a batch of no records."""
    kafka.seed({"topics": {"orders": {"partitions": 1, "offsets": {"0": [0, 3]}}}})
    kafka.produce("orders", "first")
    assert [(each[0], each[3]) for each in read(kafka, "shop", 1)] == [(3, b"first")]


def test_an_export_keeps_what_transactions_have_left(kafka: Kafka, tmp_path: Path) -> None:
    kafka.create_topic("orders", 1)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "t"})
    producer.init_transactions(PATIENCE_SECONDS)
    for value, commit in ((b"first", True), (b"lost", False), (b"second", True)):
        producer.begin_transaction()
        producer.produce("orders", value, headers={"n": value})
        producer.flush(PATIENCE_SECONDS)
        (producer.commit_transaction if commit else producer.abort_transaction)(PATIENCE_SECONDS)
    kafka.wait_for_transaction("t")
    kafka.commit_offsets("shop", {("orders", 0): 4})
    producer.begin_transaction()
    producer.produce("orders", b"open")
    producer.flush(PATIENCE_SECONDS)
    kafka.export(tmp_path / "state.jsonl")
    before = [(r.offset, r.timestamp_ms, r.value, r.headers) for r in kafka.records("orders")]
    assert [each[0] for each in before] == [0, 4]
    producer.abort_transaction(PATIENCE_SECONDS)

    kafka.reset()
    kafka.seed(tmp_path / "state.jsonl")
    assert [(r.offset, r.timestamp_ms, r.value, r.headers) for r in kafka.records("orders")] == before
    assert kafka.topic("orders").partitions[0].high_watermark == 6
    assert [each[0] for each in read_by_confluent(kafka, "shop", 1)] == [4]


def test_offsets_of_a_group_of_the_new_protocol_are_kept(kafka: Kafka, tmp_path: Path) -> None:
    """A group of KIP-848 is exported as others are, and offsets are seeded into one that is there."""
    kafka.produce("orders", "1 tea", "2 coffee", "3 milk")
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "shop",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["orders"])
    until = time.monotonic() + PATIENCE_SECONDS
    while (message := consumer.poll(1)) is None:
        assert time.monotonic() < until
    consumer.commit(message, asynchronous=False)
    consumer.close()
    assert kafka.group("shop").group_type == "consumer"
    kafka.export(tmp_path / "state.jsonl")
    kafka.seed({"groups": {"shop": {"orders": {"0": 2}}}})
    assert kafka.group("shop").offsets == {("orders", 0): 2}
    kafka.reset()
    kafka.seed(tmp_path / "state.jsonl")
    assert kafka.group("shop").offsets == {("orders", 0): 1}
    assert [each[3] for each in read_by_confluent(kafka, "shop", 2)] == [b"2 coffee", b"3 milk"]
