"""The test kit: until there is a broker in the test process, what comes between two tests, and a whole suite.

A suite is a run of pytest with `kit_suite.py`, from its spawn to its end. kafkapy is there by the kit's fixture; the
others are a process that is started before pytest and stopped after it, as a fixture of the session would do it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import installation
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Peer
from benchmarks.raw_client import UnexpectedAnswer
from kafkapy_wire.api_keys import ApiKey

HERE = Path(__file__).resolve().parent.parent
PROGRAM_SECONDS_MAX = 120.0
SUITE_TESTS = 100
KIT = "kafkapy"
MOCK = "mock"

FIRST_SECONDS = Metric("kit_first_seconds", "Import to bootstrapped broker in a thread", "s")
SECOND_MS = Metric("kit_second_ms", "... the next one in the process", "ms")
RESET_MS = Metric("kit_reset_ms", "Fresh state between tests", "ms")
TAKE_MS = Metric("kit_take_snapshot_ms", "Take a snapshot", "ms")
RESTORE_MS = Metric("kit_restore_snapshot_ms", "Restore it", "ms")
SUITE_SECONDS = Metric("kit_suite_seconds", f"Suite of {SUITE_TESTS} tests, one broker", "s")
EMPTY_SUITE_SECONDS = Metric("kit_empty_suite_seconds", "... of it pytest and its imports", "s")
SUITE_EACH_SECONDS = Metric("kit_suite_each_seconds", "... a broker for each test", "s")


def measure_start(peer: Peer, _scale: Scale) -> Figures:
    python = sys.executable if peer.name == MOCK else str(installation.python())
    seconds = _run_program(python, "start", peer.name)
    return {FIRST_SECONDS.key: seconds["first"], SECOND_MS.key: seconds["second"] * 1e3}


def measure_state(_peer: Peer, _scale: Scale) -> Figures:
    milliseconds = _run_program(str(installation.python()), "state")
    return {
        RESET_MS.key: milliseconds["reset"],
        TAKE_MS.key: milliseconds["take"],
        RESTORE_MS.key: milliseconds["restore"],
    }


def _run_program(python: str, *arguments: str) -> Mapping[str, float]:
    command = [python, str(HERE / "kit_process.py"), *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROGRAM_SECONDS_MAX, check=False
    )
    if done.returncode:
        raise UnexpectedAnswer(f"{' '.join(command)}\n{done.stderr[-2_000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure_suite(peer: Peer, _scale: Scale) -> Figures:
    empty = _run_suite(0)
    if peer.name == KIT:
        return {
            SUITE_SECONDS.key: _run_suite(SUITE_TESTS),
            EMPTY_SUITE_SECONDS.key: empty,
            SUITE_EACH_SECONDS.key: _run_suite(SUITE_TESTS, KIT_SUITE_A_BROKER_EACH="yes"),
        }
    return {
        SUITE_SECONDS.key: _beside(peer, SUITE_TESTS),
        EMPTY_SUITE_SECONDS.key: empty,
        # A hundred times one: nobody waits for all of them.
        SUITE_EACH_SECONDS.key: SUITE_TESTS * (_beside(peer, 1) - empty) + empty,
    }


def _beside(peer: Peer, tests: int) -> float:
    """Seconds of a broker's start, a suite with it, and its end."""
    with peer.running({"group.initial.rebalance.delay.ms": "0"}) as broker:
        begin = time.perf_counter()
        _run_suite(tests, broker)
        broker.stop()
        return broker.start_seconds + time.perf_counter() - begin


def _run_suite(tests: int, broker: Broker | None = None, **variables: str) -> float:
    """Seconds from the spawn of pytest to its end. The kafkapy that it imports is the installed one."""
    [packages] = (installation.environment() / "lib").glob("python*/site-packages")
    environment = {**os.environ, "KIT_SUITE_TESTS": str(tests), "PYTHONPATH": str(packages), **variables}
    if broker is not None:
        environment["KIT_SUITE_ADDRESS"] = broker.bootstrap
        environment["KIT_SUITE_CREATES"] = "yes" if ApiKey.CREATE_TOPICS in broker.served else "no"
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(HERE))
    command = [sys.executable, "-m", "pytest", *options, str(HERE / "kit_suite.py")]
    begin = time.perf_counter()
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )
    seconds = time.perf_counter() - begin
    if f"{tests} passed" not in done.stdout and tests:
        raise UnexpectedAnswer(f"{' '.join(command)}\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    return seconds


KIT_START = LifecycleRow("kit_start", (FIRST_SECONDS, SECOND_MS), measure_start, time_limit_seconds=120.0)
KIT_STATE = LifecycleRow("kit_state", (RESET_MS, TAKE_MS, RESTORE_MS), measure_state, time_limit_seconds=120.0)
KIT_SUITE = LifecycleRow(
    "kit_suite",
    (SUITE_SECONDS, EMPTY_SUITE_SECONDS, SUITE_EACH_SECONDS),
    measure_suite,
    time_limit_seconds=600.0,
    rounds_max=3,
)
