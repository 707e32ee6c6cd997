"""AlterClientQuotas (API key 49): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class AlterClientQuotasRequestEntityData(Struct):
    """A struct of AlterClientQuotasRequest."""

    entity_type: str = field("string", "0+", default="")
    entity_name: str | None = field("string", "0+", default="", nullable="0+")


class OpData(Struct):
    """A struct of AlterClientQuotasRequest."""

    key: str = field("string", "0+", default="")
    value: float = field("float64", "0+", default=0.0)
    remove: bool = field("bool", "0+", default=False)


class AlterClientQuotasRequestEntryData(Struct):
    """A struct of AlterClientQuotasRequest."""

    entity: list[AlterClientQuotasRequestEntityData] = field([AlterClientQuotasRequestEntityData], "0+", factory=list)
    ops: list[OpData] = field([OpData], "0+", factory=list)


class AlterClientQuotasRequest(
    Message, api_key=49, kind="request", versions="0-1", flexible="1+", listeners="broker controller"
):
    """Versions 0-1; 1+ flexible."""

    entries: list[AlterClientQuotasRequestEntryData] = field([AlterClientQuotasRequestEntryData], "0+", factory=list)
    validate_only: bool = field("bool", "0+", default=False)


class AlterClientQuotasResponseEntityData(Struct):
    """A struct of AlterClientQuotasResponse."""

    entity_type: str = field("string", "0+", default="")
    entity_name: str | None = field("string", "0+", default="", nullable="0+")


class AlterClientQuotasResponseEntryData(Struct):
    """A struct of AlterClientQuotasResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    entity: list[AlterClientQuotasResponseEntityData] = field([AlterClientQuotasResponseEntityData], "0+", factory=list)


class AlterClientQuotasResponse(Message, api_key=49, kind="response", versions="0-1", flexible="1+"):
    """Versions 0-1; 1+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    entries: list[AlterClientQuotasResponseEntryData] = field([AlterClientQuotasResponseEntryData], "0+", factory=list)
