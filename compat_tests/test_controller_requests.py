"""An active controller of kafkapy and one of Apache Kafka get the same requests of brokers that do not exist.

Both must answer alike, and write the same records: who is fenced, who leads, who is in sync, and who is eligible.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, ApacheKafka, jar_directory
from compat_tests.controller_scenario import CONTROLLER_ID, SESSION_MS, Script, play, script
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command
from compat_tests.ports import free_port
from compat_tests.tools import need

LEVELS = ("3.5-IV2", "4.0-IV3", "4.4-IV2")
"""A leader epoch for each smaller ISR; eligible leader replicas (KIP-966) that are switched on later; all features."""


def settings(port: int, data_dir: Path) -> dict[str, str]:
    return {
        "process.roles": "controller",
        "node.id": str(CONTROLLER_ID),
        "listeners": f"CONTROLLER://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"{CONTROLLER_ID}@127.0.0.1:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(data_dir),
        "broker.session.timeout.ms": str(SESSION_MS),
        "metadata.max.idle.interval.ms": "0",  # no record that nobody has asked for
    }


@contextmanager
def kafkapy_controller(data_dir: Path, level: str) -> Iterator[Script]:
    port = free_port()
    overrides = [part for name, value in settings(port, data_dir).items() for part in ("--override", f"{name}={value}")]
    subprocess.run(
        [kafkapy_command(), "format", "--cluster-id", CLUSTER_ID, "--release-version", level, *overrides], check=True
    )
    process = KafkapyProcess(settings(port, data_dir), data_dir=data_dir, port=port)
    with process:
        with script(port, data_dir, CLUSTER_ID) as opened:
            yield opened
        assert not process.bugs()


@contextmanager
def apache_controller(level: str) -> Iterator[Script]:
    kafka = ApacheKafka(release_version=level)
    port = free_port()
    kafka.settings = settings(port, kafka.data_dir)
    with kafka, script(port, kafka.data_dir, CLUSTER_ID) as opened:
        yield opened


@pytest.fixture(scope="module", params=LEVELS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Script, Script]:
    """The scripts of kafkapy and of Apache Kafka, played to their ends at one level of metadata.version."""
    need(jar_directory)
    played: dict[str, Script] = {}

    def play_apache() -> None:
        with apache_controller(request.param) as theirs:
            play(theirs)
            played["apache"] = theirs

    beside = threading.Thread(target=play_apache)
    beside.start()
    try:
        with kafkapy_controller(tmp_path_factory.mktemp("controller"), request.param) as ours:
            play(ours)
    finally:
        beside.join()
    assert "apache" in played, "see what its thread has raised"
    return ours, played["apache"]


def test_every_answer_is_the_same(both: tuple[Script, Script]) -> None:
    ours, theirs = ([(label, answer) for label, answer, _ in each.steps] for each in both)
    assert len(ours) == len(theirs) > 150
    different = [(mine, their) for mine, their in zip(ours, theirs, strict=True) if mine != their]
    assert different == []


def test_every_step_leaves_the_same_records(both: tuple[Script, Script]) -> None:
    ours, theirs = ([(label, records) for label, _, records in each.steps] for each in both)
    different = [(mine, their) for mine, their in zip(ours, theirs, strict=True) if mine != their]
    assert different == []
