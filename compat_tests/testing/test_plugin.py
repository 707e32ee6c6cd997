"""pytest's fixtures, in test runs of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")
pytest.importorskip("kafka")
pytest.importorskip("aiokafka")

ROOT = Path(__file__).parents[2]
QUIET = ["-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning"]


def run(directory: Path, text: str, *options: str, plugin: bool = True) -> tuple[int, str]:
    """Exit code and output of pytest on one file."""
    (directory / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", *QUIET, *options, "test_it.py"]
    if plugin and not _is_registered():
        command[3:3] = ["-p", "kafkapy.testing.plugin"]
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=120, env=dict(os.environ), check=False
    )
    return done.returncode, done.stdout + done.stderr


def _is_registered() -> bool:
    from importlib.metadata import entry_points

    return any(each.name == "kafkapy" for each in entry_points(group="pytest11"))


FIXTURES = """
import asyncio
import unittest

import pytest
import trio


def test_it_is_fresh(kafka):
    assert kafka.topics() == []
    kafka.produce("orders", "a")


def test_it_is_fresh_again(kafka, kafka_topic):
    assert kafka.topics() == [kafka_topic] == ["test_it_is_fresh_again"]


@pytest.mark.kafka(topics={"orders": 3}, settings={"log.retention.hours": 1})
class TestMarked:
    def test_topics(self, kafka):
        assert len(kafka.topic("orders").partitions) == 3

    @pytest.mark.kafka(topics={"payments": {"partitions": 2, "settings": {"cleanup.policy": "compact"}}})
    def test_nearer_markers_win(self, kafka):
        assert kafka.topics() == ["payments"]


@pytest.mark.kafka(topics={"orders": {"replicas": 3}})
def test_cluster(kafka_cluster):
    assert len(kafka_cluster.nodes()) == 3
    assert len(kafka_cluster.topic("orders").partitions[0].replicas) == 3


@pytest.mark.kafka(client="confluent-kafka")
def test_confluent_kafka(kafka, kafka_producer, kafka_consumer, kafka_admin):
    producer = kafka_producer(linger_ms=0)
    producer.produce("orders", b"v")
    producer.flush(30)
    consumer = kafka_consumer("orders", group_id="g")
    message = None
    while message is None or message.error():
        message = consumer.poll(1)
    assert message.value() == b"v"
    assert "orders" in kafka_admin().list_topics(timeout=30).topics


@pytest.mark.kafka(client="kafka-python", strict=["auto-created-topics"])
def test_kafka_python(kafka, kafka_producer, kafka_consumer, kafka_admin):
    kafka_producer().send("orders", b"v").get(30)
    assert ("UNKNOWN_TOPIC_OR_PARTITION",) in [each.errors for each in kafka.recorded("Metadata").everything()]
    assert next(kafka_consumer("orders", group_id="g")).value == b"v"
    assert "orders" in kafka_admin().list_topics()


@pytest.mark.kafka(client="aiokafka")
def test_aiokafka(async_kafka, kafka_producer, kafka_consumer):
    async def main():
        async with kafka_producer() as producer:
            await producer.send_and_wait("orders", b"v")
        assert [record.value for record in await async_kafka.records("orders")] == [b"v"]
        async with kafka_consumer("orders") as consumer:
            assert (await consumer.getone()).value == b"v"

    asyncio.run(main())


def test_trio(async_kafka):
    async def main():
        await async_kafka.produce("orders", "v")
        assert len(await async_kafka.wait_for_records("orders")) == 1

    trio.run(main)


