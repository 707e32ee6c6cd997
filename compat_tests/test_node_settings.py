"""Roles, voters and listeners of a node: what Apache Kafka refuses is refused here, in its words."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, java_command

pytestmark = pytest.mark.usefixtures("java")

CONFIGS = Path(__file__).parent / "java" / "Configs.java"

# `kafkapy format` for each line of JSON on standard input: it reads all settings, and needs no port.
RUN_KAFKAPY = """
import contextlib, io, json, sys
from kafkapy.cli import main
for line in sys.stdin:
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = main(["format", "-N", "-t", sys.argv[1], *json.loads(line)])
    print(json.dumps("ok" if code == 0 else err.getvalue()))
"""

COMBINED = "process.roles=broker,controller"
BROKER = "process.roles=broker node.id=5 controller.quorum.voters=1@h:9093"
CONTROLLER = "process.roles=controller controller.quorum.voters=1@h:9093"
BOTH = "listeners=PLAINTEXT://h:9092,CONTROLLER://:9093"
OWN = "listeners=CONTROLLER://:9093"


@dataclass(frozen=True, slots=True)
class Differs:
    """Settings that are refused in other words, or are taken here: `ours` is how our answer begins."""

    settings: str
    ours: str


CASES: list[str | Differs] = [
    # Roles and voters
    "process.roles=broker",
    f"process.roles=controller {OWN}",
    "process.roles=brokr",
    "process.roles=broker,broker controller.quorum.bootstrap.servers=h:9093",
    "process.roles=broker controller.quorum.bootstrap.servers=h:9093",
    "process.roles=broker controller.quorum.bootstrap.servers=",
    "process.roles=broker controller.quorum.bootstrap.servers=h",
    "process.roles=broker controller.quorum.voters=",
    "process.roles=broker node.id=2 controller.quorum.voters=2@h:9093",
    BROKER,
    f"{CONTROLLER} {OWN}",
    f"process.roles=controller {OWN} controller.quorum.voters=2@h:9093,3@h:9094",
    f"{COMBINED} {BOTH} controller.quorum.voters=1@h:9093,2@h:9094",
    f"{COMBINED} {BOTH} controller.quorum.voters=1@h:9093,1@h:9094",
    f"{COMBINED} {BOTH} controller.quorum.voters=2@h:9093",
    f"{COMBINED} {BOTH} controller.quorum.voters=1@0.0.0.0:9093",
    f"{COMBINED} {BOTH} controller.quorum.voters=99999999999@h:1",
    Differs(f"{COMBINED} {BOTH} controller.quorum.voters=1@h", "kafkapy: Invalid configuration value for controller"),
    Differs(f"{COMBINED} {BOTH} controller.quorum.voters=1@h:99999", "kafkapy: controller.quorum.voters: the port of"),
    Differs(f"{COMBINED} {BOTH}", "ok"),  # alone, it needs no voters
    f"{BROKER} controller.quorum.auto.join.enable=true",
    f"process.roles=controller {OWN} controller.quorum.bootstrap.servers=h:9 controller.quorum.auto.join.enable=true",
    # Listeners of controllers
    f"{BROKER} {BOTH}",
    f"{CONTROLLER} {BOTH}",
    CONTROLLER,
    f"{CONTROLLER} {OWN} controller.listener.names=CONTROLLER,OTHER",
    f"{CONTROLLER} {OWN},TWO://:9094 controller.listener.names=CONTROLLER,TWO",
    f"{CONTROLLER} {OWN} inter.broker.listener.name=CONTROLLER",
    f"{CONTROLLER} {OWN} inter.broker.listener.name=PLAINTEXT",
    f"{CONTROLLER} listeners=CONTROLLER://0.0.0.0:9093",
    f"{CONTROLLER} {OWN} advertised.listeners=CONTROLLER://0.0.0.0:9093",
    f"{CONTROLLER} {OWN} advertised.listeners=PLAINTEXT://h:9092,CONTROLLER://h:9093",
    f"{COMBINED} {OWN} controller.quorum.voters=1@h:9093",
    f"{COMBINED} listeners=PLAINTEXT://:9092 controller.quorum.voters=1@h:9093,2@h:9094",
    Differs(f"{COMBINED} listeners=PLAINTEXT://:9092 controller.quorum.voters=1@h:9093", "ok"),  # nobody looks for it
    # Listeners of brokers
    f"{BROKER} listeners=PLAINTEXT://0.0.0.0:9092",
    f"{BROKER} advertised.listeners=PLAINTEXT://0.0.0.0:9092",
    f"{BROKER} advertised.listeners=PLAINTEXT://a:1,CONTROLLER://a:2",
    (
        f"{BROKER} advertised.listeners=OTHER://a:1 listener.security.protocol.map="
        "OTHER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT inter.broker.listener.name=OTHER"
    ),
    f"{BROKER} listeners=A://h:1,B://h:2 listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT,CONTROLLER:PLAINTEXT",
    (
        f"{BROKER} listeners=A://h:1,B://h:2 inter.broker.listener.name=B "
        "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT,CONTROLLER:PLAINTEXT"
    ),
    (
        f"{BROKER} listeners=A://h:1 inter.broker.listener.name=CONTROLLER "
        "listener.security.protocol.map=A:PLAINTEXT,CONTROLLER:PLAINTEXT"
    ),
    Differs(f"{BROKER} listeners=A://h:1 listener.security.protocol.map=A:PLAINTEXT,CONTROLLER:PLAINTEXT", "ok"),
    Differs(f"{BROKER} listener.security.protocol.map=PLAINTEXT:PLAINTEXT", "ok"),  # CONTROLLER is PLAINTEXT then
    f"{COMBINED} listeners=PLAINTEXT://h:9092,CONTROLLER://:9092 controller.quorum.voters=1@h:9092",
    f"{COMBINED} listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093 controller.quorum.voters=1@h:9093,2@h:9094",
    # Numbers that do not go together
    f"{BROKER} replica.fetch.wait.max.ms=50000",
    f"{BROKER} replica.fetch.wait.max.ms=31000 replica.socket.timeout.ms=60000",
    f"{BROKER} broker.session.timeout.ms=5 broker.heartbeat.interval.ms=100",
    f"{BROKER} metadata.log.max.record.bytes.between.snapshots=0",
    f"{BROKER} metadata.log.max.snapshot.interval.ms=-1",
]


def settings_of(case: str | Differs) -> dict[str, str]:
    text = case if isinstance(case, str) else case.settings
    defaults = {"node.id": "1", "controller.listener.names": "CONTROLLER", "listeners": "PLAINTEXT://localhost:9092"}
    return {**defaults, **dict(entry.split("=", 1) for entry in text.split())}


def test_both_refuse_the_same_in_the_same_words(tmp_path: Path) -> None:
    kafkas = run(
        java_command(str(CONFIGS)),
        ["\t".join(f"{name}={value}" for name, value in settings_of(case).items()) for case in CASES],
    )
    arguments = []
    for index, case in enumerate(CASES):
        file = tmp_path / f"{index}.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings_of(case).items()))
        arguments.append(json.dumps(["--data-dir", str(tmp_path / str(index)), str(file)]))
    ours = [json.loads(line) for line in run([sys.executable, "-c", RUN_KAFKAPY, CLUSTER_ID], arguments)]
    for case, theirs, own in zip(CASES, kafkas, ours, strict=True):
        if isinstance(case, Differs):
            assert theirs != "ok", case
            assert own.startswith(case.ours), (case, own)
        elif theirs == "ok":
            assert own == "ok", case
        else:
            assert plain(theirs) in plain(own), (case, theirs, own)
            assert own.count("\n") == 1


def plain(text: str) -> str:
    """Without the words of Scala's `require`, and without the quote that one of its messages ends with by mistake."""
    return text.replace("requirement failed: ", "").rstrip("'")


def run(command: list[str], lines: list[str]) -> list[str]:
    done = subprocess.run(
        command, input="".join(f"{line}\n" for line in lines), capture_output=True, encoding="utf-8", timeout=120
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), done.stdout + done.stderr
    return answers
