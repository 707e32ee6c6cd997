"""confluent-kafka (librdkafka): codecs, sizes, static members, a member killed, the broker restarted in the middle."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from compat_tests.broker import Broker
from compat_tests.client_scenarios import START_MS
from compat_tests.conftest import StartBroker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

KafkaError = confluent_kafka.KafkaError
MESSAGE_BYTES_MAX = 1_048_588  # max.message.bytes by default: a whole batch, its header included


def admin_client(broker: Broker) -> Any:
    return confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})


def create_topic(broker: Broker, topic: str, partitions: int = 1, **config: str) -> None:
    new = confluent_admin.NewTopic(topic, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})
    admin = admin_client(broker)  # held: its futures end with it
    admin.create_topics([new])[topic].result(PATIENCE_SECONDS)


@contextmanager
def consuming(broker: Broker, group: str, **settings: Any) -> Iterator[Any]:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **named,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def poll_values(consumer: Any, count: int, seconds: float = PATIENCE_SECONDS) -> list[bytes]:
    values: list[bytes] = []

    def enough() -> bool:
        for message in consumer.consume(count - len(values), 0.2):
            assert message.error() is None, message.error()
            values.append(message.value())
        return len(values) >= count

    eventually(enough, f"{count} records", seconds=seconds)
    return values


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read_back_from_the_beginning(broker: Broker, new_name: Callable[..., str], codec: str) -> None:
    topic = new_name()
    values = [f"{codec} {n} ".encode() * 20 for n in range(1_000)]
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": broker.bootstrap, "compression.type": codec, "linger.ms": 20}
    )
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(PATIENCE_SECONDS) == 0
    with consuming(broker, new_name("group"), check_crcs=True) as consumer:
        consumer.subscribe([topic])
        assert poll_values(consumer, 1_000) == values


def test_a_message_may_be_as_large_as_the_topic_allows_and_no_larger(
    broker: Broker, new_name: Callable[..., str]
) -> None:
    topic = new_name()
    create_topic(broker, topic)
    outcomes: list[Any] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 10_000_000})
    overhead = (
        61 + 1 + 5 + 1 + 1 + 4 + 1
    )  # batch header; attributes, timestamp and offset deltas, lengths, header count
    largest = MESSAGE_BYTES_MAX - overhead
    for size in (largest - 100, largest + 100):
        producer.produce(topic, b"x" * size, on_delivery=lambda error, _: outcomes.append(error))
        assert producer.flush(PATIENCE_SECONDS) == 0
    assert outcomes[0] is None
    assert outcomes[1].code() == KafkaError.MSG_SIZE_TOO_LARGE
    with consuming(broker, new_name("group"), fetch_message_max_bytes=1_000) as consumer:
        # The consumer asks for less than one batch, and gets it all the same (KIP-74).
        consumer.subscribe([topic])
        assert [len(value) for value in poll_values(consumer, 1)] == [largest - 100]


def test_a_large_fetch_min_bytes_is_not_waited_for_while_there_are_records(
    broker: Broker, new_name: Callable[..., str]
) -> None:
    """As much as one fetch may bring: whole batches never fill it, and what is left over counts. A wait takes 20 s."""
    topic = new_name()
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "batch.size": 16_384})
    for _ in range(12_000):
        producer.produce(topic, bytes(1_000))
    assert producer.flush(PATIENCE_SECONDS) == 0
    with consuming(
        broker, new_name("group"), fetch_min_bytes=1 << 20, fetch_message_max_bytes=1 << 20, fetch_wait_max_ms=20_000
    ) as consumer:
        consumer.subscribe([topic])
        assert len(poll_values(consumer, 10_500)) >= 10_500


def test_a_topic_may_allow_larger_messages(broker: Broker, new_name: Callable[..., str]) -> None:
    topic = new_name()
    create_topic(broker, topic, max_message_bytes="8000000")
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 10_000_000})
    value = bytes(range(256)) * 28_000
    producer.produce(topic, value)
    assert producer.flush(PATIENCE_SECONDS) == 0
    with consuming(broker, new_name("group")) as consumer:
        consumer.subscribe([topic])
        assert poll_values(consumer, 1) == [value]


def test_static_member_comes_back_to_its_assignment_without_a_rebalance(
    broker: Broker, new_name: Callable[..., str]
) -> None:
    topic, group = new_name(), new_name("group")
    create_topic(broker, topic, 4)
    assignments: dict[str, list[list[int]]] = {"a": [], "b": []}

    def member(name: str) -> Any:
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": broker.bootstrap,
                "group.id": group,
                "group.instance.id": name,
                "session.timeout.ms": 45_000,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe(
            [topic], on_assign=lambda _, given: assignments[name].append(sorted(p.partition for p in given))
        )
        return consumer

    a, b = member("a"), member("b")

    def settled() -> bool:
        a.poll(0.05)
        b.poll(0.05)
        return sorted(itertools.chain(*(given[-1] for given in assignments.values() if given))) == [0, 1, 2, 3] and all(
            len(given[-1]) == 2 for given in assignments.values() if given
        )

    try:
        eventually(settled, "both members have two partitions")
        before = {name: given[-1] for name, given in assignments.items()}
        rebalances_of_a = len(assignments["a"])
        b.close()  # a static member does not leave the group
        b = member("b")

        def back() -> bool:
            a.poll(0.05)
            b.poll(0.05)
            return assignments["b"][-1] == before["b"] and bool(b.assignment())

        eventually(back, "the static member has its partitions back")
        assert len(assignments["a"]) == rebalances_of_a, "the other member was disturbed"
        admin = admin_client(broker)
        described = admin.describe_consumer_groups([group])[group].result(PATIENCE_SECONDS)
        assert sorted(m.group_instance_id for m in described.members) == ["a", "b"]
    finally:
        a.close()
        b.close()


class MemberProcess:
    """`group_member.py` as a process; what it printed so far in `assigned` and `values`."""

    def __init__(self, broker: Broker, group: str, topic: str, session_timeout_ms: int, output: Path) -> None:
        self._output = output
        script = Path(__file__).with_name("group_member.py")
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(script), broker.bootstrap, group, topic, str(session_timeout_ms)], stdout=file
            )

    def _events(self) -> list[dict[str, Any]]:
        # A line that a killed process did not finish says nothing.
        whole, _, _ = self._output.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def assigned(self) -> list[int]:
        return next((event["assigned"] for event in reversed(self._events()) if "assigned" in event), [])

    @property
    def values(self) -> list[str]:
        return [event["value"] for event in self._events() if "value" in event]


def test_a_killed_member_loses_its_partitions_to_the_others(
    start_broker: StartBroker, new_name: Callable[..., str], tmp_path: Path
) -> None:
    """kill -9: no LeaveGroup arrives, so the session has to run out."""
    broker = start_broker(group_min_session_timeout_ms="500")
    topic, group = new_name(), new_name("group")
    create_topic(broker, topic, 4)
    members = [MemberProcess(broker, group, topic, 2_000, tmp_path / f"member-{n}") for n in range(2)]
    try:
        eventually(lambda: [len(m.assigned) for m in members] == [2, 2], "two partitions each")
        producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
        for n in range(100):
            producer.produce(topic, f"before {n}", partition=n % 4)
        producer.flush(PATIENCE_SECONDS)
        eventually(lambda: sum(len(m.values) for m in members) == 100, "all is consumed")
        members[0].process.kill()
        members[0].process.wait(PATIENCE_SECONDS)
        for n in range(100):
            producer.produce(topic, f"after {n}", partition=n % 4)
        producer.flush(PATIENCE_SECONDS)
        eventually(lambda: members[1].assigned == [0, 1, 2, 3], "the survivor has all partitions")
        expected = {f"after {n}" for n in range(100)}
        eventually(lambda: expected <= set(members[1].values), "the survivor has read the rest")
    finally:
        for member in members:
            member.process.kill()
            member.process.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_idempotent_producer_loses_and_doubles_nothing_when_the_broker_restarts(
    start_broker: StartBroker, new_name: Callable[..., str], kill: bool
) -> None:
    """The broker goes away twice with batches in flight; a consumer group reads through it all."""
    broker = start_broker()
    topic, group = new_name(), new_name("group")
    create_topic(broker, topic, 3)
    delivered: Counter[bytes] = Counter()
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 1,
            "batch.num.messages": 20,
            "reconnect.backoff.max.ms": 200,
        }
    )

    def on_delivery(error: Any, message: Any) -> None:
        assert error is None, error
        delivered[message.value()] += 1

    def produce(start: int, count: int) -> None:
        for n in range(start, start + count):
            producer.produce(topic, str(n), partition=n % 3, on_delivery=on_delivery)
            producer.poll(0)

    def delivering(count: int) -> Callable[[], bool]:
        return lambda: producer.poll(0.01) >= 0 and len(delivered) >= count

    total = 9_000
    with consuming(broker, group, reconnect_backoff_max_ms=200) as consumer:
        consumer.subscribe([topic])
        for turn in range(2):
            produce(turn * 3_000, 3_000)
            eventually(delivering(turn * 3_000 + 500), "some of it is delivered")
            broker.stop(kill=kill)
            broker.start()
        produce(6_000, 3_000)
        assert producer.flush(PATIENCE_SECONDS) == 0
        assert set(delivered.values()) == {1}
        assert len(delivered) == total
        read: dict[int, list[int]] = {0: [], 1: [], 2: []}

        def all_read() -> bool:
            for message in consumer.consume(1_000, 0.2):
                # librdkafka reports lost connections as events; it heals them by itself.
                if message.error() is None:
                    read[message.partition()].append(int(message.value()))
            return sum(map(len, read.values())) >= total

        eventually(all_read, "everything is read")
        assert {p: values == list(range(p, total, 3)) for p, values in read.items()} == {0: True, 1: True, 2: True}
        consumer.commit(asynchronous=False)
    broker.stop(kill=kill)
    broker.start()
    with consuming(broker, group) as consumer:
        committed = consumer.committed([confluent_kafka.TopicPartition(topic, p) for p in range(3)], PATIENCE_SECONDS)
        assert [p.offset for p in committed] == [total // 3] * 3


def test_admin_client_round(broker: Broker, new_name: Callable[..., str]) -> None:
    """Topics, settings, offsets, records and groups by librdkafka's admin calls."""
    admin = admin_client(broker)
    topic, group = new_name(), new_name("group")
    create_topic(broker, topic, 2, cleanup_policy="compact,delete")
    cluster = admin.describe_cluster(include_authorized_operations=True).result(PATIENCE_SECONDS)
    assert [node.port for node in cluster.nodes] == [broker.port]
    assert cluster.authorized_operations

    described = admin.describe_topics(confluent_kafka.TopicCollection([topic]), include_authorized_operations=True)
    description = described[topic].result(PATIENCE_SECONDS)
    assert [(p.id, [node.id for node in p.isr]) for p in description.partitions] == [
        (n, [cluster.controller.id]) for n in range(2)
    ]
    admin.create_partitions([confluent_admin.NewPartitions(topic, 4)])[topic].result(PATIENCE_SECONDS)

    resource = confluent_admin.ConfigResource(confluent_admin.ResourceType.TOPIC, topic)
    settings = admin.describe_configs([resource])[resource].result(PATIENCE_SECONDS)
    assert settings["cleanup.policy"].value == "compact,delete"
    assert settings["cleanup.policy"].source == confluent_admin.ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    changed = confluent_admin.ConfigResource(
        confluent_admin.ResourceType.TOPIC,
        topic,
        incremental_configs=[
            confluent_admin.ConfigEntry(
                "cleanup.policy", "compact", incremental_operation=confluent_admin.AlterConfigOpType.SUBTRACT
            )
        ],
    )
    admin.incremental_alter_configs([changed])[changed].result(PATIENCE_SECONDS)

    def cleanup_policy() -> Any:
        return admin.describe_configs([resource])[resource].result(PATIENCE_SECONDS)["cleanup.policy"].value

    eventually(lambda: cleanup_policy() == "delete", "the change shows")
    node = confluent_admin.ConfigResource(confluent_admin.ResourceType.BROKER, str(cluster.controller.id))
    of_broker = admin.describe_configs([node])[node].result(PATIENCE_SECONDS)
    assert of_broker["advertised.listeners"].is_read_only
    assert of_broker["node.id"].value == str(cluster.controller.id)

    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    for n in range(10):
        producer.produce(topic, str(n), partition=0, timestamp=START_MS + n)
    producer.flush(PATIENCE_SECONDS)
    partition = confluent_kafka.TopicPartition(topic, 0)

    def offset(spec: Any) -> int:
        result = admin.list_offsets({partition: spec})[partition].result(PATIENCE_SECONDS)
        found: int = result.offset
        return found

    spec = confluent_admin.OffsetSpec
    assert (offset(spec.earliest()), offset(spec.latest()), offset(spec.max_timestamp())) == (0, 10, 9)
    assert offset(spec.for_timestamp(START_MS + 4)) == 4
    cut = confluent_kafka.TopicPartition(topic, 0, 3)
    assert admin.delete_records([cut])[cut].result(PATIENCE_SECONDS).low_watermark == 3
    assert offset(spec.earliest()) == 3

    with consuming(broker, group) as consumer:
        consumer.subscribe([topic])
        poll_values(consumer, 7)
        consumer.commit(asynchronous=False)
        state = admin.describe_consumer_groups([group])[group].result(PATIENCE_SECONDS).state
        assert state == confluent_kafka.ConsumerGroupState.STABLE
    listed = admin.list_consumer_groups().result(PATIENCE_SECONDS).valid
    assert group in [g.group_id for g in listed]
    asked = confluent_kafka.ConsumerGroupTopicPartitions(group, [partition])
    offsets = admin.list_consumer_group_offsets([asked])[group].result(PATIENCE_SECONDS)
    assert offsets.topic_partitions[0].offset == 10
    moved = confluent_kafka.ConsumerGroupTopicPartitions(group, [confluent_kafka.TopicPartition(topic, 0, 5)])
    admin.alter_consumer_group_offsets([moved])[group].result(PATIENCE_SECONDS)
    offsets = admin.list_consumer_group_offsets([asked])[group].result(PATIENCE_SECONDS)
    assert offsets.topic_partitions[0].offset == 5
    admin.delete_consumer_groups([group])[group].result(PATIENCE_SECONDS)
    admin.delete_topics([topic])[topic].result(PATIENCE_SECONDS)
    eventually(lambda: topic not in admin.list_topics(timeout=PATIENCE_SECONDS).topics, "the topic is gone")
