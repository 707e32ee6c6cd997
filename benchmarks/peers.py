"""The brokers that are compared, each as its user starts it, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import installation, kfake_program
from benchmarks.raw_client import Address, ask_api_versions
from compat_tests.apache_kafka import BROKER, KAFKA_VERSION, STORAGE, free_port, jar_directory, require_tool

START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 60.0  # Apache Kafka may need half of it for 5,000 partitions
POLL_SECONDS = 0.002

KEEPS_NOTHING = "it keeps nothing"  # in the table's footnotes: why a peer is left out of rows about stored data

# What Kafka's own scripts give to the JVM when the user sets nothing: kafka-server-start.sh and kafka-run-class.sh.
# Not the flags of compat_tests, which start faster but run slower.
KAFKA_HEAP = ("-Xmx1G", "-Xms1G")
KAFKA_STORAGE_HEAP = ("-Xmx256M",)
KAFKA_JVM = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
    "-Dcom.sun.management.jmxremote=true",
    "-Dcom.sun.management.jmxremote.authenticate=false",
    "-Dcom.sun.management.jmxremote.ssl=false",
)


class PeerFailed(Exception):
    """A broker did not start or ended by itself; the text ends with its log."""


@dataclass(slots=True)
class Broker:
    """A running broker and what the operating system knows about it."""

    peer: Peer
    process: subprocess.Popen[bytes]
    address: Address
    served: dict[int, range]  # versions by API key
    start_seconds: float  # from the first spawn to the answer to ApiVersions
    launch: Launch
    log_file: Path

    @property
    def bootstrap(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def cpu_seconds(self) -> float:
        """CPU time of all threads the process ever had: the sum that /proc/<pid>/stat tells in ticks of 10 ms."""
        # Linux: the CPU clock of another process is its inverted pid and CPUCLOCK_SCHED (clock_getcpuclockid(3)).
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def resident_mb(self) -> float:
        """Resident memory of the process and of all below it, in units of 10**6 bytes."""
        process = psutil.Process(self.process.pid)
        tree = [process, *process.children(recursive=True)]
        return sum(int(each.memory_info().rss) for each in tree) / 1e6

    def stop(self) -> float:
        """SIGTERM, and SIGKILL for one that does not listen; the seconds until it was gone."""
        begin = time.perf_counter()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            finally:  # also when Ctrl-C or the row's time limit ends the wait
                self.kill()
        return time.perf_counter() - begin

    def kill(self) -> None:
        """SIGKILL, unless it is gone already."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, slots=True)
class Launch:
    """How a broker is to be started; `work` is a directory of its own that goes with it."""

    work: Path
    port: int
    settings: Mapping[str, str]
    durable: bool  # metadata is to survive a crash: fsync before the answer, for who can do without

    @property
    def data(self) -> Path:
        """Where the logs are; of kafkapy only when `durable`."""
        return self.work / "data"


@dataclass(frozen=True, slots=True)
class Peer:
    """One of the brokers compared.

    `install` gets its programs, before anything is measured; it raises MissingTool. `prepare` runs to its end first,
    inside the measured start (Kafka formats its directory). `find_port` is for a broker that chooses its port itself:
    it looks into the log and returns None until the port is there.
    """

    name: str
    title: str
    install: Callable[[], object]
    command: Callable[[Launch], list[str]]
    prepare: Callable[[Launch], list[str]] | None = None
    find_port: Callable[[Path], int | None] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)  # row name -> why

    @contextlib.contextmanager
    def running(self, settings: Mapping[str, str] | None = None, *, durable: bool = False) -> Iterator[Broker]:
        """A broker that has answered, gone with its data at the end. Raises PeerFailed."""
        with self.home(settings, durable=durable) as launch, self.started(launch) as broker:
            yield broker

    @contextlib.contextmanager
    def home(self, settings: Mapping[str, str] | None = None, *, durable: bool) -> Iterator[Launch]:
        """For a broker that is started more than once: its data, where `durable`, is gone only at the end."""
        work = Path(tempfile.mkdtemp(prefix=f"kafkapy-benchmark-{self.name}-"))
        try:
            yield Launch(work, free_port(), settings or {}, durable)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    @contextlib.contextmanager
    def started(self, launch: Launch, *, again: bool = False) -> Iterator[Broker]:
        """A broker that has answered, stopped at the end; `again`: all is prepared. Raises PeerFailed."""
        broker = self._launch(launch, again=again)
        try:
            yield broker
        finally:
            broker.stop()

    def _launch(self, launch: Launch, *, again: bool) -> Broker:
        prepare = self.prepare(launch) if self.prepare and not again else None
        command = self.command(launch)
        log_file = launch.work / "broker.log"
        environment = {**os.environ, "TMPDIR": str(launch.work)}
        with log_file.open("ab") as log:
            begin = time.perf_counter()
            if (
                prepare is not None
                and subprocess.run(prepare, stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode
            ):
                raise PeerFailed(f"{self.title}: {' '.join(prepare)}\n{_tail(log_file)}")
            process = subprocess.Popen(
                command,
                cwd=launch.work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the benchmark, which then stops its brokers
            )
        try:
            address, served = self._first_answer(process, log_file, launch.port, begin + START_TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return Broker(self, process, address, served, time.perf_counter() - begin, launch, log_file)

    def _first_answer(
        self, process: subprocess.Popen[bytes], log_file: Path, port: int, deadline: float
    ) -> tuple[Address, dict[int, range]]:
        while time.perf_counter() < deadline:
            found = self.find_port(log_file) if self.find_port else port
            if found is not None:
                address = ("127.0.0.1", found)
                # Kafka accepts before it answers: then this waits in the call.
                with contextlib.suppress(OSError):
                    return address, ask_api_versions(address, timeout_seconds=START_TIMEOUT_SECONDS)
            if process.poll() is not None:
                raise PeerFailed(f"{self.title} ended with {process.returncode}\n{_tail(log_file)}")
            time.sleep(POLL_SECONDS)
        raise PeerFailed(f"{self.title}: no answer after {START_TIMEOUT_SECONDS:.0f} s\n{_tail(log_file)}")


def _tail(log_file: Path, lines: int = 30) -> str:
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])


