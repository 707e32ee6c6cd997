"""One node of a cluster in a process of its own: kafkapy, or Apache Kafka 4.4.0."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from compat_tests.apache_kafka import BROKER, STORAGE, ApacheKafkaFailed, java_command, java_tool
from compat_tests.cluster.properties import NodePlace
from compat_tests.kafkapy_process import TRACEBACK, KafkapyFailed, kafkapy_command
from compat_tests.orphans import dying_with_us

START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 20.0
APACHE_HEAP_MB = 384


class Release(NamedTuple):
    """Whose node it is, and what its exception is called."""

    name: str
    failed: type[KafkapyFailed | ApacheKafkaFailed]


KAFKAPY = Release("kafkapy", KafkapyFailed)
APACHE = Release("apache", ApacheKafkaFailed)


class NodeProcess:
    """A node with a server.properties file and a data directory below `directory`, which both survive restarts.

    `within` is a command that runs it in a place of its own, and becomes it.
    """

    def __init__(
        self,
        release: Release,
        place: NodePlace,
        directory: Path,
        properties: str,
        *,
        cluster_id: str,
        within: Sequence[str] = (),
        format_options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`format_options` are those of kafka-storage and of `kafkapy format`, which then makes the directory.
        `variables` are in its environment.
        """
        self.release = release
        self.place = place
        self.log_dir = directory / "data"
        self.properties = directory / "server.properties"
        self._ready_file = directory / "ready"
        self._output_file = directory / "output"
        self._cluster_id = cluster_id
        self._within = within
        self._format_options = tuple(format_options)
        self._variables = dict(variables or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0
        directory.mkdir(parents=True)
        self.properties.write_text(properties)

    @property
    def node_id(self) -> int:
        return self.place.node_id

    @property
    def bootstrap(self) -> str:
        """`host:port` for a client."""
        return self.place.bootstrap

    @property
    def pid(self) -> int:
        assert self._process is not None, f"node {self.node_id} does not run"
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and neither stopped nor killed since."""
        return self._process is not None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and unless it is said otherwise `wait_until_ready`."""
        assert self._process is None, f"node {self.node_id} runs already"
        self._ready_file.unlink(missing_ok=True)
        to_be_formatted = self.release is APACHE or self._format_options
        if to_be_formatted and not (self.log_dir / "meta.properties").exists():
            self._format()
        with self._output_file.open("ab") as output:
            self._started_at = output.tell()
            self._process = subprocess.Popen(
                [*self._within, *dying_with_us(self._command())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "CLUSTER_ID": self._cluster_id, "PYTHONUNBUFFERED": "1", **self._variables},
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, seconds: float = START_SECONDS_MAX) -> None:
        """Return when it serves. Raises the failure of its release: it has ended, or needs longer than `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._serves():
            if self._process is None:
                raise self.release.failed(f"node {self.node_id} was not started")
            if (ended := self._process.poll()) is not None:
                self._process = None
                raise self.release.failed(f"node {self.node_id} ended with {ended}:\n{self.last_output()}")
            if time.monotonic() > deadline:
                raise self.release.failed(f"node {self.node_id} does not serve:\n{self.last_output()}")
            time.sleep(0.02)

    def stop(self) -> int:
        """SIGTERM, and wait for the end: its exit code. Raises the failure of its release: it does not end."""
        process = self._taken()
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS_MAX)
            raise self.release.failed(f"SIGTERM does not end node {self.node_id}:\n{self.last_output()}") from None

    def kill(self) -> None:
        """SIGKILL; a paused one, too."""
        process = self._taken()
        process.kill()
        process.wait(STOP_SECONDS_MAX)

    def wait(self) -> int:
        """Wait until it ends by itself: its exit code. Raises subprocess.TimeoutExpired."""
        assert self._process is not None, f"node {self.node_id} does not run"
        exit_code = self._process.wait(START_SECONDS_MAX)
        self._process = None
        return exit_code

    def pause(self) -> None:
        """SIGSTOP: connections stay, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def empty_disk(self) -> None:
        """Take all data away, as if the disk was replaced. Not while it runs."""
        assert self._process is None, f"node {self.node_id} runs"
        shutil.rmtree(self.log_dir)

    def close(self) -> None:
        if self._process is not None:
            self.kill()

    def output(self) -> str:
        """All that it printed since the first start."""
        return self._output_file.read_text(errors="replace") if self._output_file.exists() else ""

    def last_output(self) -> str:
        """What it printed since the last start."""
        return self._output_file.read_bytes()[self._started_at :].decode(errors="replace")

    def bugs(self) -> str:
        """What it printed when that shows a bug of ours: a traceback, or an end that nobody asked for."""
        if self.release is APACHE:
            return ""
        printed = self.output()
        if self._process is not None and (ended := self._process.poll()) is not None:
            return f"{printed}\nnode {self.node_id} ended by itself with {ended}"
        return printed if TRACEBACK in printed else ""

    def _taken(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"node {self.node_id} does not run"
        process, self._process = self._process, None
        return process

    def _command(self) -> list[str]:
        if self.release is APACHE:
            return java_command(BROKER, str(self.properties), heap_mb=APACHE_HEAP_MB, log_level="INFO")
        ready = ["--ready-file", str(self._ready_file)]
        return [kafkapy_command(), str(self.properties), *ready, "--log-level", "info"]

    def _serves(self) -> bool:
        if self.release is KAFKAPY:
            return self._ready_file.exists()
        return "Kafka Server started" in self.last_output()

    def _format(self) -> None:
        """kafkapy formats a new directory by itself where there is nothing to choose, Apache Kafka does not."""
        options = ("--cluster-id", self._cluster_id, "--config", str(self.properties), *self._format_options)
        if self.release is KAFKAPY:
            command = [kafkapy_command(), "format", *options]
            done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS_MAX)
        else:
            done = java_tool(STORAGE, "format", *options, "--ignore-formatted")
        if done.returncode:
            raise self.release.failed(f"node {self.node_id} cannot be formatted:\n{done.stdout}{done.stderr}")
