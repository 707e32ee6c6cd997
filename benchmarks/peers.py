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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from benchmarks import installation, kfake_program
from benchmarks.raw_client import Address, ask_api_versions
from compat_tests.apache_kafka import BROKER, CLUSTER_ID, KAFKA_VERSION, STORAGE, jar_directory, require_tool
from compat_tests.ports import free_ports

START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 60.0  # Apache Kafka may need half of it for 5,000 partitions
POLL_SECONDS = 0.002

NO_LIBRARY = "it is no library of Python"
NO_STATE = "it has no call for that"
NO_STORES = "it has no settings for TLS"
NO_USERS = "it has no settings for users and ACLs"
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
# What config/server.properties of the release sets, but for ids, addresses, directories and replication.
RELEASE_SETTINGS = {
    "num.network.threads": "3",
    "num.io.threads": "8",
    "socket.send.buffer.bytes": "102400",
    "socket.receive.buffer.bytes": "102400",
    "socket.request.max.bytes": "104857600",
    "num.partitions": "1",
    "num.recovery.threads.per.data.dir": "2",
    "log.retention.hours": "168",
    "log.segment.bytes": "1073741824",
    "log.retention.check.interval.ms": "300000",
}


class PeerFailed(Exception):
    """A broker did not start or ended by itself; the text ends with its log."""


