"""A directory that Apache Kafka 4.4.0 has written, as the state that a Kafka of the test kit begins with."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import ApacheKafka
from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka, KafkaNotStarted

confluent_kafka = pytest.importorskip("confluent_kafka")
admin = pytest.importorskip("confluent_kafka.admin")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")

pytestmark = pytest.mark.usefixtures("java")

NODE_ID = 7


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, java: None) -> Path:
    """By a node with another id, at its ports, and stopped; with records, a group and a committed transaction."""
    directory = tmp_path_factory.mktemp("apache") / "data"
    with ApacheKafka(data_dir=directory, node_id=NODE_ID) as broker:
        client = admin.AdminClient({"bootstrap.servers": broker.bootstrap})
        topic = admin.NewTopic("orders", 1, 1, config={"retention.ms": "-1"})
        client.create_topics([topic])["orders"].result(PATIENCE_SECONDS)
        producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "t"})
        producer.init_transactions(PATIENCE_SECONDS)
        for value, commit in ((b"1 tea", True), (b"lost", False), (b"2 coffee", True)):
            producer.begin_transaction()
            producer.produce("orders", value, key=b"alice", headers={"trace": "1"}, timestamp=5)
            producer.flush(PATIENCE_SECONDS)  # an abort leaves out what was not sent yet
            (producer.commit_transaction if commit else producer.abort_transaction)(PATIENCE_SECONDS)
        _commit(broker.bootstrap)
        with (
            pytest.raises(KafkaNotStarted, match="is in use by a broker now: stop it first"),
            Kafka(directory=directory),
        ):
            pass
    return directory


def _commit(bootstrap_servers: str) -> None:
    """As a member, which waits until the broker coordinates its group."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "shop", "enable.auto.commit": False}
    )
    consumer.subscribe(["orders"])
    end = time.monotonic() + PATIENCE_SECONDS
    while not consumer.assignment():
        assert time.monotonic() < end
        consumer.poll(0.1)
    consumer.commit(offsets=[confluent_kafka.TopicPartition("orders", 0, 2)], asynchronous=False)
    consumer.close()


def read(bootstrap_servers: str, count: int) -> list[Any]:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "shop"})
    try:
        consumer.subscribe(["orders"])
        values: list[Any] = []
        end = time.monotonic() + PATIENCE_SECONDS
        while len(values) < count and time.monotonic() < end:
            message = consumer.poll(1)
            if message is not None:
                assert message.error() is None
                values.append((message.offset(), message.value()))
        return values
    finally:
        consumer.close()


def test_clients_go_on_where_they_were_with_apache_kafka(written: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*")}
    with Kafka(directory=written) as kafka:
        records = kafka.records("orders")
        assert [(r.offset, r.timestamp_ms, r.key, r.value) for r in records] == [
            (0, 5, b"alice", b"1 tea"),
            (4, 5, b"alice", b"2 coffee"),
        ]
        assert kafka.topic("orders").settings == {"retention.ms": "-1"}
        assert kafka.transaction("t").state == "CompleteCommit"
        assert read(kafka.bootstrap_servers, 1) == [(4, b"2 coffee")]
        producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "t"})
        producer.init_transactions(PATIENCE_SECONDS)
        producer.begin_transaction()
        producer.produce("orders", b"3 milk")
        producer.commit_transaction(PATIENCE_SECONDS)
        assert [record.value for record in kafka.records("orders")][2:] == [b"3 milk"]

        kafka.reset()
        assert [record.value for record in kafka.records("orders")] == [b"1 tea", b"2 coffee"]
        sender = kafka_python.KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
        assert sender.send("orders", b"by kafka-python").get(PATIENCE_SECONDS).offset == 6
        sender.close()

        async def send() -> int:
            other = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
            async with other, asyncio.timeout(PATIENCE_SECONDS):
                return int((await other.send_and_wait("orders", b"by aiokafka")).offset)

        assert asyncio.run(send()) == 7
        assert kafka.take_bugs() == []
    assert {path: path.stat().st_mtime_ns for path in written.rglob("*")} == before


def test_what_apache_kafka_has_written_becomes_a_seed(written: Path, tmp_path: Path) -> None:
    with Kafka(directory=written, isolation="process") as kafka:
        kafka.export(tmp_path / "state.jsonl")
        before = kafka.records("orders")
    with Kafka(seed=tmp_path / "state.jsonl") as kafka:
        assert [(r.offset, r.value, r.headers) for r in kafka.records("orders")] == [
            (r.offset, r.value, r.headers) for r in before
        ]
        assert read(kafka.bootstrap_servers, 1) == [(4, b"2 coffee")]
