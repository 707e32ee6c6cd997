"""AlterPartition (API key 56): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class BrokerState(Struct):
    """A struct of AlterPartitionRequest."""

    broker_id: int = field("int32", "3+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "3+", default=-1)


class AlterPartitionRequestPartitionData(Struct):
    """A struct of AlterPartitionRequest."""

    partition_index: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)
    new_isr: list[int] = field(["int32"], "0-2", factory=list, entity="brokerId")
    new_isr_with_epochs: list[BrokerState] = field([BrokerState], "3+", factory=list)
    leader_recovery_state: int = field("int8", "1+", default=0)
    partition_epoch: int = field("int32", "0+", default=0)


class AlterPartitionRequestTopicData(Struct):
    """A struct of AlterPartitionRequest."""

    topic_id: Uuid = field("uuid", "2+", default=ZERO_UUID, ignorable=True)
    partitions: list[AlterPartitionRequestPartitionData] = field(
        [AlterPartitionRequestPartitionData], "0+", factory=list
    )


class AlterPartitionRequest(Message, api_key=56, kind="request", versions="2-3", flexible="0+", listeners="controller"):
    """Versions 2-3; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=-1)
    topics: list[AlterPartitionRequestTopicData] = field([AlterPartitionRequestTopicData], "0+", factory=list)


class AlterPartitionResponsePartitionData(Struct):
    """A struct of AlterPartitionResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=0)
    isr: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    leader_recovery_state: int = field("int8", "1+", default=0, ignorable=True)
    partition_epoch: int = field("int32", "0+", default=0)


class AlterPartitionResponseTopicData(Struct):
    """A struct of AlterPartitionResponse."""

    topic_id: Uuid = field("uuid", "2+", default=ZERO_UUID, ignorable=True)
    partitions: list[AlterPartitionResponsePartitionData] = field(
        [AlterPartitionResponsePartitionData], "0+", factory=list
    )


class AlterPartitionResponse(Message, api_key=56, kind="response", versions="2-3", flexible="0+"):
    """Versions 2-3; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    topics: list[AlterPartitionResponseTopicData] = field([AlterPartitionResponseTopicData], "0+", factory=list)
