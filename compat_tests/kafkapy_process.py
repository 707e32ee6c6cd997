"""A kafkapy broker as its users run it: the `kafkapy` command in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from compat_tests.orphans import dying_with_us

START_TIMEOUT_SECONDS = 60.0  # a machine may be busy with other tests
STOP_TIMEOUT_SECONDS = 10.0
LISTENING = re.compile(r"(?:localhost|127\.0\.0\.1):(\d+)")
TRACEBACK = "Traceback (most recent call last)"


class KafkapyFailed(Exception):
    """The broker did not start or did not stop in time; the text ends with what it printed."""


def kafkapy_command() -> str:
    """The `kafkapy` script of this very environment, so that a checkout's tests test the checkout."""
    beside = Path(sys.executable).with_name("kafkapy")
    if beside.exists():
        return str(beside)
    found = shutil.which("kafkapy")
    assert found is not None, "kafkapy is not installed in this environment: pip install -e .[test,compat]"
    return found


class KafkapyProcess:
    """One broker on a port of localhost, on a free one without `port`.

    Without `data_dir` it runs `--ephemeral`: its data goes when it stops, so it cannot be restarted. With one, or with
    log.dirs in its settings, it comes back on the same port with the same data. Everything it prints is in `output`.
    `within` is a command that runs it in a place of its own, and becomes it. `options` are more arguments for
    `kafkapy start`.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        data_dir: Path | None = None,
        port: int = 0,
        within: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.settings = dict(settings or {})
        self.data_dir = data_dir
        self._within = within
        self._options = options
        self._port = port
        self._work = Path(tempfile.mkdtemp(prefix="kafkapy-process-"))
        self._log_file = self._work / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None
        """Of the last run that was waited for."""

    @property
    def port(self) -> int:
        assert self._port, "not started"
        return self._port

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start, on the port of before if there was one, and return when it listens. Raises KafkapyFailed."""
        assert self._process is None, "already running"
        where = ["--ephemeral"] if self.data_dir is None else ["--data-dir", str(self.data_dir)]
        if "log.dirs" in self.settings:
            where = []
        overrides = [part for name, value in self.settings.items() for part in ("--override", f"{name}={value}")]
        arguments = [*overrides, *self._options]
        position = len(self.output())
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._within,
                    *dying_with_us([kafkapy_command(), "start", *where, "--port", str(self._port), *arguments]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C in a terminal is for us to pass on
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll()
            printed = self.output()[position:]
            if found := LISTENING.search(printed):
                self._port = int(found[1])
                return
            if ended is not None:
                self._process = None
                raise KafkapyFailed(f"kafkapy ended with {ended}:\n{printed}")
            time.sleep(0.01)
        raise KafkapyFailed(f"kafkapy did not listen after {START_TIMEOUT_SECONDS:.0f} s:\n{self.output()}")

    def stop(self, *, kill: bool = False) -> None:
        """TERM (with `kill`: KILL) and wait for the end. Raises KafkapyFailed when TERM did not end it in time."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_SECONDS)
            raise KafkapyFailed(
                f"TERM did not stop kafkapy in {STOP_TIMEOUT_SECONDS:.0f} s:\n{self.output()}"
            ) from None
        self.exit_code = process.returncode

    def wait(self) -> None:
        """Wait until it ends by itself. Raises subprocess.TimeoutExpired."""
        assert self._process is not None, "not started"
        self.exit_code = self._process.wait(STOP_TIMEOUT_SECONDS)
        self._process = None

    def close(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def output(self) -> str:
        """All that it printed since the first start, standard output and standard error together."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    def bugs(self, position: int = 0) -> str:
        """What it printed after `position` when that shows a bug of ours: a traceback, or an end nobody asked for."""
        printed = self.output()[position:]
        if self._process is not None and (ended := self._process.poll()) is not None:
            return f"{printed}\nkafkapy ended by itself with {ended}"
        return printed if TRACEBACK in printed else ""
