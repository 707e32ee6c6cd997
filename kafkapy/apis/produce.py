"""Produce (API key 0), versions 3-13: append one record batch to each of some partitions.

v3 transactional_id, message format v2 only   v5 log start offset   v7 zstd (KIP-110)   v8 record errors (KIP-467)
v9 flexible                                   v10 leader discovery (KIP-951)            v13 topic ids (KIP-516)

acks=0 has no answer, and an error closes the connection, as nothing else can tell the client. acks=1 and acks=all are
the same where the leader is the whole ISR.

Errors  INVALID_REQUIRED_ACKS         acks is not -1, 0 or 1
        UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID
        INVALID_TOPIC_EXCEPTION       an internal topic, from anyone but an admin client
        NOT_ENOUGH_REPLICAS           acks=all and the ISR is below min.insync.replicas
        INVALID_RECORD                not exactly one batch of format v2, or the batch contradicts itself
        CORRUPT_MESSAGE               the CRC is wrong
        MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION_TYPE
        OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, DUPLICATE_SEQUENCE_NUMBER    idempotent producers (KIP-98)
        KAFKA_STORAGE_ERROR           the disk failed; nothing was stored

Not done: transactions (a transactional batch gets INVALID_TXN_STATE); throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.image import INTERNAL_TOPICS
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from kafkapy_wire.records.validation import RecordsRejected

from kafkapy.errors import CloseConnection

if TYPE_CHECKING:
    from kafkapy_wire.messages.produce import PartitionProduceData, TopicProduceData

    from kafkapy.context import RequestContext
    from kafkapy.partitions import Partition

ADMIN_CLIENT_ID = "__admin_client"
ALL = -1


def handle(request: ProduceRequest, context: RequestContext) -> ProduceResponse | None:
    response = ProduceResponse()
    failed: PartitionProduceResponse | None = None
    for topic in request.topic_data:
        answers = [_append(topic, data, request, context) for data in topic.partition_data]
        response.responses.append(
            TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=answers)
        )
        failed = next((answer for answer in answers if answer.error_code), failed)
    if request.acks:
        return response
    if failed is not None:
        error = ErrorCode(failed.error_code).name
        raise CloseConnection(f"a produce request with acks=0 failed with {error}, which only this can tell the client")
    return None


def _append(
    topic: TopicProduceData, data: PartitionProduceData, request: ProduceRequest, context: RequestContext
) -> PartitionProduceResponse:
    answer = PartitionProduceResponse(index=data.index, base_offset=-1)
    partition: Partition | None = None
    try:
        partition = _find(topic, data.index, request, context)
        result = partition.append_produced(
            data.records if data.records is not None else b"",
            now_ms=context.node.clock.now_ms(),
            request_version=context.api_version,
        )
    except KafkaError as error:
        answer.error_code = error.code
        answer.error_message = error.message
        if partition is not None:
            answer.log_start_offset = partition.log.log_start_offset
        if isinstance(error, RecordsRejected):
            answer.record_errors = [
                BatchIndexAndErrorMessage(batch_index=rejected.batch_index, batch_index_error_message=rejected.message)
                for rejected in error.record_errors
            ]
    else:
        answer.base_offset = result.base_offset
        answer.log_append_time_ms = result.log_append_time_ms
        answer.log_start_offset = result.log_start_offset
    return answer


def _find(topic: TopicProduceData, index: int, request: ProduceRequest, context: RequestContext) -> Partition:
    if request.acks not in (ALL, 0, 1):
        raise KafkaError(ErrorCode.INVALID_REQUIRED_ACKS)
    partitions = context.node.partitions
    if context.api_version >= 13:
        partition = partitions.by_id(topic.topic_id, index)
    else:
        partition = partitions.by_name(topic.name, index)
    if partition.topic in INTERNAL_TOPICS and context.client_id != ADMIN_CLIENT_ID:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Cannot append to internal topic {partition.topic}")
    if request.transactional_id is not None:
        raise KafkaError(ErrorCode.INVALID_TXN_STATE)
    if request.acks == ALL and len(partition.isr) < partition.settings.min_insync_replicas:
        raise KafkaError(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"The size of the current ISR {sorted(partition.isr)} is insufficient to satisfy the min.isr requirement of "
            f"{partition.settings.min_insync_replicas} for partition {partition}",
        )
    return partition
