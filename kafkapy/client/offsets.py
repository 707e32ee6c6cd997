"""Offsets of partitions: where they begin and end, and which record came at what time."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from kafkapy.client.cluster import Cluster
from kafkapy.client.deadline import Deadline
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

LEADER_SECONDS = 2.0
"""How long a command that shows what it can waits for a leader: it may be dead, and another one not elected yet."""
LEADER_BACKOFF_SECONDS = 0.1

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
            of_leader = {partition: wanted[partition] for partition in partitions}
            found |= _ask_leader(cluster, leader_id, of_leader, read_committed=read_committed)
        return found

    return cluster.retrying(attempt) if wanted else {}


def _ask_leader(
    cluster: Cluster, leader_id: int, wanted: Mapping[Partition, int], *, read_committed: bool = False
) -> dict[Partition, int]:
    """Raises Refused, TryAgain."""
    topics: dict[str, list[ListOffsetsPartition]] = {}
    for (topic, index), timestamp in wanted.items():
        topics.setdefault(topic, []).append(ListOffsetsPartition(partition_index=index, timestamp=timestamp))
    request = ListOffsetsRequest(
        replica_id=-1,
        isolation_level=1 if read_committed else 0,
        topics=[ListOffsetsTopic(name=topic, partitions=asked) for topic, asked in topics.items()],
        timeout_ms=int(cluster.timeout_seconds * 1000),
    )
    answer = cluster.ask_once(cluster.broker(leader_id), request, ListOffsetsResponse)
    found: dict[Partition, int] = {}
    for topic_answer in answer.topics:
        for partition in topic_answer.partitions:
            check(partition.error_code, f"partition {topic_answer.name}-{partition.partition_index}")
            found[topic_answer.name, partition.partition_index] = partition.offset
    return found


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


def ends_as_far_as_known(
    cluster: Cluster, leaders: Mapping[int, Sequence[Partition]], silent: dict[int, str]
) -> dict[Partition, tuple[int, int]]:
    """As `both_ends`, without the partitions of leaders that do not answer: why goes into `silent`, and those that are
    there are not asked. For a while others may be elected, and are asked instead.
    """
    found: dict[Partition, tuple[int, int]] = {}
    deadline = Deadline(min(LEADER_SECONDS, cluster.timeout_seconds))
    while True:
        failed: dict[int, str] = {}
        for leader_id, partitions in leaders.items():
            if leader_id in silent:
                continue
            try:
                starts = _ask_leader(cluster, leader_id, dict.fromkeys(partitions, EARLIEST))
                ends = _ask_leader(cluster, leader_id, dict.fromkeys(partitions, LATEST))
            except TryAgain as error:
                failed[leader_id] = str(error)
            else:
                found.update((partition, (starts[partition], ends[partition])) for partition in partitions)
        if not failed or deadline.is_over():
            silent.update(failed)
            return found
        time.sleep(LEADER_BACKOFF_SECONDS)
        leaders = _led(cluster, {each for partitions in leaders.values() for each in partitions if each not in found})


def _led(cluster: Cluster, partitions: Collection[Partition]) -> dict[int, list[Partition]]:
    """Broker id -> the partitions that it leads now; those that have no leader are left out."""
    answer = cluster.retrying(lambda: cluster.metadata(sorted({topic for topic, _ in partitions})))
    leaders: dict[int, list[Partition]] = {}
    for topic in answer.topics:
        for partition in topic.partitions:
            key = (topic.name or "", partition.partition_index)
            if partition.leader_id >= 0 and key in partitions:
                leaders.setdefault(partition.leader_id, []).append(key)
    return leaders


def indexes_by_topic(partitions: Sequence[Partition]) -> dict[str, list[int]]:
    """Topic -> its partitions among these."""
    topics: dict[str, list[int]] = {}
    for topic, index in partitions:
        topics.setdefault(topic, []).append(index)
    return topics


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
