"""DescribeUserScramCredentials (API key 50): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class UserName(Struct):
    """A struct of DescribeUserScramCredentialsRequest."""

    name: str = field("string", "0+", default="")


class DescribeUserScramCredentialsRequest(
    Message, api_key=50, kind="request", versions="0", flexible="0+", listeners="broker controller"
):
    """Version 0; 0+ flexible."""

    users: list[UserName] | None = field([UserName], "0+", factory=list, nullable="0+")


class CredentialInfo(Struct):
    """A struct of DescribeUserScramCredentialsResponse."""

    mechanism: int = field("int8", "0+", default=0)
    iterations: int = field("int32", "0+", default=0)


class DescribeUserScramCredentialsResult(Struct):
    """A struct of DescribeUserScramCredentialsResponse."""

    user: str = field("string", "0+", default="")
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    credential_infos: list[CredentialInfo] = field([CredentialInfo], "0+", factory=list)


class DescribeUserScramCredentialsResponse(Message, api_key=50, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")
    results: list[DescribeUserScramCredentialsResult] = field([DescribeUserScramCredentialsResult], "0+", factory=list)
