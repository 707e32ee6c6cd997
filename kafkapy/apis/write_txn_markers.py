"""WriteTxnMarkers (API key 27), versions 1-2: another coordinator, or `kafka-transactions abort`, ends a transaction.

v1 flexible    v2 transaction_version, which decides how the marker's epoch is checked (KIP-890)

Coordinators on other brokers send it: see `coordinators.transaction.marker_channels`. This node's own writes markers
without a request.

The answer has each producer id, topic and partition once, even if the request names it twice, and leaves out markers
without partitions.

Errors  UNKNOWN_TOPIC_OR_PARTITION      no such partition, or this broker has no replica of it
        INVALID_REQUEST                 a negative producer id or epoch
        INVALID_PRODUCER_EPOCH          older than the partition's epoch of this producer; from transaction version 2 on
                                        also the same
        TRANSACTION_COORDINATOR_FENCED  a newer coordinator has written markers of this producer
        NOT_LEADER_OR_FOLLOWER          another broker leads the partition now; the marker may be in the log
        NOT_ENOUGH_REPLICAS             the ISR is below min.insync.replicas
        REQUEST_TIMED_OUT               not committed within request.timeout.ms: the marker stays in the log
        KAFKA_STORAGE_ERROR
Differs: for INVALID_REQUEST Apache Kafka answers UNKNOWN_SERVER_ERROR. A partition that is named twice gets its marker
         twice, and a request whose last marker has no partition that exists is answered; Apache Kafka answers neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.coordinators.transaction.markers import Marker
from kafkapy.pending import Pending, settled
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.context import RequestContext
    from kafkapy.coordinators.transaction.transaction import TopicPartition
    from kafkapy_wire.errors import KafkaError


async def handle(request: WriteTxnMarkersRequest, context: RequestContext) -> WriteTxnMarkersResponse:
    written: dict[int, dict[TopicPartition, Pending[ErrorCode]]] = {}  # by producer id
    turn = Turn()
    for wanted in request.markers:
        marker = Marker(
            wanted.producer_id,
            wanted.producer_epoch,
            wanted.transaction_result,
            wanted.coordinator_epoch,
            wanted.transaction_version,
        )
        await turn.share()
        for topic in wanted.topics:
            await turn.share()
            for index in topic.partition_indexes:
                written.setdefault(wanted.producer_id, {})[topic.name, index] = _write(
                    topic.name, index, marker, context
                )
                await turn.share()
    answers = []
    clock = context.broker.clock
    until_ms = clock.monotonic_ms() + context.broker.settings.now.network.request_timeout_ms
    for producer_id, of_producer in written.items():
        topics: dict[str, WritableTxnMarkerTopicResult] = {}
        for (name, index), pending in of_producer.items():
            error = await _outcome(pending, until_ms, clock)
            result = WritableTxnMarkerPartitionResult(partition_index=index, error_code=error)
            topics.setdefault(name, WritableTxnMarkerTopicResult(name=name)).partitions.append(result)
            await turn.share()
        answers.append(WritableTxnMarkerResult(producer_id=producer_id, topics=list(topics.values())))
    return WriteTxnMarkersResponse(markers=answers)


async def _outcome(written: Pending[ErrorCode], until_ms: float, clock: Clock) -> ErrorCode:
    """What became of a marker; REQUEST_TIMED_OUT if that is not known by then."""
    if not written.settled:
        known = trio.Event()
        written.when_settled(lambda _: known.set())
        if not await clock.wait(known, max(until_ms - clock.monotonic_ms(), 0)):
            return ErrorCode.REQUEST_TIMED_OUT
    return written.result()


def _write(topic: str, index: int, marker: Marker, context: RequestContext) -> Pending[ErrorCode]:
    if marker.producer_id < 0 or marker.producer_epoch < 0:
        return settled(ErrorCode.INVALID_REQUEST)  # such a marker must not be stored: no reader accepts it
    found = context.broker.metadata.image.topics.get(topic)
    partitions = () if found is None else found.partitions
    if not 0 <= index < len(partitions) or context.broker.node_id not in partitions[index].replicas:
        return settled(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)  # as in Apache Kafka, whose coordinator asks again
    return context.broker.markers.write(topic, index, marker)


def error_response(request: WriteTxnMarkersRequest, error: KafkaError) -> WriteTxnMarkersResponse:
    markers = []
    for marker in request.markers:
        topics = []
        for topic in marker.topics:
            answers = [
                WritableTxnMarkerPartitionResult(partition_index=index, error_code=error.code)
                for index in topic.partition_indexes
            ]
            topics.append(WritableTxnMarkerTopicResult(name=topic.name, partitions=answers))
        markers.append(WritableTxnMarkerResult(producer_id=marker.producer_id, topics=topics))
    return WriteTxnMarkersResponse(markers=markers)
