"""UpdateRaftVoter (API key 82), version 0: a voter tells the leader where it listens (KIP-853).

Errors  NOT_LEADER_OR_FOLLOWER                     this node does not lead the quorum
        FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH  the epoch of the request is older, newer
        INVALID_REQUEST                            no directory id, no listener of controllers, too many listeners, or
                                                   the quorum's kraft.version is not supported
        VOTER_NOT_FOUND, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR, INCONSISTENT_CLUSTER_ID
Differs: a node of another cluster is not told who leads this one.
At kraft.version 0 the leader remembers it until it resigns, for an upgrade; from 1 on it writes the voters anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.update_raft_voter import UpdateRaftVoterRequest

__all__ = ["error_response", "handle"]


def handle(request: UpdateRaftVoterRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
