"""CreateTopics (API key 19): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class CreatableReplicaAssignment(Struct):
    """A struct of CreateTopicsRequest."""

    partition_index: int = field("int32", "0+", default=0, map_key=True)
    broker_ids: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")


class CreatableTopicConfig(Struct):
    """A struct of CreateTopicsRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    value: str | None = field("string", "0+", default="", nullable="0+")


class CreatableTopic(Struct):
    """A struct of CreateTopicsRequest."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    num_partitions: int = field("int32", "0+", default=0)
    replication_factor: int = field("int16", "0+", default=0)
    assignments: list[CreatableReplicaAssignment] = field([CreatableReplicaAssignment], "0+", factory=list)
    configs: list[CreatableTopicConfig] = field([CreatableTopicConfig], "0+", factory=list)


class CreateTopicsRequest(
    Message, api_key=19, kind="request", versions="2-7", flexible="5+", listeners="broker controller"
):
    """Versions 2-7; 5+ flexible."""

    topics: list[CreatableTopic] = field([CreatableTopic], "0+", factory=list)
    timeout_ms: int = field("int32", "0+", default=60000)
    validate_only: bool = field("bool", "1+", default=False)


class CreatableTopicConfigs(Struct):
    """A struct of CreateTopicsResponse."""

    name: str = field("string", "5+", default="")
    value: str | None = field("string", "5+", default="", nullable="5+")
    read_only: bool = field("bool", "5+", default=False)
    config_source: int = field("int8", "5+", default=-1, ignorable=True)
    is_sensitive: bool = field("bool", "5+", default=False)


class CreatableTopicResult(Struct):
    """A struct of CreateTopicsResponse."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    topic_id: Uuid = field("uuid", "7+", default=ZERO_UUID, ignorable=True)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "1+", default="", nullable="0+", ignorable=True)
    topic_config_error_code: int = field("int16", "5+", default=0, tag=0, tagged="5+", ignorable=True)
    num_partitions: int = field("int32", "5+", default=-1, ignorable=True)
    replication_factor: int = field("int16", "5+", default=-1, ignorable=True)
    configs: list[CreatableTopicConfigs] | None = field(
        [CreatableTopicConfigs], "5+", factory=list, nullable="5+", ignorable=True
    )


class CreateTopicsResponse(Message, api_key=19, kind="response", versions="2-7", flexible="5+"):
    """Versions 2-7; 5+ flexible."""

    throttle_time_ms: int = field("int32", "2+", default=0, ignorable=True)
    topics: list[CreatableTopicResult] = field([CreatableTopicResult], "0+", factory=list)
