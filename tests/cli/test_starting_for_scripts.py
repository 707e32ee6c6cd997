"""What `kafkapy start` has for scripts: a port that is told, a line of JSON, a file, and an end with the parent."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from compat_tests.ports import free_port
from kafkapy.cli import main
from kafkapy.cli.parent import Parent
from tests.cli.ending import ending
from tests.cli.test_start_command import SECONDS_MAX, command, environment, produce_and_read, refused, started


@contextmanager
def launched(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with ending(
        subprocess.Popen(
            command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def stopped(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.terminate()
    out, err = process.communicate(timeout=SECONDS_MAX)
    return process.returncode, out, err


def until(path: Path) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.01)


def test_a_line_of_json_says_all_that_a_script_needs(tmp_path: Path) -> None:
    with launched("--port", "0", "--data-dir", tmp_path, "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        port = int(told["bootstrap_servers"].removeprefix("localhost:"))
        assert told["listeners"] == told["advertised_listeners"] == {"PLAINTEXT": f"localhost:{port}"}
        assert (told["node_id"], told["pid"], told["ephemeral"]) == (1, process.pid, False)
        assert told["data_directory"] == str(tmp_path)
        assert f"cluster.id={told['cluster_id']}" in (tmp_path / "meta.properties").read_text()
        assert produce_and_read(port, b"first") == [b"first"]
        assert stopped(process) == (0, "", "")


def test_a_controller_that_is_no_broker_says_where_it_listens(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "controller.properties").write_text(
        "process.roles=controller\nnode.id=3\ncontroller.listener.names=CONTROLLER\n"
        f"listeners=CONTROLLER://127.0.0.1:{port}\ncontroller.quorum.voters=3@127.0.0.1:{port}\n"
    )
    start = (tmp_path / "controller.properties", "--data-dir", tmp_path / "data")
    assert main(["format", "-t", "5L6g3nShT-eMCtK--X86sw", *map(str, start)]) == 0
    with launched(*start) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"kafkapy controller 3 listens at 127.0.0.1:{port} (data in ")
        assert stopped(process)[0] == 0
    with launched(*start, "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["listeners"] == {"CONTROLLER": f"127.0.0.1:{port}"}
        assert stopped(process)[0] == 0


def test_a_ready_file_is_there_as_long_as_the_broker_serves(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.write_text("of a broker that was killed")
    with launched("--port", "0", "--ephemeral", "--ready-file", ready) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        until(ready)
        told = json.loads(ready.read_text())
        assert told["pid"] == process.pid
        assert produce_and_read(int(told["bootstrap_servers"].rpartition(":")[2]), b"first") == [b"first"]
        assert stopped(process)[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_says_what_a_script_needs(tmp_path: Path) -> None:
    """In one line of JSON, and in a file that is there as long as it serves: as a node of `kafkapy start` does."""
    ready = tmp_path / "ready"
    data = tmp_path / "data"
    options = ("--nodes", "2", "--racks", "a,b", "--port", "0", "--data-dir", data, "--control", "0")
    with launched("cluster", *options, "--json", "--ready-file", ready) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        until(ready)
        assert json.loads(ready.read_text()) == told
        assert (told["pid"], told["ephemeral"]) == (process.pid, False)
        assert told["control_url"].startswith("http://127.0.0.1:")
        addresses = told["bootstrap_servers"].split(",")
        assert [node["listeners"] for node in told["nodes"]] == [{"PLAINTEXT": address} for address in addresses]
        assert [(node["node_id"], node["roles"], node["rack"], node["data_directory"]) for node in told["nodes"]] == [
            (1, "broker,controller", "a", str(data / "node-1")),
            (2, "broker,controller", "b", str(data / "node-2")),
        ]
        assert f"cluster.id={told['cluster_id']}" in (data / "node-1" / "meta.properties").read_text()
        for address in addresses:
            with socket.create_connection(("localhost", int(address.rpartition(":")[2])), SECONDS_MAX):
                pass
        assert stopped(process) == (0, "", "")
    assert not ready.exists()


def test_a_ready_file_of_an_earlier_run_is_gone_before_the_start_can_fail(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.write_text("of a broker that was killed")
    (tmp_path / "file").write_text("in the way")
    refused("--port", "0", "--data-dir", tmp_path / "file", "--ready-file", ready)
    assert not ready.exists()


def test_a_ready_file_that_cannot_be_made(tmp_path: Path) -> None:
    line = refused("--port", "0", "--ephemeral", "--ready-file", tmp_path / "missing" / "ready")
    assert line == f"kafkapy: cannot write the ready file {tmp_path}/missing/ready (No such file or directory)"
    line = refused("--port", "0", "--ephemeral", "--ready-file", tmp_path)
    assert line == f"kafkapy: cannot write the ready file {tmp_path} (Is a directory)"


def test_a_ready_file_may_be_a_pipe(tmp_path: Path) -> None:
    """That nobody reads it yet does not keep the broker from serving."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with launched("--port", "0", "--ephemeral", "--ready-file", pipe, "--json") as process:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["bootstrap_servers"].rpartition(":")[2])
        assert produce_and_read(port, b"first") == [b"first"]
        told = json.loads(pipe.read_text())
        assert told["pid"] == process.pid
        assert stopped(process)[0] == 0
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks /proc which files are open")
def test_a_broker_without_standard_streams_serves(tmp_path: Path) -> None:
    """The numbers of closed streams go to no file of the data directory, which would get whatever is printed."""
    ready = tmp_path / "ready"
    start = command("--port", "0", "--ephemeral", "--ready-file", ready)
    with ending(subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *start], env=environment())) as process:
        try:
            until(ready)
            told = json.loads(ready.read_text())
            assert produce_and_read(int(told["bootstrap_servers"].rpartition(":")[2]), b"first") == [b"first"]
            for number in range(3):
                assert Path(f"/proc/{told['pid']}/fd/{number}").readlink() == Path("/dev/null")
        finally:
            process.terminate()
        assert process.wait(SECONDS_MAX) == 0


