"""One Kafka in a test: what it shows, waits for and changes, met by unmodified clients."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.polled import polled
from kafkapy.testing import AsyncKafka, Kafka, KafkaNotStarted, KafkaStopped, NewRecord, NotYet
from kafkapy_wire.errors import ErrorCode, KafkaError

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")


@contextmanager
def consuming(kafka: Kafka, *topics: str, **settings: Any) -> Iterator[Any]:
    consumer = kafka_python.KafkaConsumer(
        *topics, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", **settings
    )
    try:
        yield consumer
    finally:
        consumer.close()


def test_records_are_plain_values_and_clients_read_them(kafka: Kafka) -> None:
    stored = kafka.produce(
        "orders",
        "first",
        NewRecord(key=b"k", value=None, headers=(("trace", b"1"), ("none", None)), timestamp_ms=1_000, partition=0),
    )
    assert [(each.partition, each.offset) for each in stored] == [(0, 0), (0, 1)]
    first, second = kafka.records("orders")
    assert (first.topic, first.partition, first.offset, first.key, first.value) == ("orders", 0, 0, None, b"first")
    assert (second.key, second.value, second.timestamp_ms) == (b"k", None, 1_000)
    assert second.header("trace") == b"1"
    assert second.header("none") is None
    with pytest.raises(KeyError):
        second.header("other")
    with consuming(kafka, "orders") as consumer:
        seen = polled(consumer, 2)
    assert [(each.key, each.value, each.timestamp) for each in seen[1:]] == [(b"k", None, 1_000)]
    assert list(seen[1].headers) == [("trace", b"1"), ("none", None)]


def test_keys_go_where_clients_send_them(kafka: Kafka) -> None:
    kafka.create_topic("ours", 5)
    kafka.create_topic("theirs", 5)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"}  # as Java's
    )
    for number in range(20):
        kafka.produce("ours", NewRecord(key=b"%d" % number, value=b""))
        producer.produce("theirs", key=b"%d" % number, value=b"")
    producer.flush(PATIENCE_SECONDS)
    ours = {record.key: record.partition for record in kafka.records("ours")}
    assert ours == {record.key: record.partition for record in kafka.wait_for_records("theirs", 20)}


def test_records_of_transactions_and_their_markers(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "tx"})
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    producer.produce("orders", b"aborted")
    producer.flush(PATIENCE_SECONDS)
    assert kafka.transaction("tx").state == "Ongoing"
    assert kafka.transaction("tx").partitions == (("orders", 0),)
    producer.abort_transaction(PATIENCE_SECONDS)
    assert kafka.wait_for_transaction("tx").state == "CompleteAbort"
    producer.begin_transaction()
    producer.produce("orders", b"committed")
    producer.commit_transaction(PATIENCE_SECONDS)
    kafka.wait_for_transaction("tx")
    assert [record.value for record in kafka.records("orders")] == [b"committed"]
    uncommitted = kafka.records("orders", isolation="read_uncommitted")
    assert [record.value for record in uncommitted] == [b"aborted", b"committed"]
    assert all(record.is_transactional for record in uncommitted)
    everything = kafka.records("orders", isolation="read_uncommitted", control=True)
    assert [record.control for record in everything] == [None, "ABORT", None, "COMMIT"]
    assert [each.transactional_id for each in kafka.transactions()] == ["tx"]


def test_a_group_and_its_lag(kafka: Kafka) -> None:
    kafka.create_topic("orders", 2)
    kafka.produce("orders", "a", "b", "c")
    with consuming(kafka, "orders", group_id="g", client_id="reader", enable_auto_commit=False) as consumer:
        assert len(polled(consumer, 3)) == 3
        group = kafka.wait_for_group("g", members=1)
        assert (group.group_type, group.protocol, group.coordinator) == ("classic", "range", 1)
        assert [each.client_id for each in group.members] == ["reader"]
        assert set(group.members[0].partitions) == {("orders", 0), ("orders", 1)}
        assert group.total_lag == 3
        with pytest.raises(NotYet, match=r"waited 0.05 s for group 'g' with a lag of at most 0; now .* lag of 3"):
            kafka.wait_for_lag("g", timeout=0.05)
        consumer.commit()
        assert kafka.wait_for_lag("g").offsets == {("orders", 0): 2, ("orders", 1): 1}
        assert {each.client_id for each in kafka.connections()} == {"reader"}
        kafka.wait_for_client("reader")
        with pytest.raises(KafkaError) as refused:
            kafka.delete_group("g")
        assert refused.value.code is ErrorCode.NON_EMPTY_GROUP
    kafka.wait_for_client("reader", connected=False)
    kafka.wait_for_group("g", members=0)
    kafka.delete_group("g")
    assert kafka.groups() == []


def test_partitions_of_which_nothing_is_committed_lag_also_when_the_members_are_gone(kafka: Kafka) -> None:
    kafka.create_topic("orders", 2)
    kafka.produce("orders", "a", "b")
    with consuming(kafka, "orders", group_id="g", enable_auto_commit=False) as consumer:
        assert len(polled(consumer, 2)) == 2
        partition = kafka_python.TopicPartition("orders", 0)
        offset = kafka_python.OffsetAndMetadata
        consumer.commit({partition: offset(1, "", -1)})
        assert kafka.group("g").total_lag == 1
    assert kafka.wait_for_group("g", members=0).lag == {("orders", 0): 0, ("orders", 1): 1}
    with pytest.raises(NotYet, match=r"orders-0: 0, orders-1: 1 \(nothing is committed\)"):
        kafka.wait_for_lag("g", timeout=0.05)
    kafka.commit_offsets("by hand", {("orders", 0): 1})  # no member subscribes to more
    assert kafka.wait_for_lag("by hand").lag == {("orders", 0): 0}


def test_a_group_of_the_new_protocol_and_its_lag(kafka: Kafka) -> None:
    """KIP-848: the broker assigns, and the group has an assignor in place of a protocol."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    kafka.create_topic("orders", 2)
    kafka.produce("orders", "a", "b", "c")
    settings = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "g", "group.protocol": "consumer"}
    consumer = confluent_kafka.Consumer({**settings, "client.id": "reader", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe(["orders"])
        assert len(consumer.consume(3, timeout=20)) == 3
        group = kafka.wait_for_group("g", members=1)
        assert (group.group_type, group.protocol, group.state) == ("consumer", "uniform", "Stable")
        assert [each.client_id for each in group.members] == ["reader"]
        assert set(group.members[0].partitions) == {("orders", 0), ("orders", 1)}
        consumer.commit(asynchronous=False)
        assert kafka.wait_for_lag("g").total_lag == 0
    finally:
        consumer.close()
    assert kafka.wait_for_group("g", members=0).state == "Empty"


def test_a_group_goes_on_from_offsets_that_the_test_has_committed(kafka: Kafka) -> None:
    kafka.produce("orders", "a", "b", "c")
    kafka.commit_offsets("g", {("orders", 0): 2})
    with consuming(kafka, "orders", group_id="g") as consumer:
        assert [each.value for each in polled(consumer, 1)] == [b"c"]


def test_looking_at_what_is_not_there_makes_nothing(kafka: Kafka) -> None:
    for look in (lambda: kafka.group("g"), lambda: kafka.topic("t"), lambda: kafka.records("t")):
        with pytest.raises(LookupError):
            look()
    with pytest.raises(LookupError):
        kafka.transaction("tx")
    with pytest.raises(NotYet, match="there is no topic 't'"):
        kafka.wait_for_topic("t", timeout=0.02)
    with pytest.raises(NotYet, match="now there is no topic 't'"):
        kafka.wait_for_records("t", timeout=0.02)
    assert kafka.wait_for_records("t", 0) == []
    assert kafka.topics() == kafka.groups() == []
    assert kafka.transactions() == []
    with consuming(kafka) as consumer:
        assert consumer.topics() == set()


def test_a_wait_ends_when_what_it_waits_for_comes(kafka: Kafka) -> None:
    timer = threading.Timer(0.05, lambda: kafka.produce("later", "x"))
    timer.start()
    assert [each.value for each in kafka.wait_for_records("later", timeout=PATIENCE_SECONDS)] == [b"x"]
    timer.join()


def test_a_member_that_is_silent_for_its_session_is_out_when_time_has_moved(kafka: Kafka) -> None:
    kafka.produce("orders", "x")
    with consuming(kafka, "orders", group_id="g", session_timeout_ms=45_000) as consumer:
        polled(consumer, 1)
        kafka.wait_for_group("g", members=1)
        kafka.clock.freeze()
        kafka.clock.advance(60)
        kafka.wait_for_group("g", members=0)
        kafka.clock.release()


def test_a_transaction_that_takes_too_long_is_aborted_when_time_has_moved(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "tx", "transaction.timeout.ms": 60_000}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    producer.produce("orders", b"late")
    producer.flush(PATIENCE_SECONDS)
    kafka.clock.advance(90)
    assert kafka.wait_for_transaction("tx").state == "CompleteAbort"
    with pytest.raises(confluent_kafka.KafkaException):
        producer.commit_transaction(PATIENCE_SECONDS)
    assert kafka.records("orders") == []


def test_records_of_1970_stay_until_the_test_has_moved_time_by_their_retention(kafka: Kafka) -> None:
    """By timestamps they would be gone with the first check of retention, half a minute after the start."""
    kafka.clock.freeze()
    for topic, minutes in (("orders", 24 * 60), ("short", 5)):
        kafka.create_topic(topic, 1, settings={"retention.ms": minutes * 60_000})

    def store(topic: str) -> None:
        kafka.produce(topic, NewRecord(value=b"of 1970", timestamp_ms=0))

    def advance_until_there_is_none(topic: str) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while kafka.records(topic) and time.monotonic() < until:
            kafka.clock.advance(400)
        assert kafka.records(topic) == []

    store("orders")
    for _ in range(2):  # when the second round is over, so is the first one for every topic
        store("short")
        advance_until_there_is_none("short")
    assert [each.value for each in kafka.records("orders")] == [b"of 1970"]
    kafka.clock.advance(24 * 3_600)
    advance_until_there_is_none("orders")


def test_retention_goes_by_timestamps_where_a_test_says_so() -> None:
    settings = {"kafkapy.retention.from.last.write": False, "log.retention.check.interval.ms": 1_000}
    with Kafka(topics={"orders": 1}, settings=settings) as kafka:
        kafka.produce("orders", NewRecord(value=b"of 1970", timestamp_ms=0))
        until = time.monotonic() + PATIENCE_SECONDS
        while kafka.records("orders") and time.monotonic() < until:
            kafka.clock.advance(31)
        assert kafka.records("orders") == []


def test_a_fetch_that_waits_is_answered_when_time_has_moved(kafka: Kafka) -> None:
    kafka.create_topic("orders", 1)
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "g",
            "client.id": "waiting",
            "fetch.wait.max.ms": 290_000,
            "fetch.min.bytes": 100_000,
            "socket.timeout.ms": 300_000,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe(["orders"])
        until = time.monotonic() + PATIENCE_SECONDS
        while not consumer.assignment() and time.monotonic() < until:
            consumer.poll(0.1)
        kafka.produce("orders", "small")  # less than the fetch wants
        kafka.wait_for_lag("g", lag=1)
        message = None
        while message is None and time.monotonic() < until:
            message = consumer.poll(0.2)
            kafka.clock.advance(290)
        assert message is not None
        assert message.value() == b"small"
    finally:
        consumer.close()


def test_jump_goes_from_timer_to_timer(kafka: Kafka) -> None:
    before = kafka.clock.freeze()
    assert before.next_timer_ms is not None
    assert kafka.clock.jump().now_ms == before.now_ms + before.next_timer_ms
    with pytest.raises(ValueError, match="time does not go back"):
        kafka.clock.advance(-1)


def test_reset_keeps_connections_and_forgets_everything_else(kafka: Kafka) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap_servers, "client.id": "stays"})
    producer.produce("orders", b"before")
    producer.flush(PATIENCE_SECONDS)
    kafka.commit_offsets("g", {("orders", 0): 1})
    kafka.clock.advance(86_400)
    addresses = {each.address for each in kafka.connections() if each.client_id == "stays"}
    kafka.reset()
    assert kafka.topics() == kafka.groups() == []
    assert abs(kafka.clock.read().now_ms - time.time_ns() // 1_000_000) < 60_000
    assert addresses <= {each.address for each in kafka.connections()}
    producer.produce("orders", b"after")
    producer.flush(PATIENCE_SECONDS)
    assert [each.value for each in kafka.wait_for_records("orders")] == [b"after"]


def test_reset_brings_back_the_topics_of_the_start() -> None:
    with Kafka(topics={"orders": 3, "payments": {"partitions": 2, "settings": {"cleanup.policy": "compact"}}}) as kafka:
        kafka.produce("orders", "a")
        kafka.create_topic("other")
        kafka.reset()
        assert kafka.topics() == ["orders", "payments"]
        assert len(kafka.topic("orders").partitions) == 3
        assert kafka.records("orders") == []


def test_what_is_wrong_is_said_with_what_was_meant(kafka: Kafka) -> None:
    kafka.create_topic("orders")
    with pytest.raises(LookupError, match=r"there is no topic 'oders' \(did you mean 'orders'\?\)"):
        kafka.records("oders")
    with pytest.raises(TypeError, match="is text, bytes or a NewRecord"):
        kafka.produce("orders", {"item": "tea"})  # type: ignore[arg-type]
    with pytest.raises(NotYet, match="for 1 of Produce with topic='orders'; there are 0"):
        kafka.wait_for_requests("Produce", topic="orders", timeout=0)


def test_a_snapshot_is_gone_back_to(kafka: Kafka) -> None:
    kafka.create_topic("orders", 2, settings={"retention.ms": 5_000_000})
    kafka.produce("orders", "a", "b")
    kafka.commit_offsets("g", {("orders", 0): 1})
    kafka.take_snapshot("seeded")
    before = kafka.records("orders"), kafka.group("g"), kafka.topic("orders")
    kafka.produce("orders", "c")
    kafka.delete_group("g")
    kafka.create_topic("other")
    kafka.restore_snapshot("seeded")
    assert kafka.topics() == ["orders"]
    assert kafka.records("orders") == before[0]
    assert kafka.group("g") == before[1]
    assert kafka.topic("orders").settings == before[2].settings == {"retention.ms": "5000000"}
    with consuming(kafka, "orders", group_id="g") as consumer:
        assert len(polled(consumer, 1)) == 1
    assert kafka.snapshots() == ["seeded"]
    with pytest.raises(LookupError, match="there is no snapshot 'seded'; there are: seeded"):
        kafka.restore_snapshot("seded")
    with pytest.raises(ValueError, match="no name for a snapshot"):
        kafka.take_snapshot("../elsewhere")


def test_values_that_cannot_be_are_refused(kafka: Kafka) -> None:
    kafka.produce("orders", "a")
    with pytest.raises(ValueError, match="isolation: it is one of read_committed, read_uncommitted"):
        kafka.records("orders", isolation="committed")  # type: ignore[arg-type]
    for seconds in (1e300, 1e15):
        with pytest.raises(ValueError, match="the year 9999"):
            kafka.clock.advance(seconds)
    before = kafka.clock.read().now_ms
    assert kafka.clock.advance(100 * 365 * 86_400).now_ms >= before + 100 * 365 * 86_400_000


def test_connections_can_be_closed(kafka: Kafka) -> None:
    kafka.produce("orders", "a")
    with consuming(kafka, "orders", client_id="victim") as consumer:
        polled(consumer, 1)
        before = {each.address for each in kafka.wait_for_client("victim")}
        assert kafka.close_connections("victim") == len(before)
        kafka.produce("orders", "b")
        assert len(polled(consumer, 1)) == 1
        assert not before & {each.address for each in kafka.connections()}


def test_configurations_are_in_the_words_of_each_library(kafka: Kafka) -> None:
    servers = kafka.bootstrap_servers
    for library in ("confluent_kafka", "librdkafka", "java"):
        assert kafka.config_for(library) == {"bootstrap.servers": servers}
    assert kafka.config_for("kafka-python") == {"bootstrap_servers": [servers]}
    assert kafka.config_for("aiokafka") == {"bootstrap_servers": servers}
    with pytest.raises(ValueError, match="there is no configuration for 'kafka-rust'"):
        kafka.config_for("kafka-rust")


def test_what_cannot_start_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KafkaNotStarted, match=str(port)), Kafka(host="127.0.0.1", port=port):
            pass
    with pytest.raises(KafkaNotStarted, match=r"log\.retention\.ms"), Kafka(settings={"log.retention.ms": "soon"}):
        pass