class TestUnittest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def use(self, kafka):
        self.kafka = kafka

    def test_it(self):
        self.assertEqual(self.kafka.topics(), [])
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_every_fixture(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, output = run(tmp_path, FIXTURES, "-W", "error::kafkapy.testing.pool.ClientLeftOpen", *options)
    assert code == 0, output
    assert "10 passed" in output


def test_a_failed_test_says_what_its_broker_saw(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        """
def test_it(kafka):
    kafka.produce("orders", "a", "b")
    kafka.commit_offsets("readers", {("orders", 0): 1})
    assert kafka.records("orders") == []
""",
    )
    assert code == 1
    report = output[output.index("- Kafka -") :]
    assert "topic orders: high watermarks 2" in report
    assert "group readers: Empty, lag 1" in report
    assert "committed orders-0: 1" in report
    assert "topic orders created" in report


def test_a_failed_test_says_why_its_group_has_changed(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        """
def test_it(kafka, kafka_consumer):
    kafka.create_topic("orders", 1)
    consumer = kafka_consumer("orders", group_id="shop", **{"client.id": "till"})
    while "shop" not in kafka.groups() or not kafka.group("shop").members:
        consumer.poll(0.1)
    kafka.wait_for_group("shop", 1)
    kafka.clock.advance(60)
    assert kafka.wait_for_group("shop", 0).members
""",
    )
    assert code == 1
    report = output[output.index("- Kafka -") :]
    assert re.search(r"group shop: rebalance after generation 0: till-\S+ is new", report)
    assert re.search(r"group shop: the session of till-\S+ has ended", report)


def test_a_failed_test_says_what_readers_with_read_committed_wait_for(tmp_path: Path) -> None:
    pytest.importorskip("confluent_kafka")
    code, output = run(
        tmp_path,
        """
def test_it(kafka):
    from confluent_kafka import Producer

    kafka.create_topic("orders", 1)
    kafka.produce("orders", "before")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "t"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("orders", "open")
    producer.flush(30)
    del producer
    kafka.produce("orders", "behind it")
    assert len(kafka.records("orders")) == 3
""",
    )
    assert code == 1
    report = output[output.index("- Kafka -") :]
    assert "transaction t: Ongoing orders-0\n    orders-0: last stable offset 1, high watermark 3: read_comm" in report


def test_a_wait_that_is_over_shows_the_test_and_not_the_kit(tmp_path: Path) -> None:
    code, output = run(tmp_path, 'def test_it(kafka):\n    kafka.wait_for_records("orders", 3, timeout=0)\n')
    assert code == 1
    assert "NotYet: waited 0 s for 3 records (read_committed) in topic 'orders'" in output
    assert 'kafka.wait_for_records("orders", 3, timeout=0)' in output
    assert "kafka = <Kafka of 1 broker at localhost:" in output
    for inside in ("waits.py", "server.py", "operations.py", "_base.py", "self = None"):
        assert inside not in output


@pytest.mark.parametrize("failing", ['assert_sequence("Produce")', 'last("Produce")'])
def test_what_was_not_recorded_shows_the_test_and_not_the_kit(tmp_path: Path, failing: str) -> None:
    code, output = run(tmp_path, f"def test_it(kafka):\n    kafka.recorded().{failing}\n")
    assert code == 1
    assert f"kafka.recorded().{failing}" in output
    assert "NotRecorded: " in output
    assert "exchanges.py" not in output


def test_a_client_that_nobody_has_any_more_is_not_left_open(tmp_path: Path) -> None:
    """An error that was caught holds the frame of the test, and so its client, until Python looks for cycles."""
    code, output = run(
        tmp_path,
        """
import pytest
from confluent_kafka import KafkaException, Producer

def test_it(kafka):
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    with pytest.raises(KafkaException) as refused:
        producer.list_topics(timeout=30)
        raise KafkaException("as a call of the client may raise it")
""",
        "-W",
        "error::kafkapy.testing.pool.ClientLeftOpen",
    )
    assert code == 0, output


def test_a_client_left_open_is_named(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        """
from kafka import KafkaConsumer

def test_it(kafka):
    global consumer
    kafka.create_topic("orders")
    consumer = KafkaConsumer("orders", bootstrap_servers=kafka.bootstrap_servers, group_id="g", client_id="leaked")
    # As the broker sees it: kafka-python now and then does not take what SyncGroup gives it.
    while "g" not in kafka.groups() or not any(member.partitions for member in kafka.group("g").members):
        consumer.poll(100)

def test_the_next_one_is_not_blamed(kafka):
    pass
""",
    )
    assert code == 0, output
    lines = [line for line in output.splitlines() if "ClientLeftOpen: " in line]
    assert len(lines) == 1, output
    assert "client 'leaked' (kafka-python" in lines[0]
    assert "member of group 'g' with orders-0" in lines[0]


def test_a_failed_test_is_not_blamed_for_clients_of_the_fixtures(tmp_path: Path) -> None:
    """Its report keeps the test's frame, and with it clients that only end with their object."""
    code, output = run(
        tmp_path,
        """
def test_it(kafka, kafka_producer, kafka_consumer, kafka_admin):
    producer, admin, consumer = kafka_producer(), kafka_admin(**{"client.id": "admin"}), kafka_consumer("orders")
    producer.produce("orders", b"1 tea")
    assert producer.flush(30) == 0
    assert "orders" in admin.list_topics(timeout=30).topics
    assert consumer.poll(30) is None

def test_the_next_one(kafka, kafka_producer):
    kafka_producer().close()  # as a program under test may
    assert kafka.connections() == [] or {each.client_id for each in kafka.connections()} == {"admin"}
""",
    )
    assert code == 1
    assert "1 failed, 1 passed" in output
    assert "ClientLeftOpen" not in output


def test_a_bug_of_the_broker_fails_the_test_that_met_it(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        """
def test_it(kafka, monkeypatch):
    import kafkapy.apis.metadata as api
    from kafka import KafkaConsumer
    from kafkapy.network.api_table import ApiTable

    def broken(request, context):
        raise ZeroDivisionError("planted")

    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    import gc
    from kafkapy.apis.served import Api
    for each in gc.get_objects():
        if isinstance(each, Api) and each.handle is api.handle:
            monkeypatch.setattr(each, "handle", broken)
    try:
        consumer.topics()
    except Exception:
        pass
    consumer.close()

def test_the_next_one_passes(kafka):
    pass
""",
    )
    assert code == 1, output
    assert "kafkapy has made a mistake of its own" in output
    assert "ZeroDivisionError: planted" in output
    assert "1 error" in output


def test_a_seed_is_named_from_the_directory_of_its_test(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "seed.jsonl").write_text(
        '{"kind": "topic", "topic": "orders"}\n{"topic": "orders", "value": "1 tea"}\n'
    )
    (tmp_path / "tests" / "test_seeded.py").write_text(
        """
import pytest

@pytest.mark.parametrize("again", [1, 2])
@pytest.mark.kafka(seed="seed.jsonl", topics={"others": 1})
def test_it(kafka, again):
    assert kafka.topics() == ["orders", "others"]
    assert [record.value for record in kafka.records("orders")] == [b"1 tea"]
    kafka.produce("orders", "more")
"""
    )
    code, output = run(tmp_path, "", "tests/test_seeded.py")
    assert code == 0, output
    assert "2 passed" in output


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("nodez=3", "there is no argument 'nodez' (did you mean 'nodes'?)"),
        ("3", "takes named arguments only"),
        ("settings={'log.retention.ms': 'soon'}", "log.retention.ms"),
        ("isolation='container'", "there is no isolation 'container'"),
        ("client='kafkajs'", "there is no client library 'kafkajs'"),
        ("nodes='3'", "nodes is a whole number from 1 on, not '3'"),
        ("nodes=0", "nodes is a whole number from 1 on, not 0"),
        ("topics=['orders']", 'topics are written {"orders": 3}'),
        ("topics={'orders': '3'}", "topic 'orders' is written with the number of its partitions"),
        ("topics={'orders': {'partition': 3}}", "there is no 'partition' (did you mean 'partitions'?)"),
        ("topics={'orders': {'replicas': 3}}", "INVALID_REPLICATION_FACTOR"),
        ("topics={'orders': {'settings': {'retention': 1}}}", "Unknown topic config name: retention"),
        ("seed={'topics': {'orders': 0}}", "topics.orders: a whole number from 1 to 2147483647 is expected, not 0"),
        ("seed='none.jsonl'", "none.jsonl: it cannot be read: No such file or directory"),
        ("directory='none'", "none is no directory: there is nothing of that name"),
        ("settings={'min.insync.replica': 2}", "(did you mean 'min.insync.replicas'?)"),
        ("settings={'message_max_bytes': 2}", "(did you mean 'message.max.bytes'?)"),
        ("settings={'retention.ms': 2}", "(did you mean 'log.retention.ms'?)"),
    ],
)
def test_a_wrong_marker_is_refused_in_one_line(tmp_path: Path, marker: str, said: str) -> None:
    code, output = run(
        tmp_path,
        f"import pytest\n@pytest.mark.kafka({marker})\ndef test_it(kafka, kafka_producer): pass\n",
        "--tb=short",
    )
    assert code == 1, output
    assert said in output
    assert "Traceback" not in output
    assert "another exception" not in output


