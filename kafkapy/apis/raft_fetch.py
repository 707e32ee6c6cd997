"""Fetch (API key 1), versions 4-18: records of `__cluster_metadata-0` for another node of the quorum (KIP-595).

v12 last fetched epoch, diverging epoch, snapshot id   v17 directory ids (KIP-853)   v18 high watermark (KIP-1166)

Errors  per response   INCONSISTENT_CLUSTER_ID, INVALID_REQUEST
        per partition  NOT_LEADER_OR_FOLLOWER                     this node does not lead the quorum
                       FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH  the epoch of the request is older, newer
                       INVALID_REQUEST                            an offset, an epoch or the time to wait is negative
This is the Fetch of controller listeners; that of brokers is in `fetch.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.quorum_requests import ask_quorum, error_response

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.fetch import FetchRequest

__all__ = ["error_response", "handle"]


def handle(request: FetchRequest, context: NodeContext) -> Pending[Message]:
    return ask_quorum(context.node.quorum, context.node.cluster_id, request)
