"""A project of somebody who has installed the wheel, in an environment of its own: each fixture, with each library."""

from __future__ import annotations

import os
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
async def test_aiokafka(async_kafka, kafka_producer, kafka_consumer):
    async with kafka_producer() as producer:
        await producer.send_and_wait("orders", b"v")
    assert [record.value for record in await async_kafka.wait_for_records("orders")] == [b"v"]
    async with kafka_consumer("orders", group_id="g") as consumer:
        assert (await consumer.getone()).value == b"v"


@pytest.mark.trio
async def test_trio(async_kafka):
    await async_kafka.produce("orders", "v")
    with trio.fail_after(30):
        assert len(await async_kafka.wait_for_records("orders")) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(async_kafka, anyio_backend):
    await async_kafka.produce("orders", "v")
    with anyio.fail_after(30):
        assert len(await async_kafka.wait_for_records("orders")) == 1
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
    run(sys.executable, "-m", "venv", here / "env", cwd=here, seconds=120)
    interpreter = here / "env" / "bin" / "python"
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, str(wheel), *CLIENTS, *PYTEST, cwd=here, seconds=INSTALL_SECONDS_MAX)
    return interpreter


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_new_project(python: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_orders.py").write_text(TESTS)
    output = run(python, "-m", "pytest", "-q", *options, "test_orders.py", cwd=tmp_path, seconds=RUN_SECONDS_MAX)
    assert "9 passed" in output, output
    assert "ClientLeftOpen" not in output, output
