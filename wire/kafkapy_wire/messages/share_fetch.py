"""ShareFetch (API key 78): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Records, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class AcknowledgementBatch(Struct):
    """A struct of ShareFetchRequest."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    acknowledge_types: list[int] = field(["int8"], "0+", factory=list)


class FetchPartition(Struct):
    """A struct of ShareFetchRequest."""

    partition_index: int = field("int32", "0+", default=0, map_key=True)
    partition_max_bytes: int = field("int32", "0", default=0)
    acknowledgement_batches: list[AcknowledgementBatch] = field([AcknowledgementBatch], "0+", factory=list)


class FetchTopic(Struct):
    """A struct of ShareFetchRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID, map_key=True)
    partitions: list[FetchPartition] = field([FetchPartition], "0+", factory=list)


class ForgottenTopic(Struct):
    """A struct of ShareFetchRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class ShareFetchRequest(Message, api_key=78, kind="request", versions="1-2", flexible="0+", listeners="broker"):
    """Versions 1-2; 0+ flexible."""

    group_id: str | None = field("string", "0+", default=None, nullable="0+", entity="groupId")
    member_id: str | None = field("string", "0+", default="", nullable="0+")
    share_session_epoch: int = field("int32", "0+", default=0)
    max_wait_ms: int = field("int32", "0+", default=0)
    min_bytes: int = field("int32", "0+", default=0)
    max_bytes: int = field("int32", "0+", default=2147483647)
    max_records: int = field("int32", "1+", default=0)
    batch_size: int = field("int32", "1+", default=0)
    share_acquire_mode: int = field("int8", "2+", default=0, ignorable=True)
    is_renew_ack: bool = field("bool", "2+", default=False)
    topics: list[FetchTopic] = field([FetchTopic], "0+", factory=list)
    forgotten_topics_data: list[ForgottenTopic] = field([ForgottenTopic], "0+", factory=list)


class LeaderIdAndEpoch(Struct):
    """A struct of ShareFetchResponse."""

    leader_id: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)


class AcquiredRecords(Struct):
    """A struct of ShareFetchResponse."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    delivery_count: int = field("int16", "0+", default=0)


class PartitionData(Struct):
    """A struct of ShareFetchResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    acknowledge_error_code: int = field("int16", "0+", default=0)
    acknowledge_error_message: str | None = field("string", "0+", default=None, nullable="0+")
    current_leader: LeaderIdAndEpoch = field(LeaderIdAndEpoch, "0+", factory=LeaderIdAndEpoch)
    records: Records | None = field("records", "0+", default=None, nullable="0")
    acquired_records: list[AcquiredRecords] = field([AcquiredRecords], "0+", factory=list)


class ShareFetchableTopicResponse(Struct):
    """A struct of ShareFetchResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID, map_key=True)
    partitions: list[PartitionData] = field([PartitionData], "0+", factory=list)


class NodeEndpoint(Struct):
    """A struct of ShareFetchResponse."""

    node_id: int = field("int32", "0+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("int32", "0+", default=0)
    rack: str | None = field("string", "0+", default=None, nullable="0+")


class ShareFetchResponse(Message, api_key=78, kind="response", versions="1-2", flexible="0+"):
    """Versions 1-2; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    acquisition_lock_timeout_ms: int = field("int32", "1+", default=0)
    responses: list[ShareFetchableTopicResponse] = field([ShareFetchableTopicResponse], "0+", factory=list)
    node_endpoints: list[NodeEndpoint] = field([NodeEndpoint], "0+", factory=list)
