"""Tokens without a signature (JWS with alg none), as Apache Kafka takes them unless it is told otherwise: anybody can
make them, so that they are for development only. Options of the login module say what claims are checked."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Final

from kafkapy.security.sasl.claims import ClaimRules, checked_claims
from kafkapy.security.sasl.oauthbearer import InvalidToken, ValidToken
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "unsecuredValidator"
PARTS: Final = 3


def rules_of(options: Mapping[str, str]) -> ClaimRules:
    """Raises ValueError: an option is not valid."""
    text = options.get(f"{PREFIX}AllowableClockSkewMs", "").strip() or "0"
    skew_ms = parse_integer(text, 0, INT32_MAX)
    if skew_ms is None:
        raise ValueError(f"{PREFIX}AllowableClockSkewMs is {text[:20]!r}, and not a number of milliseconds")
    return ClaimRules(
        principal_claim=options.get(f"{PREFIX}PrincipalClaimName", "").strip() or "sub",
        scope_claim=options.get(f"{PREFIX}ScopeClaimName", "").strip() or "scope",
        required_scope=tuple(options.get(f"{PREFIX}RequiredScope", "").split()),
        clock_skew_ms=skew_ms,
    )


class UnsecuredValidator:
    def __init__(self, rules: ClaimRules, now_ms: Callable[[], float]) -> None:
        self._rules = rules
        self._now_ms = now_ms

    def validate(self, token: str, /) -> ValidToken:
        parts = token.split(".", PARTS)
        if len(parts) != PARTS:
            raise InvalidToken(f"a token has {PARTS} parts, and not {len(parts)}")
        header, claims = _decoded(parts[0]), _decoded(parts[1])
        if header.get("alg") != "none" or parts[2]:
            raise InvalidToken("the token is signed, and listeners with unsecured tokens check no signatures")
        return checked_claims(claims, self._rules, self._now_ms())


def _decoded(part: str) -> dict[str, Any]:
    try:
        content = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidToken("the token is not JSON in base64") from None
    if not isinstance(content, dict):
        raise InvalidToken("the token is not JSON with claims")
    return content
