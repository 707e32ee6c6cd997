"""A broker on a disk that is full, read-only or broken: what was acknowledged stays, and one line says what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kafkapy_process import TRACEBACK, KafkapyFailed, KafkapyProcess
from compat_tests.small_disk import BreakableDisk, SmallDisk
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")
kafka = pytest.importorskip("kafka")

DISK_BYTES = 16 << 20
FILLER_LEAVES_BYTES = 6 << 20  # so that taking the filler away makes room for more than what did not fit
VALUE_BYTES = 20_000
RECORDS_MAX = DISK_BYTES // VALUE_BYTES
SETTINGS = {"log.segment.bytes": "1048576", "offsets.topic.num.partitions": "1"}
ERROR_SECONDS_MAX = 10.0  # of clients that give a record up after 2
KAFKA_STORAGE_ERROR = 56
QUIET = {"log_level": 0}  # librdkafka's own log

StartOn = Callable[..., KafkapyProcess]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with need(lambda: SmallDisk(tmp_path / "disk", DISK_BYTES)) as disk:
        yield disk


@pytest.fixture
def breakable_disk(tmp_path: Path) -> Iterator[BreakableDisk]:
    with need(lambda: BreakableDisk(tmp_path / "disk", DISK_BYTES)) as disk:
        yield disk


@pytest.fixture
def start_on(small_disk: SmallDisk) -> Iterator[StartOn]:
    """Start brokers on the small disk; each is ended after the test, which fails when one printed a traceback."""
    brokers: list[KafkapyProcess] = []
    with ExitStack() as closing_them:

        def start(**settings: str) -> KafkapyProcess:
            named = SETTINGS | {name.replace("_", "."): value for name, value in settings.items()}
            broker = KafkapyProcess(named, data_dir=small_disk.path / "data", within=small_disk.within)
            closing_them.callback(broker.close)
            brokers.append(broker)
            broker.start()
            return broker

        yield start
        for broker in brokers:
            print(f"what a broker of this test printed:\n{broker.output()}")  # shown when the test failed
            assert TRACEBACK not in broker.output()


def trouble(broker: KafkapyProcess) -> list[str]:
    """The lines that it printed beside the two of its start."""
    return [line for line in broker.output().splitlines() if not line.startswith(("kafkapy listens at", "try: "))]


def create_topics(broker: KafkapyProcess, *topics: str) -> dict[str, int]:
    """The error code for each."""
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
    codes: dict[str, int] = {}
    for topic, future in admin.create_topics([confluent_admin.NewTopic(topic, 1, 1) for topic in topics]).items():
        try:
            future.result(ERROR_SECONDS_MAX)
        except confluent_kafka.KafkaException as error:
            codes[topic] = error.args[0].code()
        else:
            codes[topic] = 0
    return codes


def value_of(number: int, size: int = VALUE_BYTES) -> bytes:
    return f"{number}:".encode().ljust(size, b".")


class Numbered:
    """Produces records with numbers, and keeps those that were acknowledged, with their offsets."""

    def __init__(self, broker: KafkapyProcess, topic: str, **settings: Any) -> None:
        named = {name.replace("_", "."): value for name, value in settings.items()}
        self.topic = topic
        self.acknowledged: dict[int, int] = {}  # number -> offset
        self.errors: list[str] = []
        self._next = 0
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": broker.bootstrap, "message.timeout.ms": 2_000, "linger.ms": 0, **QUIET, **named}
        )

    def send(self, count: int = 1, size: int = VALUE_BYTES) -> None:
        """Send so many and wait until each has its answer."""
        for _ in range(count):
            number, self._next = self._next, self._next + 1

            def answered(error: Any, message: Any, number: int = number) -> None:
                if error is None:
                    self.acknowledged[number] = message.offset()
                else:
                    self.errors.append(error.name())

            self._producer.produce(self.topic, value_of(number, size), partition=0, on_delivery=answered)
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def send_until_refused(self) -> None:
        for _ in range(RECORDS_MAX):
            self.send()
            if self.errors:
                return
        raise AssertionError("the disk is not full")

    def send_until_accepted(self) -> None:
        def is_accepted() -> bool:
            before = len(self.acknowledged)
            self.send()
            return len(self.acknowledged) > before

        eventually(is_accepted, "a record is accepted")


def numbers_in(broker: KafkapyProcess, topic: str, isolation: str = "read_committed") -> list[tuple[int, int]]:
    """(number, offset) of all records, in the order of the log."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "nobody",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            **QUIET,
        }
    )
    found: list[tuple[int, int]] = []
    with closing(consumer):
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is not None:
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                return found
            number, _, rest = message.value().partition(b":")
            assert not rest.strip(b"."), "a record with other bytes than were sent"
            found.append((int(number), message.offset()))
    raise AssertionError(f"{topic} has no end")


