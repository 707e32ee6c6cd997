"""CreatePartitions (API key 37), versions 0-3: gives topics more partitions. There is no way to have fewer.

v2 flexible   v3 may be throttled (KIP-599)

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_PARTITIONS          as many as there are, or fewer
        INVALID_REPLICATION_FACTOR  too few brokers for another partition like the others
        INVALID_REPLICA_ASSIGNMENT  a manual assignment of the wrong length, or with unknown brokers
        INVALID_REQUEST             a topic twice
        POLICY_VIOLATION            more than 10,000 new partitions
        REQUEST_TIMED_OUT           timeout_ms is not positive: none is added
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
Differs: for POLICY_VIOLATION Apache Kafka 4.4.0 answers UNKNOWN_SERVER_ERROR, and its controller resigns. A request
about many topics is written in several batches: a crash in the middle leaves the last of them as they were.
Not done: throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError


async def handle(request: CreatePartitionsRequest, context: RequestContext) -> CreatePartitionsResponse:
    return await context.broker.controller.create_partitions(request)


def error_response(request: CreatePartitionsRequest, error: KafkaError) -> CreatePartitionsResponse:
    return CreatePartitionsResponse(
        results=[
            CreatePartitionsTopicResult(name=topic.name, error_code=error.code, error_message=error.message)
            for topic in request.topics
        ]
    )
