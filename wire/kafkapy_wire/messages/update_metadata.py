"""UpdateMetadata (API key 6): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message


class UpdateMetadataRequest(Message, api_key=6, kind="request", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""


class UpdateMetadataResponse(Message, api_key=6, kind="response", versions="none", flexible="none"):
    """Removed from the protocol: no version is left."""
