"""Transactions of unmodified clients: commits, aborts, fencing, exactly-once pipelines, a broker that is killed."""

from __future__ import annotations

import asyncio
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.broker import Broker
from compat_tests.conftest import StartBroker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.polled import polled

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

NewName = Callable[..., str]
TRANSACTIONS = 20


def create_topic(broker: Broker, topic: str, partitions: int = 1) -> None:
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    new = confluent_admin.NewTopic(topic, partitions, 1)
    admin.create_topics([new])[topic].result(PATIENCE_SECONDS)


def transactional_producer(broker: Broker, transactional_id: str, **settings: Any) -> Any:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": broker.bootstrap, "transactional.id": transactional_id, "linger.ms": 5, **named}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    return producer


@contextmanager
def consuming(broker: Broker, topic: str, group: str, isolation: str = "read_committed") -> Iterator[Any]:
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


def read_to_the_end(broker: Broker, topic: str, group: str, isolation: str, partitions: int = 1) -> list[bytes]:
    """Every value that a consumer of this isolation level sees now."""
    values: list[bytes] = []
    ended: set[int] = set()
    with consuming(broker, topic, group, isolation) as consumer:

        def at_the_end() -> bool:
            for message in consumer.consume(100, 0.2):
                if message.error() is None:
                    values.append(message.value())
                    ended.discard(message.partition())
                else:
                    assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                    ended.add(message.partition())
            return len(ended) == partitions

        eventually(at_the_end, f"the end of {topic}")
    return values


def produce(producer: Any, topic: str, values: list[bytes], partition: int = 0) -> None:
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_only_committed_records_reach_readers_of_committed_ones(broker: Broker, new_name: NewName) -> None:
    topic = new_name()
    create_topic(broker, topic, 2)
    producer = transactional_producer(broker, new_name("id"))
    for n, end in enumerate(["commit", "abort", "commit", "abort", "commit"]):
        producer.begin_transaction()
        for partition in (0, 1):
            produce(producer, topic, [f"{n} {end} {partition}".encode()], partition)
        getattr(producer, f"{end}_transaction")(PATIENCE_SECONDS)
    committed = sorted(read_to_the_end(broker, topic, new_name("g"), "read_committed", 2))
    assert committed == sorted(f"{n} commit {p}".encode() for n in (0, 2, 4) for p in (0, 1))
    everything = read_to_the_end(broker, topic, new_name("g"), "read_uncommitted", 2)
    assert len(everything) == 10


def test_an_open_transaction_holds_readers_back_until_it_ends(broker: Broker, new_name: NewName) -> None:
    topic = new_name()
    create_topic(broker, topic)
    opened = transactional_producer(broker, new_name("id"))
    opened.begin_transaction()
    produce(opened, topic, [b"open"])
    plain = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    produce(plain, topic, [b"plain"])
    assert read_to_the_end(broker, topic, new_name("g"), "read_committed") == []
    assert read_to_the_end(broker, topic, new_name("g"), "read_uncommitted") == [b"open", b"plain"]
    with consuming(broker, topic, new_name("g")) as consumer:
        values: list[bytes] = []

        def waits_at_the_end() -> bool:
            message = consumer.poll(0.2)
            return message is not None and message.error() is not None

        eventually(waits_at_the_end, "an end of partition")
        opened.commit_transaction(PATIENCE_SECONDS)
        began = time.monotonic()

        def has_both() -> bool:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                values.append(message.value())
            return len(values) == 2

        eventually(has_both, "both records")
        assert values == [b"open", b"plain"]
        assert time.monotonic() - began < 5, "the commit wakes the parked fetch"


def test_a_zombie_is_fenced(broker: Broker, new_name: NewName) -> None:
    topic, transactional_id = new_name(), new_name("id")
    create_topic(broker, topic)
    zombie = transactional_producer(broker, transactional_id)
    zombie.begin_transaction()
    produce(zombie, topic, [b"never"])
    successor = transactional_producer(broker, transactional_id)
    successor.begin_transaction()
    produce(successor, topic, [b"successor"])

    def go_on() -> None:
        zombie.produce(topic, b"zombie")
        zombie.commit_transaction(PATIENCE_SECONDS)

    with pytest.raises(confluent_kafka.KafkaException) as error:
        go_on()
    assert error.value.args[0].fatal()
    assert error.value.args[0].code() in (
        confluent_kafka.KafkaError._FENCED,
        confluent_kafka.KafkaError.PRODUCER_FENCED,
    )
    successor.commit_transaction(PATIENCE_SECONDS)
    assert read_to_the_end(broker, topic, new_name("g"), "read_committed") == [b"successor"]


