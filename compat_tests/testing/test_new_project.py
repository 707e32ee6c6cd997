"""A project of somebody who has installed the wheel, in an environment of its own: each fixture, with each library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS = ["kafka-python", "aiokafka", "confluent-kafka"]
PYTEST = ["pytest", "pytest-xdist", "pytest-asyncio", "pytest-trio", "anyio"]
INSTALL_SECONDS_MAX = 600
RUN_SECONDS_MAX = 300

TESTS = """
import asyncio
import functools
import threading
import unittest

import anyio
import pytest
import trio

from kafkapy.testing import NotYet


def test_kafka(kafka, kafka_topic):
    kafka.produce(kafka_topic, "a")
    assert [record.value for record in kafka.wait_for_records(kafka_topic)] == [b"a"]
    with pytest.raises(NotYet):
        kafka.wait_for_group("nobody", timeout=0.01)


def test_it_is_fresh(kafka):
    assert kafka.topics() == []


@pytest.mark.kafka(topics={"orders": {"replicas": 3}})
def test_kafka_cluster(kafka_cluster):
    assert len(kafka_cluster.topic("orders").partitions[0].isr) == 3


@pytest.mark.kafka(client="confluent-kafka")
def test_confluent_kafka(kafka, kafka_producer, kafka_consumer, kafka_admin):
    producer = kafka_producer()
    producer.produce("orders", b"v")
    assert producer.flush(30) == 0
    consumer = kafka_consumer("orders", group_id="g")
    message = None
    while message is None or message.error():
        message = consumer.poll(1)
    assert message.value() == b"v"
    assert "orders" in kafka_admin().list_topics(timeout=30).topics


@pytest.mark.kafka(client="kafka-python")
def test_kafka_python(kafka, kafka_producer, kafka_consumer, kafka_admin):
    kafka_producer().send("orders", b"v").get(30)
    assert next(kafka_consumer("orders", group_id="g")).value == b"v"
    assert "orders" in kafka_admin().list_topics()


@pytest.mark.kafka(client="aiokafka")
@pytest.mark.asyncio
async def test_aiokafka(async_kafka, kafka_producer, kafka_consumer, kafka_admin):
    async with kafka_producer() as producer:
        await producer.send_and_wait("orders", b"v")
    assert [record.value for record in await async_kafka.wait_for_records("orders")] == [b"v"]
    async with kafka_consumer("orders", group_id="g") as consumer:
        assert (await consumer.getone()).value == b"v"
    admin = kafka_admin()
    await admin.start()
    assert "orders" in await admin.list_topics()
    await admin.close()


BLOCKING = pytest.mark.parametrize("library", [
    pytest.param(name, marks=pytest.mark.kafka(client=name)) for name in ("confluent-kafka", "kafka-python")
])


def sent(producer, value):
    "By a client that blocks, of either library."
    if hasattr(producer, "send"):
        producer.send("orders", value).get(30)
    else:
        producer.produce("orders", value)
        assert producer.flush(30) == 0


@BLOCKING
def test_threads(library, kafka, kafka_producer):
    producer = kafka_producer()
    threads = [threading.Thread(target=sent, args=(producer, b"%d" % number)) for number in range(4)]
    for thread in threads:
        thread.start()
    assert len(kafka.wait_for_records("orders", 4)) == 4
    for thread in threads:
        thread.join()


@BLOCKING
@pytest.mark.asyncio
async def test_asyncio(library, async_kafka, kafka_producer):
    waiting = asyncio.ensure_future(async_kafka.wait_for_records("orders"))
    await asyncio.to_thread(sent, kafka_producer(), b"v")
    assert [record.value for record in await waiting] == [b"v"]


