"""DescribeDelegationToken (API key 41): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribeDelegationTokenOwner(Struct):
    """A struct of DescribeDelegationTokenRequest."""

    principal_type: str = field("string", "0+", default="")
    principal_name: str = field("string", "0+", default="")


class DescribeDelegationTokenRequest(
    Message, api_key=41, kind="request", versions="1-3", flexible="2+", listeners="broker controller"
):
    """Versions 1-3; 2+ flexible."""

    owners: list[DescribeDelegationTokenOwner] | None = field(
        [DescribeDelegationTokenOwner], "0+", factory=list, nullable="0+"
    )


class DescribedDelegationTokenRenewer(Struct):
    """A struct of DescribeDelegationTokenResponse."""

    principal_type: str = field("string", "0+", default="")
    principal_name: str = field("string", "0+", default="")


class DescribedDelegationToken(Struct):
    """A struct of DescribeDelegationTokenResponse."""

    principal_type: str = field("string", "0+", default="")
    principal_name: str = field("string", "0+", default="")
    token_requester_principal_type: str = field("string", "3+", default="")
    token_requester_principal_name: str = field("string", "3+", default="")
    issue_timestamp: int = field("int64", "0+", default=0)
    expiry_timestamp: int = field("int64", "0+", default=0)
    max_timestamp: int = field("int64", "0+", default=0)
    token_id: str = field("string", "0+", default="")
    hmac: bytes = field("bytes", "0+", default=b"")
    renewers: list[DescribedDelegationTokenRenewer] = field([DescribedDelegationTokenRenewer], "0+", factory=list)


class DescribeDelegationTokenResponse(Message, api_key=41, kind="response", versions="1-3", flexible="2+"):
    """Versions 1-3; 2+ flexible."""

    error_code: int = field("int16", "0+", default=0)
    tokens: list[DescribedDelegationToken] = field([DescribedDelegationToken], "0+", factory=list)
    throttle_time_ms: int = field("int32", "0+", default=0)
