"""Clients of other languages against a broker that fails as a file says: all records are there, once, and are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CONSOLE_CONSUMER, CONSOLE_PRODUCER, java_tool
from compat_tests.client_program import ClientProgram, Record
from compat_tests.kafkapy_process import KafkapyProcess

VALUES = [f"record {number}" for number in range(6)]
RULES: list[dict[str, object]] = [
    {"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 1},
    {"api": "Produce", "topic": "orders", "disconnect": "before", "times": 1},
    {"api": "Produce", "topic": "orders", "reset_peer": "after", "times": 1},
    {"api": "Metadata", "topic": "orders", "error": "LEADER_NOT_AVAILABLE", "times": 1},
    {"api": "ListOffsets", "topic": "orders", "error": "LEADER_NOT_AVAILABLE", "times": 1},
    {"api": "Fetch", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 1},
    {"api": "Fetch", "topic": "orders", "disconnect": "middle", "times": 1},
    {"api": "Fetch", "latency_ms": 5, "slicer_bytes": 50},
]


@pytest.fixture
def failing_broker(tmp_path: Path) -> Iterator[KafkapyProcess]:
    """All its faults must have fired."""
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{**rule, "must_fire": True} for rule in RULES]))
    settings = {"offsets.topic.num.partitions": "1"}
    with KafkapyProcess(settings, data_dir=tmp_path / "data", options=("--faults", str(file))) as broker:
        yield broker
        assert broker.bugs() == ""
        broker.stop()
        assert "never did" not in broker.output()


def by_program(program: ClientProgram, bootstrap: str) -> list[str | None]:
    outcomes = program.produce(bootstrap, "orders", [Record(value.encode()) for value in VALUES])
    assert {outcome.error for outcome in outcomes} == {0}
    read = program.consume(bootstrap, "orders", len(VALUES))
    return [None if record.value is None else record.value.decode() for record in read]


def by_franz_go(request: pytest.FixtureRequest, bootstrap: str, work: Path) -> list[str | None]:
    return by_program(ClientProgram([str(request.getfixturevalue("go_program")), "franz"], work), bootstrap)


def by_java(request: pytest.FixtureRequest, bootstrap: str, work: Path) -> list[str | None]:
    request.getfixturevalue("java")
    where = ("--bootstrap-server", bootstrap, "--topic", "orders")
    sent = java_tool(CONSOLE_PRODUCER, *where, stdin="".join(f"{value}\n" for value in VALUES))
    assert sent.returncode == 0, sent.stderr
    read = java_tool(
        CONSOLE_CONSUMER, *where, "--from-beginning", "--max-messages", str(len(VALUES)), "--timeout-ms", "20000"
    )
    assert read.returncode == 0, read.stderr
    return list(read.stdout.splitlines())


CLIENTS = [by_franz_go, by_java]


@pytest.mark.parametrize("client", CLIENTS, ids=[each.__name__[3:] for each in CLIENTS])
def test_an_idempotent_producer_and_a_consumer(
    client: Callable[[pytest.FixtureRequest, str, Path], list[str | None]],
    request: pytest.FixtureRequest,
    failing_broker: KafkapyProcess,
    tmp_path: Path,
) -> None:
    assert client(request, failing_broker.bootstrap, tmp_path) == VALUES
