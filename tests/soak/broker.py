"""The broker under observation: a process of its own, and what /proc says about it (Linux)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from compat_tests.orphans import dying_with_us

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 20
HEAP_SECONDS_MAX = 60
LISTENS = re.compile(r"kafkapy listens at \S+:(\d+) ")
TRACEBACK = "Traceback (most recent call last)"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

SETTINGS: Mapping[str, str] = {
    # What an hour of use brings about at the defaults comes round within a minute.
    "log.segment.bytes": str(1 << 20),
    "log.retention.bytes": str(2 << 20),
    "log.retention.check.interval.ms": "2000",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "log.cleaner.delete.retention.ms": "2000",
    "log.cleaner.min.cleanable.ratio": "0.2",
    "log.flush.offset.checkpoint.interval.ms": "5000",
    "replica.high.watermark.checkpoint.interval.ms": "2000",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.segment.bytes": str(1 << 20),
    "offsets.retention.minutes": "1",
    "offsets.retention.check.interval.ms": "2000",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.segment.bytes": str(1 << 20),
    "transactional.id.expiration.ms": "15000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "2000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "producer.id.expiration.ms": "15000",
    "producer.id.expiration.check.interval.ms": "2000",
    "group.min.session.timeout.ms": "500",
    "group.initial.rebalance.delay.ms": "100",
    "max.incremental.fetch.session.cache.slots": "50",
    "connections.max.idle.ms": "30000",
    "metadata.log.segment.bytes": str(8 << 20),
}


class Usage(NamedTuple):
    """What the process has at one moment. Of `rss_bytes`, `anonymous_bytes` are no files' pages; `deleted_files` are
    open, yet no name leads to them any more.
    """

    rss_bytes: int
    anonymous_bytes: int
    descriptors: int
    sockets: int
    deleted_files: int
    threads: int
    cpu_seconds: float


class BrokerFailed(Exception):
    """It did not start, ended by itself, or printed a traceback; the text ends with what it printed."""


class Broker:
    """`kafkapy start` with its data in `directory`; with `watched` through `tests.soak.watched_broker`."""

    def __init__(
        self,
        directory: Path,
        *,
        watched: bool = False,
        traced_frames: int = 0,
        settings: Mapping[str, str] = SETTINGS,
        log_level: str = "warning",
    ) -> None:
        self._output = directory / "output"
        self._heap_file = directory / "heap.json"
        self._ready_file = directory / "ready.json"
        overrides = [part for name, value in settings.items() for part in ("--override", f"{name}={value}")]
        where = () if "listeners" in settings else ("--port", "0", "--host", "127.0.0.1")
        ready = ("--ready-file", str(self._ready_file), "--log-level", log_level)
        command = ["start", *where, "--data-dir", str(directory / "data"), *ready, *overrides]
        watching = ["tests.soak.watched_broker", str(self._heap_file), str(traced_frames)]
        self._command = [sys.executable, "-m", *(watching if watched else ["kafkapy"]), *command]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                dying_with_us(self._command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C ends the driver, which stops the broker
            )
        try:
            self._wait_until_it_listens(self._process)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            if error is None:
                raise BrokerFailed(f"TERM did not stop it in {STOP_SECONDS_MAX} s:\n{self.output()}") from None

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ((match := LISTENS.search(self.output())) and self._ready_file.exists()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BrokerFailed(f"it does not listen (exit code {process.returncode}):\n{self.output()}")
            time.sleep(0.01)
        self.port = int(match[1])

    def port_of(self, listener: str) -> int:
        """Of the listener with this name."""
        listeners: dict[str, str] = json.loads(self._ready_file.read_text())["listeners"]
        return int(listeners[listener].rpartition(":")[2])

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self._running.pid

    def output(self) -> str:
        """All that it printed."""
        return self._output.read_text(errors="replace")

    def check(self) -> None:
        """Raises BrokerFailed: it has ended, or printed a traceback."""
        if self._running.poll() is not None:
            raise BrokerFailed(f"it ended with {self._running.returncode}:\n{self.output()}")
        if TRACEBACK in self.output():
            raise BrokerFailed(f"it printed a traceback:\n{self.output()}")

    def usage(self) -> Usage:
        process = Path(f"/proc/{self._running.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        # The command's name, in brackets, may hold anything; the fields behind it are numbers.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        targets = list(_link_targets(process / "fd"))
        return Usage(
            rss_bytes=_kilobytes(status["VmRSS"]),
            anonymous_bytes=_kilobytes(status["RssAnon"]),
            descriptors=len(targets),
            sockets=sum(target.startswith("socket:") for target in targets),
            deleted_files=sum(target.endswith(" (deleted)") for target in targets),
            threads=int(status["Threads"]),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND,
        )

    def heap(self) -> HeapStatistics:
        """Have a watched broker count its objects. Blocks."""
        self._heap_file.unlink(missing_ok=True)
        self._running.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + HEAP_SECONDS_MAX
        while not self._heap_file.exists():
            if self._running.poll() is not None or time.monotonic() > deadline:
                raise BrokerFailed(f"no heap statistics:\n{self.output()}")
            time.sleep(0.05)
        return HeapStatistics(**json.loads(self._heap_file.read_text()))


class HeapStatistics(NamedTuple):
    """What `tests.soak.watched_broker` writes, after a full garbage collection."""

    allocated_blocks: int
    """Of pymalloc: objects up to 512 bytes."""
    arena_bytes: int
    """What pymalloc holds of the system, full or not; 0 while allocations are traced."""
    collected: int
    """Objects that only the garbage collector could free, just now."""
    objects: dict[str, int]
    """Type -> how many the garbage collector knows."""
    traced: dict[str, list[int]]
    """Where it was allocated -> [bytes, blocks]; empty without tracing."""


def _link_targets(directory: Path) -> Iterator[str]:
    for link in directory.iterdir():
        with suppress(FileNotFoundError):  # closed since the directory was read
            yield str(link.readlink())


def _kilobytes(text: str) -> int:
    return int(text.split()[0]) << 10
