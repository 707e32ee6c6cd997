"""AlterUserScramCredentials (API key 51): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class ScramCredentialDeletion(Struct):
    """A struct of AlterUserScramCredentialsRequest."""

    name: str = field("string", "0+", default="")
    mechanism: int = field("int8", "0+", default=0)


class ScramCredentialUpsertion(Struct):
    """A struct of AlterUserScramCredentialsRequest."""

    name: str = field("string", "0+", default="")
    mechanism: int = field("int8", "0+", default=0)
    iterations: int = field("int32", "0+", default=0)
    salt: bytes = field("bytes", "0+", default=b"")
    salted_password: bytes = field("bytes", "0+", default=b"")


class AlterUserScramCredentialsRequest(
    Message, api_key=51, kind="request", versions="0", flexible="0+", listeners="broker controller"
):
    """Version 0; 0+ flexible."""

    deletions: list[ScramCredentialDeletion] = field([ScramCredentialDeletion], "0+", factory=list)
    upsertions: list[ScramCredentialUpsertion] = field([ScramCredentialUpsertion], "0+", factory=list)


class AlterUserScramCredentialsResult(Struct):
    """A struct of AlterUserScramCredentialsResponse."""

    user: str = field("string", "0+", default="")
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default="", nullable="0+")


class AlterUserScramCredentialsResponse(Message, api_key=51, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    results: list[AlterUserScramCredentialsResult] = field([AlterUserScramCredentialsResult], "0+", factory=list)
