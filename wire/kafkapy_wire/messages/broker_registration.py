"""BrokerRegistration (API key 62): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Listener(Struct):
    """A struct of BrokerRegistrationRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)
    security_protocol: int = field("int16", "0+", default=0)


class Feature(Struct):
    """A struct of BrokerRegistrationRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    min_supported_version: int = field("int16", "0+", default=0)
    max_supported_version: int = field("int16", "0+", default=0)


class BrokerRegistrationRequest(
    Message, api_key=62, kind="request", versions="0-4", flexible="0+", listeners="controller"
):
    """Versions 0-4; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    cluster_id: str = field("string", "0+", default="")
    incarnation_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    listeners: list[Listener] = field([Listener], "0+", factory=list)
    features: list[Feature] = field([Feature], "0+", factory=list)
    rack: str | None = field("string", "0+", default="", nullable="0+")
    is_migrating_zk_broker: bool = field("bool", "1+", default=False)
    log_dirs: list[Uuid] = field(["uuid"], "2+", factory=list, ignorable=True)
    previous_broker_epoch: int = field("int64", "3+", default=-1, ignorable=True)


class BrokerRegistrationResponse(Message, api_key=62, kind="response", versions="0-4", flexible="0+"):
    """Versions 0-4; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    broker_epoch: int = field("int64", "0+", default=-1)