def test_it_is_asked_within_its_block_only() -> None:
    kafka = Kafka()
    with pytest.raises(RuntimeError, match="within its `with` block"):
        kafka.topics()
    with kafka:
        assert kafka.topics() == []
        run = kafka._run
    with pytest.raises(KafkaStopped):
        run.submit("topics")


def test_a_process_of_its_own_is_the_same_to_the_caller() -> None:
    with Kafka(isolation="process", topics={"orders": 2}) as kafka:
        kafka.produce("orders", "a")
        assert [each.value for each in kafka.wait_for_records("orders")] == [b"a"]
        with pytest.raises(LookupError, match="there is no topic 'other'"):
            kafka.topic("other")
        with pytest.raises(KafkaError) as refused:
            kafka.create_topic("orders")
        assert refused.value.code is ErrorCode.TOPIC_ALREADY_EXISTS
        with pytest.raises(NotYet):
            kafka.wait_for_records("orders", 2, timeout=0.02)
        kafka.clock.advance(10)
        assert any("orders" in line for line in kafka.log)
        with consuming(kafka, "orders") as consumer:
            assert len(polled(consumer, 1)) == 1
    with pytest.raises(KafkaNotStarted, match=r"log\.retention\.ms"):
        Kafka(isolation="process", settings={"log.retention.ms": "soon"}).__enter__()


