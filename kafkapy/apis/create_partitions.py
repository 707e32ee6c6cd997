"""CreatePartitions (API key 37), versions 0-3: adds partitions to topics.

v2 flexible   v3 may be throttled (KIP-599)

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_PARTITIONS          the topic has that many partitions already, or more
        INVALID_REPLICATION_FACTOR  too few brokers for the topic's replication factor
        INVALID_REPLICA_ASSIGNMENT  a manual assignment of the wrong length, or with unknown brokers
        INVALID_REQUEST             the request names the topic twice
        POLICY_VIOLATION            more than 10,000 new partitions
        REQUEST_TIMED_OUT           timeout_ms is not positive: no partition is added
        THROTTLING_QUOTA_EXCEEDED   from version 3 on: the client has used up its controller_mutation_rate
        KAFKA_STORAGE_ERROR         the metadata log cannot be written
Differs: for POLICY_VIOLATION Apache Kafka 4.4.0 answers UNKNOWN_SERVER_ERROR, and its controller resigns. A request
about many topics is written to the metadata log in several batches: after a crash in the middle, the last topics of the
request are unchanged.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.apis.mutation_quotas import within_quota
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.errors import KafkaError

FIRST_VERSION_WITH_QUOTAS = 3


async def handle(request: CreatePartitionsRequest, context: NodeContext) -> CreatePartitionsResponse:
    return await within_quota(
        context, FIRST_VERSION_WITH_QUOTAS, partial(context.node.controller.create_partitions, request)
    )


def error_response(request: CreatePartitionsRequest, error: KafkaError) -> CreatePartitionsResponse:
    return CreatePartitionsResponse(
        results=[
            CreatePartitionsTopicResult(name=topic.name, error_code=error.code, error_message=error.message)
            for topic in request.topics
        ]
    )
