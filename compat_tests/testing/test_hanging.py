"""A cluster whose event loop stands still is told of, with where, and holds up no test run."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from compat_tests.testing.test_plugin import run
from kafkapy.testing import AsyncKafka, HangingKafka, HangingTeardown, Kafka

HANGS = 60.0
SHORT = {
    "kafkapy.testing.awaiting.PATIENCE_SECONDS": 0.2,
    "kafkapy.testing.hanging.TURN_SECONDS": 0.2,
    "kafkapy.testing.in_thread.STOP_SECONDS": 0.2,
    "kafkapy.testing.in_process.STOP_SECONDS": 0.2,
}


def stand_still() -> None:
    """What the event loop of a thread does until the test lets it go."""
    while not let_go:
        time.sleep(0.01)


let_go: list[bool] = []


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, seconds in SHORT.items():
        monkeypatch.setattr(name, seconds)
    let_go.clear()
    yield
    let_go.append(True)


def test_who_asks_one_that_stands_still_is_told_where() -> None:
    def ask(kafka: Kafka) -> None:
        kafka._run._server.call_in_turn(stand_still)  # type: ignore[attr-defined]
        with pytest.raises(HangingKafka, match="in stand_still"):
            kafka.topics()
        with pytest.raises(HangingKafka):  # at once: it has been given up
            kafka.records("orders")

    with pytest.raises(HangingTeardown, match="in stand_still"), Kafka() as kafka:
        ask(kafka)


def test_the_same_awaited() -> None:
    async def ask(kafka: AsyncKafka) -> None:
        kafka._run._server.call_in_turn(stand_still)  # type: ignore[attr-defined]
        with pytest.raises(HangingKafka, match="in stand_still"):
            await kafka.topics()

    async def begin_and_end() -> None:
        let_go.clear()
        with pytest.raises(HangingTeardown):
            async with AsyncKafka() as kafka:
                await ask(kafka)
        let_go.append(True)

    asyncio.run(begin_and_end())
    trio.run(begin_and_end)


def test_a_process_that_stands_still_is_killed() -> None:
    def ask(kafka: Kafka) -> Any:
        process = kafka._run._process  # type: ignore[attr-defined]
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(HangingKafka):
            kafka.topics()
        return process

    with pytest.raises(HangingTeardown, match="its process was killed"), Kafka(isolation="process") as kafka:
        process = ask(kafka)
    assert process.returncode == -signal.SIGKILL


def test_an_operation_that_waits_for_long_is_none_that_hangs() -> None:
    with Kafka() as kafka:
        assert kafka.wait_for_records("orders", 0, timeout=1) == []
        with pytest.raises(TimeoutError):
            kafka.wait_for_records("orders", 1, timeout=1)
        assert kafka.topics() == []


def test_a_test_run_goes_on_with_another_one(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        f"""
import time

SHORT = {SHORT}

def test_it(kafka, monkeypatch):
    import importlib
    for name, seconds in SHORT.items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, seconds)
    kafka._run._server.call_in_turn(lambda: time.sleep({HANGS}))

def test_the_next_one(kafka):
    kafka.produce("orders", "1 tea")
    assert len(kafka.records("orders")) == 1
""",
    )
    assert code == 1
    assert "2 passed, 1 error" in output
    assert "HangingKafka" not in output, "a line and the stack, and no traceback of the kit's own"
    assert "the Kafka answers nothing: its event loop has stood still" in output
    assert f"time.sleep({HANGS})" in output
