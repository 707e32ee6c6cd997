"""AlterReplicaLogDirs (API key 34), versions 1-2: moves replicas of this broker to other log directories (KIP-113).

v2 flexible

Errors of each partition:
        INVALID_TOPIC_EXCEPTION     the name is too long for the directory of a replica that moves
        LOG_DIR_NOT_FOUND           the path is none of log.dirs
        KAFKA_STORAGE_ERROR         a log directory is offline, this one or another; or the log cannot be opened
        INVALID_REPLICA_ASSIGNMENT  the directory is cordoned
        REPLICA_NOT_AVAILABLE       this broker has no replica of the partition; it goes there when it comes
        UNKNOWN_TOPIC_OR_PARTITION  likewise
The answer says that the replica begins to move. DescribeLogDirs shows how far it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext

DIRECTORY_NAME_CHARS_MAX: Final = 255
FUTURE_SUFFIX_CHARS: Final = len(f".{'0' * 32}-future")


async def handle(request: AlterReplicaLogDirsRequest, context: RequestContext) -> AlterReplicaLogDirsResponse:
    wanted: dict[tuple[str, int], str] = {}  # a partition that is named twice goes where it is named last
    turn = Turn()
    for directory in request.dirs:
        for topic in directory.topics:
            for index in topic.partitions:
                wanted[topic.name, index] = directory.path
                await turn.share()
            await turn.share()
        await turn.share()
    topics: dict[str, AlterReplicaLogDirTopicResult] = {}
    for (name, index), path in wanted.items():
        result = AlterReplicaLogDirPartitionResult(partition_index=index)
        try:
            _move(name, index, path, context)
        except KafkaError as error:
            is_elsewhere = error.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
            result.error_code = ErrorCode.REPLICA_NOT_AVAILABLE if is_elsewhere else error.code
        if name not in topics:
            topics[name] = AlterReplicaLogDirTopicResult(topic_name=name)
        topics[name].partitions.append(result)
        await turn.share()
    return AlterReplicaLogDirsResponse(results=list(topics.values()))


def _move(topic: str, index: int, path: str, context: RequestContext) -> None:
    """Raises KafkaError: the replica cannot move there."""
    partitions, directories = context.broker.partitions, context.broker.directories
    if len(f"{topic}-{index}") + FUTURE_SUFFIX_CHARS > DIRECTORY_NAME_CHARS_MAX:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
    store = directories.at(path)
    if store is None:
        is_offline = any(str(failed.path.absolute()) == path for failed in directories.failed)
        raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR if is_offline else ErrorCode.LOG_DIR_NOT_FOUND)
    if store.directory in directories.cordoned:
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT)
    try:
        partitions.move(topic, index, store)
    except KafkaError as error:
        if error.code in (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
            directories.prefer(topic, index, store)
        raise


def error_response(request: AlterReplicaLogDirsRequest, error: KafkaError) -> AlterReplicaLogDirsResponse:
    results = [
        AlterReplicaLogDirTopicResult(
            topic_name=topic.name,
            partitions=[
                AlterReplicaLogDirPartitionResult(partition_index=index, error_code=error.code)
                for index in topic.partitions
            ],
        )
        for directory in request.dirs
        for topic in directory.topics
    ]
    return AlterReplicaLogDirsResponse(results=results)
