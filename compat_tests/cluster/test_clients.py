"""Unmodified clients on three nodes: partitions, coordinators and the controller are each on another one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import CONSOLE_CONSUMER, CONSOLE_PRODUCER, java_tool
from compat_tests.client_program import ClientProgram, Record, until_settled
from compat_tests.cluster.conftest import NewCluster
from compat_tests.cluster.looking import (
    admin_client,
    brokers_seen,
    create_topic,
    group_on,
    partitions_of,
    until_in_sync,
)
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.sending import FAST, read_all, send_all
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.polled import polled

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")
kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
kafka_errors = pytest.importorskip("kafka.errors")

PARTITIONS = 6
AIOKAFKA = Path(__file__).parents[1] / "aiokafka_program.py"
NewName = Callable[..., str]


@pytest.fixture(params=["franz-go", "sarama", "aiokafka", "kafkajs"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> ClientProgram:
    if request.param == "aiokafka":
        pytest.importorskip("aiokafka")
        return ClientProgram([sys.executable, str(AIOKAFKA)], tmp_path)
    if request.param == "kafkajs":
        return ClientProgram(
            ["node", str(request.getfixturevalue("node_directory") / "clients.js"), "kafkajs"], tmp_path
        )
    return ClientProgram([str(request.getfixturevalue("go_program")), request.param.partition("-")[0]], tmp_path)


def test_every_client_writes_to_and_reads_from_partitions_of_all_brokers(
    cluster: ClusterProcesses, program: ClientProgram, new_name: NewName
) -> None:
    """Each client knows one broker, and that is another one for the consumer."""
    topic = new_name()
    create_topic(cluster.bootstrap, topic, PARTITIONS)
    assert {view.leader for view in partitions_of(cluster.bootstrap, topic).values()} == {1, 2, 3}
    records = [Record(str(n).encode(), partition=n % PARTITIONS) for n in range(300)]
    outcomes = program.produce(cluster.nodes[1].bootstrap, topic, records)
    assert {(each.partition, each.offset, each.error) for each in outcomes} == {
        (n % PARTITIONS, n // PARTITIONS, 0) for n in range(300)
    }
    consumed = program.consume(cluster.nodes[2].bootstrap, topic, len(records))
    assert [record.value for record in consumed] == [
        str(n).encode() for partition in range(PARTITIONS) for n in range(partition, 300, PARTITIONS)
    ]


def test_members_find_the_coordinator_on_another_node(
    cluster: ClusterProcesses, program: ClientProgram, new_name: NewName
) -> None:
    topic = new_name()
    create_topic(cluster.bootstrap, topic, PARTITIONS)
    group = group_on(cluster.bootstrap, 3, new_name("group"))
    values = [str(n) for n in range(60)]
    send_all(cluster.bootstrap, topic, values, PARTITIONS)
    with (
        program.member(cluster.nodes[1].bootstrap, group, topic) as first,
        program.member(cluster.nodes[2].bootstrap, group, topic) as second,
    ):
        until_settled([first, second], PARTITIONS)
        eventually(lambda: {*first.values, *second.values} == set(values), "the group has read all")
        first.leave()
        second.leave()
    committed = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group, **FAST})
    partitions = [confluent_kafka.TopicPartition(topic, n) for n in range(PARTITIONS)]
    assert [each.offset for each in committed.committed(partitions, PATIENCE_SECONDS)] == [10] * PARTITIONS
    committed.close()


def test_kafka_python_writes_and_reads_in_a_group(cluster: ClusterProcesses, new_name: NewName) -> None:
    topic = new_name()
    create_topic(cluster.bootstrap, topic, PARTITIONS)
    group = group_on(cluster.bootstrap, 2, new_name("group"))
    values = [str(n).encode() for n in range(300)]
    producer = kafka.KafkaProducer(bootstrap_servers=cluster.nodes[1].bootstrap, acks="all")
    sent = [producer.send(topic, value, partition=n % PARTITIONS) for n, value in enumerate(values)]
    producer.flush(timeout=PATIENCE_SECONDS)
    assert [future.get(0).offset for future in sent] == [n // PARTITIONS for n in range(300)]
    producer.close()
    consumer = kafka.KafkaConsumer(
        topic, bootstrap_servers=cluster.nodes[3].bootstrap, group_id=group, auto_offset_reset="earliest"
    )
    found = [record.value for record in polled(consumer, len(values))]
    consumer.close()
    assert sorted(found) == sorted(values)


def test_kcat_writes_and_reads(cluster: ClusterProcesses, kcat: str, new_name: NewName) -> None:
    topic = new_name()
    create_topic(cluster.bootstrap, topic, PARTITIONS)

    def run(*arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [kcat, *arguments], input=stdin, capture_output=True, encoding="utf-8", timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    values = [f"value {n}" for n in range(600)]
    run("-b", cluster.nodes[3].bootstrap, "-P", "-t", topic, "-X", "acks=all", stdin="\n".join(values) + "\n")
    assert sorted(run("-b", cluster.nodes[1].bootstrap, "-C", "-t", topic, "-e", "-q").splitlines()) == sorted(values)
    listed = run("-b", cluster.nodes[2].bootstrap, "-L", "-t", topic)
    assert "3 brokers:" in listed
    assert listed.count("replicas: ") == PARTITIONS


@pytest.mark.usefixtures("java")
def test_javas_console_clients_write_and_read(cluster: ClusterProcesses, new_name: NewName) -> None:
    topic = new_name()
    create_topic(cluster.bootstrap, topic, PARTITIONS)
    group = group_on(cluster.bootstrap, 1, new_name("group"))
    values = [f"value {n}" for n in range(300)]
    produced = java_tool(
        *(CONSOLE_PRODUCER, "--bootstrap-server", cluster.nodes[2].bootstrap, "--topic", topic),
        *("--command-property", "acks=all"),
        stdin="\n".join(values) + "\n",
    )
    assert produced.returncode == 0, produced.stdout + produced.stderr
    consumed = java_tool(
        *(CONSOLE_CONSUMER, "--bootstrap-server", cluster.nodes[3].bootstrap, "--topic", topic),
        *("--group", group, "--from-beginning", "--max-messages", str(len(values))),
    )
    assert sorted(consumed.stdout.splitlines()) == sorted(values), consumed.stderr


def test_transactions_span_partitions_of_all_brokers(cluster: ClusterProcesses, new_name: NewName) -> None:
    """And the offsets of a group whose coordinator is one of them; the transactions' coordinators are all three."""
    source, topic = new_name("source"), new_name()
    for name in (source, topic):
        create_topic(cluster.bootstrap, name, PARTITIONS)
    send_all(cluster.bootstrap, source, [str(n) for n in range(PARTITIONS)], PARTITIONS)
    group = group_on(cluster.bootstrap, 2, new_name("group"))
    consumer = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group, **FAST})
    for n in range(6):
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": cluster.bootstrap, "transactional.id": f"{new_name('id')}-{n}", **FAST}
        )
        producer.init_transactions(PATIENCE_SECONDS)
        for end in ("commit", "abort"):
            producer.begin_transaction()
            for partition in range(PARTITIONS):
                producer.produce(topic, f"{n} {end} {partition}", partition=partition)
            offset = n + (10 if end == "abort" else 1)
            offsets = [confluent_kafka.TopicPartition(source, partition, offset) for partition in range(PARTITIONS)]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), PATIENCE_SECONDS)
            assert producer.flush(PATIENCE_SECONDS) == 0
            getattr(producer, f"{end}_transaction")(PATIENCE_SECONDS)
    assert sorted(read_all(cluster.bootstrap, topic, PARTITIONS)) == sorted(
        f"{n} commit {partition}" for n in range(6) for partition in range(PARTITIONS)
    )
    assert len(read_all(cluster.bootstrap, topic, PARTITIONS, committed=False)) == 2 * 6 * PARTITIONS
    partitions = [confluent_kafka.TopicPartition(source, n) for n in range(PARTITIONS)]
    assert [each.offset for each in consumer.committed(partitions, PATIENCE_SECONDS)] == [6] * PARTITIONS
    consumer.close()


