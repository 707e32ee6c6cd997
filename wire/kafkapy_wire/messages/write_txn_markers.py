"""WriteTxnMarkers (API key 27): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class WritableTxnMarkerTopic(Struct):
    """A struct of WriteTxnMarkersRequest."""

    name: str = field("string", "0+", default="", entity="topicName")
    partition_indexes: list[int] = field(["int32"], "0+", factory=list)


class WritableTxnMarker(Struct):
    """A struct of WriteTxnMarkersRequest."""

    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    producer_epoch: int = field("int16", "0+", default=0)
    transaction_result: bool = field("bool", "0+", default=False)
    topics: list[WritableTxnMarkerTopic] = field([WritableTxnMarkerTopic], "0+", factory=list)
    coordinator_epoch: int = field("int32", "0+", default=0)
    transaction_version: int = field("int8", "2+", default=0, ignorable=True)


class WriteTxnMarkersRequest(Message, api_key=27, kind="request", versions="1-2", flexible="1+", listeners="broker"):
    """Versions 1-2; 1+ flexible."""

    markers: list[WritableTxnMarker] = field([WritableTxnMarker], "0+", factory=list)


class WritableTxnMarkerPartitionResult(Struct):
    """A struct of WriteTxnMarkersResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)


class WritableTxnMarkerTopicResult(Struct):
    """A struct of WriteTxnMarkersResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[WritableTxnMarkerPartitionResult] = field([WritableTxnMarkerPartitionResult], "0+", factory=list)


class WritableTxnMarkerResult(Struct):
    """A struct of WriteTxnMarkersResponse."""

    producer_id: int = field("int64", "0+", default=0, entity="producerId")
    topics: list[WritableTxnMarkerTopicResult] = field([WritableTxnMarkerTopicResult], "0+", factory=list)


class WriteTxnMarkersResponse(Message, api_key=27, kind="response", versions="1-2", flexible="1+"):
    """Versions 1-2; 1+ flexible."""

    markers: list[WritableTxnMarkerResult] = field([WritableTxnMarkerResult], "0+", factory=list)
