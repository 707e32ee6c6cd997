"""DescribeClientQuotas (API key 48): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ComponentData(Struct):
    """A struct of DescribeClientQuotasRequest."""

    entity_type: str = field("string", "0+", default="")
    match_type: int = field("int8", "0+", default=0)
    match: str | None = field("string", "0+", default="", nullable="0+")


class DescribeClientQuotasRequest(
    Message, api_key=48, kind="request", versions="0-1", flexible="1+", listeners="broker"
):
    """Versions 0-1; 1+ flexible."""

    components: list[ComponentData] = field([ComponentData], "0+", factory=list)
    strict: bool = field("bool", "0+", default=False)


class EntityData(Struct):
    """A struct of DescribeClientQuotasResponse."""

    entity_type: str = field("string", "0+", default="")
    entity_name: str | None = field("string", "0+", default="", nullable="0+")


class ValueData(Struct):
    """A struct of DescribeClientQuotasResponse."""

    key: str = field("string", "0+", default="")
    value: float = field("float64", "0+", default=0.0)


class EntryData(Struct):
    """A struct of DescribeClientQuotasResponse."""

    entity: list[EntityData] = field([EntityData], "0+", factory=list)
    values: list[ValueData] = field([ValueData], "0+", factory=list)


class DescribeClientQuotasResponse(Message, api_key=48, kind="response", versions="0-1", flexible="1+"):
    """Versions 0-1; 1+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    entries: list[EntryData] | None = field([EntryData], "0+", factory=list, nullable="0+")
