"""CreateTopics (API key 19), versions 2-7: creates topics; each has its own result.

v4 partition count and replication factor -1 are the broker's defaults (KIP-464)   v5 flexible; the answer has
partitions, replicas and settings (KIP-525)   v6 may be throttled   v7 topic ids in the answer (KIP-516)

Errors  INVALID_TOPIC_EXCEPTION     the name is not allowed, or another topic's name differs from it in `.` and `_` only
        TOPIC_ALREADY_EXISTS
        INVALID_PARTITIONS          not positive and not -1
        INVALID_REPLICATION_FACTOR  not positive and not -1, or more than there are brokers
        INVALID_REPLICA_ASSIGNMENT  a manual assignment with unknown brokers, holes or unequal replica counts
        INVALID_CONFIG              an unknown setting, or a value that it cannot have
        INVALID_REQUEST             a name twice, or a manual assignment together with a partition count or factor
        POLICY_VIOLATION            the request needs more than 10,000 partitions or records: no topic is created
        REQUEST_TIMED_OUT           timeout_ms is not positive: no topic is created
        THROTTLING_QUOTA_EXCEEDED   from version 6 on: the client has used up its controller_mutation_rate
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
The topics can be used as soon as the answer arrives.
Differs: a request about many topics is written to the metadata log in several batches: after a crash in the middle,
only the first topics of the request exist. The broker that is asked knows the topics when it answers; in Apache Kafka a
request that comes within some milliseconds may be answered with UNKNOWN_TOPIC_OR_PARTITION (--strict created-topics).
Not done: create.topic.policy.class.name, a Java class, which cannot be run: a node does not start with it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.apis.mutation_quotas import within_quota
from kafkapy_wire.messages.create_topics import CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.errors import KafkaError

FIRST_VERSION_WITH_QUOTAS = 6


async def handle(request: CreateTopicsRequest, context: NodeContext) -> CreateTopicsResponse:
    return await within_quota(
        context, FIRST_VERSION_WITH_QUOTAS, partial(context.node.controller.create_topics, request)
    )


def error_response(request: CreateTopicsRequest, error: KafkaError) -> CreateTopicsResponse:
    return CreateTopicsResponse(
        topics=[
            CreatableTopicResult(name=topic.name, error_code=error.code, error_message=error.message)
            for topic in request.topics
        ]
    )
