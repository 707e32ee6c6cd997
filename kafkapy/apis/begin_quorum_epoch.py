"""BeginQuorumEpoch (API key 53), versions 0-1: a new leader of the quorum tells a voter that it leads (KIP-595).

v1 voter id, directory ids and the leader's endpoints (KIP-853)

Errors  per response   INCONSISTENT_CLUSTER_ID, INVALID_REQUEST
        per partition  FENCED_LEADER_EPOCH   this node knows a higher epoch
                       INVALID_REQUEST       no node, this one, or another one leads that epoch
                       INVALID_VOTER_KEY     the message is for another voter
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest

__all__ = ["error_response", "handle"]


def handle(request: BeginQuorumEpochRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
