"""What befalls a Kafka around its `with` block: cancelled waits, stops while it is asked, forks, signals, SIGKILL."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import AsyncKafka, Kafka, KafkaStopped, NewRecord

ISOLATIONS = ("thread", "process")
Isolation = Literal["thread", "process"]


def in_a_fork(work: Callable[[], Any]) -> str:
    """What it returns or raises in a fork of this process, in words."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(int(PATIENCE_SECONDS))  # one that hangs is ended
        try:
            said = repr(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said_there = pipe.read().decode()
    os.waitpid(child, 0)
    return said_there


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_wait_that_asyncio_cancels_harms_nobody(isolation: Isolation) -> None:
    with Kafka(isolation=isolation) as kafka:

        async def give_up() -> None:
            wait = asyncio.ensure_future(AsyncKafka.of(kafka).wait_for_topic("later", timeout=PATIENCE_SECONDS))
            await asyncio.sleep(0)
            wait.cancel()
            with pytest.raises(asyncio.CancelledError):
                await wait

        asyncio.run(give_up())
        kafka.create_topic("later")  # the wait ends, and nobody is there any more
        assert kafka.wait_for_topic("later").name == "later"
        assert kafka.topics() == ["later"]


def test_a_start_that_asyncio_cancels_leaves_nothing_running() -> None:
    faces: list[AsyncKafka] = []

    async def enter() -> None:
        face = AsyncKafka()
        faces.append(face)
        async with face:
            await asyncio.sleep(PATIENCE_SECONDS)

    async def give_up() -> None:
        entering = asyncio.ensure_future(enter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    before = kafkas_running()
    asyncio.run(give_up())
    assert len(faces) == 1
    assert kafkas_running() == before


def kafkas_running() -> int:
    return sum(thread.name == "kafkapy" for thread in threading.enumerate())


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_who_asks_while_it_stops_is_told(isolation: Isolation) -> None:
    def ask_on(kafka: Kafka, asked: threading.Event) -> str:
        try:
            while True:
                kafka.topics()
                asked.set()
        except (KafkaStopped, RuntimeError) as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5 if isolation == "thread" else 1):
            begun = [threading.Event() for _ in range(4)]
            with Kafka(isolation=isolation) as kafka:
                same = [Kafka.of(kafka) for _ in begun]
                asking = [pool.submit(ask_on, *each) for each in zip(same, begun, strict=True)]
                for each in begun:
                    assert each.wait(PATIENCE_SECONDS)
            for ended in asking:
                assert "stopped" in ended.result(PATIENCE_SECONDS)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_fork_does_not_disturb_the_kafka_of_its_parent(isolation: Isolation) -> None:
    kafka = Kafka(isolation=isolation, topics={"orders": 1})
    with kafka:
        assert "KafkaStopped: the Kafka belongs to process" in in_a_fork(kafka.topics)
        assert in_a_fork(lambda: kafka.__exit__(None, None, None)) == "None"
        assert kafka.topics() == ["orders"]

        def own() -> list[str]:
            with Kafka(isolation=isolation, topics={"own": 1}) as other:
                return other.topics()

        assert in_a_fork(own) == "['own']"
        assert kafka.topics() == ["orders"]


def test_waits_end_when_its_process_is_killed() -> None:
    with Kafka(isolation="process") as kafka, ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(kafka.wait_for_topic, "never", timeout=PATIENCE_SECONDS) for _ in range(3)]
        assert kafka.topics() == []
        kafka._run._process.kill()  # type: ignore[attr-defined]
        for wait in waits:
            with pytest.raises(KafkaStopped, match="its process has ended"):
                wait.result(PATIENCE_SECONDS)
        with pytest.raises(KafkaStopped):
            kafka.topics()


def test_a_value_that_cannot_be_sent_is_forgotten() -> None:
    with Kafka(isolation="process") as kafka:
        with pytest.raises((AttributeError, TypeError)):
            kafka._run.submit("produce", "orders", [NewRecord(value=lambda: b"")])  # type: ignore[arg-type]
        assert kafka._run._waiting == {}  # type: ignore[attr-defined]
        assert kafka.topics() == []


def test_one_object_is_one_cluster_at_a_time() -> None:
    kafka = Kafka()
    with kafka:
        with pytest.raises(RuntimeError, match="runs already"):
            kafka.__enter__()
        assert kafka.topics() == []
    with kafka:
        assert kafka.topics() == []


INTERRUPTED = """
import os, signal, sys, threading, _thread
from kafkapy.testing import Kafka, server

begin, reached = server.Cluster.started, threading.Event()

def started(cluster):
    reached.set()
    _thread.interrupt_main()
    return begin(cluster)

server.Cluster.started = started
try:
    with Kafka():
        pass
except KeyboardInterrupt:
    pass
for thread in threading.enumerate():
    if thread.name == "kafkapy":
        thread.join(30)
print([each.name for each in threading.enumerate()], os.listdir(sys.argv[1]))
"""


def test_an_interrupted_start_leaves_nothing(tmp_path: Any) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    assert ended.stdout == "['MainThread'] []\n", ended.stderr