def test_a_free_port_is_told_whatever_is_advertised(tmp_path: Path) -> None:
    for options, told in (
        (("--port", "0"), ""),
        (("--override", "listeners=PLAINTEXT://127.0.0.1:0"), r"its own port is (\d+); "),
    ):
        advertised = ("--override", "advertised.listeners=PLAINTEXT://localhost:9092")
        with started(*options, "--data-dir", tmp_path, *advertised) as broker:
            found = re.match(told, broker.where)
            assert found is not None
            port = int(found[1]) if told else broker.port
            with socket.create_connection(("localhost", port), SECONDS_MAX):
                pass
            assert broker.stop() == (0, "")


def test_the_hint_names_what_the_user_has_typed(tmp_path: Path) -> None:
    """`./start` says what that is."""
    with started("--port", "0", "--data-dir", tmp_path, KAFKAPY_COMMAND="./start") as broker:
        assert broker.lines[1].startswith("try: ./start produce hello ")
        assert " && ./start consume hello " in broker.lines[1]
        assert broker.stop() == (0, "")


@pytest.mark.parametrize("port", ["-1", "65536", "x", "", "9" * 5000])
def test_a_port_that_is_none_is_wrong_usage(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["start", f"--port={port}"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "is not a port: it is a number from 0 to 65535" in captured.err


# A parent that starts a broker from a thread that ends at once, as a test runner may, and says the broker's pid.
PARENT = """
import subprocess, sys, threading, time

def launch():
    global broker
    broker = subprocess.Popen(sys.argv[1:])

thread = threading.Thread(target=launch)
thread.start()
thread.join()
print(broker.pid, flush=True)
time.sleep(1000)
"""


def is_running(pid: int) -> bool:
    """Orphans of this machine may have nobody who reaps them: a zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc whether a process has ended")
@pytest.mark.parametrize(
    ("start", "exits"),
    [((), True), ((), False), (("cluster", "--nodes", "1"), True)],
    ids=["with", "without", "cluster"],
)
def test_a_broker_ends_with_its_parent_where_asked(start: tuple[str, ...], exits: bool, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    options = ["--exit-with-parent"] if exits else []
    broker = command(*start, "--port", "0", "--ephemeral", "--ready-file", ready, *options)
    with ending(
        subprocess.Popen(
            [sys.executable, "-c", PARENT, *broker],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(TMPDIR=str(tmp_path)),
        )
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        try:
            until(ready)
            port = int(json.loads(ready.read_text())["bootstrap_servers"].rpartition(":")[2])
            # The thread that has started it is long gone.
            assert produce_and_read(port, b"first") == [b"first"]
            parent.kill()
            parent.wait(SECONDS_MAX)
            if not exits:
                assert produce_and_read(port, b"second") == [b"first", b"second"]
                return
            deadline = time.monotonic() + SECONDS_MAX
            while is_running(pid):
                assert time.monotonic() < deadline, "it outlives its parent"
                time.sleep(0.01)
            assert list(tmp_path.iterdir()) == [], "it has stopped in order"
        finally:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)


class ParentThatEnds(Parent):
    """Its process seems to be gone at the third look."""

    looks = 0

    def _is_gone(self) -> bool:
        self.looks += 1
        return self.looks >= 3

    def _descriptor(self) -> int | None:
        return None


def test_where_processes_have_no_descriptors_it_is_looked_for_the_parent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def ended() -> int:
        parent = ParentThatEnds()
        parent.pid = 4711
        await parent.ended()
        return parent.looks

    assert trio.run(ended, clock=autojump_clock) == 3


def test_a_parent_that_is_gone_before_it_has_a_descriptor() -> None:
    """The pid may be that of another process by then."""
    parent = Parent()
    parent.pid = os.getpid()  # which is not our parent

    async def ended() -> None:
        with trio.fail_after(SECONDS_MAX):
            await parent.ended()

    trio.run(ended)


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)
