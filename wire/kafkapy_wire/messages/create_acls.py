"""CreateAcls (API key 30): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class AclCreation(Struct):
    """A struct of CreateAclsRequest."""

    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")
    resource_pattern_type: int = field("int8", "1+", default=3)
    principal: str = field("string", "0+", default="")
    host: str = field("string", "0+", default="")
    operation: int = field("int8", "0+", default=0)
    permission_type: int = field("int8", "0+", default=0)


class CreateAclsRequest(
    Message, api_key=30, kind="request", versions="1-3", flexible="2+", listeners="broker controller"
):
    """Versions 1-3; 2+ flexible."""

    creations: list[AclCreation] = field([AclCreation], "0+", factory=list)


class AclCreationResult(Struct):
    """A struct of CreateAclsResponse."""

    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")


class CreateAclsResponse(Message, api_key=30, kind="response", versions="1-3", flexible="2+"):
    """Versions 1-3; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    results: list[AclCreationResult] = field([AclCreationResult], "0+", factory=list)