def test_consume_transform_produce_counts_each_record_once(broker: Broker, new_name: NewName) -> None:
    """Every third batch is aborted and done again, from the offsets that the abort has left."""
    source, target, group = new_name("source"), new_name("target"), new_name("group")
    create_topic(broker, source)
    create_topic(broker, target)
    plain = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    produce(plain, source, [b"%d" % n for n in range(50)])
    producer = transactional_producer(broker, new_name("id"))
    attempts = 0
    done: set[bytes] = set()
    with consuming(broker, source, group) as consumer:

        def all_done() -> bool:
            nonlocal attempts
            messages = [message for message in consumer.consume(10, 0.3) if message.error() is None]
            if not messages:
                return len(done) == 50
            attempts += 1
            producer.begin_transaction()
            for message in messages:
                producer.produce(target, b"out " + message.value())
            positions = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), PATIENCE_SECONDS)
            if attempts % 3 == 0:
                producer.abort_transaction(PATIENCE_SECONDS)
                for position in consumer.committed(consumer.assignment(), PATIENCE_SECONDS):
                    consumer.seek(position)
                return False
            producer.commit_transaction(PATIENCE_SECONDS)
            done.update(message.value() for message in messages)
            return len(done) == 50

        eventually(all_done, "50 records through the pipeline")
        committed = consumer.committed(consumer.assignment(), PATIENCE_SECONDS)
        assert [position.offset for position in committed] == [50]
    assert attempts > 3
    assert sorted(read_to_the_end(broker, target, new_name("g"), "read_committed")) == sorted(
        b"out %d" % n for n in range(50)
    )


def test_a_transaction_that_takes_too_long_is_aborted(start_broker: StartBroker, new_name: NewName) -> None:
    broker = start_broker(transaction_abort_timed_out_transaction_cleanup_interval_ms="500")
    topic = new_name()
    create_topic(broker, topic)
    producer = transactional_producer(broker, new_name("id"), transaction_timeout_ms=1000)
    producer.begin_transaction()
    produce(producer, topic, [b"late"])
    plain = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    produce(plain, topic, [b"plain"])
    with consuming(broker, topic, new_name("g")) as consumer:
        eventually(
            lambda: [m.value() for m in consumer.consume(10, 0.2) if m.error() is None], "what comes after the abort"
        )
    with pytest.raises(confluent_kafka.KafkaException):
        producer.commit_transaction(PATIENCE_SECONDS)
    assert read_to_the_end(broker, topic, new_name("g"), "read_committed") == [b"plain"]


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_transactions_survive_a_restart_of_the_broker(
    start_broker: StartBroker, new_name: NewName, *, kill: bool
) -> None:
    """One committed, one aborted, one open: the open one is gone on with, or aborted by who comes next."""
    broker = start_broker()
    topic, open_id = new_name(), new_name("open")
    create_topic(broker, topic)
    ended = transactional_producer(broker, new_name("ended"))
    ended.begin_transaction()
    produce(ended, topic, [b"committed"])
    ended.commit_transaction(PATIENCE_SECONDS)
    ended.begin_transaction()
    produce(ended, topic, [b"aborted"])
    ended.abort_transaction(PATIENCE_SECONDS)
    abandoned = transactional_producer(broker, open_id)
    abandoned.begin_transaction()
    produce(abandoned, topic, [b"abandoned"])
    going_on = transactional_producer(broker, new_name("goes-on"))
    going_on.begin_transaction()
    produce(going_on, topic, [b"before"])
    broker.stop(kill=kill)
    broker.start()
    assert read_to_the_end(broker, topic, new_name("g"), "read_committed") == [b"committed"]
    produce(going_on, topic, [b"after"])
    going_on.commit_transaction(PATIENCE_SECONDS)
    assert read_to_the_end(broker, topic, new_name("g"), "read_committed") == [b"committed"], "one is still open"
    transactional_producer(broker, open_id)
    committed = read_to_the_end(broker, topic, new_name("g"), "read_committed")
    assert committed == [b"committed", b"before", b"after"]
    ended.begin_transaction()
    produce(ended, topic, [b"again"])
    ended.commit_transaction(PATIENCE_SECONDS)
    assert read_to_the_end(broker, topic, new_name("g"), "read_committed")[-1] == b"again"


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed_at_random(
    start_broker: StartBroker, new_name: NewName
) -> None:
    """Whole transactions or nothing, over two partitions, and the group's offset goes with them."""
    broker = start_broker()
    topic, group = new_name(), new_name("group")
    create_topic(broker, topic, 2)
    # With "rebootstrap" librdkafka 2.16 hangs in send_offsets_to_transaction after a lost connection: with Apache
    # Kafka too.
    producer = transactional_producer(broker, new_name("id"), metadata_recovery_strategy="none")
    member = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    metadata = member.consumer_group_metadata()
    acknowledged: list[int] = []
    aborted: list[int] = []
    for n in range(TRANSACTIONS):
        try:
            producer.begin_transaction()
            produce(producer, topic, [b"%d" % n], 0)
            if n in (3, 11):
                broker.stop(kill=True)
                broker.start()
            produce(producer, topic, [b"%d" % n], 1)
            position = confluent_kafka.TopicPartition(topic, 0, n)
            producer.send_offsets_to_transaction([position], metadata, PATIENCE_SECONDS)
            if n % 5 == 2:
                producer.abort_transaction(PATIENCE_SECONDS)
                aborted.append(n)
                continue
            if n in (8, 16):
                broker.stop(kill=True)
                broker.start()
            producer.commit_transaction(PATIENCE_SECONDS)
        except confluent_kafka.KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            producer.abort_transaction(PATIENCE_SECONDS)
            aborted.append(n)
        else:
            acknowledged.append(n)
    committed = member.committed([confluent_kafka.TopicPartition(topic, 0)], PATIENCE_SECONDS)
    member.close()
    assert len(acknowledged) + len(aborted) == TRANSACTIONS
    assert len(acknowledged) > TRANSACTIONS // 2
    values = read_to_the_end(broker, topic, new_name("g"), "read_committed", 2)
    assert sorted(values) == sorted([b"%d" % n for n in acknowledged] * 2)
    assert committed[0].offset == acknowledged[-1]


