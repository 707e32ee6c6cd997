"""Moving replicas: plans as `kafka-reassign-partitions` has them in files, and how far they are (KIP-455)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import ClientError, check, error_text
from kafkapy.client.offsets import Partition
from kafkapy.client.spreading import Replicas
from kafkapy.client.topics import timeout_ms
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.integer_text import INT32_MAX
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)

PLAN_VERSION = 1
ANY_DIRECTORY = "any"


class Move(NamedTuple):
    """A partition on its way."""

    replicas: list[int]
    adding: list[int]
    removing: list[int]

    @property
    def target(self) -> list[int]:
        return [broker for broker in self.replicas if broker not in self.removing]


def parse_plan(text: str, source: str) -> Replicas:
    """The replicas that a file of `kafka-reassign-partitions` asks for. Raises ClientError: it is no such file."""
    form = (
        f'{source} is no plan: it is {{"version":1,"partitions":[{{"topic":"orders","partition":0,"replicas":[1,2]}}]}}'
    )
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError):
        raise ClientError(f"{form}, and this is not JSON") from None
    entries = plan.get("partitions") if isinstance(plan, dict) else None
    if not isinstance(entries, list):
        raise ClientError(form)
    if plan.get("version", PLAN_VERSION) != PLAN_VERSION:
        raise ClientError(f"{source} has version {plan['version']!r}, and {PLAN_VERSION} is the only one")
    planned: Replicas = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise ClientError(form)
        topic, partition, replicas = entry.get("topic"), entry.get("partition"), entry.get("replicas")
        if not (isinstance(topic, str) and isinstance(partition, int) and _is_id(partition)):
            raise ClientError(form)
        if not (isinstance(replicas, list) and replicas and all(map(_is_id, replicas))):
            raise ClientError(form)
        name = f"{topic}-{partition}"
        if len(set(replicas)) < len(replicas):
            raise ClientError(f"{source}: partition {name} has a broker twice: {', '.join(map(str, replicas))}")
        directories = entry.get("log_dirs", [])
        if not isinstance(directories, list):
            raise ClientError(form)
        if any(directory != ANY_DIRECTORY for directory in directories):
            raise ClientError(
                f"{source}: partition {name} is to go to log directories, which this command does not choose: remove "
                '"log_dirs", or use kafka-reassign-partitions'
            )
        if (topic, partition) in planned:
            raise ClientError(f"{source}: partition {name} is there twice")
        planned[topic, partition] = replicas
    if not planned:
        raise ClientError(f"{source} has no partitions")
    return planned


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT32_MAX


def plan_document(planned: Mapping[Partition, Sequence[int]]) -> dict[str, object]:
    """As a file of `kafka-reassign-partitions`."""
    partitions = [
        {"topic": topic, "partition": partition, "replicas": list(replicas)}
        for (topic, partition), replicas in sorted(planned.items())
    ]
    return {"version": PLAN_VERSION, "partitions": partitions}


def present_replicas(cluster: Cluster, topics: Iterable[str] | None = None) -> Replicas:
    """The replicas of each partition of these topics, of all with None. Raises Refused: there is no such topic."""
    from kafkapy.client.topics import describe_topics, list_topics

    names = None if topics is None else sorted(set(topics))
    found = list_topics(cluster, include_internal=True) if names is None else describe_topics(cluster, names)
    return {
        (topic.name or "", partition.partition_index): partition.replica_nodes
        for topic in found
        for partition in topic.partitions
    }


def reassign(cluster: Cluster, planned: Mapping[Partition, Sequence[int] | None]) -> dict[Partition, str]:
    """Begin to move partitions, or cancel their moves with None. Returns why for those that were refused.

    Raises Refused, TryAgain: none was begun.
    """
    topics: dict[str, list[ReassignablePartition]] = {}
    for (topic, index), replicas in sorted(planned.items()):
        target = None if replicas is None else list(replicas)
        topics.setdefault(topic, []).append(ReassignablePartition(partition_index=index, replicas=target))
    request = AlterPartitionReassignmentsRequest(
        timeout_ms=timeout_ms(cluster),
        topics=[ReassignableTopic(name=name, partitions=partitions) for name, partitions in topics.items()],
    )

    def attempt() -> dict[Partition, str]:
        answer = cluster.ask_once(cluster.for_administration(), request, AlterPartitionReassignmentsResponse)
        check(answer.error_code, "the reassignment", answer.error_message)
        return {
            (topic.name, partition.partition_index): error_text(partition.error_code, partition.error_message)
            for topic in answer.responses
            for partition in topic.partitions
            if partition.error_code != ErrorCode.NONE
        }

    return cluster.retrying(attempt)


def moves_under_way(cluster: Cluster, partitions: Iterable[Partition] | None = None) -> dict[Partition, Move]:
    """Of these partitions, of all with None, those that move."""
    topics: dict[str, list[int]] = {}
    for topic, index in partitions or ():
        topics.setdefault(topic, []).append(index)
    request = ListPartitionReassignmentsRequest(
        timeout_ms=timeout_ms(cluster),
        topics=None
        if partitions is None
        else [
            ListPartitionReassignmentsTopics(name=name, partition_indexes=indexes) for name, indexes in topics.items()
        ],
    )

    def attempt() -> dict[Partition, Move]:
        answer = cluster.ask_once(cluster.for_administration(), request, ListPartitionReassignmentsResponse)
        check(answer.error_code, "the reassignments", answer.error_message)
        return {
            (topic.name, one.partition_index): Move(one.replicas, one.adding_replicas, one.removing_replicas)
            for topic in answer.topics
            for one in topic.partitions
        }

    return cluster.retrying(attempt)
