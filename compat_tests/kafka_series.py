"""Apache Kafka in one JVM that formats and reads directories, and starts and stops nodes: its start is paid once."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compat_tests.apache_kafka import (
    CLUSTER_ID,
    JVM_FLAGS,
    ApacheKafka,
    compiled_java,
    jar_directory,
    require_tool,
)
from compat_tests.orphans import dying_with_us

STOP_TIMEOUT_SECONDS = 20.0
START_TIMEOUT_SECONDS = 90
_JAVA_DIRECTORY = Path(__file__).parent / "java"
_SOURCE = _JAVA_DIRECTORY / "KafkaSeries.java"


class KafkaRefused(Exception):
    """Apache Kafka has refused a task: its exception's class and message."""


class KafkaSeries:
    """One JVM. Tasks are done one after the other; nodes run beside one another."""

    def __init__(self, *, log_level: str = "WARN") -> None:
        self._work = Path(tempfile.mkdtemp(prefix="kafka-series-"))
        self._log_file = self._work / "log"
        command = [
            *(require_tool("java"), "-Xmx512m", *JVM_FLAGS),
            f"-Dlog4j2.configurationFile={_JAVA_DIRECTORY / 'log4j2.properties'}",
            f"-Dkafkapy.log.level={log_level}",
            *("-cp", _classpath(), "KafkaSeries"),
        ]
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                dying_with_us(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        shutil.rmtree(self._work, ignore_errors=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End the JVM with all its nodes, as SIGKILL does; nothing can be asked of it any more."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_SECONDS)

    def do(self, *words: str) -> Any:
        """What a task of KafkaSeries.java comes to. Raises KafkaRefused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise KafkaRefused(f"the JVM has ended:\n{self.log()}")
        answer = json.loads(line)
        if "failed" in answer:
            raise KafkaRefused(answer["failed"])
        return answer["done"]

    def begin(self, properties: Path) -> None:
        """Have the node of these settings start, which may need others."""
        self.do("begin", str(properties))

    def wait_for_start(self, properties: Path) -> None:
        """Return when the node has started. Raises KafkaRefused."""
        self.do("started", str(properties), str(START_TIMEOUT_SECONDS))

    def stop(self, properties: Path) -> None:
        """Stop the node in order."""
        self.do("stop", str(properties))

    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    def format(self, broker: SeriesBroker, *options: str) -> str:
        """`kafka-storage format` with the broker's settings; what it has printed. Raises KafkaRefused."""
        return self.format_with(broker.properties, *options)

    def format_with(self, properties: Path, *options: str) -> str:
        """`kafka-storage format` with a file of settings; what it has printed. Raises KafkaRefused."""
        answer = self.do("format", "--config", str(properties), "--cluster-id", CLUSTER_ID, *options)
        if answer["exit code"]:
            raise KafkaRefused(answer["printed"])
        printed: str = answer["printed"]
        return printed

    def records(self, file: Path) -> list[Mapping[str, Any]]:
        """The metadata records of a segment or snapshot, as Kafka's tools print them."""
        records: list[Mapping[str, Any]] = self.do("records", str(file))
        return records

    def broker(self, kafka: ApacheKafka) -> SeriesBroker:
        """A broker in this JVM with the settings of one that is never started as a process."""
        properties = self._work / f"{kafka.port}.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in kafka.settings.items()))
        return SeriesBroker(self, kafka, properties)


class SeriesBroker:
    """A broker of the series: one node on the port and directory of an `ApacheKafka`."""

    def __init__(self, series: KafkaSeries, kafka: ApacheKafka, properties: Path) -> None:
        self._series = series
        self._kafka = kafka
        self.properties = properties

    @property
    def bootstrap(self) -> str:
        return self._kafka.bootstrap

    @property
    def port(self) -> int:
        return self._kafka.port

    @property
    def pid(self) -> int:
        return self._series.pid

    @property
    def data_dir(self) -> Path:
        return self._kafka.data_dir

    def start(self) -> None:
        """Returns when the broker serves. Raises KafkaRefused."""
        self._series.begin(self.properties)
        self._series.wait_for_start(self.properties)

    def stop(self, *, kill: bool = False) -> None:
        assert not kill, "the JVM is to live on"
        self._series.stop(self.properties)

    def output(self) -> str:
        return self._series.log()

    def bugs(self, position: int = 0) -> str:
        """Nothing: its stack traces are for its makers to judge."""
        return ""


def _classpath() -> str:
    """The release's jars and the compiled series. Raises MissingTool."""
    return compiled_java("kafka-series", _SOURCE, _JAVA_DIRECTORY / "pom.xml", jar_directory())
