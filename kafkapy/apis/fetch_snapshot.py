"""FetchSnapshot (API key 59), versions 0-1: a part of a snapshot of the metadata log (KIP-630).

v1 directory ids, the leader's endpoints (KIP-853)

Errors  per response   INCONSISTENT_CLUSTER_ID, INVALID_REQUEST
        per partition  NOT_LEADER_OR_FOLLOWER                     this node does not lead the quorum
                       FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH  the epoch of the request is older, newer
                       SNAPSHOT_NOT_FOUND                         it was deleted: a newer one is there
                       POSITION_OUT_OF_RANGE                      the snapshot is shorter
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.fetch_snapshot import FetchSnapshotRequest

__all__ = ["error_response", "handle"]


def handle(request: FetchSnapshotRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