@dataclass(slots=True)
class Broker:
    """A running broker and what the operating system knows about it; or a cluster, which clients use as one."""

    peer: Peer
    processes: list[subprocess.Popen[bytes]]
    addresses: list[Address]  # of each node
    served: dict[int, range]  # versions by API key
    start_seconds: float  # from the first spawn to the answer of every node to ApiVersions
    launch: Launch
    log_file: Path

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    @property
    def address(self) -> Address:
        return self.addresses[0]

    @property
    def bootstrap(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def cpu_seconds(self) -> float:
        """CPU time of all threads the processes ever had: the sum that /proc/<pid>/stat tells in ticks of 10 ms."""
        # Linux: the CPU clock of another process is its inverted pid and CPUCLOCK_SCHED (clock_getcpuclockid(3)).
        return sum(time.clock_gettime((~process.pid << 3) | 2) for process in self.processes)

    def resident_mb(self) -> float:
        """Resident memory of the processes and of all below them, in units of 10**6 bytes."""
        processes = [psutil.Process(each.pid) for each in self.processes]
        tree = [one for process in processes for one in (process, *process.children(recursive=True))]
        return sum(int(each.memory_info().rss) for each in tree) / 1e6

    def stop(self) -> float:
        """SIGTERM, and SIGKILL for one that does not listen; the seconds until all were gone."""
        begin = time.perf_counter()
        running = [process for process in self.processes if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        try:
            for process in running:
                process.wait(max(0.0, begin + STOP_TIMEOUT_SECONDS - time.perf_counter()))
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when Ctrl-C or the row's time limit ends the wait
            self.kill()
        return time.perf_counter() - begin

    def kill(self) -> None:
        """SIGKILL, unless it is gone already."""
        _kill(self.processes)

    def kill_node(self, node_id: int) -> None:
        """SIGKILL to one node of a cluster of processes; its number is its place in `addresses`, from 1 on."""
        _kill([self.processes[node_id - 1]])


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.kill()
    for process in running:
        process.wait()


@dataclass(frozen=True, slots=True)
class Launch:
    """How a broker is to be started; `work` is a directory of its own that goes with it."""

    work: Path
    ports: tuple[int, ...]  # of each node: one for clients
    controller_ports: tuple[int, ...]  # and one for other controllers
    settings: Mapping[str, str]
    durable: bool  # metadata is to survive a crash: fsync before the answer, for who can do without

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def data(self) -> Path:
        """Where the logs are; of kafkapy only when `durable`."""
        return self.work / "data"


@dataclass(frozen=True, slots=True)
class Peer:
    """One of the brokers compared, or of the clusters.

    `install` gets its programs, before anything is measured; it raises MissingTool. `commands` has a command for each
    process. Those of `prepare` run to their end first, inside the measured start (Kafka formats its directory).
    `find_ports` is for one that chooses its ports itself: it finds them in what the start has printed; None: not yet
    there.
    """

    name: str
    title: str
    install: Callable[[], object]
    commands: Callable[[Launch], list[list[str]]]
    prepare: Callable[[Launch], list[list[str]]] | None = None
    find_ports: Callable[[str], list[int] | None] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)  # row name -> why
    node_count: int = 1

    @contextlib.contextmanager
    def running(self, settings: Mapping[str, str] | None = None, *, durable: bool = False) -> Iterator[Broker]:
        """A broker that has answered, gone with its data at the end. Raises PeerFailed."""
        with self.home(settings, durable=durable) as launch, self.started(launch) as broker:
            yield broker

    @contextlib.contextmanager
    def home(self, settings: Mapping[str, str] | None = None, *, durable: bool) -> Iterator[Launch]:
        """For a broker that is started more than once: its data, where `durable`, is gone only at the end."""
        work = Path(tempfile.mkdtemp(prefix=f"kafkapy-benchmark-{self.name}-"))
        ports = free_ports(2 * self.node_count)
        try:
            yield Launch(
                work, tuple(ports[: self.node_count]), tuple(ports[self.node_count :]), settings or {}, durable
            )
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
        prepare = self.prepare(launch) if self.prepare and not again else []
        commands = self.commands(launch)
        log_file = launch.work / "broker.log"
        with log_file.open("ab") as log:
            printed_before = log.tell()
            begin = time.perf_counter()
            preparing = [_spawn(command, launch, log) for command in prepare]
            if any([process.wait() for process in preparing]):  # noqa: C419 - all of them end first
                raise PeerFailed(f"{self.title}: {' '.join(prepare[0])}\n{_tail(log_file)}")
            processes = [_spawn(command, launch, log) for command in commands]
        try:
            addresses, served = self._first_answers(
                processes, log_file, printed_before, launch.ports, begin + START_TIMEOUT_SECONDS
            )
        except BaseException:
            _kill(processes)
            raise
        return Broker(self, processes, addresses, served, time.perf_counter() - begin, launch, log_file)

    def _first_answers(
        self,
        processes: Sequence[subprocess.Popen[bytes]],
        log_file: Path,
        printed_before: int,
        ports: Sequence[int],
        deadline: float,
    ) -> tuple[list[Address], dict[int, range]]:
        served: dict[int, range] = {}
        answered: list[Address] = []
        while time.perf_counter() < deadline:
            found: Sequence[int] | None = ports
            if self.find_ports is not None:
                found = self.find_ports(log_file.read_bytes()[printed_before:].decode(errors="replace"))
            if found is not None:
                # Kafka accepts before it answers: then this waits in the call.
                with contextlib.suppress(OSError):
                    for port in found[len(answered) :]:
                        address = ("127.0.0.1", port)
                        served = ask_api_versions(address, timeout_seconds=START_TIMEOUT_SECONDS)
                        answered.append(address)
                    return answered, served
            for process in processes:
                if process.poll() is not None:
                    raise PeerFailed(f"{self.title} ended with {process.returncode}\n{_tail(log_file)}")
            time.sleep(POLL_SECONDS)
        raise PeerFailed(f"{self.title}: no answer after {START_TIMEOUT_SECONDS:.0f} s\n{_tail(log_file)}")


def _spawn(command: list[str], launch: Launch, log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=launch.work,
        env={**os.environ, "TMPDIR": str(launch.work)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for the benchmark, which then stops its brokers
    )


def _tail(log_file: Path, lines: int = 30) -> str:
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])


def kafkapy(wrapper: tuple[str, ...] = ()) -> Peer:
    """kafkapy from its own installation; `wrapper` is put before the command (a profiler)."""

    def commands(launch: Launch) -> list[list[str]]:
        program = str(installation.program())
        return [[*wrapper, program, "start", *kafkapy_options(launch), "--port", str(launch.port)]]

    return Peer("kafkapy", "kafkapy", installation.program, commands)


def kafkapy_recording() -> Peer:
    """kafkapy that records every request and its answer; only measured when it is asked for."""

    def commands(launch: Launch) -> list[list[str]]:
        program = installation.ROOT / "benchmarks" / "recording_process.py"
        return [[str(installation.python()), str(program), str(launch.port), str(launch.data)]]

    left_out = dict.fromkeys(("kit_start", "kit_state", "tls", "logins"), "it is measured as kafkapy")
    return Peer("recording", "kafkapy, recording", installation.program, commands, left_out=left_out)


