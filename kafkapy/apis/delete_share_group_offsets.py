"""DeleteShareGroupOffsets (API key 92), version 0: a share group without members forgets how far it is in topics.

Errors  UNSUPPORTED_VERSION  share.version is 0
        INVALID_GROUP_ID     the group id is empty
        GROUP_ID_NOT_FOUND   no such group, or it is of another type
        NON_EMPTY_GROUP      the group has members
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS
 of one topic:
        UNKNOWN_TOPIC_OR_PARTITION  no such topic, or the group has no state of it; and what the share coordinator says
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.alter_share_group_offsets import NO_PARTITION_TEXT
from kafkapy.apis.share_state_requests import TEXTS
from kafkapy.turns import each_in_turns, unique_in_turns
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsResponse,
    DeleteShareGroupOffsetsResponseTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.messages.delete_share_group_offsets import DeleteShareGroupOffsetsRequest


async def handle(request: DeleteShareGroupOffsetsRequest, context: RequestContext) -> DeleteShareGroupOffsetsResponse:
    sharing = context.broker.sharing
    if not sharing.is_enabled:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    topics = await unique_in_turns(await each_in_turns(lambda topic: topic.topic_name, request.topics))
    outcomes = await sharing.group_offsets().delete(request.group_id, topics)
    image = context.node.metadata.image

    def answer(outcome: tuple[str, KafkaError | None]) -> DeleteShareGroupOffsetsResponseTopic:
        name, error = outcome
        answered = DeleteShareGroupOffsetsResponseTopic(topic_name=name)
        if error is None or error.code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            topic = image.topics.get(name)
            if topic is not None:
                answered.topic_id = topic.topic_id
        if error is not None:
            answered.error_code = error.code
            answered.error_message = error.message
            if error.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and error.message is None:
                answered.error_message = NO_PARTITION_TEXT
        return answered

    return DeleteShareGroupOffsetsResponse(responses=await each_in_turns(answer, outcomes.items()))


def error_response(request: DeleteShareGroupOffsetsRequest, error: KafkaError) -> DeleteShareGroupOffsetsResponse:  # noqa: ARG001
    return DeleteShareGroupOffsetsResponse(error_code=error.code, error_message=error.message or TEXTS.get(error.code))
