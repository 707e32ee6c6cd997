"""DeleteTopics (API key 20), versions 1-6: deletes topics by name, from version 6 on also by id.

v3 TOPIC_DELETION_DISABLED   v4 flexible   v5 error messages (KIP-599)   v6 topic ids (KIP-516)

Errors  UNKNOWN_TOPIC_OR_PARTITION  no topic has the name
        UNKNOWN_TOPIC_ID            no topic has the id
        INVALID_REQUEST             a topic with neither name nor id, or with both; or the same topic twice
        TOPIC_DELETION_DISABLED     delete.topic.enable is false (up to version 2: INVALID_REQUEST)
        REQUEST_TIMED_OUT           timeout_ms is not positive: nothing is deleted
        THROTTLING_QUOTA_EXCEEDED   from version 5 on: the client has used up its controller_mutation_rate
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
Differs: a request about many topics is written to the metadata log in several batches: after a crash in the middle, the
last topics of the request still exist.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.apis.mutation_quotas import within_quota
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.delete_topics import DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from kafkapy.context import NodeContext

FIRST_VERSION_WITH_DELETION_DISABLED = 3
FIRST_VERSION_WITH_QUOTAS = 5


async def handle(request: DeleteTopicsRequest, context: NodeContext) -> DeleteTopicsResponse:
    if not context.node.settings.now.topics.delete_topic_enable:
        if context.api_version < FIRST_VERSION_WITH_DELETION_DISABLED:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        raise KafkaError(ErrorCode.TOPIC_DELETION_DISABLED)
    return await within_quota(
        context, FIRST_VERSION_WITH_QUOTAS, partial(context.node.controller.delete_topics, request)
    )


def error_response(request: DeleteTopicsRequest, error: KafkaError) -> DeleteTopicsResponse:
    """As in Apache Kafka, without a message."""
    wanted = [(topic.name, topic.topic_id) for topic in request.topics]
    wanted += [(name, ZERO_UUID) for name in request.topic_names]
    return DeleteTopicsResponse(
        responses=[
            DeletableTopicResult(name=name, topic_id=topic_id, error_code=error.code, error_message=None)
            for name, topic_id in wanted
        ]
    )