def kafkapy_options(launch: Launch) -> list[str]:
    """Where it keeps its data, and its settings."""
    where = ["--data-dir", str(launch.data)] if launch.durable else ["--ephemeral"]
    return where + [part for name, value in launch.settings.items() for part in ("--override", f"{name}={value}")]


def apache_kafka() -> Peer:
    """Apache Kafka as its quick start and scripts run it: one KRaft node, `format --standalone`, then the broker."""

    def properties(launch: Launch) -> Path:
        (controller_port,) = launch.controller_ports
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
            **RELEASE_SETTINGS,
            "log.dirs": str(launch.data),
            "offsets.topic.replication.factor": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            **launch.settings,
        }
        file = launch.work / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        return file

    def format_directory(launch: Launch) -> list[list[str]]:
        return [kafka_format(properties(launch), "--standalone")]

    def commands(launch: Launch) -> list[list[str]]:
        return [kafka_start(launch.work / "server.properties")]

    left_out = {"kit_start": NO_LIBRARY, "kit_state": NO_STATE}
    return Peer("kafka", f"Apache Kafka {KAFKA_VERSION}", install_kafka, commands, format_directory, left_out=left_out)


def install_kafka() -> None:
    """Raises MissingTool."""
    require_tool("java")
    jar_directory()


def kafka_format(properties: Path, *options: str) -> list[str]:
    # The cluster id is given, or `random-uuid` would cost one more JVM.
    return _kafka_java(KAFKA_STORAGE_HEAP, STORAGE, "format", *options, "-t", CLUSTER_ID, "-c", str(properties))


def kafka_start(properties: Path) -> list[str]:
    gc_log = f"-Xlog:gc*:file={properties.parent}/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M"
    return _kafka_java((*KAFKA_HEAP, gc_log), BROKER, str(properties))


def _kafka_java(heap: tuple[str, ...], *arguments: str) -> list[str]:
    """A program of Apache Kafka's, with the JVM flags of its scripts."""
    log_settings = Path(installation.ROOT, "compat_tests", "java", "log4j2.properties")
    logging = (f"-Dlog4j2.configurationFile={log_settings}", "-Dkafkapy.log.level=INFO")
    return [require_tool("java"), *heap, *KAFKA_JVM, *logging, "-cp", f"{jar_directory()}/*", *arguments]


def kfake() -> Peer:
    """franz-go's broker for tests, which keeps everything in memory; no setting, but topics come when asked for."""

    def commands(launch: Launch) -> list[list[str]]:
        return [[str(kfake_program.program()), str(launch.port)]]

    left_out = {
        "kit_start": NO_LIBRARY,
        "kit_state": NO_STATE,
        "tls": NO_STORES,
        "logins": NO_USERS,
        "authorized": NO_USERS,
        "compaction": "it writes no cleaner-offset-checkpoint to look at",
        "restart": KEEPS_NOTHING,
        "stop": KEEPS_NOTHING,
        "big_log": KEEPS_NOTHING,
    }
    return Peer("kfake", "kfake", kfake_program.program, commands, left_out=left_out)


def librdkafka_mock() -> Peer:
    """librdkafka's mock cluster in a Python process that does nothing else."""

    def commands(_launch: Launch) -> list[list[str]]:
        return [[sys.executable, str(installation.ROOT / "benchmarks" / "mock_process.py")]]

    def find_ports(printed: str) -> list[int] | None:
        for line in printed.splitlines(keepends=True):
            if line.startswith("MOCK PORT ") and line.endswith("\n"):
                return [int(line.split()[-1])]
        return None

    left_out = {
        "kit_state": NO_STATE,
        "delivery": "a produce does not wake its fetches, they answer after max_wait_ms and without the record",
        "batches": "it keeps at most 5 MB a partition",
        "tls": NO_STORES,
        "logins": NO_USERS,
        "authorized": NO_USERS,
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
    return Peer("mock", "librdkafka mock", lambda: None, commands, find_ports=find_ports, left_out=left_out)


PEERS: Mapping[str, Callable[[], Peer]] = {
    "kafkapy": kafkapy,
    "kafka": apache_kafka,
    "kfake": kfake,
    "mock": librdkafka_mock,
}

ON_DEMAND: Mapping[str, Callable[[], Peer]] = {"recording": kafkapy_recording}
"""Measured only if --peers names them."""