def test_logs_of_two_in_one_process_are_apart(kafka: Kafka) -> None:
    with Kafka(topics={"elsewhere": 1}) as other:
        kafka.create_topic("here")
        assert any("elsewhere" in line for line in other.log)
        assert not any("elsewhere" in line for line in kafka.log)
        assert not any("here," in line.split("topic ")[-1][:5] for line in other.log)


@pytest.mark.parametrize("run", [trio.run, lambda main: asyncio.run(main())], ids=["trio", "asyncio"])
def test_the_awaited_one_has_the_same_names(run: Any) -> None:
    async def main() -> None:
        async with AsyncKafka(topics={"orders": 1}) as kafka:
            await kafka.produce("orders", "a")
            assert [each.value for each in await kafka.wait_for_records("orders")] == [b"a"]
            assert (await kafka.clock.advance(1)).is_frozen is False
            with pytest.raises(LookupError):
                await kafka.topic("other")

    run(main)


def test_the_awaited_one_has_every_name_of_the_other() -> None:
    def names(face: type) -> dict[str, list[str]]:
        found = inspect.getmembers(face, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in found if not name.startswith("_")}

    assert names(Kafka) == names(AsyncKafka)


def test_a_wait_that_is_cancelled_leaves_nothing_behind(kafka: Kafka) -> None:
    async def main() -> None:
        face = AsyncKafka.of(kafka)
        with trio.move_on_after(0.05):
            await face.wait_for_records("never", timeout=PATIENCE_SECONDS)
        assert await face.topics() == []

    trio.run(main)


def test_clients_of_a_stopped_one_are_told() -> None:
    with Kafka(topics={"orders": 1}) as kafka:
        consumer = kafka_python.KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
        assert consumer.topics() == {"orders"}
    try:
        with pytest.raises(kafka_python.errors.KafkaError):
            kafka_python.KafkaConsumer(bootstrap_servers=kafka_address(consumer), api_version_auto_timeout_ms=500)
    finally:
        consumer.close()


def kafka_address(consumer: Any) -> Any:
    return consumer.config["bootstrap_servers"]
