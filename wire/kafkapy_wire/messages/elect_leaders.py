"""ElectLeaders (API key 43): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class TopicPartitions(Struct):
    """A struct of ElectLeadersRequest."""

    topic: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ElectLeadersRequest(
    Message, api_key=43, kind="request", versions="0-2", flexible="2+", listeners="broker controller"
):
    """Versions 0-2; 2+ flexible."""

    election_type: int = field("int8", "1+", default=0)
    topic_partitions: list[TopicPartitions] | None = field([TopicPartitions], "0+", factory=list, nullable="0+")
    timeout_ms: int = field("int32", "0+", default=60000)


class PartitionResult(Struct):
    """A struct of ElectLeadersResponse."""

    partition_id: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")


class ReplicaElectionResult(Struct):
    """A struct of ElectLeadersResponse."""

    topic: str = field("string", "0+", default="", entity="topicName")
    partition_result: list[PartitionResult] = field([PartitionResult], "0+", factory=list)


class ElectLeadersResponse(Message, api_key=43, kind="response", versions="0-2", flexible="2+"):
    """Versions 0-2; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "1+", default=0)
    replica_election_results: list[ReplicaElectionResult] = field([ReplicaElectionResult], "0+", factory=list)
