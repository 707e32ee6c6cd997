"""Vote (API key 52), versions 0-2: asks a voter for its vote, or whether it would give it (KIP-595).

v1 voter id and directory ids (KIP-853)   v2 pre-votes (KIP-996)

Errors  per response   INCONSISTENT_CLUSTER_ID, INVALID_REQUEST
        per partition  INVALID_REQUEST       a candidate can have no such id, epoch or log
                       FENCED_LEADER_EPOCH   this node knows a higher epoch
                       INVALID_VOTER_KEY     the vote of another voter is asked for
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.vote import VoteRequest

__all__ = ["error_response", "handle"]


def handle(request: VoteRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