def test_any_broker_forwards_what_the_controller_decides(
    new_cluster: NewCluster, go_program: Path, tmp_path: Path, new_name: NewName
) -> None:
    """The controller is no broker, so that no client can ask it."""
    cluster = new_cluster(3, controllers=1)
    cluster.start()
    assert brokers_seen(cluster.bootstrap) == {1, 2, 3}
    for node in cluster.brokers:
        _administer(node.bootstrap, f"by-way-of-{node.node_id}")
    topic = new_name()
    create_topic(cluster.bootstrap, topic)
    franz = ClientProgram([str(go_program), "franz"], tmp_path)
    franz.produce(cluster.bootstrap, topic, [Record(str(n).encode(), timestamp=n + 1) for n in range(10)])
    answers = franz.admin(cluster.nodes[2].bootstrap, topic, new_name("group"), 5)
    assert sorted(answers["ports"]) == sorted(node.place.port for node in cluster.brokers)
    assert (answers["create_again_error"], answers["partitions"], answers["topic_gone"]) == (36, 4, True)
    assert answers["retention"] == ["60000", "120000"]


def _administer(bootstrap: str, topic: str) -> None:
    """Create, grow, alter, describe and delete a topic."""
    with admin_client(bootstrap) as admin:
        created = admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 3}})
        assert created["topics"][0]["error_code"] == 0
        with pytest.raises(kafka_errors.TopicAlreadyExistsError):
            admin.create_topics([topic])
        admin.create_partitions({topic: 4})
        eventually(lambda: len(partitions_of(bootstrap, topic)) == 4, "four partitions")
        resource = kafka_admin.ConfigResource("TOPIC", topic, {"retention.ms": "60000"})
        assert admin.alter_configs([resource]) == {"topic": {topic: "OK"}}

        def retention() -> Any:
            described = admin.describe_configs([kafka_admin.ConfigResource("TOPIC", topic)], config_filter="all")
            return described["topic"][topic]["retention.ms"]["value"]

        eventually(lambda: retention() == "60000", "the change shows")
        until_in_sync(bootstrap, topic)
        admin.delete_topics([topic])
        eventually(lambda: topic not in admin.list_topics(), "the topic is gone")
    confluent = confluent_admin.AdminClient({"bootstrap.servers": bootstrap, **FAST})
    again = f"{topic}-again"
    for future in confluent.create_topics([confluent_admin.NewTopic(again, 3, 3)]).values():
        future.result(PATIENCE_SECONDS)
    for future in confluent.delete_topics([again]).values():
        future.result(PATIENCE_SECONDS)
