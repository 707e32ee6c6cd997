"""Whatever signal ends a start, and whenever it comes: an ephemeral broker leaves nothing behind, a port is open only
while a broker serves.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kafkapy.cli.stop_signals import stop_signals
from kafkapy.ephemeral import LOCK, PREFIX, UNLOCKED_SECONDS_MAX, EphemeralDirectory, remove_abandoned
from tests.cli.ending import ending
from tests.cli.test_start_command import SECONDS_MAX, Broker, command, environment, produce_and_read, started

SOME_SIGNALS = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM, signal.SIGABRT, signal.SIGRTMIN + 1)


@pytest.mark.parametrize("number", SOME_SIGNALS, ids=lambda number: str(getattr(number, "name", number)))
def test_an_ephemeral_broker_leaves_nothing_behind_after(number: int, tmp_path: Path) -> None:
    with started("--ephemeral", "--port", "0", TMPDIR=str(tmp_path)) as broker:
        assert len(list(tmp_path.iterdir())) == 1
        assert broker.stop(number) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_hang_up_closes_the_logs_cleanly(tmp_path: Path) -> None:
    with started("--port", "0", "--data-dir", tmp_path) as broker:
        produce_and_read(broker.port, b"first")
        assert broker.stop(signal.SIGHUP) == (0, "")
    assert (tmp_path / ".kafka_cleanshutdown").exists()


def test_signals_that_end_nothing_are_left_alone() -> None:
    numbers = stop_signals()
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2} <= set(numbers)
    for left_alone in (signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT, signal.SIGPIPE, signal.SIGSEGV, signal.SIGKILL):
        assert left_alone not in numbers


def test_a_broker_that_is_started_with_nohup_survives_a_hang_up(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["nohup", *command("--port", "0", "--data-dir", tmp_path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        try:
            broker = Broker(process)
            process.send_signal(signal.SIGHUP)
            assert produce_and_read(broker.port, b"first") == [b"first"]
            assert broker.stop()[0] == 0
        finally:
            if process.poll() is None:
                process.kill()


STAGED = """
import os, signal, sys
from kafkapy import ephemeral
from kafkapy.cli import main, start, stop_signals
from kafkapy.node import Node
from kafkapy.node.broker_part import BrokerPart
from kafkapy_log import LogStore

def then_signal(owner, name):
    before = getattr(owner, name)
    def wrapped(*given, **named):
        result = before(*given, **named)
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        return result
    setattr(owner, name, wrapped)

owner, name = sys.argv[2].split(".")
then_signal({"start": start, "Node": Node, "BrokerPart": BrokerPart, "LogStore": LogStore,
             "Directory": ephemeral.EphemeralDirectory,
             "StopSignals": stop_signals.StopSignals}[owner], name)
sys.exit(main(sys.argv[3:]))
"""

STAGES = (
    "StopSignals.__enter__", "start._settings", "Directory.__init__", "Node.__init__", "LogStore._load",
    "BrokerPart._assemble", "Node._serve",
)  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_in_the_first_moments_of_a_start_is_a_clean_stop(stage: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAGED, "SIGHUP", stage, "start", "--ephemeral", "--port", "0"],
        capture_output=True,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
        timeout=SECONDS_MAX,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_next_start_removes_what_a_killed_one_has_left(tmp_path: Path) -> None:
    with (
        started("--ephemeral", "--port", "0", TMPDIR=str(tmp_path)) as living,
        started("--ephemeral", "--port", "0", TMPDIR=str(tmp_path)) as killed,
    ):
        produce_and_read(killed.port, b"first")
        killed.process.kill()
        killed.process.wait(SECONDS_MAX)
        assert len(list(tmp_path.iterdir())) == 2
        with started("--ephemeral", "--port", "0", TMPDIR=str(tmp_path)) as following:
            until_there_are(2, tmp_path)
            assert produce_and_read(living.port, b"first") == [b"first"]
            assert following.stop() == (0, "")
        assert living.stop() == (0, "")
    assert list(tmp_path.iterdir()) == []


def until_there_are(count: int, directory: Path) -> None:
    ends = time.monotonic() + SECONDS_MAX
    while len(list(directory.iterdir())) != count:
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_only_directories_that_nobody_owns_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    being_made, left_unlocked, target = (tmp_path / f"{PREFIX}{name}" for name in ("made", "left", "link"))
    elsewhere = tmp_path / "elsewhere"
    for directory in (being_made, left_unlocked, elsewhere, tmp_path / "kafkapy-of-somebody"):
        directory.mkdir()
        (directory / "file").write_bytes(b"")
    (elsewhere / LOCK).write_bytes(b"")
    target.symlink_to(elsewhere)
    before = time.time() - UNLOCKED_SECONDS_MAX - 1

    os.utime(left_unlocked, (before, before))
    with EphemeralDirectory() as owned:
        remove_abandoned()
        assert owned.exists()
    assert not owned.exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        being_made.name,
        target.name,
        elsewhere.name,
        "kafkapy-of-somebody",
    }
    assert (elsewhere / "file").exists()


HELD = """
import sys, socket
from kafkapy.cli import main
from kafkapy.node.broker_part import BrokerPart

recover = BrokerPart._recover

async def held(part, store):
    print(part._settings.now.listeners[0].port, flush=True)
    sys.stdin.readline()
    await recover(part, store)

BrokerPart._recover = held
sys.exit(main(sys.argv[1:]))
"""


def test_a_port_is_closed_until_a_broker_serves(tmp_path: Path) -> None:
    """A recovery may take minutes: a port that accepts meanwhile tells a script that waits for it to go on."""
    with ending(
        subprocess.Popen(
            [sys.executable, "-c", HELD, "start", "--data-dir", str(tmp_path), "--port", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX)
        process.stdin.write("go on\n")
        process.stdin.flush()
        broker = Broker(process)
        assert broker.port == port
        assert produce_and_read(port, b"first") == [b"first"]
        assert broker.stop() == (0, "")
