"""Elections that an administrator asks for (KIP-460)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check, error_text
from kafkapy.client.offsets import Partition
from kafkapy.client.topics import timeout_ms
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse, TopicPartitions

PREFERRED, UNCLEAN = 0, 1


class Elections(NamedTuple):
    """What came of them. Partitions that had the right leader already are in none."""

    elected: list[Partition]
    failed: dict[Partition, str]
    unneeded_count: int


def elect_leaders(cluster: Cluster, partitions: Sequence[Partition] | None, *, unclean: bool) -> Elections:
    """Let these partitions, or all with None, elect. Raises Refused, TryAgain: no election was held at all."""
    asked: dict[str, list[int]] = {}
    for topic, index in partitions or ():
        asked.setdefault(topic, []).append(index)
    request = ElectLeadersRequest(
        election_type=UNCLEAN if unclean else PREFERRED,
        topic_partitions=None
        if partitions is None
        else [TopicPartitions(topic=topic, partitions=indexes) for topic, indexes in asked.items()],
        timeout_ms=timeout_ms(cluster),
    )

    def attempt() -> Elections:
        answer = cluster.ask_once(cluster.for_administration(), request, ElectLeadersResponse)
        check(answer.error_code, "the election")
        elected: list[Partition] = []
        failed: dict[Partition, str] = {}
        unneeded_count = 0
        for topic in answer.replica_election_results:
            for result in topic.partition_result:
                partition = (topic.topic, result.partition_id)
                if result.error_code == ErrorCode.NONE:
                    elected.append(partition)
                elif result.error_code == ErrorCode.ELECTION_NOT_NEEDED:
                    unneeded_count += 1
                else:
                    failed[partition] = error_text(result.error_code, result.error_message)
        return Elections(sorted(elected), dict(sorted(failed.items())), unneeded_count)

    return cluster.retrying(attempt)
