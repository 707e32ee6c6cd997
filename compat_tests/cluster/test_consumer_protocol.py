"""A consumer group (KIP-848) in a cluster of both kinds: its coordinator is killed, and another broker goes on."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.looking import create_topic
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.sending import FAST
from compat_tests.cluster.test_coordinators import GROUP_TYPE, coordinator
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")

TOPIC = "moving"
SETTINGS = {
    "offsets.topic.num.partitions": "3",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.assignment.interval.ms": "0",
}


def test_a_consumer_group_outlives_its_coordinators(tmp_path: Path) -> None:
    """Two members share the partitions; the killed coordinator is Apache Kafka's first, then ours."""
    need(jar_directory)
    with ClusterProcesses(tmp_path / "nodes", apache={1}, settings=SETTINGS) as cluster, ExitStack() as members:
        create_topic(cluster.bootstrap, TOPIC, 6)
        group = next(name for name in map("group-{}".format, range(20)) if coordinator(cluster, name, GROUP_TYPE) == 1)
        consumers = [members.enter_context(closing(member(cluster, group))) for _ in range(2)]
        read: set[str] = set()

        def shared() -> bool:
            owned = [one.partition for consumer in consumers for one in consumer.assignment()]
            return sorted(owned) == [*range(6)] and all(len(consumer.assignment()) == 3 for consumer in consumers)

        def polled(done: Any) -> bool:
            for consumer in consumers:
                message = consumer.poll(0.05)
                if message is not None and message.error() is None:
                    read.add(message.value().decode())
            return bool(done())

        eventually(lambda: polled(shared), "they share")
        before = [sorted(one.partition for one in consumer.assignment()) for consumer in consumers]
        killed = 1
        for turn in range(2):
            cluster.nodes[killed].kill()
            send(cluster, turn)
            done = partial(has_all, read, turn)
            eventually(partial(polled, done), "all is read", seconds=PATIENCE_SECONDS * 2)
            cluster.nodes[killed].start()
            killed = coordinator(cluster, group, GROUP_TYPE)
            assert killed != 1 or turn
        after = [sorted(one.partition for one in consumer.assignment()) for consumer in consumers]
        assert after == before, "nobody had to give up a partition"
        assert not cluster.bugs()


def has_all(read: set[str], turn: int) -> bool:
    return {f"{turn} {partition}" for partition in range(6)} <= read


def member(cluster: ClusterProcesses, group: str) -> Any:
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": group,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            **FAST,
        }
    )
    consumer.subscribe([TOPIC])
    return consumer


def send(cluster: ClusterProcesses, turn: int) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap, **FAST})
    for partition in range(6):
        producer.produce(TOPIC, f"{turn} {partition}", partition=partition)
    assert producer.flush(PATIENCE_SECONDS * 2) == 0
