"""StopReplica (API key 5): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message


class StopReplicaRequest(Message, api_key=5, kind="request", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""


class StopReplicaResponse(Message, api_key=5, kind="response", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""