def assert_all_there(broker: KafkapyProcess, *producers: Numbered) -> None:
    """Everything acknowledged is where it was said to be; nothing is there twice."""
    for producer in producers:
        found = numbers_in(broker, producer.topic)
        assert dict(found).items() >= producer.acknowledged.items()
        assert len(dict(found)) == len(found)
        assert [number for number, _ in found] == sorted(number for number, _ in found)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_was_acknowledged_stays_when_the_disk_is_full(small_disk: SmallDisk, start_on: StartOn) -> None:
    broker = start_on()
    small_disk.fill(leave_bytes=FILLER_LEAVES_BYTES)
    plain = Numbered(broker, "plain", acks="all")
    idempotent = Numbered(broker, "idempotent", enable_idempotence=True)
    plain.send(3)
    idempotent.send(3)
    small_disk.fill(leave_bytes=3 << 20)  # a few segments
    for producer in (plain, idempotent):
        began = time.monotonic()
        producer.send_until_refused()
        assert time.monotonic() - began < ERROR_SECONDS_MAX
        assert set(producer.errors) == {"_MSG_TIMED_OUT"}, "it was tried again until then"
    assert_all_there(broker, plain, idempotent)
    before = cpu_seconds(broker.pid)
    time.sleep(1)
    assert cpu_seconds(broker.pid) - before < 0.3, "it waits for room without asking for it"
    small_disk.make_room()
    for producer in (plain, idempotent):
        producer.send_until_accepted()
        producer.send(5)
    assert_all_there(broker, plain, idempotent)
    full, takes_again = (line for line in trouble(broker) if "kafkapy.disk: write_checkpoints" not in line)
    assert "cannot be written (No space left on device): make room on the disk" in full
    assert "takes writes again" in takes_again
    broker.stop(kill=True)
    broker.start()
    assert_all_there(broker, plain, idempotent)
    broker.stop()
    assert broker.exit_code == 0


def test_a_full_disk_is_filled_to_the_last_record_that_fits(small_disk: SmallDisk, start_on: StartOn) -> None:
    """kafka-python, whose error names what the broker has said; and a kill while the disk is full."""
    broker = start_on()
    small_disk.fill(leave_bytes=1 << 20)
    producer = kafka.KafkaProducer(
        bootstrap_servers=broker.bootstrap,
        acks="all",
        retries=2,
        max_block_ms=10_000,
        request_timeout_ms=3_000,
        delivery_timeout_ms=6_000,
        linger_ms=0,
    )
    acknowledged: dict[int, int] = {}

    def produce_all() -> None:
        for number in range(RECORDS_MAX):
            metadata = producer.send("orders", value_of(number), partition=0).get(ERROR_SECONDS_MAX)
            acknowledged[number] = metadata.offset

    with closing(producer), pytest.raises(kafka.errors.KafkaStorageError):
        produce_all()
    assert len(acknowledged) > 10
    broker.stop(kill=True)
    small_disk.make_room()
    broker.start()
    assert dict(numbers_in(broker, "orders")) == acknowledged


