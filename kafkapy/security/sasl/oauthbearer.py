"""OAUTHBEARER (RFC 7628): a client shows a token, which says who it is and until when.

A validator says whether a token is valid. Without a callback handler class it is Kafka's default, for development: it
believes tokens without a signature (`unsecured.py`). With Kafka's OAuthBearerValidatorCallbackHandler tokens have to be
signed by a key of a JWKS (`jwks.py`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy.security.principal import KafkaPrincipal, user
from kafkapy.security.sasl.exchange import LoginRefused
from kafkapy_wire.sasl.scram import from_sasl_name

if TYPE_CHECKING:
    from collections.abc import Awaitable

MESSAGE_BYTES_MAX: Final = 256 * 1024
INVALID_TOKEN: Final = "invalid_token"
INSUFFICIENT_SCOPE: Final = "insufficient_scope"
_AFTER_ERROR: Final = b"\x01"
_SASL_NAME = r"(?:[\x01-\x2b\x2d-\x3c\x3e-\x7f]|=2C|=3D)+"
_FIRST = re.compile(
    rf"n,(?:a=(?P<authorization_id>{_SASL_NAME}))?,\x01(?P<pairs>(?:[A-Za-z]+=[\x21-\x7e \t\r\n]+\x01)*)\x01"
)
_BEARER = re.compile(r"(?P<scheme>\w+) +(?P<token>[-_~+/.a-zA-Z0-9]+=*)")


class InvalidToken(Exception):
    """The message is for the log. With `scope` the token is valid, and does not have this scope."""

    def __init__(self, message: str, scope: str | None = None) -> None:
        super().__init__(message)
        self.scope = scope


class ValidToken(NamedTuple):
    name: str
    expires_ms: float
    """In milliseconds since the epoch."""


class TokenValidator(Protocol):
    def validate(self, token: str, /) -> ValidToken | Awaitable[ValidToken]:
        """Raises InvalidToken."""


class BearerExchange:
    def __init__(self, validator: TokenValidator) -> None:
        self._validator = validator
        self._error: str | None = None
        self._reason = ""
        self.principal: KafkaPrincipal | None = None
        self.expires_ms: float | None = None

    def step(self, message: bytes, /) -> bytes | Awaitable[bytes]:
        if self._error is not None and message == _AFTER_ERROR:  # the client has taken note of it
            raise LoginRefused(self._reason, shown=self._error)
        authorization_id, token = _parsed(message)
        try:
            valid = self._validator.validate(token)
        except InvalidToken as invalid:
            return self._refused(invalid)
        if isinstance(valid, ValidToken):
            return self._accepted(valid, authorization_id)
        return self._later(valid, authorization_id)

    async def _later(self, validating: Awaitable[ValidToken], authorization_id: str) -> bytes:
        try:
            valid = await validating
        except InvalidToken as invalid:
            return self._refused(invalid)
        return self._accepted(valid, authorization_id)

    def _accepted(self, valid: ValidToken, authorization_id: str) -> bytes:
        if authorization_id and authorization_id != valid.name:
            shown = (
                f"Authentication failed: Client requested an authorization id ({authorization_id}) that is different "
                f"from the token's principal name ({valid.name})"
            )
            raise LoginRefused(shown, shown=shown, name=valid.name)
        self.principal = user(valid.name)
        self.expires_ms = valid.expires_ms
        return b""

    def _refused(self, invalid: InvalidToken) -> bytes:
        """The error as JSON, which the client acknowledges before it is refused."""
        self._reason = str(invalid)
        status = INVALID_TOKEN if invalid.scope is None else INSUFFICIENT_SCOPE
        scope = "" if invalid.scope is None else f', "scope":{json.dumps(invalid.scope)}'
        self._error = f'{{"status":"{status}"{scope}}}'
        return self._error.encode()


def _parsed(message: bytes) -> tuple[str, str]:
    """(authorization id, token). Raises LoginRefused."""
    match = _FIRST.fullmatch(str(message, "latin-1")) if len(message) <= MESSAGE_BYTES_MAX else None
    if match is None:
        raise LoginRefused("Invalid OAUTHBEARER client first message")
    pairs = dict(pair.split("=", 1) for pair in match["pairs"].split("\x01") if pair)
    if "auth" not in pairs:
        raise LoginRefused("Invalid OAUTHBEARER client first message: 'auth' not specified")
    bearer = _BEARER.fullmatch(pairs["auth"])
    if bearer is None or bearer["scheme"].lower() != "bearer":
        raise LoginRefused("Invalid OAUTHBEARER client first message: invalid 'auth' format")
    return from_sasl_name(match["authorization_id"] or ""), bearer["token"]
