"""A cluster of processes in which some nodes are kafkapy's and some are Apache Kafka's.

Every node has a properties file with Kafka's settings, and a directory that its own tool has formatted. The nodes of
Apache Kafka share one JVM. Whoever looks at the cluster asks its nodes by requests; the logs of both kinds are read for
what must not be in them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from compat_tests.apache_kafka import CLUSTER_ID, free_port
from compat_tests.deadlines import eventually
from compat_tests.differential.peer import Connection, ConnectionClosed, api_key_of
from compat_tests.kafka_series import START_TIMEOUT_SECONDS, KafkaSeries
from compat_tests.kafkapy_process import STOP_TIMEOUT_SECONDS, TRACEBACK, KafkapyFailed, kafkapy_command
from compat_tests.orphans import dying_with_us
from kafkapy_wire.api_keys import API_VERSIONS
from kafkapy_wire.message import Message
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
)
from kafkapy_wire.messages.describe_quorum import DescribeQuorumRequestPartitionData as AskedPartition
from kafkapy_wire.messages.describe_quorum import DescribeQuorumRequestTopicData as AskedTopic
from kafkapy_wire.uuid import Uuid, parse_uuid, random_uuid, uuid_text

STARTED = re.compile(r"node \d+ started")
METADATA_TOPIC = "__cluster_metadata"
LOG_ENTRY = re.compile(r"^\[[^]]*\] ", re.MULTILINE)
SHOWN_CHARACTERS_MAX = 3_000
USUAL = (
    "NotControllerException",  # a request that comes while controllers change
    "to exist, but it was missing. Creating...",  # a partition that was added to a topic
    "controller event queue overloaded",  # a machine that is busy
    "Exceptionally slow controller event",
)
"""Errors that Apache Kafka logs among its own nodes, too."""

SETTINGS = {
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.quorum.election.timeout.ms": "300",
    "controller.quorum.election.backoff.max.ms": "100",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.request.timeout.ms": "1000",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "200",
    "replica.lag.time.max.ms": "3000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
}


class Kind(Enum):
    KAFKAPY = "kafkapy"
    APACHE = "apache"


class Member(NamedTuple):
    """A node of the cluster: `roles` as in process.roles."""

    node_id: int
    kind: Kind
    roles: str

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles


def members(**roles_of: Sequence[tuple[int, str]]) -> list[Member]:
    """`members(kafkapy=[(1, "controller")], apache=[(2, "broker")])`."""
    return [Member(node_id, Kind(kind), roles) for kind, nodes in roles_of.items() for node_id, roles in nodes]


class MixedCluster:
    """Started within `with`.

    With `first_voters` the quorum is dynamic (kraft.version 1) and begins with these; otherwise all controllers vote.
    The cluster begins at the metadata.version of `release`, at the newest if it is not given.
    """

    def __init__(
        self,
        directory: Path,
        members: Sequence[Member],
        *,
        settings: Mapping[str, str] | None = None,
        first_voters: Sequence[int] = (),
        release: str | None = None,
        log_level: str = "INFO",
    ) -> None:
        self.directory = directory
        self.members = {member.node_id: member for member in members}
        self._ports = {member.node_id: (free_port(), free_port()) for member in members}
        self._given = dict(settings or {})
        self._first_voters = tuple(first_voters)
        self._release = release
        self._log_level = log_level
        self._directory_ids = {node_id: uuid_text(random_uuid()) for node_id in self.members}
        self._series: KafkaSeries | None = None
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._positions: dict[int, int] = {}  # of the logs, when a node was started
        self._dead_logs = ""  # of JVMs that were killed
        directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        try:
            self.format()
            self.start()
        except BaseException:
            print(self.output())
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            print(self.output())
        self.close()

    # Where things are

    def broker_port(self, node_id: int) -> int:
        return self._ports[node_id][0]

    def controller_port(self, node_id: int) -> int:
        return self._ports[node_id][1]

    def port(self, node_id: int) -> int:
        """Of the listener that the node's requests of administrators go to."""
        return self.broker_port(node_id) if self.members[node_id].is_broker else self.controller_port(node_id)

    @property
    def bootstrap(self) -> str:
        """The brokers, whether they run or not."""
        return ",".join(f"127.0.0.1:{self.broker_port(each)}" for each, m in self.members.items() if m.is_broker)

    def data_dir(self, node_id: int) -> Path:
        return self.directory / f"node-{node_id}"

    @property
    def controllers(self) -> list[int]:
        return [each.node_id for each in self.members.values() if each.is_controller]

    def _properties(self, node_id: int) -> Path:
        return self.directory / f"node-{node_id}.properties"

    def _log_file(self, node_id: int) -> Path:
        return self.directory / f"node-{node_id}.log"

    def _settings_of(self, member: Member) -> dict[str, str]:
        broker_port, controller_port = self._ports[member.node_id]
        listeners = [f"PLAINTEXT://127.0.0.1:{broker_port}"] * member.is_broker
        listeners += [f"CONTROLLER://127.0.0.1:{controller_port}"] * member.is_controller
        if self._first_voters:
            servers = ",".join(f"127.0.0.1:{self.controller_port(each)}" for each in self.controllers)
            quorum = {"controller.quorum.bootstrap.servers": servers}
        else:
            voters = ",".join(f"{each}@127.0.0.1:{self.controller_port(each)}" for each in self.controllers)
            quorum = {"controller.quorum.voters": voters}
        brokers = sum(each.is_broker for each in self.members.values())
        replicas = str(max(1, min(brokers, 3)))
        common = dict(SETTINGS)
        if not member.is_broker:
            del common["inter.broker.listener.name"]
        return {
            **common,
            "default.replication.factor": replicas,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": "1",
            **self._given,
            "node.id": str(member.node_id),
            "process.roles": member.roles,
            "listeners": ",".join(listeners),
            "log.dirs": str(self.data_dir(member.node_id)),
            **quorum,
        }

    # Life

    @property
    def series(self) -> KafkaSeries:
        """The JVM of Apache Kafka's nodes, which can also read files."""
        if self._series is None:
            self._series = KafkaSeries(log_level=self._log_level)
        return self._series

    def format(self, node_ids: Sequence[int] | None = None) -> None:
        """Have the tools of these nodes, of all if not given, format their directories."""
        first = self._first_voters
        for node_id in self.members if node_ids is None else node_ids:
            member = self.members[node_id]
            text = "".join(f"{name}={value}\n" for name, value in self._settings_of(member).items())
            self._properties(node_id).write_text(text)
            options = [] if self._release is None else ["--release-version", self._release]
            if node_id in first:
                voters = (f"{i}@127.0.0.1:{self.controller_port(i)}:{self._directory_ids[i]}" for i in first)
                options += ["--initial-controllers", ",".join(voters)]
            elif first and member.is_controller:
                options += ["--no-initial-controllers"]
            if member.kind is Kind.APACHE:
                self.series.format_with(self._properties(node_id), *options)
            else:
                command = [
                    kafkapy_command(),
                    "format",
                    "-t",
                    CLUSTER_ID,
                    "-c",
                    str(self._properties(node_id)),
                    *options,
                ]
                done = subprocess.run(command, capture_output=True, text=True, timeout=STOP_TIMEOUT_SECONDS)
                assert not done.returncode, done.stdout + done.stderr

    def start(self, *node_ids: int) -> None:
        """Start these nodes, all of them at once if none is named, and return when each has started."""
        chosen = node_ids or tuple(self.members)
        for node_id in chosen:
            self.begin(node_id)
        for node_id in chosen:
            self.wait_for_start(node_id)

    def begin(self, node_id: int) -> None:
        """Have a node start; it may wait for others."""
        if self.members[node_id].kind is Kind.APACHE:
            self.series.begin(self._properties(node_id))
            return
        command = [kafkapy_command(), "start", "--log-level", "info", str(self._properties(node_id))]
        self._positions[node_id] = len(self._log_of(node_id))
        with self._log_file(node_id).open("ab") as log:
            self._processes[node_id] = subprocess.Popen(
                dying_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def wait_for_start(self, node_id: int) -> None:
        if self.members[node_id].kind is Kind.APACHE:
            self.series.wait_for_start(self._properties(node_id))
            return
        process = self._processes[node_id]
        position = self._positions[node_id]

        def started() -> bool:
            printed = self._log_of(node_id)[position:]
            if process.poll() is not None:
                raise KafkapyFailed(f"node {node_id} ended with {process.returncode}:\n{printed}")
            return STARTED.search(printed) is not None

        eventually(started, f"node {node_id} has started", seconds=START_TIMEOUT_SECONDS)

    def pause(self, node_id: int) -> None:
        """Stop the process of a node, of Apache Kafka all of them, until `go_on`."""
        os.kill(self._pid(node_id), signal.SIGSTOP)

    def go_on(self, node_id: int) -> None:
        os.kill(self._pid(node_id), signal.SIGCONT)

    def _pid(self, node_id: int) -> int:
        return self.series.pid if self.members[node_id].kind is Kind.APACHE else self._processes[node_id].pid

    def stop(self, node_id: int, *, kill: bool = False) -> None:
        """End a node in order. With `kill` as SIGKILL does: of Apache Kafka all nodes, as they share a JVM."""
        if self.members[node_id].kind is Kind.APACHE:
            if kill:
                self._dead_logs += self.series.log()
                self.series.kill()
                self.series.close()
                self._series = None
            else:
                self.series.stop(self._properties(node_id))
            return
        process = self._processes.pop(node_id)
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_SECONDS)
            raise KafkapyFailed(f"TERM did not stop node {node_id}:\n{self._log_of(node_id)}") from None
        assert kill or process.returncode == 0, self._log_of(node_id)

    def close(self) -> None:
        """End all of them at once, for a directory that nobody reads any more."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(STOP_TIMEOUT_SECONDS)
        if self._series is not None:
            self._series.kill()
            self._series.close()
            self._series = None

    # Logs

    def _log_of(self, node_id: int) -> str:
        file = self._log_file(node_id)
        return file.read_text(errors="replace") if file.exists() else ""

    def apache_log(self) -> str:
        """What the nodes of Apache Kafka have logged."""
        return self._dead_logs + ("" if self._series is None else self._series.log())

    def output(self) -> str:
        """All logs, for the report of a test that failed."""
        ours = "".join(f"--- node {each}\n{self._log_of(each)}" for each in self.members if self._log_of(each))
        return f"{ours}--- Apache Kafka\n{self.apache_log()}"

    def complaints(self) -> list[str]:
        """Errors in the logs of Apache Kafka's nodes, but for those that its own clusters have, and errors in ours."""
        theirs = [entry for entry in LOG_ENTRY.split(self.apache_log()) if entry.startswith(("ERROR", "FATAL"))]
        ours = [self._log_of(each) for each in self.members]
        return [entry[:SHOWN_CHARACTERS_MAX] for entry in theirs if not any(usual in entry for usual in USUAL)] + [
            text for text in ours if TRACEBACK in text or " ERROR " in text
        ]

    # Questions

    def ask(self, port: int, request: Message, version: int | None = None) -> Any:
        """The answer of whoever serves `port`. Raises OSError, ConnectionClosed."""
        key = api_key_of(request)
        version = API_VERSIONS[key].max_version if version is None else version
        with closing(Connection("127.0.0.1", port)) as connection:
            return connection.receive(key, version, connection.post(request, version))

    def describe_quorum(self, node_id: int) -> DescribeQuorumResponsePartitionData | None:
        """What this controller says of the quorum; None if it does not lead, or does not answer."""
        asked = AskedTopic(topic_name=METADATA_TOPIC, partitions=[AskedPartition(partition_index=0)])
        try:
            answer = self.ask(self.controller_port(node_id), DescribeQuorumRequest(topics=[asked]))
        except (OSError, ConnectionClosed):
            return None
        assert isinstance(answer, DescribeQuorumResponse)
        if answer.error_code or answer.topics[0].partitions[0].error_code:
            return None
        return answer.topics[0].partitions[0]

    def leader(self) -> int:
        """The controller that says that it leads the quorum, and has committed that; -1 if none does."""
        for node_id in self.controllers:
            described = self.describe_quorum(node_id)
            if described is not None and described.high_watermark >= 0:
                return described.leader_id
        return -1

    def next_leader(self, leader_id: int) -> int:
        """The controller that leads when `leader_id` does not any more."""
        return eventually(
            lambda: leader != leader_id and leader if (leader := self.leader()) >= 0 else 0, "a leader", seconds=90
        )

    def metadata(self, node_id: int) -> list[Mapping[str, Any]]:
        """The records in the metadata log of a node, read by Apache Kafka's code."""
        files = sorted((self.data_dir(node_id) / f"{METADATA_TOPIC}-0").glob("*.log"))
        return [record for file in files for record in self.series.records(file)]

    def directory_id(self, node_id: int) -> Uuid:
        """By the node's meta.properties."""
        lines = (self.data_dir(node_id) / "meta.properties").read_text().splitlines()
        return parse_uuid(next(line for line in lines if line.startswith("directory.id=")).partition("=")[2])
