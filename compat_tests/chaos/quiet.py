"""When a cluster is at rest, and whether its replicas hold the same."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import confluent_kafka

from compat_tests.cluster.looking import librdkafka
from compat_tests.cluster.processes import ClusterProcesses

PAUSE_SECONDS = 0.1
ANSWER_SECONDS_MAX = 60.0


class NotAtRest(Exception):
    """The cluster did not come to rest in time; the text says what was left."""


class Quiet:
    """Looks at the cluster with one admin client for the whole run."""

    def __init__(self, cluster: ClusterProcesses) -> None:
        self._cluster = cluster
        self._client: Any = librdkafka(cluster.bootstrap)

    def wait(self, seconds: float) -> None:
        """Return when every broker is known, and every replica of every partition is in sync. Raises NotAtRest."""
        self._wait({node.node_id for node in self._cluster.brokers}, seconds)

    def wait_without(self, node_id: int, seconds: float) -> None:
        """The same as far as it can be without that node."""
        self._wait({node.node_id for node in self._cluster.brokers} - {node_id}, seconds)

    def wait_for_broker(self, node_id: int, seconds: float) -> None:
        """Return when clients are told of that broker. Raises NotAtRest."""
        deadline = time.monotonic() + seconds
        while node_id not in self._brokers():
            if time.monotonic() > deadline:
                raise NotAtRest(f"nobody is told of broker {node_id} after {seconds:.0f} s")
            time.sleep(PAUSE_SECONDS)

    def _brokers(self) -> Collection[int]:
        try:
            found: dict[int, object] = self._client.list_topics(timeout=5).brokers
        except confluent_kafka.KafkaException:
            return ()
        return found

    def _wait(self, brokers: set[int], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while left := self._left(brokers):
            if time.monotonic() > deadline:
                raise NotAtRest(f"not at rest after {seconds:.0f} s: {left}")
            time.sleep(PAUSE_SECONDS)

    def _left(self, brokers: Collection[int]) -> str:
        """What is not at rest yet."""
        try:
            metadata = self._client.list_topics(timeout=5)
        except confluent_kafka.KafkaException as error:
            return f"no metadata: {error.args[0]}"
        if set(metadata.brokers) != brokers:
            return f"brokers {sorted(metadata.brokers)} instead of {sorted(brokers)}"
        for topic in metadata.topics.values():
            for index, partition in topic.partitions.items():
                wanted = set(partition.replicas) & set(brokers)
                if partition.leader not in brokers or set(partition.isrs) != wanted:
                    return (
                        f"{topic.topic}-{index}: leader {partition.leader}, replicas {partition.replicas}, "
                        f"in sync {partition.isrs}"
                    )
        return ""

    def replicas(self, topic: str) -> dict[int, list[int]]:
        """The replicas of each partition; nothing if nobody answers."""
        return {index: replicas for (name, index), replicas in self._assigned().items() if name == topic}

    def partitions(self) -> list[tuple[str, int]]:
        """All that there are; none if nobody answers."""
        return list(self._assigned())

    def held_by(self, node_id: int) -> list[tuple[str, int]]:
        """The partitions that this broker has replicas of, or is yet to give up. Raises NotAtRest: nobody answers."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not (assigned := self._assigned()):
            if time.monotonic() > deadline:
                raise NotAtRest(f"nobody has told which replicas there are, for {ANSWER_SECONDS_MAX:.0f} s")
        return [partition for partition, replicas in assigned.items() if node_id in replicas]

    def _assigned(self) -> dict[tuple[str, int], list[int]]:
        try:
            topics = self._client.list_topics(timeout=5).topics
        except confluent_kafka.KafkaException:
            return {}
        return {
            (name, index): list(partition.replicas)
            for name, topic in topics.items()
            for index, partition in topic.partitions.items()
        }

    def elect_preferred(self) -> None:
        self._client.elect_leaders(confluent_kafka.ElectionType.PREFERRED, None)


def differing_replicas(cluster: ClusterProcesses, topics: Collection[str]) -> list[str]:
    """Problems: partitions of which two nodes hold other bytes from the first offset that both have.

    For topics that keep all their records, when nobody writes.
    """
    problems = []
    for topic in topics:
        copies: dict[str, dict[int, bytes]] = {}
        for node in cluster.brokers:
            for path in node.log_dir.glob(f"{topic}-[0-9]*"):
                content = b"".join(file.read_bytes() for file in sorted(path.glob("*.log")))
                copies.setdefault(path.name, {})[node.node_id] = content
        for partition, by_node in sorted(copies.items()):
            if len(set(by_node.values())) > 1:
                sizes = {node_id: len(content) for node_id, content in by_node.items()}
                problems.append(f"replicas of {partition} differ: bytes by node {sizes}")
    return problems
