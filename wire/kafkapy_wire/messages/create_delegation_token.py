"""CreateDelegationToken (API key 38): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class CreatableRenewers(Struct):
    """A struct of CreateDelegationTokenRequest."""

    principal_type: str = field("string", "0+", default="")
    principal_name: str = field("string", "0+", default="")


class CreateDelegationTokenRequest(
    Message, api_key=38, kind="request", versions="1-3", flexible="2+", listeners="broker controller"
):
    """Versions 1-3; 2+ flexible."""

    owner_principal_type: str | None = field("string", "3+", default="", nullable="3+")
    owner_principal_name: str | None = field("string", "3+", default="", nullable="3+")
    renewers: list[CreatableRenewers] = field([CreatableRenewers], "0+", factory=list)
    max_lifetime_ms: int = field("int64", "0+", default=0)


class CreateDelegationTokenResponse(Message, api_key=38, kind="response", versions="1-3", flexible="2+"):
    """Versions 1-3; 2+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    principal_type: str = field("string", "0+", default="")
    principal_name: str = field("string", "0+", default="")
    token_requester_principal_type: str = field("string", "3+", default="")
    token_requester_principal_name: str = field("string", "3+", default="")
    issue_timestamp_ms: int = field("int64", "0+", default=0)
    expiry_timestamp_ms: int = field("int64", "0+", default=0)
    max_timestamp_ms: int = field("int64", "0+", default=0)
    token_id: str = field("string", "0+", default="")
    hmac: bytes = field("bytes", "0+", default=b"")
    throttle_time_ms: int = field("int32", "0+", default=0)
