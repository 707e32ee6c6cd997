"""BrokerHeartbeat (API key 63): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, field
from kafkapy_wire.uuid import Uuid


class BrokerHeartbeatRequest(
    Message, api_key=63, kind="request", versions="0-2", flexible="0+", listeners="controller"
):
    """Versions 0-2; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=-1)
    current_metadata_offset: int = field("int64", "0+", default=0)
    want_fence: bool = field("bool", "0+", default=False)
    want_shut_down: bool = field("bool", "0+", default=False)
    offline_log_dirs: list[Uuid] = field(["uuid"], "1+", factory=list, tag=0, tagged="1+")
    cordoned_log_dirs: list[Uuid] | None = field(["uuid"], "2+", default=None, nullable="2+", tag=1, tagged="2+")


class BrokerHeartbeatResponse(Message, api_key=63, kind="response", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    is_caught_up: bool = field("bool", "0+", default=False)
    is_fenced: bool = field("bool", "0+", default=True)
    should_shut_down: bool = field("bool", "0+", default=False)
