"""Offsets of partitions: where they begin and end, and which record came at what time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import ClientError, TryAgain, check
from kafkapy.client.topics import describe_topics
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

LATEST = -1
EARLIEST = -2
"""As timestamps; the broker answers with the end (for read_committed the last stable offset) and the start."""

Partition = tuple[str, int]


def list_offsets(
    cluster: Cluster, wanted: Mapping[Partition, int], *, read_committed: bool = False
) -> dict[Partition, int]:
    """For each partition the first offset whose timestamp is at or after the wanted one, in ms; -1 where none is.

    LATEST and EARLIEST are timestamps too. Raises Refused, TryAgain: a partition is not there, or has no leader.
    """

    def attempt() -> dict[Partition, int]:
        found: dict[Partition, int] = {}
        for leader_id, partitions in leaders_of(cluster, wanted).items():
            topics: dict[str, list[ListOffsetsPartition]] = {}
            for topic, index in partitions:
                asked = ListOffsetsPartition(partition_index=index, timestamp=wanted[topic, index])
                topics.setdefault(topic, []).append(asked)
            request = ListOffsetsRequest(
                replica_id=-1,
                isolation_level=1 if read_committed else 0,
                topics=[ListOffsetsTopic(name=topic, partitions=asked) for topic, asked in topics.items()],
                timeout_ms=int(cluster.timeout_seconds * 1000),
            )
            answer = cluster.ask_once(cluster.broker(leader_id), request, ListOffsetsResponse)
            for topic_answer in answer.topics:
                for partition in topic_answer.partitions:
                    check(partition.error_code, f"partition {topic_answer.name}-{partition.partition_index}")
                    found[topic_answer.name, partition.partition_index] = partition.offset
        return found

    return cluster.retrying(attempt) if wanted else {}


def leaders_of(cluster: Cluster, partitions: Mapping[Partition, object]) -> dict[int, list[Partition]]:
    """Broker id -> the partitions it leads. Raises TryAgain, Refused: one has no leader, or does not exist."""
    leaders: dict[int, list[Partition]] = {}
    known: dict[Partition, int] = {}
    for topic in cluster.metadata(sorted({topic for topic, _ in partitions})).topics:
        check(topic.error_code, f"topic {topic.name!r}")
        for partition in topic.partitions:
            known[topic.name or "", partition.partition_index] = partition.leader_id
    for key in partitions:
        leader_id = known.get(key)
        if leader_id is None:
            raise TryAgain(f"partition {key[0]}-{key[1]} does not exist")
        if leader_id < 0:
            raise TryAgain(f"partition {key[0]}-{key[1]} has no leader")
        leaders.setdefault(leader_id, []).append(key)
    return leaders


def both_ends(cluster: Cluster, partitions: Mapping[Partition, object]) -> dict[Partition, tuple[int, int]]:
    """(log start offset, high watermark) of each."""
    starts = list_offsets(cluster, dict.fromkeys(partitions, EARLIEST))
    ends = list_offsets(cluster, dict.fromkeys(partitions, LATEST))
    return {key: (starts[key], ends[key]) for key in partitions}


def named_partitions(cluster: Cluster, names: Sequence[str], *, complete: bool = True) -> list[Partition]:
    """Of `TOPIC` all partitions, of `TOPIC:0,2` those. Waits for each to have a leader, unless `complete` is False.

    Raises ClientError: there is no such topic or partition.
    """
    partitions = set()
    for wanted in names:
        name, colon, indexes = wanted.rpartition(":")
        if not colon:
            name = wanted
        topic = cluster.topic(name) if complete else describe_topics(cluster, [name])[0]
        known = [str(partition.partition_index) for partition in topic.partitions]
        for index in indexes.split(",") if colon else known:
            if index not in known:
                raise ClientError(f"topic {name!r} has no partition {index!r}: they are numbered 0 to {known[-1]}")
            partitions.add((name, int(index)))
    return sorted(partitions)
