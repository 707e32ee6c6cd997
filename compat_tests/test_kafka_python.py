"""kafka-python: producing with every codec, groups, seeking, and the whole admin client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from compat_tests.broker import Broker
from compat_tests.client_scenarios import START_MS
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.polled import polled

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
kafka_errors = pytest.importorskip("kafka.errors")

TopicPartition = kafka.TopicPartition


@pytest.fixture
def admin(broker: Broker) -> Iterator[Any]:
    with closing(kafka_admin.KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as client:
        yield client


@pytest.fixture
def producer(broker: Broker) -> Iterator[Any]:
    with closing(kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")) as client:
        yield client


def consumer(broker: Broker, *topics: str, **settings: Any) -> Any:
    defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    return closing(kafka.KafkaConsumer(*topics, bootstrap_servers=broker.bootstrap, **(defaults | settings)))


def consume(client: Any, count: int) -> list[Any]:
    """The next `count` records, in the order they came."""
    records = polled(client, count)
    assert len(records) == count
    return records


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read_back_from_the_beginning(
    broker: Broker, new_name: Callable[..., str], codec: str | None
) -> None:
    topic = new_name()
    values = [f"{codec} {n} ".encode() * 20 for n in range(300)]
    with closing(
        kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, compression_type=codec, linger_ms=20)
    ) as producer:
        sent = [producer.send(topic, value) for value in values]
        producer.flush(timeout=PATIENCE_SECONDS)
        assert [future.get(0).offset for future in sent] == list(range(300))
    with consumer(broker, topic) as client:
        assert [record.value for record in consume(client, 300)] == values


def test_headers_tombstones_and_unicode_survive(broker: Broker, producer: Any, new_name: Callable[..., str]) -> None:
    topic = new_name()
    key, value = "clé-日本語-🔑".encode(), "значение-🎁".encode()
    headers = [("trace-é", b"\x00\xff"), ("empty", b""), ("trace-é", b"again")]
    producer.send(topic, key=key, value=value, headers=headers, timestamp_ms=START_MS + 123).get(PATIENCE_SECONDS)
    producer.send(topic, key=key, value=None).get(PATIENCE_SECONDS)
    producer.send(topic, key=None, value=b"").get(PATIENCE_SECONDS)
    with consumer(broker, topic) as client:
        first, tombstone, empty = consume(client, 3)
    assert (first.key, first.value, first.timestamp) == (key, value, START_MS + 123)
    assert list(first.headers) == headers
    assert (tombstone.key, tombstone.value) == (key, None)
    assert (empty.key, empty.value) == (None, b"")


def test_group_resumes_where_it_committed(broker: Broker, producer: Any, new_name: Callable[..., str]) -> None:
    topic, group = new_name(), new_name("group")
    for n in range(10):
        producer.send(topic, str(n).encode())
    producer.flush(timeout=PATIENCE_SECONDS)
    with consumer(broker, topic, group_id=group, max_poll_records=4) as client:
        read = consume(client, 4)
        client.commit()
        assert client.committed(TopicPartition(topic, 0)) == 4
    with consumer(broker, topic, group_id=group) as client:
        resumed = consume(client, 6)
    assert [int(record.value) for record in [*read, *resumed]] == list(range(10))


def test_seek_by_time(broker: Broker, producer: Any, new_name: Callable[..., str]) -> None:
    topic = new_name()
    partition = TopicPartition(topic, 0)
    base_ms = START_MS
    for n in range(20):
        producer.send(topic, str(n).encode(), partition=0, timestamp_ms=base_ms + 1_000 * n)
    producer.flush(timeout=PATIENCE_SECONDS)
    with consumer(broker) as client:
        client.assign([partition])
        found = client.offsets_for_times({partition: base_ms + 6_500})[partition]
        assert (found.offset, found.timestamp) == (7, base_ms + 7_000)
        client.seek(partition, found.offset)
        assert [int(record.value) for record in consume(client, 13)] == list(range(7, 20))
        assert client.offsets_for_times({partition: base_ms + 60_000})[partition] is None
        assert client.beginning_offsets([partition]) == {partition: 0}
        assert client.end_offsets([partition]) == {partition: 20}


def test_admin_describes_the_cluster(broker: Broker, admin: Any) -> None:
    cluster = admin.describe_cluster()
    host, port = broker.bootstrap.split(":")
    assert len(cluster["cluster_id"]) == 22
    assert [node["port"] for node in cluster["brokers"]] == [int(port)]
    assert cluster["brokers"][0]["host"] in {host, "localhost"}
    assert cluster["controller_id"] == cluster["brokers"][0]["broker_id"]
    assert "IDEMPOTENT_WRITE" in cluster["authorized_operations"]
    features = admin.describe_features()
    assert features["metadata.version"]["finalized"] == features["metadata.version"]["supported"][1:] * 2


def test_admin_creates_grows_describes_and_deletes_topics(admin: Any, new_name: Callable[..., str]) -> None:
    topic = new_name()
    created = admin.create_topics({topic: {"num_partitions": 3, "configs": {"retention.ms": "60000"}}})
    answered = created["topics"][0]
    assert (answered["num_partitions"], answered["replication_factor"]) == (3, 1)
    assert answered["configs"]["retention.ms"]["value"] == "60000"
    with pytest.raises(kafka_errors.TopicAlreadyExistsError):
        admin.create_topics([topic])
    with pytest.raises(kafka_errors.InvalidTopicError):
        admin.create_topics(["not a topic"])
    with pytest.raises(kafka_errors.InvalidReplicationFactorError):
        admin.create_topics({new_name(): {"num_partitions": 1, "replication_factor": 3}})
    admin.create_topics({new_name("planned"): {"num_partitions": 1}}, validate_only=True)

    admin.create_partitions({topic: 5})
    with pytest.raises(kafka_errors.InvalidPartitionsError):
        admin.create_partitions({topic: 2})
    (described,) = admin.describe_topics([topic])
    assert [p["partition_index"] for p in sorted(described["partitions"], key=lambda p: p["partition_index"])] == [
        *range(5)
    ]
    assert all(p["isr_nodes"] == [p["leader_id"]] for p in described["partitions"])
    page = admin.describe_topic_partitions([topic], response_partition_limit=2)
    assert [p["partition_index"] for p in page["topics"][0]["partitions"]] == [0, 1]
    assert page["next_cursor"]["partition_index"] == 2

    admin.delete_topics([topic])
    eventually(lambda: topic not in admin.list_topics(), "the deleted topic is not listed")
    with pytest.raises(kafka_errors.UnknownTopicOrPartitionError):
        admin.delete_topics([topic])


def test_admin_changes_and_resets_settings(admin: Any, new_name: Callable[..., str]) -> None:
    topic = new_name()
    admin.create_topics([topic])
    resource = kafka_admin.ConfigResource("TOPIC", topic)

    def modified() -> dict[str, str]:
        described = admin.describe_configs([resource])["topic"].get(topic, {})
        return {
            name: entry["value"]
            for name, entry in described.items()
            if entry["config_source"] == "DYNAMIC_TOPIC_CONFIG"
        }

    change = {"retention.ms": "1234567", "cleanup.policy": "compact"}
    assert admin.alter_configs([kafka_admin.ConfigResource("TOPIC", topic, change)]) == {"topic": {topic: "OK"}}
    # Apache Kafka's broker shows a change a moment after its controller has confirmed it.
    eventually(lambda: modified() == change, "the change shows")
    appended = {"cleanup.policy": ("APPEND", "delete")}
    admin.alter_configs([kafka_admin.ConfigResource("TOPIC", topic, appended)])
    eventually(lambda: modified()["cleanup.policy"] == "compact,delete", "what was appended shows")
    admin.reset_configs([kafka_admin.ConfigResource("TOPIC", topic, {"cleanup.policy": None})])
    eventually(lambda: modified() == {"retention.ms": "1234567"}, "the reset shows")
    everything = admin.describe_configs([resource], config_filter="all", include_synonyms=True)["topic"][topic]
    assert everything["retention.bytes"]["config_source"] == "DEFAULT_CONFIG"
    assert everything["retention.bytes"]["value"] == "-1"
    bad = kafka_admin.ConfigResource("TOPIC", topic, {"retention.ms": "soon"})
    assert "InvalidConfig" in str(admin.alter_configs([bad])["topic"][topic])
    assert topic in admin.list_config_resources(["TOPIC"])["topic"]


def test_admin_deletes_records_and_lists_offsets(
    broker: Broker, admin: Any, producer: Any, new_name: Callable[..., str]
) -> None:
    topic = new_name()
    partition = TopicPartition(topic, 0)
    for n in range(10):
        producer.send(topic, str(n).encode(), partition=0, timestamp_ms=START_MS + (n * 7) % 10)
    producer.flush(timeout=PATIENCE_SECONDS)
    assert admin.delete_records({partition: 4})[partition]["low_watermark"] == 4

    def offset(spec: Any) -> int:
        answer: int = admin.list_partition_offsets({partition: spec})[partition].offset
        return answer

    assert offset(kafka_admin.OffsetSpec.EARLIEST) == 4
    assert offset(kafka_admin.OffsetSpec.LATEST) == 10
    assert offset(kafka_admin.OffsetSpec.MAX_TIMESTAMP) == 7  # 7 * 7 = 49: the only timestamp that ends in 9
    with consumer(broker, topic) as client:
        assert [int(record.value) for record in consume(client, 6)] == list(range(4, 10))


def test_admin_manages_groups_and_their_offsets(
    broker: Broker, admin: Any, producer: Any, new_name: Callable[..., str]
) -> None:
    topic, group = new_name(), new_name("group")
    partition = TopicPartition(topic, 0)
    for n in range(5):
        producer.send(topic, str(n).encode(), partition=0)
    producer.flush(timeout=PATIENCE_SECONDS)
    with consumer(broker, topic, group_id=group) as client:
        consume(client, 5)
        client.commit()
        described = admin.describe_groups([group])[group]
        assert described["group_state"] == "Stable"
        (member,) = described["members"]
        assert member["member_assignment"]["assigned_partitions"] == [{"topic": topic, "partitions": [0]}]
        with pytest.raises(kafka_errors.NonEmptyGroupError):
            raise_for(admin.delete_groups([group])[group])
    assert {"group_id": group, "protocol_type": "consumer", "group_state": "Empty", "group_type": "classic"} in (
        admin.list_groups()
    )
    assert admin.list_group_offsets({group: None})[group][partition].offset == 5
    admin.alter_group_offsets(group, {partition: kafka.OffsetAndMetadata(2, "again", -1)})
    altered = admin.list_group_offsets({group: [partition]})[group][partition]
    assert (altered.offset, altered.metadata) == (2, "again")
    admin.reset_group_offsets(group, {partition: kafka_admin.OffsetSpec.EARLIEST})
    assert admin.list_group_offsets({group: [partition]})[group][partition].offset == 0
    assert admin.delete_group_offsets(group, [partition])[partition] is kafka_errors.NoError
    assert admin.list_group_offsets({group: None})[group] == {}
    admin.delete_groups([group])
    assert group not in [listed["group_id"] for listed in admin.list_groups()]


def raise_for(outcome: Any) -> None:
    """kafka-python reports a refused deletion as the error's class, its text, or an instance, release by release."""
    if isinstance(outcome, str) and outcome != "OK":
        outcome = getattr(kafka_errors, outcome.split("(")[0].split(":")[0].strip("<>' "))
    if isinstance(outcome, BaseException) or (isinstance(outcome, type) and issubclass(outcome, BaseException)):
        raise outcome


def test_two_thousand_topics(broker: Broker, admin: Any, producer: Any, new_name: Callable[..., str]) -> None:
    """Two thousand topics are created, listed, some written and read, and deleted again."""
    prefix = new_name("many")
    names = [f"{prefix}-{n:04}" for n in range(2_000)]
    for start in range(0, 2_000, 500):
        admin.create_topics({name: {"num_partitions": 1} for name in names[start : start + 500]}, timeout_ms=60_000)
    # Apache Kafka answers before its broker has replayed the new topics, so both are given time here.
    eventually(lambda: set(names) <= set(admin.list_topics()), "all topics are listed")
    written = names[::100]
    for name in written:
        producer.send(name, name.encode())
    producer.flush(timeout=PATIENCE_SECONDS)
    with consumer(broker, *written) as client:
        assert sorted(record.value.decode() for record in consume(client, len(written))) == written
    for start in range(0, 2_000, 500):
        admin.delete_topics(names[start : start + 500], timeout_ms=60_000)
    eventually(lambda: not set(names) & set(admin.list_topics()), "no topic is listed")
