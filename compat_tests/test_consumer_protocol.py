"""Unmodified clients with the consumer protocol of KIP-848 (`group.protocol=consumer`): librdkafka, Java, franz-go.

One broker serves all tests; its members beat often, so that a partition changes hands within a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import CONSUMER_GROUPS, ApacheKafka, jar_directory, java_command, java_tool
from compat_tests.broker import Broker
from compat_tests.client_program import ClientProgram, LinesOf, settled
from compat_tests.conftest import SETTINGS
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

QUICK = {
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "200",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "3000",
    "group.consumer.assignment.interval.ms": "0",
}
VERIFIABLE_CONSUMER = "org.apache.kafka.tools.VerifiableConsumer"


@pytest.fixture(scope="module")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    settings = SETTINGS | QUICK
    started: ApacheKafka | KafkapyProcess
    if request.config.getoption("--broker") == "apache":
        need(jar_directory)
        started = ApacheKafka(settings)
    else:
        started = KafkapyProcess(settings, data_dir=tmp_path_factory.mktemp("consumer-protocol"))
    with started:
        yield started
        if isinstance(started, KafkapyProcess):
            assert not started.bugs()


@pytest.fixture
def topic(broker: Broker, new_name: Callable[..., str]) -> str:
    """A topic with six partitions and twelve records."""
    name = new_name()
    create(broker, name, 6)
    produce(broker, name, range(12))
    return name


def create(broker: Broker, topic: str, partitions: int) -> None:
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([confluent_admin.NewTopic(topic, partitions, 1)])[topic].result(PATIENCE_SECONDS)


def produce(broker: Broker, topic: str, numbers: range) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    for n in numbers:
        producer.produce(topic, str(n), partition=n % 6)
    assert producer.flush(PATIENCE_SECONDS) == 0


@contextmanager
def consuming(broker: Broker, group: str, *topics: str, **settings: Any) -> Iterator[Any]:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 500,
            "log_level": 0,
            **named,
        }
    )
    consumer.subscribe([*topics])
    try:
        yield consumer
    finally:
        consumer.close()


def partitions_of(consumer: Any) -> list[int]:
    return sorted(one.partition for one in consumer.assignment())


def wait_for(consumers: list[Any], done: Callable[[], bool], what: str, read: set[str] | None = None) -> None:
    """Poll them until `done`, and put what they have read into `read`."""

    def polled() -> bool:
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None and read is not None:
                read.add(message.value().decode())
        return done()

    eventually(polled, what)


def described(broker: Broker, group: str) -> Any:
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    return admin.describe_consumer_groups([group])[group].result(PATIENCE_SECONDS)


def about_groups(broker: Broker, *arguments: str) -> str:
    """What kafka-consumer-groups prints."""
    result = java_tool(CONSUMER_GROUPS, "--bootstrap-server", broker.bootstrap, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_librdkafka_members_come_and_go(broker: Broker, topic: str, new_name: Callable[..., str]) -> None:
    group = new_name("group")
    read: set[str] = set()
    with consuming(broker, group, topic) as first:
        wait_for([first], lambda: partitions_of(first) == [*range(6)], "the first has all", read)
        with consuming(broker, group, topic, client_id="second") as second:
            both = [first, second]
            wait_for(both, lambda: all(len(partitions_of(one)) == 3 for one in both), "they share", read)
            group_now = described(broker, group)
            assert (group_now.type.name, group_now.state.name, len(group_now.members)) == ("CONSUMER", "STABLE", 2)
            committed = confluent_kafka.TopicPartition(topic, partitions_of(first)[0], 2)
            first.commit(offsets=[committed], asynchronous=False)
        wait_for([first], lambda: partitions_of(first) == [*range(6)], "the first has all again", read)
        wait_for([first], lambda: len(read) == 12, "all are read", read)
    assert described(broker, group).state.name == "EMPTY"


def test_librdkafka_reads_by_a_pattern_and_notices_new_topics(broker: Broker, new_name: Callable[..., str]) -> None:
    prefix = new_name()
    create(broker, f"{prefix}-1", 1)
    with consuming(broker, new_name("group"), f"^{prefix}-.*") as consumer:
        wait_for([consumer], lambda: {one.topic for one in consumer.assignment()} == {f"{prefix}-1"}, "one topic")


def test_a_static_member_of_librdkafka_finds_its_partitions_again(
    broker: Broker, topic: str, new_name: Callable[..., str]
) -> None:
    group = new_name("group")
    with consuming(broker, group, topic) as other:
        with consuming(broker, group, topic, group_instance_id="static") as static:
            both = [other, static]
            wait_for(both, lambda: all(len(partitions_of(one)) == 3 for one in both), "they share")
            own, others = partitions_of(static), partitions_of(other)
        wait_for([other], lambda: True, "")
        assert partitions_of(other) == others, "it has left for a while only"
        with consuming(broker, group, topic, group_instance_id="static") as static:
            wait_for([static, other], lambda: partitions_of(static) == own, "its partitions are its own again")
            assert partitions_of(other) == others


def test_java_and_librdkafka_of_both_protocols_share_a_group(
    broker: Broker, topic: str, new_name: Callable[..., str], tmp_path: Path
) -> None:
    """A Java consumer of the new protocol, then one of librdkafka of the old one beside it; the tools tell of both."""
    need(jar_directory)
    group = new_name("group")
    command = java_command(
        *(VERIFIABLE_CONSUMER, "--bootstrap-server", broker.bootstrap, "--topic", topic, "--group-id", group),
        *("--group-protocol", "consumer", "--group-remote-assignor", "uniform", "--reset-policy", "earliest"),
    )
    with LinesOf(command, tmp_path / "consumer") as java:

        def owned() -> set[int]:
            told: set[int] = set()
            for line in java.lines():
                if line["name"] == "partitions_assigned":
                    told |= {one["partition"] for one in line["partitions"]}
                if line["name"] == "partitions_revoked":
                    told -= {one["partition"] for one in line["partitions"]}
            return told

        eventually(lambda: owned() == {*range(6)}, "Java has all")
        with consuming(broker, group, topic, group_protocol="classic") as classic:
            wait_for([classic], lambda: len(partitions_of(classic)) == 3 and len(owned()) == 3, "they share")
            assert owned() | {*partitions_of(classic)} == {*range(6)}
            members = about_groups(broker, "--describe", "--group", group, "--members", "--verbose")
            assert len(re.findall(rf"^{group} ", members, re.MULTILINE)) == 2
            assert (described(broker, group).state.name, described(broker, group).partition_assignor) == (
                "STABLE",
                "uniform",
            )
            java.process.terminate()
            java.process.wait(PATIENCE_SECONDS)
            wait_for([classic], lambda: len(partitions_of(classic)) == 6, "the classic member has all")
        assert described(broker, group).type.name == "CLASSIC", "the last member of the new protocol has left"


def test_franz_go_members_come_die_and_go(
    broker: Broker, topic: str, new_name: Callable[..., str], go_program: Path, tmp_path: Path
) -> None:
    group = new_name("group")
    client = ClientProgram([str(go_program), "franz-848"], tmp_path)
    with ExitStack() as members:
        first = members.enter_context(client.member(broker.bootstrap, group, topic))
        eventually(lambda: settled([first], 6), "the first has all")
        second = members.enter_context(client.member(broker.bootstrap, group, topic))
        eventually(lambda: settled([first, second], 6), "they share")
        assert described(broker, group).type.name == "CONSUMER"
        second.kill()
        eventually(lambda: settled([first], 6), "the session of the dead one has ended")
        first.leave()
    assert described(broker, group).state.name == "EMPTY"
