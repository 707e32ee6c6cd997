"""`kafka-metadata-shell` shows what is in a snapshot that kafkapy has written of its metadata.

The shell is that of Apache Kafka 4.3.1, the newest that Maven has, so that the cluster is one of that release.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, JVM_FLAGS, maven_jars, require_tool
from compat_tests.conftest import SETTINGS
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

SHELL = "org.apache.kafka.shell.MetadataShell"
RELEASE = "4.3.1"
SHELL_SECONDS = 90
SHELL_HANGS_MAX = 3
POM = Path(__file__).parent / "shell" / "pom.xml"
# Every change of the metadata is followed by a snapshot, and only the last one is kept.
OFTEN = {"metadata.log.max.record.bytes.between.snapshots": "1", "metadata.max.retention.ms": "0"}

pytestmark = pytest.mark.usefixtures("java")


def run_shell(command: list[str]) -> subprocess.CompletedProcess[str]:
    """On a busy machine the shell now and then has read a snapshot, and waits for ever until it has (its stack is in
    `MetadataShell.waitUntilCaughtUp`); then it is asked again.
    """
    for _ in range(SHELL_HANGS_MAX):
        with suppress(subprocess.TimeoutExpired):
            return _run(command)
    return _run(command)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Raises TimeoutExpired."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SHELL_SECONDS, check=False
    )


def shown(snapshot: Path) -> dict[str, list[str]]:
    """What the shell says of each part of the metadata in the file."""
    jars = need(lambda: maven_jars(POM, "apache-kafka-shell", RELEASE))
    command = [require_tool("java"), *JVM_FLAGS, "-cp", f"{jars}/*", SHELL, "--snapshot", str(snapshot)]
    done = run_shell([*command, "tree", "/image"])
    assert done.returncode == 0, done.stdout + done.stderr
    # The shell logs as an error that a snapshot has a header, voters and a footer, whoever wrote it.
    lines = [line.rstrip() for line in done.stdout.splitlines() if " ERROR Ignoring control record with" not in line]
    assert not [line for line in lines if " ERROR " in line or "Exception" in line], done.stdout
    parts: dict[str, list[str]] = {}
    part = ""
    for line in lines:
        if line.startswith(" "):
            parts[part].append(line.strip())
        elif line:
            part = line.removesuffix(":")
            parts[part] = []
    return parts


def test_the_shell_shows_our_snapshot(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    command = [kafkapy_command(), "format", "-t", CLUSTER_ID, "--data-dir", str(directory), "-s", "-r", RELEASE]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    with KafkapyProcess(SETTINGS | OFTEN, data_dir=directory) as broker:
        admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
        topics = [
            confluent_admin.NewTopic("alpha", 3, 1, config={"retention.ms": "77"}),
            confluent_admin.NewTopic("gone", 1, 1),
        ]
        for made in admin.create_topics(topics).values():
            made.result(PATIENCE_SECONDS)
        admin.delete_topics(["gone"])["gone"].result(PATIENCE_SECONDS)
        metadata = directory / "__cluster_metadata-0"
        copy = tmp_path / "copy.checkpoint"  # the shell wants to lock the directory that the broker has locked

        def last_snapshot() -> dict[str, list[str]]:
            """What the snapshot after the deletion says; nothing if it is not there yet."""
            try:
                (snapshot,) = metadata.glob("*.checkpoint")
                shutil.copy(snapshot, copy)
            except (ValueError, FileNotFoundError):  # there are two for a moment, and then the first one goes
                return {}
            parts = shown(copy)
            return {} if "gone:" in parts["topics"] or "alpha:" not in parts["topics"] else parts

        parts = eventually(last_snapshot, "a snapshot of the metadata after the deletion", seconds=4 * PATIENCE_SECONDS)
        assert not broker.bugs()
    topic_lines = parts["topics"]
    assert topic_lines.count("alpha:") == 1
    assert [line for line in topic_lines if line in ("0:", "1:", "2:", "3:")] == ["0:", "1:", "2:"] * 2
    state = "isr=[1], removingReplicas=[], addingReplicas=[], elr=[], lastKnownElr=[], leader=1, "
    assert sum(line.startswith("PartitionRegistration(replicas=[1], directories=[") for line in topic_lines) == 6
    assert sum(f"{state}leaderRecoveryState=RECOVERED, leaderEpoch=0" in line for line in topic_lines) == 6
    assert parts["configs"] == ["BROKER:", "min.insync.replicas:", "1", "TOPIC:alpha:", "retention.ms:", "77"]
    assert parts["features"][-2:] == ["metadataVersion:", "Optional[4.3-IV0]"]
    (registration,) = [line for line in parts["cluster"] if line.startswith("BrokerRegistration(id=1, ")]
    assert f"securityProtocol=PLAINTEXT, host='localhost', port={broker.port})" in registration
    assert "fenced=false, inControlledShutdown=false" in registration
