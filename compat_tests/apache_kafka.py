"""Apache Kafka 4.4.0 itself: its jars by Maven, one KRaft node to compare with, and its command-line tools.

    python -m compat_tests.apache_kafka --port 0    keeps one broker until Ctrl-C, prints `BOOTSTRAP 127.0.0.1:<port>`

Needs `java` (17 or newer) and, the first time only, `mvn` and a network. Jars are kept in `$KAFKAPY_TEST_CACHE`,
otherwise in `$XDG_CACHE_HOME/kafkapy-tests` or `~/.cache/kafkapy-tests`; several processes may ask for them at once.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from compat_tests.orphans import dying_with_us
from compat_tests.ports import free_port

KAFKA_VERSION = "4.4.0"
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"  # what Apache Kafka's own image uses when it is given none
START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 60.0
MAVEN_TIMEOUT_SECONDS = 900.0
MAVEN_ATTEMPTS = 3

# Fast start counts here, peak speed does not: only the first compiler tier, the collector without helper threads.
JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true")

TOPICS = "org.apache.kafka.tools.TopicCommand"
CONSOLE_PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CONSUMER_GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
CONFIGS = "org.apache.kafka.tools.ConfigCommand"
DUMP_LOG = "org.apache.kafka.tools.DumpLogSegments"
VERIFIABLE_PRODUCER = "org.apache.kafka.tools.VerifiableProducer"
VERIFIABLE_CONSUMER = "org.apache.kafka.tools.VerifiableConsumer"
STORAGE = "kafka.tools.StorageTool"
BROKER = "kafka.Kafka"

_JAVA_DIRECTORY = Path(__file__).parent / "java"
TELEMETRY_RECEIVER = "TelemetryReceiver"
"""A class for metric.reporters, with the class path of `telemetry_receiver`."""


class MissingTool(Exception):
    """A program the tests run is not on PATH; `name` is what to install."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} not found")
        self.name = name


class ApacheKafkaFailed(Exception):
    """The real broker, or Maven before it, did not do its part; the text ends with the log."""


def require_tool(name: str) -> str:
    """Where `name` is. Raises MissingTool."""
    found = shutil.which(name)
    if found is None:
        raise MissingTool(name)
    return found


def cache_directory() -> Path:
    """Where downloads and builds of the tests are kept from run to run; made when it is not there."""
    if configured := os.environ.get("KAFKAPY_TEST_CACHE"):
        cache = Path(configured)
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafkapy-tests"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` against other processes; the file stays, the lock ends with the process."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def content_key(*paths: Path) -> str:
    """A short name for what these files say: a cache entry is made again when one of them changes."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def jar_directory(version: str = KAFKA_VERSION) -> Path:
    """The directory with the jars of Apache Kafka's broker and tools. Raises as `maven_jars`."""
    return maven_jars(_JAVA_DIRECTORY / "pom.xml", "apache-kafka", version)