@BLOCKING
@pytest.mark.trio
async def test_trio(library, async_kafka, kafka_producer):
    fault = await async_kafka.faults.add(api="Produce", hold="before")
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, functools.partial(sent, kafka_producer(), b"v"))
            await fault.wait(held=1)
            await fault.release()
        assert [record.value for record in await async_kafka.wait_for_records("orders")] == [b"v"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(async_kafka, anyio_backend):
    await async_kafka.produce("orders", "v")
    with anyio.fail_after(30):
        assert len(await async_kafka.wait_for_records("orders")) == 1


@pytest.mark.kafka(isolation="process", as_kafka="3.6", settings={"num.partitions": 2}, client="confluent-kafka")
def test_a_process_of_its_own(kafka, kafka_producer):
    sent(kafka_producer(), b"v")
    assert len(kafka.wait_for_topic("orders").partitions) == 2


@pytest.mark.kafka(topics={"orders": 3}, client="kafka-python")
class OrdersTest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _take_fixtures(self, kafka, kafka_producer):
        self.kafka, self.producer = kafka, kafka_producer()

    def test_one(self):
        sent(self.producer, b"one")
        self.assertEqual([record.value for record in self.kafka.records("orders")], [b"one"])

    def test_another_one_begins_anew(self):
        self.assertEqual(self.kafka.records("orders"), [])
        self.assertEqual(len(self.kafka.topic("orders").partitions), 3)
"""
WITHOUT_FIXTURES = """
import asyncio
import unittest

import pytest
from confluent_kafka import Producer

from kafkapy.testing import AsyncKafka, Kafka


class OrdersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = cls.enterClassContext(Kafka(topics={"orders": 1}))

    def setUp(self):
        self.kafka.reset()

    def test_one(self):
        producer = Producer(self.kafka.config_for("confluent_kafka"))
        producer.produce("orders", b"v")
        self.assertEqual(producer.flush(30), 0)
        self.assertEqual([record.value for record in self.kafka.records("orders")], [b"v"])

    def test_another_one_begins_anew(self):
        self.assertEqual(self.kafka.records("orders"), [])


def test_awaited():
    async def main():
        async with AsyncKafka() as kafka:
            return await kafka.topics()

    assert asyncio.run(main()) == []


def test_there_are_no_fixtures(request):
    with pytest.raises(pytest.FixtureLookupError):
        request.getfixturevalue("kafka")
"""


def run(*command: str | Path, cwd: Path, seconds: float) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-5_000:]
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, the client libraries and pytest's companions."""
    here = tmp_path_factory.mktemp("new-project")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", here, ROOT, cwd=here, seconds=300)
    [wheel] = here.glob("kafkapy_broker-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", here / "env", cwd=here, seconds=120)
    interpreter = here / "env" / "bin" / "python"
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        interpreter,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    )
    run(*pip, str(wheel), *CLIENTS, *PYTEST, cwd=here, seconds=INSTALL_SECONDS_MAX)
    return interpreter


def test_the_new_project_uses_each_fixture() -> None:
    plugin = (ROOT / "kafkapy" / "testing" / "plugin.py").read_text(encoding="utf-8")
    fixtures = re.findall(r"^@pytest\.fixture\b.*\n(?:async )?def (\w+)", plugin, re.MULTILINE)
    assert {"kafka", "async_kafka"} <= set(fixtures)
    assert [
        name for name in fixtures if not re.search(rf"^ *(async )?def test_.*\b{name}\b", TESTS, re.MULTILINE)
    ] == []


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_new_project(python: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_orders.py").write_text(TESTS)
    strict = ("--strict-markers", *options)
    output = run(python, "-m", "pytest", "-q", *strict, "test_orders.py", cwd=tmp_path, seconds=RUN_SECONDS_MAX)
    assert "17 passed" in output, output
    assert "ClientLeftOpen" not in output, output


def test_a_new_project_without_the_fixtures(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_orders.py").write_text(WITHOUT_FIXTURES)
    command = (python, "-m", "pytest", "-q", "-p", "no:kafkapy", "test_orders.py")
    output = run(*command, cwd=tmp_path, seconds=RUN_SECONDS_MAX)
    assert "4 passed" in output, output
