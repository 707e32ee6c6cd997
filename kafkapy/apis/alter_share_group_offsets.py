"""AlterShareGroupOffsets (API key 91), version 0: a share group without members is to go on elsewhere.

A group that does not exist is created.

Errors  UNSUPPORTED_VERSION  share.version is 0
        INVALID_GROUP_ID     the group id is empty
        GROUP_ID_NOT_FOUND   the group is of another type
        NON_EMPTY_GROUP      the group has members
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS
 of one partition:
        UNKNOWN_TOPIC_OR_PARTITION, and what the share coordinator says
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.apis.share_state_requests import TEXTS
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsResponse,
    AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.alter_share_group_offsets import AlterShareGroupOffsetsRequest
    from kafkapy_wire.uuid import Uuid

NO_PARTITION_TEXT: Final = "This server does not host this topic-partition."


async def handle(request: AlterShareGroupOffsetsRequest, context: RequestContext) -> AlterShareGroupOffsetsResponse:
    sharing = context.broker.sharing
    if not sharing.is_enabled:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    image = context.node.metadata.image
    offsets: dict[Uuid, dict[int, int]] = {}
    turn = Turn()
    for topic in request.topics:
        await turn.share()
        known = image.topics.get(topic.topic_name)
        if known is None:
            continue
        by_index = offsets.setdefault(known.topic_id, {})
        for partition in topic.partitions:
            if partition.partition_index < len(known.partitions):
                by_index[partition.partition_index] = partition.start_offset
            await turn.share()
    refused = await sharing.group_offsets().alter(request.group_id, offsets)
    responses = []
    for topic in request.topics:
        await turn.share()
        known = image.topics.get(topic.topic_name)
        answer = AlterShareGroupOffsetsResponseTopic(topic_name=topic.topic_name)
        if known is not None:
            answer.topic_id = known.topic_id
        for partition in topic.partitions:
            one = AlterShareGroupOffsetsResponsePartition(partition_index=partition.partition_index)
            if known is None or partition.partition_index >= len(known.partitions):
                one.error_code, one.error_message = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, NO_PARTITION_TEXT
            elif (known.topic_id, partition.partition_index) in refused:
                error = refused[known.topic_id, partition.partition_index]
                one.error_code, one.error_message = error.code, error.message
            answer.partitions.append(one)
            await turn.share()
        responses.append(answer)
    return AlterShareGroupOffsetsResponse(responses=responses)


def error_response(request: AlterShareGroupOffsetsRequest, error: KafkaError) -> AlterShareGroupOffsetsResponse:  # noqa: ARG001
    return AlterShareGroupOffsetsResponse(error_code=error.code, error_message=error.message or TEXTS.get(error.code))
