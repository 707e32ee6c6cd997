"""AddRaftVoter (API key 80), versions 0-1: a controller becomes a voter of the quorum (KIP-853).

v1 the answer need not wait for the commit (KIP-1186)

Errors  NOT_LEADER_OR_FOLLOWER   this node does not lead the quorum
        UNSUPPORTED_VERSION      kraft.version is 0: the voters stand in controller.quorum.voters
        DUPLICATE_VOTER          the node votes already
        REQUEST_TIMED_OUT        the node has not caught up, or another change is not committed yet
        INVALID_REQUEST          no id or directory id, no listener of controllers, or too many listeners
        KAFKA_STORAGE_ERROR      the metadata log cannot be written
        INCONSISTENT_CLUSTER_ID
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.add_raft_voter import AddRaftVoterRequest

__all__ = ["error_response", "handle"]


def handle(request: AddRaftVoterRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
