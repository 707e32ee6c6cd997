"""What `kafkapy logdirs` asks."""

from __future__ import annotations

from collections.abc import Sequence

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy.client.offsets import Partition, indexes_by_topic
from kafkapy_wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)


def describe_log_directories(
    cluster: Cluster, node_id: int, partitions: Sequence[Partition] | None
) -> list[DescribeLogDirsResult]:
    """The directories of one broker with the replicas in them: of these partitions, or of all. Raises Refused."""
    topics = None
    if partitions is not None:
        topics = [
            DescribableLogDirTopic(topic=topic, partitions=indexes)
            for topic, indexes in indexes_by_topic(partitions).items()
        ]
    request = DescribeLogDirsRequest(topics=topics)

    def attempt() -> list[DescribeLogDirsResult]:
        answer = cluster.ask_once(cluster.broker(node_id), request, DescribeLogDirsResponse)
        check(answer.error_code, f"the directories of broker {node_id}")
        return sorted(answer.results, key=lambda directory: directory.log_dir)

    return cluster.retrying(attempt)
