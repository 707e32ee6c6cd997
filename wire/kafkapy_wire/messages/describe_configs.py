"""DescribeConfigs (API key 32): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribeConfigsResource(Struct):
    """A struct of DescribeConfigsRequest."""

    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")
    configuration_keys: list[str] | None = field(["string"], "0+", factory=list, nullable="0+")


class DescribeConfigsRequest(
    Message, api_key=32, kind="request", versions="1-4", flexible="4+", listeners="broker controller"
):
    """Versions 1-4; 4+ flexible."""

    resources: list[DescribeConfigsResource] = field([DescribeConfigsResource], "0+", factory=list)
    include_synonyms: bool = field("bool", "1+", default=False)
    include_documentation: bool = field("bool", "3+", default=False)


class DescribeConfigsSynonym(Struct):
    """A struct of DescribeConfigsResponse."""

    name: str = field("string", "1+", default="")
    value: str | None = field("string", "1+", default="", nullable="0+")
    source: int = field("int8", "1+", default=0)


class DescribeConfigsResourceResult(Struct):
    """A struct of DescribeConfigsResponse."""

    name: str = field("string", "0+", default="")
    value: str | None = field("string", "0+", default="", nullable="0+")
    read_only: bool = field("bool", "0+", default=False)
    config_source: int = field("int8", "1+", default=-1, ignorable=True)
    is_sensitive: bool = field("bool", "0+", default=False)
    synonyms: list[DescribeConfigsSynonym] = field([DescribeConfigsSynonym], "1+", factory=list, ignorable=True)
    config_type: int = field("int8", "3+", default=0, ignorable=True)
    documentation: str | None = field("string", "3+", default="", nullable="0+", ignorable=True)


class DescribeConfigsResult(Struct):
    """A struct of DescribeConfigsResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")
    configs: list[DescribeConfigsResourceResult] = field([DescribeConfigsResourceResult], "0+", factory=list)


class DescribeConfigsResponse(Message, api_key=32, kind="response", versions="1-4", flexible="4+"):
    """Versions 1-4; 4+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    results: list[DescribeConfigsResult] = field([DescribeConfigsResult], "0+", factory=list)
