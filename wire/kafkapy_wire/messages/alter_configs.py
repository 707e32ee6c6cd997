"""AlterConfigs (API key 33): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class AlterableConfig(Struct):
    """A struct of AlterConfigsRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    value: str | None = field("string", "0+", default="", nullable="0+")


class AlterConfigsResource(Struct):
    """A struct of AlterConfigsRequest."""

    resource_type: int = field("int8", "0+", default=0, map_key=True)
    resource_name: str = field("string", "0+", default="", map_key=True)
    configs: list[AlterableConfig] = field([AlterableConfig], "0+", factory=list)


class AlterConfigsRequest(
    Message, api_key=33, kind="request", versions="0-2", flexible="2+", listeners="broker controller"
):
    """Versions 0-2; 2+ flexible."""

    resources: list[AlterConfigsResource] = field([AlterConfigsResource], "0+", factory=list)
    validate_only: bool = field("bool", "0+", default=False)


class AlterConfigsResourceResponse(Struct):
    """A struct of AlterConfigsResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")


class AlterConfigsResponse(Message, api_key=33, kind="response", versions="0-2", flexible="2+"):
    """Versions 0-2; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    responses: list[AlterConfigsResourceResponse] = field([AlterConfigsResourceResponse], "0+", factory=list)
