"""Fetch (API key 1): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Records, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ReplicaState(Struct):
    """A struct of FetchRequest."""

    replica_id: int = field("int32", "15+", default=-1, entity="brokerId")
    replica_epoch: int = field("int64", "15+", default=-1)


class FetchPartition(Struct):
    """A struct of FetchRequest."""

    partition: int = field("int32", "0+", default=0)
    current_leader_epoch: int = field("int32", "9+", default=-1, ignorable=True)
    fetch_offset: int = field("int64", "0+", default=0)
    last_fetched_epoch: int = field("int32", "12+", default=-1)
    log_start_offset: int = field("int64", "5+", default=-1, ignorable=True)
    partition_max_bytes: int = field("int32", "0+", default=0)
    replica_directory_id: Uuid = field("uuid", "17+", default=ZERO_UUID, tag=0, tagged="17+", ignorable=True)
    high_watermark: int = field("int64", "18+", default=9223372036854775807, tag=1, tagged="18+", ignorable=True)


class FetchTopic(Struct):
    """A struct of FetchRequest."""

    topic: str = field("string", "0-12", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "13+", default=ZERO_UUID, ignorable=True)
    partitions: list[FetchPartition] = field([FetchPartition], "0+", factory=list)


class ForgottenTopic(Struct):
    """A struct of FetchRequest."""

    topic: str = field("string", "7-12", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "13+", default=ZERO_UUID, ignorable=True)
    partitions: list[int] = field(["int32"], "7+", factory=list)


class FetchRequest(Message, api_key=1, kind="request", versions="4-18", flexible="12+", listeners="broker controller"):
    """Versions 4-18; 12+ flexible."""

    cluster_id: str | None = field("string", "12+", default=None, nullable="12+", tag=0, tagged="12+", ignorable=True)
    replica_id: int = field("int32", "0-14", default=-1, entity="brokerId")
    replica_state: ReplicaState = field(ReplicaState, "15+", factory=ReplicaState, tag=1, tagged="15+")
    max_wait_ms: int = field("int32", "0+", default=0)
    min_bytes: int = field("int32", "0+", default=0)
    max_bytes: int = field("int32", "3+", default=2147483647, ignorable=True)
    isolation_level: int = field("int8", "4+", default=0, ignorable=True)
    session_id: int = field("int32", "7+", default=0, ignorable=True)
    session_epoch: int = field("int32", "7+", default=-1, ignorable=True)
    topics: list[FetchTopic] = field([FetchTopic], "0+", factory=list)
    forgotten_topics_data: list[ForgottenTopic] = field([ForgottenTopic], "7+", factory=list)
    rack_id: str = field("string", "11+", default="", ignorable=True)


class EpochEndOffset(Struct):
    """A struct of FetchResponse."""

    epoch: int = field("int32", "12+", default=-1)
    end_offset: int = field("int64", "12+", default=-1)


class LeaderIdAndEpoch(Struct):
    """A struct of FetchResponse."""

    leader_id: int = field("int32", "12+", default=-1, entity="brokerId")
    leader_epoch: int = field("int32", "12+", default=-1)


class SnapshotId(Struct):
    """A struct of FetchResponse."""

    end_offset: int = field("int64", "0+", default=-1)
    epoch: int = field("int32", "0+", default=-1)


class AbortedTransaction(Struct):
    """A struct of FetchResponse."""

    producer_id: int = field("int64", "4+", default=0, entity="producerId")
    first_offset: int = field("int64", "4+", default=0)


class PartitionData(Struct):
    """A struct of FetchResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    high_watermark: int = field("int64", "0+", default=0)
    last_stable_offset: int = field("int64", "4+", default=-1, ignorable=True)
    log_start_offset: int = field("int64", "5+", default=-1, ignorable=True)
    diverging_epoch: EpochEndOffset = field(EpochEndOffset, "12+", factory=EpochEndOffset, tag=0, tagged="12+")
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "12+", factory=LeaderIdAndEpoch, tag=1, tagged="12+")
    snapshot_id: SnapshotId = field(SnapshotId, "12+", factory=SnapshotId, tag=2, tagged="12+")
    aborted_transactions: list[AbortedTransaction] | None = field(
        [AbortedTransaction], "4+", factory=list, nullable="4+", ignorable=True
    )
    preferred_read_replica: int = field("int32", "11+", default=-1, entity="brokerId")
    records: Records | None = field("records", "0+", default=None, nullable="0+")


class FetchableTopicResponse(Struct):
    """A struct of FetchResponse."""

    topic: str = field("string", "0-12", default="", ignorable=True, entity="topicName")
    topic_id: Uuid = field("uuid", "13+", default=ZERO_UUID, ignorable=True)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class NodeEndpoint(Struct):
    """A struct of FetchResponse."""

    node_id: int = field("int32", "16+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "16+", default="")
    port: int = field("int32", "16+", default=0)
    rack: str | None = field("string", "16+", default=None, nullable="16+")


class FetchResponse(Message, api_key=1, kind="response", versions="4-18", flexible="12+"):
    """Versions 4-18; 12+ flexible."""

    throttle_time_ms: int = field("int32", "1+", default=0, ignorable=True)
    error_code: int = field("int16", "7+", default=0, ignorable=True)
    session_id: int = field("int32", "7+", default=0)
    responses: list[FetchableTopicResponse] = field([FetchableTopicResponse], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "16+", factory=list, tag=0, tagged="16+")
