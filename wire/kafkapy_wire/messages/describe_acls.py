"""DescribeAcls (API key 29): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribeAclsRequest(
    Message, api_key=29, kind="request", versions="1-3", flexible="2+", listeners="broker controller"
):
    """Versions 1-3; 2+ flexible."""

    resource_type_filter: int = field("int8", "0+", default=0)
    resource_name_filter: str | None = field("string", "0+", default="", nullable="0+")
    pattern_type_filter: int = field("int8", "1+", default=3)
    principal_filter: str | None = field("string", "0+", default="", nullable="0+")
    host_filter: str | None = field("string", "0+", default="", nullable="0+")
    operation: int = field("int8", "0+", default=0)
    permission_type: int = field("int8", "0+", default=0)


class AclDescription(Struct):
    """A struct of DescribeAclsResponse."""

    principal: str = field("string", "0+", default="")
    host: str = field("string", "0+", default="")
    operation: int = field("int8", "0+", default=0)
    permission_type: int = field("int8", "0+", default=0)


class DescribeAclsResource(Struct):
    """A struct of DescribeAclsResponse."""

    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")
    pattern_type: int = field("int8", "1+", default=3)
    acls: list[AclDescription] = field([AclDescription], "0+", factory=list)


class DescribeAclsResponse(Message, api_key=29, kind="response", versions="1-3", flexible="2+"):
    """Versions 1-3; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    resources: list[DescribeAclsResource] = field([DescribeAclsResource], "0+", factory=list)