# -- aiokafka: the older protocol


def test_aiokafka_commits_aborts_and_is_fenced(broker: Broker, new_name: NewName) -> None:
    aiokafka = pytest.importorskip("aiokafka")
    errors = pytest.importorskip("aiokafka.errors")
    source, topic, group, transactional_id = new_name("source"), new_name(), new_name("group"), new_name("id")
    create_topic(broker, topic)
    create_topic(broker, source)

    async def transact() -> None:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=transactional_id)
        await producer.start()
        position = {aiokafka.TopicPartition(source, 0): 7}
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed")
            await producer.send_offsets_to_transaction(position, group)
        with suppress(ZeroDivisionError):
            async with producer.transaction():
                await producer.send_and_wait(topic, b"aborted")
                await producer.send_offsets_to_transaction({aiokafka.TopicPartition(source, 0): 9}, group)
                raise ZeroDivisionError
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"never")
        successor = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=transactional_id)
        await successor.start()
        with pytest.raises(errors.ProducerFenced):
            await producer.commit_transaction()
        async with successor.transaction():
            await successor.send_and_wait(topic, b"successor")
        await successor.stop()
        await producer.stop()

    async def consume() -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            group_id=group,
            enable_auto_commit=False,
        )
        await consumer.start()
        values = [(await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)).value for _ in range(2)]
        assert values == [b"committed", b"successor"]
        assert await consumer.committed(aiokafka.TopicPartition(source, 0)) == 7
        await consumer.stop()

    asyncio.run(transact())
    asyncio.run(consume())


# -- kafka-python