def test_topics_groups_and_transactions_on_a_full_disk(small_disk: SmallDisk, start_on: StartOn) -> None:
    broker = start_on()
    assert create_topics(broker, "orders") == {"orders": 0}
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "readers", "enable.auto.commit": False, **QUIET}
    )
    transactional = confluent_kafka.Producer(
        {"bootstrap.servers": broker.bootstrap, "transactional.id": "t", "message.timeout.ms": 2_000, **QUIET}
    )
    transactional.init_transactions(PATIENCE_SECONDS)
    with closing(consumer):
        committed = [confluent_kafka.TopicPartition("orders", 0, 1)]
        consumer.commit(offsets=committed, asynchronous=False)
        transactional.begin_transaction()
        transactional.produce("orders", value_of(0), partition=0)
        assert transactional.flush(PATIENCE_SECONDS) == 0

        small_disk.fill()
        made: dict[str, int] = {}
        while KAFKA_STORAGE_ERROR not in made.values():  # the last page of the metadata log may take one or two
            assert len(made) < 100
            made |= create_topics(broker, f"more-{len(made)}")

        def commit_all() -> None:
            for offset in range(100):
                consumer.commit(offsets=[confluent_kafka.TopicPartition("orders", 0, offset)], asynchronous=False)

        began = time.monotonic()
        with pytest.raises(confluent_kafka.KafkaException) as refused:
            commit_all()
        assert refused.value.args[0].name() in ("NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE")
        assert time.monotonic() - began < ERROR_SECONDS_MAX
        transactional.produce("orders", value_of(1), partition=0)
        with pytest.raises(confluent_kafka.KafkaException) as aborts:
            transactional.commit_transaction(ERROR_SECONDS_MAX)
        assert aborts.value.args[0].txn_requires_abort(), aborts.value

        small_disk.make_room()
        transactional.abort_transaction(PATIENCE_SECONDS)
        transactional.begin_transaction()
        transactional.produce("orders", value_of(2), partition=0)
        transactional.commit_transaction(PATIENCE_SECONDS)
        consumer.commit(offsets=[confluent_kafka.TopicPartition("orders", 0, 7)], asynchronous=False)
        refused_topics = [topic for topic, code in made.items() if code]
        assert create_topics(broker, *refused_topics) == dict.fromkeys(refused_topics, 0)
    broker.stop(kill=True)
    broker.start()
    assert [number for number, _ in numbers_in(broker, "orders")] == [2]
    with closing(
        confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "readers", **QUIET})
    ) as again:
        (found,) = again.committed(committed, PATIENCE_SECONDS)
    assert found.offset == 7
    topics = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
    assert {*made, "orders"} <= set(topics)


def test_a_stop_on_a_full_disk_says_so_and_loses_nothing(small_disk: SmallDisk, start_on: StartOn) -> None:
    broker = start_on()
    small_disk.fill(leave_bytes=1 << 20)
    producer = Numbered(broker, "orders")
    producer.send_until_refused()
    small_disk.fill()
    broker.stop()
    assert broker.exit_code == 1
    last = trouble(broker)[-1]
    assert last.startswith("kafkapy: the logs in ")
    assert "No space left on device" in last
    assert last.endswith("make room on the disk; the next start recovers them")

    with pytest.raises(KafkapyFailed, match="ended with 1") as refused:
        broker.start()
    line = str(refused.value).splitlines()[-1]
    assert line.startswith("kafkapy: cannot ")
    assert line.endswith("No space left on device): make room on the disk")
    small_disk.make_room()
    broker.start()
    assert_all_there(broker, producer)
    broker.stop()
    assert broker.exit_code == 0


def test_a_start_on_a_read_only_disk(small_disk: SmallDisk, start_on: StartOn) -> None:
    broker = start_on()
    producer = Numbered(broker, "orders")
    producer.send(3)
    broker.stop()
    assert broker.exit_code == 0
    small_disk.remount("ro")
    with pytest.raises(KafkapyFailed, match="ended with 1") as refused:
        broker.start()
    (line,) = str(refused.value).splitlines()[1:]
    assert line == (
        f"kafkapy: cannot use the data directory {small_disk.path / 'data'} (Read-only file system): "
        "make its file system writable, or name another directory"
    )
    small_disk.remount("rw")
    broker.start()
    assert_all_there(broker, producer)