def kafkapy(wrapper: tuple[str, ...] = ()) -> Peer:
    """kafkapy from its own installation; `wrapper` is put before the command (a profiler)."""

    def command(launch: Launch) -> list[str]:
        program = str(installation.program())
        where = ("--data-dir", str(launch.data)) if launch.durable else ("--ephemeral",)
        overrides = [part for name, value in launch.settings.items() for part in ("--override", f"{name}={value}")]
        return [*wrapper, program, "start", *where, "--port", str(launch.port), *overrides]

    return Peer("kafkapy", "kafkapy", installation.program, command)


def apache_kafka() -> Peer:
    """Apache Kafka as its quick start and scripts run it: one KRaft node, `format --standalone`, then the broker."""

    def java(heap: tuple[str, ...], *arguments: str) -> list[str]:
        log_settings = Path(installation.ROOT, "compat_tests", "java", "log4j2.properties")
        logging = (f"-Dlog4j2.configurationFile={log_settings}", "-Dkafkapy.log.level=INFO")
        return [
            require_tool("java"),
            *heap,
            *KAFKA_JVM,
            *logging,
            "-cp",
            f"{jar_directory()}/*",
            *arguments,
        ]

    def gc_log(work: Path) -> str:
        return f"-Xlog:gc*:file={work}/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M"

    def properties(launch: Launch) -> Path:
        controller_port = free_port()
        # config/server.properties of the release, with other ports. What it does not set keeps Kafka's default.
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"localhost:{controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{launch.port},CONTROLLER://127.0.0.1:{controller_port}",
            "inter.broker.listener.name": "PLAINTEXT",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{launch.port},CONTROLLER://127.0.0.1:{controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "num.network.threads": "3",
            "num.io.threads": "8",
            "socket.send.buffer.bytes": "102400",
            "socket.receive.buffer.bytes": "102400",
            "socket.request.max.bytes": "104857600",
            "log.dirs": str(launch.data),
            "num.partitions": "1",
            "num.recovery.threads.per.data.dir": "2",
            "offsets.topic.replication.factor": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "log.retention.hours": "168",
            "log.segment.bytes": "1073741824",
            "log.retention.check.interval.ms": "300000",
            **launch.settings,
        }
        file = launch.work / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        return file

    def format_directory(launch: Launch) -> list[str]:
        file = str(properties(launch))
        cluster_id = "5L6g3nShT-eMCtK--X86sw"  # given, or `random-uuid` would cost one more JVM
        return java(KAFKA_STORAGE_HEAP, STORAGE, "format", "--standalone", "-t", cluster_id, "-c", file)

    def command(launch: Launch) -> list[str]:
        return java(KAFKA_HEAP, gc_log(launch.work), BROKER, str(launch.work / "server.properties"))

    def install() -> None:
        require_tool("java")
        jar_directory()

    return Peer("kafka", f"Apache Kafka {KAFKA_VERSION}", install, command, format_directory)


def kfake() -> Peer:
    """franz-go's broker for tests, which keeps everything in memory; no setting, but topics come when asked for."""

    def command(launch: Launch) -> list[str]:
        return [str(kfake_program.program()), str(launch.port)]

    left_out = {
        "compaction": "it writes no cleaner-offset-checkpoint to look at",
        "restart": KEEPS_NOTHING,
        "stop": KEEPS_NOTHING,
        "big_log": KEEPS_NOTHING,
    }
    return Peer("kfake", "kfake", kfake_program.program, command, left_out=left_out)


def librdkafka_mock() -> Peer:
    """librdkafka's mock cluster in a Python process that does nothing else."""

    def command(_launch: Launch) -> list[str]:
        return [sys.executable, str(installation.ROOT / "benchmarks" / "mock_process.py")]

    def find_port(log_file: Path) -> int | None:
        for line in log_file.read_text().splitlines(keepends=True):
            if line.startswith("MOCK PORT ") and line.endswith("\n"):
                return int(line.split()[-1])
        return None

    left_out = {
        "delivery": "a produce does not wake its fetches, they answer after max_wait_ms and without the record",
        "batches": "it keeps at most 5 MB a partition",
        "connections": "its listen backlog is 5: every sixth connection waits a second",
        "idle_connections": "its listen backlog is 5: every sixth connection waits a second",
        "create": "it has no CreateTopics",
        "topics": "it has no CreateTopics",
        "idempotence": "it checks no sequences",
        "transactions": "it has no transaction version 2",
        "compaction": "it has none",
        "restart": KEEPS_NOTHING,
        "stop": KEEPS_NOTHING,
        "big_log": KEEPS_NOTHING,
    }
    return Peer("mock", "librdkafka mock", lambda: None, command, find_port=find_port, left_out=left_out)


PEERS: Mapping[str, Callable[[], Peer]] = {
    "kafkapy": kafkapy,
    "kafka": apache_kafka,
    "kfake": kfake,
    "mock": librdkafka_mock,
}
