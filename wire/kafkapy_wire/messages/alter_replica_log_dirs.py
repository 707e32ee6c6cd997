"""AlterReplicaLogDirs (API key 34): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class AlterReplicaLogDirTopic(Struct):
    """A struct of AlterReplicaLogDirsRequest."""

    name: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class AlterReplicaLogDir(Struct):
    """A struct of AlterReplicaLogDirsRequest."""

    path: str = field("string", "0+", default="", map_key=True)
    topics: list[AlterReplicaLogDirTopic] = field([AlterReplicaLogDirTopic], "0+", factory=list)


class AlterReplicaLogDirsRequest(
    Message, api_key=34, kind="request", versions="1-2", flexible="2+", listeners="broker"
):
    """Versions 1-2; 2+ flexible."""

    dirs: list[AlterReplicaLogDir] = field([AlterReplicaLogDir], "0+", factory=list)


class AlterReplicaLogDirPartitionResult(Struct):
    """A struct of AlterReplicaLogDirsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)


class AlterReplicaLogDirTopicResult(Struct):
    """A struct of AlterReplicaLogDirsResponse."""

    topic_name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[AlterReplicaLogDirPartitionResult] = field([AlterReplicaLogDirPartitionResult], "0+", factory=list)


class AlterReplicaLogDirsResponse(Message, api_key=34, kind="response", versions="1-2", flexible="2+"):
    """Versions 1-2; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    results: list[AlterReplicaLogDirTopicResult] = field([AlterReplicaLogDirTopicResult], "0+", factory=list)
