"""Unmodified clients of Python meet faults: what may be tried again is, nothing is lost, and nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.faults.node_in_thread import NodeInThread

aiokafka = pytest.importorskip("aiokafka")
confluent_kafka = pytest.importorskip("confluent_kafka")
kafka = pytest.importorskip("kafka")

SENT = [f"{number}".encode() for number in range(5)]
PATIENCE_MS = 90_000
Rule = dict[str, object]


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeInThread]:
    settings = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}
    with NodeInThread(tmp_path_factory.mktemp("node"), settings) as node:
        yield node


@pytest.fixture
def node(shared_node: NodeInThread) -> Iterator[NodeInThread]:
    yield shared_node
    shared_node.clear()


_numbers = count()


@pytest.fixture
def topic(node: NodeInThread) -> str:
    name = f"topic-{next(_numbers)}"
    node.create_topic(name)
    return name


# -- producers: each sends one record after the other, waits for it, and raises what it is told


def send_by_confluent_kafka(bootstrap: str, topic: str, values: list[bytes]) -> None:
    failures: list[Any] = []
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 0,
            "retry.backoff.ms": 10,
            "retry.backoff.max.ms": 50,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "topic.metadata.refresh.fast.interval.ms": 20,
            "message.timeout.ms": PATIENCE_MS,
        }
    )
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=lambda error, _: failures.append(error))
        assert producer.flush(PATIENCE_MS / 1_000) == 0
    for error in failures:
        if error is not None:
            raise confluent_kafka.KafkaException(error)


def send_by_kafka_python(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        retry_backoff_ms=10,
        reconnect_backoff_ms=10,
        reconnect_backoff_max_ms=50,
        delivery_timeout_ms=PATIENCE_MS,
        request_timeout_ms=PATIENCE_MS // 2,
    )
    try:
        for value in values:
            producer.send(topic, value, partition=0).get(timeout=PATIENCE_MS / 1_000)
    finally:
        producer.close()


def send_by_aiokafka(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async def run() -> None:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, retry_backoff_ms=10, request_timeout_ms=PATIENCE_MS
        )
        await producer.start()
        try:
            for value in values:
                await producer.send_and_wait(topic, value, partition=0)
        finally:
            await producer.stop()

    asyncio.run(run())


Send = Callable[[str, str, list[bytes]], None]
PRODUCERS = [send_by_confluent_kafka, send_by_kafka_python, send_by_aiokafka]


@pytest.fixture(params=PRODUCERS, ids=[each.__name__[8:] for each in PRODUCERS])
def send(request: pytest.FixtureRequest) -> Send:
    return request.param  # type: ignore[no-any-return]


PASSING: dict[str, list[Rule]] = {
    "refused": [
        {"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2},
        {"api": "Produce", "error": "KAFKA_STORAGE_ERROR", "nth": 2},
        {"api": "Produce", "error": "REQUEST_TIMED_OUT", "probability": 0.3, "seed": 3, "times": 2},
        {"api": "Metadata", "error": "LEADER_NOT_AVAILABLE", "at": "topic", "times": 2},
        {"api": "InitProducerId", "error": "COORDINATOR_LOAD_IN_PROGRESS", "times": 1},
    ],
    "done, and an error": [
        {"api": "Produce", "error": "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "applied": True, "times": 1}
    ],
    "requests lost": [
        {"api": "Produce", "disconnect": "before", "nth": 2},
        {"api": "Produce", "reset_peer": "before", "nth": 3},
        {"api": "Produce", "black_hole": "before", "timeout_ms": 20, "nth": 3},
    ],
    "answers lost": [
        {"api": "Produce", "disconnect": "after", "nth": 2},
        {"api": "Produce", "reset_peer": "after", "nth": 4, "slow_close_ms": 20},
        {"api": "Produce", "black_hole": "after", "timeout_ms": 20, "nth": 6},
        {"api": "InitProducerId", "disconnect": "after", "times": 1},
    ],
    "half answers": [
        {"api": "Produce", "disconnect": "middle", "nth": 2},
        {"api": "Metadata", "reset_peer": "middle", "nth": 2},
        {"api": "Produce", "limit_data_bytes": 80, "nth": 4},
    ],
    "late": [
        {"api": "Produce", "delay_ms": 10, "jitter_ms": 10, "every": 2},
        {"api": "Produce", "answer_delay_ms": 10, "times": 2},
        {"api": "Produce", "throttle_time_ms": 10, "times": 1},
        {"api": "Metadata", "edit": {"throttleTimeMs": 5}},
    ],
    "slow": [
        {"latency_ms": 5, "jitter_ms": 5, "slicer_bytes": 20, "slicer_variation_bytes": 10},
        {"bandwidth_bytes_per_second": 50_000},
    ],
    "slow uploads": [{"upload_bytes_per_second": 20_000}],
}


@pytest.mark.parametrize("rules", PASSING.values(), ids=PASSING)
def test_what_passes_costs_no_record_and_makes_none_twice(
    rules: list[Rule], send: Send, node: NodeInThread, topic: str
) -> None:
    faults = node.add(*rules)
    send(node.bootstrap, topic, SENT)
    assert [fault.rule for fault in faults if not fault.fired] == []
    node.clear()
    assert node.values(topic) == SENT


@pytest.mark.parametrize("error", ["MESSAGE_TOO_LARGE", "TOPIC_AUTHORIZATION_FAILED", "INVALID_RECORD"])
def test_what_does_not_pass_is_told_and_not_done(error: str, send: Send, node: NodeInThread, topic: str) -> None:
    (fault,) = node.add({"api": "Produce", "topic": topic, "error": error})
    with pytest.raises((confluent_kafka.KafkaException, kafka.errors.KafkaError, aiokafka.errors.KafkaError)):
        send(node.bootstrap, topic, SENT[:1])
    assert fault.fired == 1
    node.clear()
    assert node.values(topic) == []


def test_an_answer_that_lies_loses_a_record(send: Send, node: NodeInThread, topic: str) -> None:
    """What a checker of clients has to find."""
    (fault,) = node.add({"api": "Produce", "topic": topic, "error": "NONE", "nth": 5})
    send(node.bootstrap, topic, SENT)
    assert fault.fired == 1
    assert node.values(topic) == SENT[:4]


# -- consumers: each reads so many records of a group, commits, and closes


def patiently() -> Iterator[None]:
    """Polls until a consumer has what it wants; one that has not fails for that, not when it commits nothing."""
    until = time.monotonic() + PATIENCE_MS / 1_000
    while time.monotonic() < until:
        yield
    raise AssertionError(f"the records were not read within {PATIENCE_MS} ms")


def read_by_confluent_kafka(bootstrap: str, topic: str, group: str, wanted: int) -> list[bytes]:
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "check.crcs": True,
            "retry.backoff.ms": 10,
            "fetch.error.backoff.ms": 10,
            "fetch.wait.max.ms": 50,
            "heartbeat.interval.ms": 50,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
        }
    )
    values: list[bytes] = []
    try:
        consumer.subscribe([topic])
        for _ in patiently():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                values.append(message.value())
            if len(values) >= wanted:
                break
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return values


def read_by_kafka_python(bootstrap: str, topic: str, group: str, wanted: int) -> list[bytes]:
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        retry_backoff_ms=10,
        fetch_max_wait_ms=50,
        heartbeat_interval_ms=50,
        reconnect_backoff_ms=10,
        reconnect_backoff_max_ms=50,
    )
    values: list[bytes] = []
    try:
        for _ in patiently():
            # Release 3.0.12 forgets that the metadata has changed when a poll ends while it joins again for that.
            for records in consumer.poll(PATIENCE_MS).values():
                values += [record.value for record in records]
            if len(values) >= wanted:
                break
        consumer.commit()
    finally:
        consumer.close()
    return values


def read_by_aiokafka(bootstrap: str, topic: str, group: str, wanted: int) -> list[bytes]:
    async def run() -> list[bytes]:
        consumer = aiokafka.AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            retry_backoff_ms=10,
            fetch_max_wait_ms=50,
            heartbeat_interval_ms=50,
        )
        await consumer.start()
        values: list[bytes] = []
        try:
            for _ in patiently():
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    values += [record.value for record in records]
                if len(values) >= wanted:
                    break
            await consumer.commit()
        finally:
            await consumer.stop()
        return values

    return asyncio.run(run())


Read = Callable[[str, str, str, int], list[bytes]]
CONSUMERS = [read_by_confluent_kafka, read_by_kafka_python, read_by_aiokafka]


@pytest.fixture(params=CONSUMERS, ids=[each.__name__[8:] for each in CONSUMERS])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param  # type: ignore[no-any-return]


ALL_THE_SAME: dict[str, list[Rule]] = {
    "fetches": [
        {"api": "Fetch", "error": "NOT_LEADER_OR_FOLLOWER", "partition": 0, "times": 1},
        {"api": "Fetch", "error": "FETCH_SESSION_ID_NOT_FOUND", "at": "top", "nth": 1},
        {"api": "Fetch", "disconnect": "middle", "nth": 1},
    ],
    "late fetches": [{"api": "Fetch", "answer_delay_ms": 20, "times": 2}, {"slicer_bytes": 30, "latency_ms": 5}],
    "a coordinator that is not ready": [
        {"api": "FindCoordinator", "error": "COORDINATOR_NOT_AVAILABLE", "times": 1},
        {"api": "JoinGroup", "error": "NOT_COORDINATOR", "times": 1},
        {"api": "OffsetFetch", "error": "COORDINATOR_LOAD_IN_PROGRESS", "times": 1},
        {"api": "OffsetCommit", "error": "COORDINATOR_LOAD_IN_PROGRESS", "partition": 0, "times": 1},
    ],
    "a rebalance": [
        {"api": "SyncGroup", "error": "REBALANCE_IN_PROGRESS", "times": 1},
        {"api": "JoinGroup", "delay_ms": 20},
    ],
    "answers of the coordinator lost": [
        {"api": "OffsetFetch", "disconnect": "after", "times": 1},
        {"api": "OffsetCommit", "disconnect": "after", "times": 1},
    ],
}


@pytest.mark.parametrize("rules", ALL_THE_SAME.values(), ids=ALL_THE_SAME)
def test_a_group_reads_every_record_once(rules: list[Rule], read: Read, node: NodeInThread, topic: str) -> None:
    send_by_confluent_kafka(node.bootstrap, topic, SENT)
    faults = node.add(*rules)
    assert read(node.bootstrap, topic, f"group-{topic}", len(SENT)) == SENT
    assert [fault.rule for fault in faults if not fault.fired] == []
    node.clear()
    send_by_confluent_kafka(node.bootstrap, topic, [b"one more"])
    assert read(node.bootstrap, topic, f"group-{topic}", 1) == [b"one more"], "the others are committed"


# -- transactions, damaged records, barriers


def commit_by_confluent_kafka(bootstrap: str, topic: str, transactional_id: str) -> None:
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
        }
    )
    producer.init_transactions(PATIENCE_MS / 1_000)
    producer.begin_transaction()
    producer.produce(topic, b"in a transaction", partition=0)
    producer.commit_transaction(PATIENCE_MS / 1_000)


def commit_by_kafka_python(bootstrap: str, topic: str, transactional_id: str) -> None:
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=transactional_id, retry_backoff_ms=10, reconnect_backoff_ms=10
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"in a transaction", partition=0)
        producer.commit_transaction()
    finally:
        producer.close()


def commit_by_aiokafka(bootstrap: str, topic: str, transactional_id: str) -> None:
    async def run() -> None:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=transactional_id, retry_backoff_ms=10
        )
        await producer.start()
        try:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"in a transaction", partition=0)
        finally:
            await producer.stop()

    asyncio.run(run())


COMMITTERS = [commit_by_confluent_kafka, commit_by_kafka_python, commit_by_aiokafka]


@pytest.mark.parametrize("commit", COMMITTERS, ids=[each.__name__[10:] for each in COMMITTERS])
def test_a_transaction_whose_answers_are_lost_is_committed_once(
    commit: Callable[[str, str, str], None], node: NodeInThread, topic: str
) -> None:
    faults = node.add(
        {"api": "FindCoordinator", "transactional_id": "t-*", "error": "COORDINATOR_NOT_AVAILABLE", "times": 1},
        {"api": "EndTxn", "transactional_id": "t-*", "error": "CONCURRENT_TRANSACTIONS", "times": 1},
        {
            "api": "EndTxn",
            "transactional_id": f"t-{topic}",
            "where": "committed == true",
            "disconnect": "after",
            "times": 1,
        },
    )
    commit(node.bootstrap, topic, f"t-{topic}")
    assert [fault.rule for fault in faults if not fault.fired] == []
    node.clear()
    assert read_by_kafka_python(node.bootstrap, topic, f"group-{topic}", 1) == [b"in a transaction"]


def test_damaged_records_are_noticed_by_a_client_that_checks(node: NodeInThread, topic: str) -> None:
    send_by_confluent_kafka(node.bootstrap, topic, SENT)
    (fault,) = node.add({"api": "Fetch", "topic": topic, "corrupt_crc": True})
    with pytest.raises(kafka.errors.KafkaError, match=r"(?i)crc|corrupt"):
        read_by_kafka_python(node.bootstrap, topic, f"group-{topic}", 1)
    assert fault.fired
    node.clear()
    assert read_by_kafka_python(node.bootstrap, topic, f"group-{topic}", len(SENT)) == SENT


def test_a_record_is_not_acknowledged_while_its_produce_is_held(node: NodeInThread, topic: str) -> None:
    (fault,) = node.add({"api": "Produce", "topic": topic, "hold": "after"})
    told: list[object] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": node.bootstrap, "linger.ms": 0})
    producer.produce(topic, b"held", partition=0, on_delivery=lambda error, _: told.append(error))
    node.wait_held(fault)
    assert producer.flush(0.2) == 1
    assert told == []
    assert node.values(topic) == [b"held"]
    node.release(fault)
    assert producer.flush(PATIENCE_MS / 1_000) == 0
    assert told == [None]