def compiled_java(name: str, source: Path, pom: Path, jars: Path, *more: Path) -> str:
    """The class path of `jars` (named by `pom`) and of `source` compiled with them, and with `more` sources.

    Raises MissingTool.
    """
    target = cache_directory() / f"{name}-{content_key(pom, source, *more)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            command = [require_tool("javac"), "-d", str(partial), "-cp", f"{jars}/*", str(source), *map(str, more)]
            subprocess.run(command, check=True, timeout=MAVEN_TIMEOUT_SECONDS)
            partial.rename(target)
    return f"{jars}/*:{target}"


def telemetry_receiver() -> str:
    """The class path of Apache Kafka's jars and TELEMETRY_RECEIVER. Raises MissingTool."""
    source = _JAVA_DIRECTORY / f"{TELEMETRY_RECEIVER}.java"
    return compiled_java("telemetry-receiver", source, _JAVA_DIRECTORY / "pom.xml", jar_directory())


def maven_jars(pom: Path, name: str, version: str = KAFKA_VERSION) -> Path:
    """The directory with the jars that the pom names, filled by Maven when this is the first time.

    `version` is Apache Kafka's, in place of the `kafka.version` that the pom gives.
    Raises MissingTool, or ApacheKafkaFailed when Maven failed MAVEN_ATTEMPTS times.
    """
    require_tool("java")
    target = cache_directory() / f"{name}-{version}-{content_key(pom)}"
    if target.exists():
        return target
    # Not with_suffix(): what follows the last dot of the version would be taken for a suffix.
    with file_lock(target.with_name(f"{target.name}.lock")):
        if not target.exists():
            _copy_jars(pom, target, version)
    return target


def _copy_jars(pom: Path, target: Path, version: str) -> None:
    maven = require_tool("mvn")
    partial = target.with_name(f"{target.name}.partial")
    # A copy of the pom: Maven may write beside it, and the checkout may be read-only.
    with tempfile.TemporaryDirectory(prefix="kafkapy-maven-") as work:
        shutil.copy(pom, work)
        goal = "dependency:copy-dependencies"
        command = [maven, "-q", "-B", "-f", f"{work}/pom.xml", f"-Dkafka.version={version}", goal]
        for attempt in range(MAVEN_ATTEMPTS):
            shutil.rmtree(partial, ignore_errors=True)
            try:
                result = subprocess.run(
                    [*command, f"-DoutputDirectory={partial}"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=MAVEN_TIMEOUT_SECONDS,
                )
            except subprocess.TimeoutExpired as timeout:
                raise ApacheKafkaFailed(f"mvn needed more than {MAVEN_TIMEOUT_SECONDS:.0f} s") from timeout
            if result.returncode == 0 and any(partial.glob("kafka*.jar")):
                partial.rename(target)  # whole or not at all, whoever looks
                return
            # -U: Maven remembers a download that failed and would not try again.
            command = [maven, "-U", *command[1:]]
            print(f"mvn failed, attempt {attempt + 1} of {MAVEN_ATTEMPTS}:\n{result.stdout}", file=sys.stderr)
        raise ApacheKafkaFailed(f"mvn cannot get the jars of {pom}:\n{result.stdout}")


def java_command(
    main_class: str,
    *arguments: str,
    heap_mb: int = 256,
    log_level: str = "WARN",
    version: str = KAFKA_VERSION,
    class_path: str | None = None,
) -> list[str]:
    """A command that runs `main_class` of a release; log lines go to standard error, at `log_level` and above.

    `class_path` is that of `compiled_java`, in place of the jars alone.
    """
    log_settings = _JAVA_DIRECTORY / "log4j2.properties"
    return [
        require_tool("java"),
        f"-Xmx{heap_mb}m",
        *JVM_FLAGS,
        f"-Dlog4j2.configurationFile={log_settings}",
        f"-Dkafkapy.log.level={log_level}",
        "-cp",
        class_path or f"{jar_directory(version)}/*",
        main_class,
        *arguments,
    ]


def java_tool(
    main_class: str,
    *arguments: str,
    stdin: str | None = None,
    timeout: float = 60.0,
    version: str = KAFKA_VERSION,
) -> subprocess.CompletedProcess[str]:
    """Run one tool to its end. The exit code is for the caller to judge; raises subprocess.TimeoutExpired (killed)."""
    return subprocess.run(
        java_command(main_class, *arguments, version=version),
        input=stdin if stdin is not None else "",
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        timeout=timeout,
    )


def java_tools(*calls: tuple[str, ...], timeout: float = 120.0) -> list[tuple[int, str]]:
    """The exit code and the output of each tool, which is called with its class and its arguments; see `JavaTools`."""
    with JavaTools(timeout) as tools:
        return [tools.run(*call) for call in calls]


class JavaTools:
    """Tools that run one after the other in one JVM, as its start takes longer than most tools do.

    All of them, from entering to leaving, have `timeout` seconds.
    """

    def __init__(self, timeout: float = 120.0) -> None:
        self._timeout = timeout

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            dying_with_us(java_command(str(_JAVA_DIRECTORY / "Tools.java"))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        self._killer = threading.Timer(self._timeout, self._process.kill)
        self._killer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._errors, self._process:  # closes its standard input, which ends it
            self._process.kill()
        self._killer.cancel()

    def run(self, main_class: str, *arguments: str) -> tuple[int, str]:
        """The exit code and what it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join((main_class, *arguments)) + "\n")
        self._process.stdin.flush()
        printed: list[str] = []
        for line in self._process.stdout:
            if found := re.fullmatch(r"--- exit code (\d+)\n", line):
                return int(found[1]), "".join(printed).removesuffix("\n")
            printed.append(line)
        self._errors.seek(0)
        raise AssertionError(f"{main_class} {arguments}: the JVM ended\n{''.join(printed)}{self._errors.read()}")


class ApacheKafka:
    """One KRaft node (broker and controller in one) on 127.0.0.1, its data in a directory that goes with it.

    `settings` overrides what is below by Kafka's names. With `data_dir` the directory is the caller's: it is formatted
    when it is not yet, and it stays. `voters_in_log`: the quorum's voters are in the metadata log (kraft.version 1,
    KIP-853), as kafkapy writes them, not in the settings. `release_version` is the metadata.version of a new cluster.
    `class_path` has classes that the settings name, besides the jars.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        data_dir: Path | None = None,
        node_id: int = 1,
        log_level: str = "INFO",
        voters_in_log: bool = False,
        version: str = KAFKA_VERSION,
        release_version: str | None = None,
        class_path: str | None = None,
    ) -> None:
        self._class_path = class_path
        self._port = port or free_port()
        self._controller_port = free_port()
        self._work = Path(tempfile.mkdtemp(prefix="apache-kafka-"))
        self._log_level = log_level
        self._version = version
        self._process: subprocess.Popen[bytes] | None = None
        self.data_dir = data_dir or self._work / "data"
        self.log_file = self._work / "broker.log"
        self.settings: dict[str, str] = {
            "process.roles": "broker,controller",
            "node.id": str(node_id),
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"{node_id}@127.0.0.1:{self._controller_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.data_dir),
            # One node cannot keep three copies.
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # 50 partitions each take seconds to make on first use, and no test looks at the number.
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            **(settings or {}),
        }
        self._format_options: tuple[str, ...] = ()
        if voters_in_log:
            del self.settings["controller.quorum.voters"]
            self.settings["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{self._controller_port}"
            self._format_options = ("--standalone",)
        if release_version is not None:
            self._format_options += ("--release-version", release_version)

    @property
    def port(self) -> int:
        return self._port

    @property
    def controller_port(self) -> int:
        return self._controller_port

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

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
        """Format the directory if need be, boot, and return when the broker answers. Raises ApacheKafkaFailed."""
        assert self._process is None, "already running"
        properties = self._work / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        if not (self.data_dir / "meta.properties").exists():
            formatted = java_tool(
                *(STORAGE, "format", "--cluster-id", CLUSTER_ID, "--config", str(properties), "--ignore-formatted"),
                *self._format_options,
                version=self._version,
            )
            if formatted.returncode:
                raise ApacheKafkaFailed(f"kafka-storage format:\n{formatted.stdout}{formatted.stderr}")
        command = java_command(
            BROKER,
            str(properties),
            heap_mb=512,
            log_level=self._log_level,
            version=self._version,
            class_path=self._class_path,
        )
        with self.log_file.open("ab") as log:
            log_position = log.tell()
            self._process = subprocess.Popen(
                dying_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is for us to pass on
            )
        self._wait_until_it_answers(log_position)

    def _wait_until_it_answers(self, log_position: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ApacheKafkaFailed(f"the broker ended with {self._process.returncode}:\n{self.log_tail()}")
            # The listener accepts before the broker is active, this line comes after.
            if b"Kafka Server started" in self.log_file.read_bytes()[log_position:]:
                return
            time.sleep(0.05)
        raise ApacheKafkaFailed(f"no answer after {START_TIMEOUT_SECONDS:.0f} s:\n{self.log_tail()}")

    def stop(self, *, kill: bool = False) -> None:
        """TERM, and KILL when that does not help; with `kill` at once. The data stays for another `start`."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Stop, and take the temporary directory away."""
        self.stop(kill=self.data_dir.is_relative_to(self._work))  # nobody will read a temporary directory again
        shutil.rmtree(self._work, ignore_errors=True)

    def output(self) -> str:
        """What the broker logged since its first start."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def bugs(self, position: int = 0) -> str:
        """Nothing: its stack traces are for its makers to judge."""
        return ""

    def log_tail(self) -> str:
        """What went wrong and what came last, for a failure message."""
        lines = self.output().splitlines()
        return "\n".join([*(line for line in lines[:-20] if "] INFO " not in line), *lines[-20:]])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat_tests.apache_kafka", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--data-dir", type=Path, help="kept afterwards; without it a temporary one is used")
    parser.add_argument("--override", action="append", default=[], metavar="NAME=VALUE", help="a broker setting")
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    settings = dict(override.split("=", 1) for override in arguments.override)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with ApacheKafka(
            settings, port=arguments.port, data_dir=arguments.data_dir, log_level=arguments.log_level
        ) as broker:
            print(f"BOOTSTRAP {broker.bootstrap}", flush=True)
            print(f"data directory {broker.data_dir}\nlog {broker.log_file}", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (MissingTool, ApacheKafkaFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
