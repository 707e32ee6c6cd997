"""EndQuorumEpoch (API key 54), versions 0-1: the leader of the quorum resigns, and prefers some successors (KIP-595).

v1 directory ids and the leader's endpoints (KIP-853)

Errors  per response   INCONSISTENT_CLUSTER_ID, INVALID_REQUEST
        per partition  FENCED_LEADER_EPOCH   this node knows a higher epoch
                       INVALID_REQUEST       no node, this one, or another one leads that epoch
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.end_quorum_epoch import EndQuorumEpochRequest

__all__ = ["error_response", "handle"]


def handle(request: EndQuorumEpochRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
