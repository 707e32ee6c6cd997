"""ElectLeaders (API key 43), versions 0-2: elects the preferred replica, or uncleanly any replica, as leader (KIP-460).

v1 election_type: preferred, or unclean; an error of the whole request   v2 flexible

Errors of each partition:
        ELECTION_NOT_NEEDED             the preferred replica is the leader; for an unclean election: there is a leader
        PREFERRED_LEADER_NOT_AVAILABLE  the preferred replica is not in sync, or its broker is not running
        ELIGIBLE_LEADERS_NOT_AVAILABLE  no broker with a replica is running
        UNKNOWN_TOPIC_OR_PARTITION
Errors of the request:
        INVALID_REQUEST                 no such type of election
        REQUEST_TIMED_OUT               timeout_ms is not positive
        KAFKA_STORAGE_ERROR             the metadata log cannot be written
A request without a list of partitions asks for all. Its answer names every topic, and the partitions of it that need an
election.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext


FIRST_VERSION_WITH_ERROR = 1


async def handle(request: ElectLeadersRequest, context: NodeContext) -> ElectLeadersResponse:
    try:
        return await context.node.controller.elect_leaders(request)
    except KafkaError as error:
        response = error_response(request, error)
        response.error_code = error.code if context.api_version >= FIRST_VERSION_WITH_ERROR else ErrorCode.NONE
        return response


def error_response(request: ElectLeadersRequest, error: KafkaError) -> ElectLeadersResponse:
    """The error of each partition; if the request lists none, of the whole request (version 0 has no field for it)."""
    return ElectLeadersResponse(
        error_code=error.code if request.topic_partitions is None else ErrorCode.NONE,
        replica_election_results=[
            ReplicaElectionResult(
                topic=asked.topic,
                partition_result=[
                    PartitionResult(partition_id=index, error_code=error.code, error_message=error.message)
                    for index in asked.partitions
                ],
            )
            for asked in request.topic_partitions or ()
        ],
    )
