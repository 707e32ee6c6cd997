"""A share group in a cluster of both kinds: brokers that coordinate it, keep its state or lead its topic are killed."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.looking import create_topic
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.sending import FAST
from compat_tests.crash import share_clients
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.share_clients import ShareMember
from compat_tests.crash.share_judge import Shared, judge, lost
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.tools import need

confluent_kafka: Any = pytest.importorskip("confluent_kafka")
if not share_clients.available():
    pytest.skip("this confluent-kafka has no ShareConsumer", allow_module_level=True)

TOPIC, GROUP, DEAD = "shared", "sharers", "dlq.shared"
PARTITIONS = 6
SETTINGS = {
    **share_clients.SETTINGS,
    "offsets.topic.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "errors.deadletterqueue.auto.create.topics.enable": "true",
    "num.partitions": "3",
    "default.replication.factor": "3",
}


def test_a_share_group_outlives_the_brokers_that_it_needs(tmp_path: Path) -> None:
    """Each broker coordinates or leads something of it: all are killed in turn. Then it gives up records, which go to
    partitions of their topic that are led by brokers of both kinds."""
    need(jar_directory)
    with ClusterProcesses(tmp_path / "nodes", apache={1}, settings=SETTINGS) as cluster, ExitStack() as stack:
        create_topic(cluster.bootstrap, TOPIC, PARTITIONS)
        share_clients.begin_at_the_beginning(cluster.bootstrap, GROUP)
        history = stack.enter_context(HistoryFile(tmp_path / "history"))
        members = [
            ShareMember(f"sharer-{n}", cluster.bootstrap, history, seed=1, group=GROUP, topics=[TOPIC]) for n in (1, 2)
        ]
        for member in members:
            member.start()
        there: set[tuple[str, int, int]] = set()
        try:
            there |= send(cluster, 30)
            eventually(lambda: not lost(said(history), there, [TOPIC]), "all is accepted")
            for node in cluster.nodes.values():
                node.kill()
                there |= send(cluster, 30)
                eventually(
                    lambda: not lost(said(history), there, [TOPIC]),  # noqa: B023 - called at once
                    f"all is accepted without node {node.node_id}",
                    seconds=PATIENCE_SECONDS * 2,
                )
                node.start()
        finally:
            for member in members:
                member.stopping.set()
            for member in members:
                member.join(PATIENCE_SECONDS)
        assert [member.failure for member in members] == [None, None]
        assert said(history).problems == []
        reject_some(cluster)
        assert not cluster.bugs()


def said(history: HistoryFile) -> Shared:
    return judge(history.path.read_text().splitlines())


def send(cluster: ClusterProcesses, count: int) -> set[tuple[str, int, int]]:
    """Where the records are."""
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap, "enable.idempotence": True, **FAST})
    places: set[tuple[str, int, int]] = set()

    def sent(error: Any, message: Any) -> None:
        assert error is None, error
        places.add((message.topic(), message.partition(), message.offset()))

    for number in range(count):
        producer.produce(TOPIC, f"{number}", partition=number % PARTITIONS, on_delivery=sent)
    assert producer.flush(PATIENCE_SECONDS * 2) == 0
    return places


def reject_some(cluster: ClusterProcesses) -> None:
    """One record of each partition is rejected, and comes into the dead letter topic."""
    admin: Any = pytest.importorskip("confluent_kafka.admin")
    entry = admin.ConfigEntry(
        "errors.deadletterqueue.topic.name", DEAD, incremental_operation=admin.AlterConfigOpType.SET
    )
    resource = admin.ConfigResource(admin.ConfigResource.Type.GROUP, GROUP, incremental_configs=[entry])
    client = admin.AdminClient({"bootstrap.servers": cluster.bootstrap})
    client.incremental_alter_configs([resource])[resource].result(PATIENCE_SECONDS)
    rejected = send(cluster, PARTITIONS)
    consumer = confluent_kafka.ShareConsumer(
        {"bootstrap.servers": cluster.bootstrap, "group.id": GROUP, "share.acknowledgement.mode": "explicit", **FAST}
    )
    consumer.subscribe([TOPIC])
    left = set(rejected)

    def all_rejected() -> bool:
        for message in consumer.poll(0.2):
            assert message.error() is None, message.error()
            left.discard((message.topic(), message.partition(), message.offset()))
            consumer.acknowledge(message, confluent_kafka.AcknowledgeType.REJECT)
        consumer.commit_sync(5)
        return not left

    eventually(all_rejected, "all is rejected", seconds=PATIENCE_SECONDS * 2)
    consumer.close()

    reader = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "nobody's", **FAST})
    with closing(reader):
        eventually(lambda: DEAD in reader.list_topics(timeout=5).topics, "the dead letter topic is created")
        reader.assign([confluent_kafka.TopicPartition(DEAD, n, confluent_kafka.OFFSET_BEGINNING) for n in range(3)])
        letters: list[Any] = []

        def all_written() -> bool:
            letters.extend(message for message in reader.consume(100, 0.1) if message.error() is None)
            return len(letters) >= PARTITIONS

        eventually(all_written, "the dead letters are written", seconds=PATIENCE_SECONDS * 2)
    found = set()
    for letter in letters:
        headers = dict(letter.headers())
        index = int(headers["__dlq.errors.partition"])
        found.add((TOPIC, index, int(headers["__dlq.errors.offset"])))
        assert letter.partition() == index % 3
    assert found == rejected