def test_a_fault_that_did_not_fire_is_no_second_error_of_a_failed_test(tmp_path: Path) -> None:
    text = """
def test_it(kafka):
    kafka.faults.add(api="Produce", error="NOT_LEADER_OR_FOLLOWER", must_fire=True)
    assert {}
"""
    code, output = run(tmp_path, text.format("False"))
    assert code == 1
    assert "1 failed" in output
    assert "error in" not in output
    assert 'fault 1 (api="Produce", must_fire=true, error="NOT_LEADER_OR_FOLLOWER"): 0 requests matched' in output
    code, output = run(tmp_path, text.format("True"))
    assert code == 1
    assert "faults that must fire have not fired" in output
    code, output = run(tmp_path, text.format("True\n    kafka.reset()"))
    assert code == 1
    assert "faults that must fire have not fired" in output


def test_it_can_be_turned_off_and_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    text = """
import sys

def test_it():
    loaded = {name for name in sys.modules if name == "trio" or name.startswith("kafkapy")}
    assert loaded <= {"kafkapy", "kafkapy.testing", "kafkapy.testing.plugin"}, loaded
"""
    code, output = run(tmp_path, text, "-p", "no:anyio")  # whose plugin imports trio
    assert code == 0, output
    code, output = run(tmp_path, "def test_it(kafka): pass", "-p", "no:kafkapy", plugin=False)
    assert code == 1
    assert "fixture 'kafka' not found" in output


def test_clients_of_the_fixtures_have_the_certificates_of_their_cluster(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        """
import pytest

@pytest.mark.kafka(tls="mutual")
def test_it(kafka, kafka_producer):
    producer = kafka_producer()
    producer.produce("orders", b"value")
    assert producer.flush(30) == 0
    assert [exchange.principal for exchange in kafka.recorded("Produce")] == ["User:CN=client"]
""",
    )
    assert code == 0, output
