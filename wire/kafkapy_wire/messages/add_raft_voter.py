"""AddRaftVoter (API key 80): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Listener(Struct):
    """A struct of AddRaftVoterRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class AddRaftVoterRequest(
    Message, api_key=80, kind="request", versions="0-1", flexible="0+", listeners="controller broker"
):
    """Versions 0-1; 0+ flexible."""

    cluster_id: str | None = field("string", "0+", default="", nullable="0+")
    timeout_ms: int = field("int32", "0+", default=0)
    voter_id: int = field("int32", "0+", default=0)
    voter_directory_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    listeners: list[Listener] = field([Listener], "0+", factory=list)
    ack_when_committed: bool = field("bool", "1+", default=True)


class AddRaftVoterResponse(Message, api_key=80, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+", ignorable=True)
