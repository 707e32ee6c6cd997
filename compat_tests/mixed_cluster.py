"""A cluster in which some nodes are kafkapy's and some are Apache Kafka's.

Every node has a properties file with Kafka's settings, and a directory that its own tool has formatted. kafkapy's nodes
are processes; those of Apache Kafka share one JVM, which also reads files. Whoever looks at the cluster asks its nodes
by requests; the logs of both kinds are read for what must not be in them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compat_tests.apache_kafka import CLUSTER_ID
from compat_tests.cluster.node_process import KAFKAPY, STOP_SECONDS_MAX, NodeProcess
from compat_tests.cluster.properties import SETTINGS, NodePlace, server_properties
from compat_tests.deadlines import eventually
from compat_tests.differential.peer import Connection, ConnectionClosed, api_key_of
from compat_tests.kafka_series import KafkaSeries
from compat_tests.kafkapy_process import TRACEBACK, kafkapy_command
from compat_tests.ports import free_ports
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

HOST = "127.0.0.1"
METADATA_TOPIC = "__cluster_metadata"
LOG_ENTRY = re.compile(r"^\[[^]]*\] ", re.MULTILINE)
SHOWN_CHARACTERS_MAX = 3_000
USUAL = (
    "NotControllerException",  # a request that comes while controllers change
    "to exist, but it was missing. Creating...",  # a partition that was added to a topic
    "controller event queue overloaded",  # a machine that is busy
    "Exceptionally slow controller event",
    # The second of two batches on their way, where the first came before the last transaction was complete and is
    # refused (CONCURRENT_TRANSACTIONS): a producer sends both again.
    "Expected sequence 0 for transactions v2 idempotent producer with no existing state",
)
"""Errors that Apache Kafka logs among its own nodes, too."""


class MixedCluster:
    """Started within `with`. Nodes are given as their ids and process.roles.

    With `first_voters` the quorum is dynamic (kraft.version 1) and begins with these; otherwise all controllers vote.
    The cluster begins at the metadata.version of `release`, at the newest if it is not given.
    """

    def __init__(
        self,
        directory: Path,
        *,
        kafkapy: Mapping[int, str],
        apache: Mapping[int, str],
        settings: Mapping[str, str] | None = None,
        first_voters: Sequence[int] = (),
        release: str | None = None,
    ) -> None:
        roles_of = {**kafkapy, **apache}
        ports = free_ports(2 * len(roles_of))
        self.places = {
            node_id: NodePlace(node_id, roles, HOST, *ports[2 * n : 2 * n + 2])
            for n, (node_id, roles) in enumerate(roles_of.items())
        }
        self._apache = frozenset(apache)
        self._directory = directory
        self._given = dict(settings or {})
        self._first_voters = tuple(first_voters)
        self._release = release
        self._directory_ids = {node_id: uuid_text(random_uuid()) for node_id in roles_of}
        self._series: KafkaSeries | None = None
        self._dead_logs = ""  # of JVMs that were killed
        self._processes = {
            node_id: NodeProcess(
                KAFKAPY, self.places[node_id], self._home(node_id), self._text_of(node_id), cluster_id=CLUSTER_ID
            )
            for node_id in kafkapy
        }
        for node_id in apache:
            self._home(node_id).mkdir(parents=True)
            self._properties(node_id).write_text(self._text_of(node_id))

    def __enter__(self) -> Self:
        try:
            self.format(*self.places)
            self.start(*self.places)
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

    def controller_port(self, node_id: int) -> int:
        return self.places[node_id].controller_port

    def port(self, node_id: int) -> int:
        """Of the broker."""
        return self.places[node_id].port

    @property
    def bootstrap(self) -> str:
        """The brokers, whether they run or not."""
        return ",".join(each.bootstrap for each in self.places.values() if each.is_broker)

    @property
    def controllers(self) -> list[int]:
        return [each.node_id for each in self.places.values() if each.is_controller]

    def _home(self, node_id: int) -> Path:
        return self._directory / f"node-{node_id}"

    def data_dir(self, node_id: int) -> Path:
        return self._home(node_id) / "data"

    def _properties(self, node_id: int) -> Path:
        return self._home(node_id) / "server.properties"

    def _text_of(self, node_id: int) -> str:
        replicas = str(min(3, max(1, sum(each.is_broker for each in self.places.values()))))
        settings = {
            **SETTINGS,
            "default.replication.factor": replicas,
            "min.insync.replicas": "1",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1",
            **self._given,
        }
        if self._first_voters:
            servers = ",".join(f"{HOST}:{self.controller_port(each)}" for each in self.controllers)
            settings |= {"controller.quorum.voters": "", "controller.quorum.bootstrap.servers": servers}
        return server_properties(self.places[node_id], [*self.places.values()], self.data_dir(node_id), settings)

    # Life

    @property
    def series(self) -> KafkaSeries:
        """The JVM of Apache Kafka's nodes, which can also read files."""
        if self._series is None:
            self._series = KafkaSeries(log_level="INFO")
        return self._series

    def format(self, *node_ids: int) -> None:
        """Have these nodes' own tools format their directories."""
        first = self._first_voters
        for node_id in node_ids:
            options = [] if self._release is None else ["--release-version", self._release]
            if node_id in first:
                voters = (f"{i}@{HOST}:{self.controller_port(i)}:{self._directory_ids[i]}" for i in first)
                options += ["--initial-controllers", ",".join(voters)]
            elif first and self.places[node_id].is_controller:
                options += ["--no-initial-controllers"]
            file = self._properties(node_id)
            if node_id in self._apache:
                self.series.format_with(file, *options)
            else:
                command = [kafkapy_command(), "format", "--cluster-id", CLUSTER_ID, "--config", str(file), *options]
                done = subprocess.run(command, capture_output=True, text=True, timeout=STOP_SECONDS_MAX)
                assert not done.returncode, done.stdout + done.stderr

    def start(self, *node_ids: int) -> None:
        """Start these nodes at once, and return when each of them has started."""
        for node_id in node_ids:
            if node_id in self._apache:
                self.series.begin(self._properties(node_id))
            else:
                self._processes[node_id].start(wait=False)
        for node_id in node_ids:
            if node_id in self._apache:
                self.series.wait_for_start(self._properties(node_id))
            else:
                self._processes[node_id].wait_until_ready()

    def pause(self, node_id: int) -> None:
        """Stop the process of a node, of Apache Kafka all of them, until `go_on`."""
        os.kill(self._pid(node_id), signal.SIGSTOP)

    def go_on(self, node_id: int) -> None:
        os.kill(self._pid(node_id), signal.SIGCONT)

    def _pid(self, node_id: int) -> int:
        return self.series.pid if node_id in self._apache else self._processes[node_id].pid

    def stop(self, node_id: int) -> None:
        """Stop a node in order."""
        if node_id in self._apache:
            self.series.stop(self._properties(node_id))
        else:
            assert self._processes[node_id].stop() == 0, self._processes[node_id].last_output()

    def kill(self, node_id: int) -> None:
        """As SIGKILL does: of Apache Kafka all nodes, as they share a JVM."""
        if node_id in self._apache:
            self._dead_logs += self.series.log()
            self._end_series()
        else:
            self._processes[node_id].kill()

    def close(self) -> None:
        """End all of them at once, for directories that nobody reads any more."""
        for process in self._processes.values():
            process.close()
        self._end_series()

    def _end_series(self) -> None:
        if self._series is not None:
            self._series.kill()
            self._series.close()
            self._series = None

    # Logs

    def apache_log(self) -> str:
        """What the nodes of Apache Kafka have logged."""
        return self._dead_logs + ("" if self._series is None else self._series.log())

    def output(self) -> str:
        """All logs, for the report of a test that failed."""
        ours = "".join(f"--- node {node_id}\n{each.output()}" for node_id, each in self._processes.items())
        return f"{ours}--- Apache Kafka\n{self.apache_log()}"

    def complaints(self) -> list[str]:
        """Errors in the logs of Apache Kafka's nodes, but for those that its own clusters have, and errors in ours."""
        theirs = [entry for entry in LOG_ENTRY.split(self.apache_log()) if entry.startswith(("ERROR", "FATAL"))]
        ours = [each.bugs() or each.output() for each in self._processes.values()]
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
