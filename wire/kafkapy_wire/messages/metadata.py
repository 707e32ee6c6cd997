"""Metadata (API key 3): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class MetadataRequestTopic(Struct):
    """A struct of MetadataRequest."""

    topic_id: Uuid = field("uuid", "10+", default=ZERO_UUID, ignorable=True)
    name: str | None = field("string", "0+", default="", nullable="10+", entity="topicName")


class MetadataRequest(Message, api_key=3, kind="request", versions="0-13", flexible="9+", listeners="broker"):
    """Versions 0-13; 9+ flexible."""

    topics: list[MetadataRequestTopic] | None = field([MetadataRequestTopic], "0+", factory=list, nullable="1+")
    allow_auto_topic_creation: bool = field("bool", "4+", default=True)
    include_cluster_authorized_operations: bool = field("bool", "8-10", default=False)
    include_topic_authorized_operations: bool = field("bool", "8+", default=False)


class MetadataResponseBroker(Struct):
    """A struct of MetadataResponse."""

    node_id: int = field("int32", "0+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("int32", "0+", default=0)
    rack: str | None = field("string", "1+", default=None, nullable="1+", ignorable=True)


class MetadataResponsePartition(Struct):
    """A struct of MetadataResponse."""

    error_code: int = field("int16", "0+", default=0)
    partition_index: int = field("int32", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "7+", default=-1, ignorable=True)
    replica_nodes: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    isr_nodes: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    offline_replicas: list[int] = field(["int32"], "5+", factory=list, ignorable=True, entity="brokerId")


class MetadataResponseTopic(Struct):
    """A struct of MetadataResponse."""

    error_code: int = field("int16", "0+", default=0)
    name: str | None = field("string", "0+", default="", nullable="12+", entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "10+", default=ZERO_UUID, ignorable=True)
    is_internal: bool = field("bool", "1+", default=False, ignorable=True)
    partitions: list[MetadataResponsePartition] = field([MetadataResponsePartition], "0+", factory=list)
    topic_authorized_operations: int = field("int32", "8+", default=-2147483648)


class MetadataResponse(Message, api_key=3, kind="response", versions="0-13", flexible="9+"):
    """Versions 0-13; 9+ flexible."""

    throttle_time_ms: int = field("int32", "3+", default=0, ignorable=True)
    brokers: list[MetadataResponseBroker] = field([MetadataResponseBroker], "0+", factory=list)
    cluster_id: str | None = field("string", "2+", default=None, nullable="2+", ignorable=True)
    controller_id: int = field("int32", "1+", default=-1, ignorable=True, entity="brokerId")
    topics: list[MetadataResponseTopic] = field([MetadataResponseTopic], "0+", factory=list)
    cluster_authorized_operations: int = field("int32", "8-10", default=-2147483648)
    error_code: int = field("int16", "13+", default=0, ignorable=True)
