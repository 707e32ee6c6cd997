"""CreateTopics (API key 19), versions 2-7: makes topics, each with its own result.

v4 partition count and replication factor -1 are the broker's defaults (KIP-464)   v5 flexible; the answer tells
partitions, replicas and settings (KIP-525)   v6 may be throttled   v7 topic ids in the answer (KIP-516)

Errors  INVALID_TOPIC_EXCEPTION     the name is not a name, or collides with one that differs in `.` and `_` only
        TOPIC_ALREADY_EXISTS
        INVALID_PARTITIONS          not positive and not -1
        INVALID_REPLICATION_FACTOR  the same, or more than there are brokers
        INVALID_REPLICA_ASSIGNMENT  a manual assignment with unknown brokers, holes or unequal replica counts
        INVALID_CONFIG              an unknown setting or a value that it cannot have
        INVALID_REQUEST             a name twice, or counts beside a manual assignment
        POLICY_VIOLATION            more than 10,000 partitions, or more than 10,000 records; holds for every topic
        REQUEST_TIMED_OUT           timeout_ms is not positive: nothing is made
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
The topics are usable when the answer leaves.
Differs: a request about many topics is written in several batches: a crash in the middle leaves the first of them made.
Not done: create.topic.policy.class.name, throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.create_topics import CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError


async def handle(request: CreateTopicsRequest, context: RequestContext) -> CreateTopicsResponse:
    return await context.broker.controller.create_topics(request)


def error_response(request: CreateTopicsRequest, error: KafkaError) -> CreateTopicsResponse:
    return CreateTopicsResponse(
        topics=[
            CreatableTopicResult(name=topic.name, error_code=error.code, error_message=error.message)
            for topic in request.topics
        ]
    )
