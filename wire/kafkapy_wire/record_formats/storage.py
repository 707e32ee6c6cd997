"""Formats that the log layer keeps: producer snapshots and remote log metadata.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ProducerEntry(Struct):
    """A struct of ProducerSnapshot."""

    producer_id: int = field("int64", "1", default=0)
    epoch: int = field("int16", "1", default=0)
    last_sequence: int = field("int32", "1", default=0)
    last_offset: int = field("int64", "1", default=0)
    offset_delta: int = field("int32", "1", default=0)
    timestamp: int = field("int64", "1", default=0)
    coordinator_epoch: int = field("int32", "1", default=0)
    current_txn_first_offset: int = field("int64", "1", default=0)


class ProducerSnapshot(Message, kind="data", versions="1", flexible="none"):
    """Version 1; none flexible."""

    crc: int = field("uint32", "1", default=0)
    producer_entries: list[ProducerEntry] = field([ProducerEntry], "1", factory=list)


class RemoteLogSegmentMetadataRecordTopicIdPartitionEntry(Struct):
    """A struct of RemoteLogSegmentMetadataRecord."""

    name: str = field("string", "0+", default="")
    id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partition: int = field("int32", "0+", default=0)


class RemoteLogSegmentMetadataRecordRemoteLogSegmentIdEntry(Struct):
    """A struct of RemoteLogSegmentMetadataRecord."""

    topic_id_partition: RemoteLogSegmentMetadataRecordTopicIdPartitionEntry = field(
        RemoteLogSegmentMetadataRecordTopicIdPartitionEntry,
        "0+",
        factory=RemoteLogSegmentMetadataRecordTopicIdPartitionEntry,
    )
    id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class RemoteLogSegmentMetadataRecordSegmentLeaderEpochEntry(Struct):
    """A struct of RemoteLogSegmentMetadataRecord."""

    leader_epoch: int = field("int32", "0+", default=0)
    offset: int = field("int64", "0+", default=0)


class RemoteLogSegmentMetadataRecord(Message, api_key=0, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    remote_log_segment_id: RemoteLogSegmentMetadataRecordRemoteLogSegmentIdEntry = field(
        RemoteLogSegmentMetadataRecordRemoteLogSegmentIdEntry,
        "0+",
        factory=RemoteLogSegmentMetadataRecordRemoteLogSegmentIdEntry,
    )
    start_offset: int = field("int64", "0+", default=0)
    end_offset: int = field("int64", "0+", default=0)
    broker_id: int = field("int32", "0+", default=0)
    max_timestamp_ms: int = field("int64", "0+", default=0)
    event_timestamp_ms: int = field("int64", "0+", default=0)
    segment_leader_epochs: list[RemoteLogSegmentMetadataRecordSegmentLeaderEpochEntry] = field(
        [RemoteLogSegmentMetadataRecordSegmentLeaderEpochEntry], "0+", factory=list
    )
    segment_size_in_bytes: int = field("int32", "0+", default=0)
    custom_metadata: bytes | None = field("bytes", "0+", default=None, nullable="0+")
    remote_log_segment_state: int = field("int8", "0+", default=0)
    txn_index_empty: bool = field("bool", "0+", default=False, tag=0, tagged="0+")


class RemoteLogSegmentMetadataSnapshotRecordSegmentLeaderEpochEntry(Struct):
    """A struct of RemoteLogSegmentMetadataSnapshotRecord."""

    leader_epoch: int = field("int32", "0+", default=0)
    offset: int = field("int64", "0+", default=0)


class RemoteLogSegmentMetadataSnapshotRecord(Message, api_key=3, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    segment_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    start_offset: int = field("int64", "0+", default=0)
    end_offset: int = field("int64", "0+", default=0)
    broker_id: int = field("int32", "0+", default=0)
    max_timestamp_ms: int = field("int64", "0+", default=0)
    event_timestamp_ms: int = field("int64", "0+", default=0)
    segment_leader_epochs: list[RemoteLogSegmentMetadataSnapshotRecordSegmentLeaderEpochEntry] = field(
        [RemoteLogSegmentMetadataSnapshotRecordSegmentLeaderEpochEntry], "0+", factory=list
    )
    segment_size_in_bytes: int = field("int32", "0+", default=0)
    custom_metadata: bytes | None = field("bytes", "0+", default=None, nullable="0+")
    remote_log_segment_state: int = field("int8", "0+", default=0)
    txn_index_empty: bool = field("bool", "0+", default=False, tag=0, tagged="0+")


class RemoteLogSegmentMetadataUpdateRecordTopicIdPartitionEntry(Struct):
    """A struct of RemoteLogSegmentMetadataUpdateRecord."""

    name: str = field("string", "0+", default="")
    id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partition: int = field("int32", "0+", default=0)


class RemoteLogSegmentMetadataUpdateRecordRemoteLogSegmentIdEntry(Struct):
    """A struct of RemoteLogSegmentMetadataUpdateRecord."""

    topic_id_partition: RemoteLogSegmentMetadataUpdateRecordTopicIdPartitionEntry = field(
        RemoteLogSegmentMetadataUpdateRecordTopicIdPartitionEntry,
        "0+",
        factory=RemoteLogSegmentMetadataUpdateRecordTopicIdPartitionEntry,
    )
    id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class RemoteLogSegmentMetadataUpdateRecord(Message, api_key=1, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    remote_log_segment_id: RemoteLogSegmentMetadataUpdateRecordRemoteLogSegmentIdEntry = field(
        RemoteLogSegmentMetadataUpdateRecordRemoteLogSegmentIdEntry,
        "0+",
        factory=RemoteLogSegmentMetadataUpdateRecordRemoteLogSegmentIdEntry,
    )
    broker_id: int = field("int32", "0+", default=0)
    event_timestamp_ms: int = field("int64", "0+", default=0)
    custom_metadata: bytes | None = field("bytes", "0+", default=None, nullable="0+")
    remote_log_segment_state: int = field("int8", "0+", default=0)


class RemotePartitionDeleteMetadataRecordTopicIdPartitionEntry(Struct):
    """A struct of RemotePartitionDeleteMetadataRecord."""

    name: str = field("string", "0+", default="")
    id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partition: int = field("int32", "0+", default=0)


class RemotePartitionDeleteMetadataRecord(Message, api_key=2, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    topic_id_partition: RemotePartitionDeleteMetadataRecordTopicIdPartitionEntry = field(
        RemotePartitionDeleteMetadataRecordTopicIdPartitionEntry,
        "0+",
        factory=RemotePartitionDeleteMetadataRecordTopicIdPartitionEntry,
    )
    broker_id: int = field("int32", "0+", default=0)
    event_timestamp_ms: int = field("int64", "0+", default=0)
    remote_partition_delete_state: int = field("int8", "0+", default=0)
