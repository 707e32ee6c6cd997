"""ControlledShutdown (API key 7): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message


class ControlledShutdownRequest(Message, api_key=7, kind="request", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""


class ControlledShutdownResponse(Message, api_key=7, kind="response", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""
