"""A broker as its users start it, and the command line in this process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from kafkapy.cli import main
from tests.cli.ending import ending
from tests.cli.slowness import without_slowness

START_SECONDS = 20.0


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Kafkapy = Callable[..., Result]


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    """`host:port` of a broker in a process of its own, for all tests of this directory."""
    command = [sys.executable, "-m", "kafkapy", "start", "--ephemeral", "--port", "0"]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            first_line = process.stdout.readline()
            found = re.search(r"localhost:\d+", first_line)
            assert found, f"the broker did not start: {first_line!r}"
            watchdog.cancel()
            yield found.group()
        finally:
            watchdog.cancel()
            process.terminate()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of this process says nothing of a broker that is slow because the machine is busy."""
    monkeypatch.setattr("kafkapy.client.patience.TELL_AFTER_SECONDS", START_SECONDS)


@pytest.fixture
def topic() -> str:
    """A name that no other test uses."""
    return f"topic-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def group() -> str:
    return f"group-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Kafkapy:
    """`run("topics", "list", stdin=b"")`: the command line in this process."""

    def call(*argv: str, stdin: bytes = b"") -> Result:
        reader, writer = os.pipe()
        feeder = threading.Thread(target=_feed, args=(writer, stdin))
        feeder.start()
        handlers = _signal_handlers()
        with os.fdopen(reader) as standard_input:
            monkeypatch.setattr("sys.stdin", standard_input)
            try:
                exit_code = main(list(argv))
            except SystemExit as usage:
                exit_code = int(usage.code or 0)
        feeder.join()
        assert _signal_handlers() == handlers, "a broker that ends ignores signals: start it in a process of its own"
        captured = capfdbinary.readouterr()
        return Result(exit_code, captured.out.decode(), without_slowness(captured.err.decode()))

    return call


def _signal_handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def _feed(descriptor: int, data: bytes) -> None:
    # A command that fails before it has read all leaves the rest.
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


@pytest.fixture
def kafkapy(run: Kafkapy, bootstrap: str) -> Kafkapy:
    """`kafkapy("topics", "list")`: the same against the broker; what it says is asserted by the test."""

    def call(*argv: str, stdin: bytes = b"") -> Result:
        return run(*argv, "-b", bootstrap, stdin=stdin)

    return call
