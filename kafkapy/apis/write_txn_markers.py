"""WriteTxnMarkers (API key 27), versions 1-2: another coordinator, or `kafka-transactions abort`, ends a transaction.

v1 flexible    v2 transaction_version, which tells how the marker's epoch is looked at (KIP-890)

This node's own coordinator takes no request: see `coordinators.transaction.markers`.

Errors  UNKNOWN_TOPIC_OR_PARTITION
        INVALID_PRODUCER_EPOCH          older than what the partition has seen; from transaction version 2 on, not newer
        TRANSACTION_COORDINATOR_FENCED  a newer coordinator has written markers of this producer
        KAFKA_STORAGE_ERROR
Not done: authorization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.markers import Marker
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext


def handle(request: WriteTxnMarkersRequest, context: RequestContext) -> WriteTxnMarkersResponse:
    response = WriteTxnMarkersResponse()
    for wanted in request.markers:
        marker = Marker(
            wanted.producer_id,
            wanted.producer_epoch,
            wanted.transaction_result,
            wanted.coordinator_epoch,
            wanted.transaction_version,
        )
        topics = [
            WritableTxnMarkerTopicResult(
                name=topic.name,
                partitions=[
                    WritableTxnMarkerPartitionResult(
                        partition_index=index, error_code=context.node.markers.write(topic.name, index, marker)
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in wanted.topics
        ]
        response.markers.append(WritableTxnMarkerResult(producer_id=wanted.producer_id, topics=topics))
    return response
