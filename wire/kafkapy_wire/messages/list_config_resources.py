"""ListConfigResources (API key 74): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ListConfigResourcesRequest(
    Message, api_key=74, kind="request", versions="0-1", flexible="0+", listeners="broker"
):
    """Versions 0-1; 0+ flexible."""

    resource_types: list[int] = field(["int8"], "1+", factory=list)


class ConfigResource(Struct):
    """A struct of ListConfigResourcesResponse."""

    resource_name: str = field("string", "0+", default="")
    resource_type: int = field("int8", "1+", default=16, ignorable=True)


class ListConfigResourcesResponse(Message, api_key=74, kind="response", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    config_resources: list[ConfigResource] = field([ConfigResource], "0+", factory=list)
