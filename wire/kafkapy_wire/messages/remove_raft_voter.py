"""RemoveRaftVoter (API key 81): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class RemoveRaftVoterRequest(
    Message, api_key=81, kind="request", versions="0", flexible="0+", listeners="controller broker"
):
    """Version 0; 0+ flexible."""

    cluster_id: str | None = field("string", "0+", default="", nullable="0+")
    voter_id: int = field("int32", "0+", default=0)
    voter_directory_id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class RemoveRaftVoterResponse(Message, api_key=81, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+", ignorable=True)
