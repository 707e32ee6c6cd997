"""LeaderAndIsr (API key 4): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message


class LeaderAndIsrRequest(Message, api_key=4, kind="request", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""


class LeaderAndIsrResponse(Message, api_key=4, kind="response", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""
