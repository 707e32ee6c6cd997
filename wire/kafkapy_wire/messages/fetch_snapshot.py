"""FetchSnapshot (API key 59): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Records, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class FetchSnapshotRequestSnapshotId(Struct):
    """A struct of FetchSnapshotRequest."""

    end_offset: int = field("int64", "0+", default=0)
    epoch: int = field("int32", "0+", default=0)


class FetchSnapshotRequestPartitionSnapshot(Struct):
    """A struct of FetchSnapshotRequest."""

    partition: int = field("int32", "0+", default=0)
    current_leader_epoch: int = field("int32", "0+", default=0)
    snapshot_id: FetchSnapshotRequestSnapshotId = field(
        FetchSnapshotRequestSnapshotId, "0+", factory=FetchSnapshotRequestSnapshotId
    )
    position: int = field("int64", "0+", default=0)
    replica_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID, tag=0, tagged="1+", ignorable=True)


class FetchSnapshotRequestTopicSnapshot(Struct):
    """A struct of FetchSnapshotRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[FetchSnapshotRequestPartitionSnapshot] = field(
        [FetchSnapshotRequestPartitionSnapshot], "0+", factory=list
    )


class FetchSnapshotRequest(Message, api_key=59, kind="request", versions="0-1", flexible="0+", listeners="controller"):
    """Versions 0-1; 0+ flexible."""

    cluster_id: str | None = field("string", "0+", default=None, nullable="0+", tag=0, tagged="0+")
    replica_id: int = field("int32", "0+", default=-1, entity="brokerId")
    max_bytes: int = field("int32", "0+", default=2147483647)
    topics: list[FetchSnapshotRequestTopicSnapshot] = field([FetchSnapshotRequestTopicSnapshot], "0+", factory=list)


class FetchSnapshotResponseSnapshotId(Struct):
    """A struct of FetchSnapshotResponse."""

    end_offset: int = field("int64", "0+", default=0)
    epoch: int = field("int32", "0+", default=0)


class LeaderIdAndEpoch(Struct):
    """A struct of FetchSnapshotResponse."""

    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)


class FetchSnapshotResponsePartitionSnapshot(Struct):
    """A struct of FetchSnapshotResponse."""

    index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    snapshot_id: FetchSnapshotResponseSnapshotId = field(
        FetchSnapshotResponseSnapshotId, "0+", factory=FetchSnapshotResponseSnapshotId
    )
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+", factory=LeaderIdAndEpoch, tag=0, tagged="0+")
    size: int = field("int64", "0+", default=0)
    position: int = field("int64", "0+", default=0)
    unaligned_records: Records = field("records", "0+", default=b"")


class FetchSnapshotResponseTopicSnapshot(Struct):
    """A struct of FetchSnapshotResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[FetchSnapshotResponsePartitionSnapshot] = field(
        [FetchSnapshotResponsePartitionSnapshot], "0+", factory=list
    )


class NodeEndpoint(Struct):
    """A struct of FetchSnapshotResponse."""

    node_id: int = field("int32", "1+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "1+", default="")
    port: int = field("uint16", "1+", default=0)


class FetchSnapshotResponse(Message, api_key=59, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    topics: list[FetchSnapshotResponseTopicSnapshot] = field([FetchSnapshotResponseTopicSnapshot], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "1+", factory=list, tag=0, tagged="1+")
