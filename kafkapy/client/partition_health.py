"""Partitions that have less than all of their replicas: which, and what that means for their clients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.configs import TOPIC
from kafkapy.client.errors import check
from kafkapy.client.topics import list_topics
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.integer_text import parse_integer
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)

MIN_ISR = "min.insync.replicas"
TOPICS_AT_A_TIME = 500


class PartitionHealth(NamedTuple):
    """What is wrong with a partition; `leader` is None when it has none."""

    topic: str
    partition: int
    leader: int | None
    replicas: list[int]
    isr: list[int]
    min_isr: int | None
    """None: this user may not see it."""

    @property
    def is_offline(self) -> bool:
        return self.leader is None

    @property
    def is_under_min_isr(self) -> bool:
        return self.min_isr is not None and len(self.isr) < self.min_isr

    @property
    def is_under_replicated(self) -> bool:
        return len(self.isr) < len(self.replicas)

    @property
    def _may_be_under_min_isr(self) -> bool:
        return self.min_isr is None and self.is_under_replicated

    @property
    def problems(self) -> list[str]:
        problems = [
            ("offline", self.is_offline),
            (f"below {MIN_ISR} {self.min_isr}", self.is_under_min_isr),
            ("under-replicated", self.is_under_replicated),
            (f"{MIN_ISR} is not shown: no ACL allows describe-configs", self._may_be_under_min_isr),
        ]
        return [words for words, holds in problems if holds]


def partition_health(cluster: Cluster) -> tuple[int, list[PartitionHealth]]:
    """(how many partitions there are, those with a problem), internal topics included."""
    topics = list_topics(cluster, include_internal=True)
    names = [topic.name or "" for topic in topics if topic.partitions]
    min_isr = _min_isr(cluster, names)
    found = []
    for topic in topics:
        for partition in topic.partitions:
            health = PartitionHealth(
                topic.name or "",
                partition.partition_index,
                partition.leader_id if partition.leader_id >= 0 else None,
                partition.replica_nodes,
                sorted(partition.isr_nodes),
                min_isr.get(topic.name or "", 1),
            )
            if health.problems:
                found.append(health)
    return sum(len(topic.partitions) for topic in topics), found


def _min_isr(cluster: Cluster, names: Sequence[str]) -> dict[str, int | None]:
    """The topics' min.insync.replicas, as far as it may be seen. A topic that is gone meanwhile is left out."""
    values: dict[str, int | None] = {}
    for start in range(0, len(names), TOPICS_AT_A_TIME):
        values |= _ask_min_isr(cluster, names[start : start + TOPICS_AT_A_TIME])
    return values


def _ask_min_isr(cluster: Cluster, names: Iterable[str]) -> dict[str, int | None]:
    request = DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(resource_type=TOPIC, resource_name=name, configuration_keys=[MIN_ISR])
            for name in names
        ]
    )

    def attempt() -> dict[str, int | None]:
        values: dict[str, int | None] = {}
        for result in cluster.ask_once(cluster.any_broker(), request, DescribeConfigsResponse).results:
            if result.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                continue
            if result.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED:
                values[result.resource_name] = None
                continue
            check(result.error_code, f"topic {result.resource_name!r}", result.error_message)
            for config in result.configs:
                values[result.resource_name] = parse_integer(config.value or "") or 1
        return values

    return cluster.retrying(attempt)
