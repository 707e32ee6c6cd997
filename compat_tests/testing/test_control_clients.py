"""The example clients of the control API in Java, Go and JavaScript drive unmodified clients of Kafka into faults.

The cluster is a process with a token, as it is for tests that are not in Python. Each program prints what it has met.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, jar_directory
from compat_tests.kafkapy_process import TRACEBACK, kafkapy_command
from compat_tests.orphans import dying_with_us

ROOT = Path(__file__).parents[2]
JAVA = ROOT / "compat_tests" / "java"
JAVA_CLIENT = ROOT / "examples" / "control" / "KafkapyControl.java"
TOKEN = "secret"
SETTINGS = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "100"}
START_SECONDS_MAX = 60
RUN_SECONDS_MAX = 120
BOOTSTRAP = re.compile(r"^bootstrap: (\S+)$", re.MULTILINE)
CONTROL = re.compile(r"^control API at (\S+)$", re.MULTILINE)


class ControlledCluster(NamedTuple):
    bootstrap: str
    url: str

    def met_by(self, *program: str) -> dict[str, Any]:
        """What a program prints that is given the cluster."""
        command = [*program, self.bootstrap, self.url, TOKEN]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
        assert ended.returncode == 0, ended.stderr
        met: dict[str, Any] = json.loads(ended.stdout)
        return met


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlledCluster]:
    """Three nodes in one process of `kafkapy cluster`."""
    output = tmp_path_factory.mktemp("cluster") / "output"
    overrides = [part for setting in SETTINGS.items() for part in ("--override", "=".join(setting))]
    command = [kafkapy_command(), "cluster", "--nodes", "3", "--ephemeral", "--port", "0", "--control", "0", *overrides]
    with output.open("wb") as file:
        process = subprocess.Popen(
            dying_with_us(command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "KAFKAPY_CONTROL_TOKEN": TOKEN},
        )
    try:
        until = time.monotonic() + START_SECONDS_MAX
        while (url := CONTROL.search(output.read_text())) is None:
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.01)
        bootstrap = BOOTSTRAP.search(output.read_text())
        assert bootstrap is not None
        yield ControlledCluster(bootstrap[1], url[1])
    finally:
        process.terminate()
        process.wait(START_SECONDS_MAX)
    assert TRACEBACK not in output.read_text()


def check(met: dict[str, Any]) -> None:
    nothing = {"field": "", "nearest": "", "code": 0}
    assert met.pop("refusals") == [
        {**nothing, "status": 401, "kind": "NotAuthorized"},
        {**nothing, "status": 400, "kind": "InvalidRule", "field": "topik", "nearest": "topic"},
        {**nothing, "status": 404, "kind": "NotFound"},
        {**nothing, "status": 409, "kind": "TOPIC_ALREADY_EXISTS", "code": 36},
        {**nothing, "status": 504, "kind": "NotYet"},
    ]
    killed = met.pop("killed")
    assert met == {
        "matched": 1,
        "fired": 1,
        "answers": [["NOT_LEADER_OR_FOLLOWER"], []],
        "while_held": ["tried again"],
        "released": 1,
        "faults": 0,
        "passed_ms": 3_600_000,
        "is_frozen": [True, False],
        "jumped": True,
        "not_ready": [killed],
        "not_running": [killed],
        "values": ["tried again", "held", "by another leader"],
        "unfired": 0,
        "added": 4,
        "racks": ["east"],
        "nodes": 3,
    }


def test_java(cluster: ControlledCluster, java: str) -> None:
    class_path = compiled_java(
        "drives-control", JAVA / "DrivesControl.java", JAVA / "pom.xml", jar_directory(), JAVA_CLIENT
    )
    log_settings = f"-Dlog4j2.configurationFile={JAVA / 'log4j2.properties'}"
    check(cluster.met_by(java, "-Xmx128m", *JVM_FLAGS, log_settings, "-cp", class_path, "DrivesControl"))


def test_go(cluster: ControlledCluster, go_program: Path) -> None:
    program = [str(go_program), "franz", "control"]
    check(cluster.met_by(*program))


def test_node(cluster: ControlledCluster, node_directory: Path) -> None:
    check(cluster.met_by("node", str(node_directory / "control.js")))