def test_kafka_python_commits_aborts_and_is_fenced(broker: Broker, new_name: NewName) -> None:
    kafka = pytest.importorskip("kafka")
    errors = pytest.importorskip("kafka.errors")
    source, topic, group, transactional_id = new_name("source"), new_name(), new_name("group"), new_name("id")
    create_topic(broker, topic)
    create_topic(broker, source)

    def make_producer() -> Any:
        producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=transactional_id)
        producer.init_transactions()
        return producer

    with closing(make_producer()) as producer:
        for end, offset in (("commit", 7), ("abort", 9)):
            producer.begin_transaction()
            producer.send(topic, end.encode()).get(PATIENCE_SECONDS)
            position = {kafka.TopicPartition(source, 0): kafka.OffsetAndMetadata(offset, "", -1)}
            producer.send_offsets_to_transaction(position, kafka.ConsumerGroupMetadata(group))
            getattr(producer, f"{end}_transaction")()
        producer.begin_transaction()
        producer.send(topic, b"never").get(PATIENCE_SECONDS)
        with closing(make_producer()) as successor:
            with pytest.raises(errors.KafkaError) as error:
                producer.commit_transaction()
            assert "Fenced" in type(error.value).__name__ or "Epoch" in type(error.value).__name__
            successor.begin_transaction()
            successor.send(topic, b"successor").get(PATIENCE_SECONDS)
            successor.commit_transaction()
    with closing(
        kafka.KafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            group_id=group,
            enable_auto_commit=False,
        )
    ) as consumer:
        assert [record.value for record in polled(consumer, 2)] == [b"commit", b"successor"]
        assert consumer.committed(kafka.TopicPartition(source, 0)) == 7


# -- Java

JAVA_PIPELINE = """
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.serialization.*;

/** Consume, transform, produce exactly once: BOOTSTRAP SOURCE TARGET GROUP COUNT; every third transaction aborts. */
public class Pipeline {
    static Properties of(String... pairs) {
        Properties properties = new Properties();
        for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
        return properties;
    }

    static KafkaProducer<String, String> producer(String bootstrap, String id) {
        KafkaProducer<String, String> producer = new KafkaProducer<>(
            of("bootstrap.servers", bootstrap, "transactional.id", id), new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    static KafkaConsumer<String, String> consumer(String bootstrap, String group, String topic) {
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
            of("bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
               "enable.auto.commit", "false", "isolation.level", "read_committed", "max.poll.records", "10"),
            new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    public static void main(String[] args) {
        String bootstrap = args[0], source = args[1], target = args[2], group = args[3];
        int count = Integer.parseInt(args[4]);
        KafkaProducer<String, String> producer = producer(bootstrap, group + "-id");
        KafkaConsumer<String, String> consumer = consumer(bootstrap, group, source);
        int done = 0, attempts = 0;
        while (done < count) {
            ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
            if (records.isEmpty()) continue;
            producer.beginTransaction();
            Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
            for (ConsumerRecord<String, String> record : records) {
                producer.send(new ProducerRecord<>(target, "out " + record.value()));
                positions.put(new TopicPartition(record.topic(), record.partition()),
                    new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
            if (++attempts % 3 == 0) {
                producer.abortTransaction();
                for (TopicPartition partition : consumer.assignment()) {
                    OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
                    consumer.seek(partition, committed == null ? 0 : committed.offset());
                }
                continue;
            }
            producer.commitTransaction();
            done += records.count();
        }
        consumer.close();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(target, "zombie"));
        producer.flush();
        KafkaProducer<String, String> successor = producer(bootstrap, group + "-id");
        try {
            producer.send(new ProducerRecord<>(target, "zombie"));
            producer.commitTransaction();
            throw new AssertionError("the zombie was not fenced");
        } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
            System.out.println("fenced");
        }
        producer.close(Duration.ZERO);
        successor.beginTransaction();
        successor.send(new ProducerRecord<>(target, "end"));
        successor.commitTransaction();
        successor.close();
        KafkaConsumer<String, String> reader = consumer(bootstrap, group + "-reader", target);
        List<String> seen = new ArrayList<>();
        while (!seen.contains("end")) reader.poll(Duration.ofMillis(500)).forEach(record -> seen.add(record.value()));
        reader.close();
        System.out.println(String.join(",", seen));
    }
}
"""


def test_the_java_clients_count_each_record_once(broker: Broker, new_name: NewName, java: str, tmp_path: Path) -> None:
    source, target, group = new_name("source"), new_name("target"), new_name("group")
    create_topic(broker, source)
    create_topic(broker, target)
    plain = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    produce(plain, source, [b"%d" % n for n in range(60)])
    program = tmp_path / "Pipeline.java"
    program.write_text(textwrap.dedent(JAVA_PIPELINE))
    finished = subprocess.run(
        [
            java,
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{jar_directory()}/*",
            program,
            broker.bootstrap,
            source,
            target,
            group,
            "60",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    fenced, seen = finished.stdout.splitlines()[-2:]
    assert fenced == "fenced"
    assert seen.split(",") == [*(f"out {n}" for n in range(60)), "end"]
