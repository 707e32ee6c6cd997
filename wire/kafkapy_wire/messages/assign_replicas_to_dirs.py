"""AssignReplicasToDirs (API key 73): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class AssignReplicasToDirsRequestPartitionData(Struct):
    """A struct of AssignReplicasToDirsRequest."""

    partition_index: int = field("int32", "0+", default=0)


class AssignReplicasToDirsRequestTopicData(Struct):
    """A struct of AssignReplicasToDirsRequest."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[AssignReplicasToDirsRequestPartitionData] = field(
        [AssignReplicasToDirsRequestPartitionData], "0+", factory=list
    )


class AssignReplicasToDirsRequestDirectoryData(Struct):
    """A struct of AssignReplicasToDirsRequest."""

    id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topics: list[AssignReplicasToDirsRequestTopicData] = field(
        [AssignReplicasToDirsRequestTopicData], "0+", factory=list
    )


class AssignReplicasToDirsRequest(
    Message, api_key=73, kind="request", versions="0", flexible="0+", listeners="controller"
):
    """Version 0; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=-1)
    directories: list[AssignReplicasToDirsRequestDirectoryData] = field(
        [AssignReplicasToDirsRequestDirectoryData], "0+", factory=list
    )


class AssignReplicasToDirsResponsePartitionData(Struct):
    """A struct of AssignReplicasToDirsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)


class AssignReplicasToDirsResponseTopicData(Struct):
    """A struct of AssignReplicasToDirsResponse."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    partitions: list[AssignReplicasToDirsResponsePartitionData] = field(
        [AssignReplicasToDirsResponsePartitionData], "0+", factory=list
    )


class AssignReplicasToDirsResponseDirectoryData(Struct):
    """A struct of AssignReplicasToDirsResponse."""

    id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    topics: list[AssignReplicasToDirsResponseTopicData] = field(
        [AssignReplicasToDirsResponseTopicData], "0+", factory=list
    )


class AssignReplicasToDirsResponse(Message, api_key=73, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    directories: list[AssignReplicasToDirsResponseDirectoryData] = field(
        [AssignReplicasToDirsResponseDirectoryData], "0+", factory=list
    )
