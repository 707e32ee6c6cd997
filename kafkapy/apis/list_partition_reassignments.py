"""ListPartitionReassignments (API key 46), version 0: the partitions whose replicas are being changed (KIP-455).

A partition that does not exist is left out of the answer, like every partition that is not being reassigned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.turns import to_the_end
from kafkapy_controller.reassignments import reassignments_under_way

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.list_partition_reassignments import (
        ListPartitionReassignmentsRequest,
        ListPartitionReassignmentsResponse,
    )


async def handle(
    request: ListPartitionReassignmentsRequest, context: NodeContext
) -> ListPartitionReassignmentsResponse:
    return await to_the_end(reassignments_under_way(context.node.metadata.image, request.topics))
