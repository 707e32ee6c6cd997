"""RemoveRaftVoter (API key 81), version 0: a controller is no voter of the quorum any more (KIP-853).

Errors  NOT_LEADER_OR_FOLLOWER   this node does not lead the quorum
        UNSUPPORTED_VERSION      kraft.version is 0: the voters stand in controller.quorum.voters
        VOTER_NOT_FOUND          no voter has this id and directory id
        REQUEST_TIMED_OUT        another change is not committed yet
        INVALID_REQUEST          no id or directory id, or no voter would be left
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
    from kafkapy_wire.messages.remove_raft_voter import RemoveRaftVoterRequest

__all__ = ["error_response", "handle"]


def handle(request: RemoveRaftVoterRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
