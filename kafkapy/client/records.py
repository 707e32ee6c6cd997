"""Deleting records (KIP-107)."""

from __future__ import annotations

from collections.abc import Mapping

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy.client.offsets import Partition, leaders_of
from kafkapy.client.topics import timeout_ms
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)

HIGH_WATERMARK = -1
"""As an offset: all records that are committed."""


def delete_records(cluster: Cluster, before: Mapping[Partition, int]) -> dict[Partition, int]:
    """Delete the records of each partition below an offset, or below HIGH_WATERMARK. Returns the new log start offsets.

    Raises Refused, TryAgain; some partitions may be done then.
    """

    def attempt() -> dict[Partition, int]:
        starts: dict[Partition, int] = {}
        for leader_id, partitions in leaders_of(cluster, before).items():
            topics: dict[str, list[DeleteRecordsPartition]] = {}
            for topic, index in partitions:
                wanted = DeleteRecordsPartition(partition_index=index, offset=before[topic, index])
                topics.setdefault(topic, []).append(wanted)
            request = DeleteRecordsRequest(
                topics=[DeleteRecordsTopic(name=name, partitions=wanted) for name, wanted in topics.items()],
                timeout_ms=timeout_ms(cluster),
            )
            answer = cluster.ask_once(cluster.broker(leader_id), request, DeleteRecordsResponse)
            for topic_answer in answer.topics:
                for partition in topic_answer.partitions:
                    check(partition.error_code, f"partition {topic_answer.name}-{partition.partition_index}")
                    starts[topic_answer.name, partition.partition_index] = partition.low_watermark
        return starts

    return cluster.retrying(attempt)
