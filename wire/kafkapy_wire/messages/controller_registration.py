"""ControllerRegistration (API key 70): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Listener(Struct):
    """A struct of ControllerRegistrationRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)
    security_protocol: int = field("int16", "0+", default=0)


class Feature(Struct):
    """A struct of ControllerRegistrationRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    min_supported_version: int = field("int16", "0+", default=0)
    max_supported_version: int = field("int16", "0+", default=0)


class ControllerRegistrationRequest(
    Message, api_key=70, kind="request", versions="0", flexible="0+", listeners="controller"
):
    """Version 0; 0+ flexible."""

    controller_id: int = field("int32", "0+", default=0)
    incarnation_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    zk_migration_ready: bool = field("bool", "0+", default=False)
    listeners: list[Listener] = field([Listener], "0+", factory=list)
    features: list[Feature] = field([Feature], "0+", factory=list)


class ControllerRegistrationResponse(Message, api_key=70, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