def test_a_new_directory_on_a_full_disk(small_disk: SmallDisk, start_on: StartOn) -> None:
    small_disk.fill()
    with pytest.raises(KafkapyFailed, match="ended with 1") as refused:
        start_on()
    (line,) = str(refused.value).splitlines()[1:]
    assert line.endswith("No space left on device): make room on the disk")
    small_disk.make_room()
    broker = start_on()
    Numbered(broker, "orders").send_until_accepted()


@pytest.mark.parametrize("failure", ["break_down", "abort"])
def test_a_disk_that_fails_ends_the_broker_in_good_order(failure: str, breakable_disk: BreakableDisk) -> None:
    broker = KafkapyProcess(SETTINGS, data_dir=breakable_disk.path / "data")
    try:
        broker.start()
        producer = Numbered(broker, "orders")
        producer.send(5)
        getattr(breakable_disk, failure)()
        producer.send()
        assert producer.errors == ["_MSG_TIMED_OUT"]
        broker.wait()
        assert broker.exit_code == 1
        assert TRACEBACK not in broker.output()
        line = trouble(broker)[-1]
        reason = {"break_down": "Input/output error", "abort": "Read-only file system"}[failure]
        assert line.startswith(f"kafkapy: stopped, since the disk under {breakable_disk.path / 'data'} has failed (")
        assert reason in line
        with pytest.raises(KafkapyFailed, match="ended with 1") as refused:
            broker.start()
        assert reason in str(refused.value).splitlines()[-1]
    finally:
        broker.close()


def test_a_signal_still_stops_a_broker_on_a_full_disk(small_disk: SmallDisk, start_on: StartOn) -> None:
    """While a producer keeps trying."""
    broker = start_on()
    small_disk.fill(leave_bytes=1 << 20)
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, **QUIET})
    for number in range(RECORDS_MAX):
        producer.produce("orders", value_of(number), partition=0)
    eventually(lambda: "No space left" in broker.output(), "the disk is full")
    began = time.monotonic()
    broker.stop()
    assert broker.exit_code in (0, 1)
    assert time.monotonic() - began < 3
    producer.purge()


def test_deleted_records_make_room_on_a_full_disk(small_disk: SmallDisk, start_on: StartOn) -> None:
    """Where nothing else is on the disk, this is what its user can do."""
    broker = start_on(log_segment_delete_delay_ms="100")
    producer = Numbered(broker, "orders")
    small_disk.fill(leave_bytes=4 << 20)
    producer.send_until_refused()
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})
    end = max(producer.acknowledged.values()) + 1
    (future,) = admin.delete_records([confluent_kafka.TopicPartition("orders", 0, end)]).values()
    assert future.result(ERROR_SECONDS_MAX).low_watermark == end
    producer.send_until_accepted()
    producer.send(50)
    kept = {number: offset for number, offset in producer.acknowledged.items() if offset >= end}
    assert dict(numbers_in(broker, "orders")).items() >= kept.items()


def test_retention_makes_room_on_a_full_disk(small_disk: SmallDisk, start_on: StartOn) -> None:
    """More than the disk holds passes through, in order, and the producer sees no error."""
    broker = start_on(
        log_retention_bytes=str(2 << 20),
        log_retention_check_interval_ms="300",
        log_initial_task_delay_ms="300",
        log_segment_delete_delay_ms="100",
    )
    small_disk.fill(leave_bytes=5 << 20)
    producer = Numbered(broker, "orders", message_timeout_ms=30_000, enable_idempotence=True)
    producer.send(RECORDS_MAX // 2)
    assert producer.errors == []
    assert len(producer.acknowledged) == RECORDS_MAX // 2
    assert "No space left on device" in broker.output()
    found = numbers_in(broker, "orders")
    assert found == [(number, number) for number in range(found[0][0], RECORDS_MAX // 2)]
