"""What claims of a token have to say: who, from when, until when, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkapy.security.sasl.oauthbearer import InvalidToken, ValidToken

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_CHARACTERS_MAX = 1_024
SCOPES_MAX = 1_000
SECONDS_MAX = 1e12


class ClaimRules(NamedTuple):
    principal_claim: str = "sub"
    scope_claim: str = "scope"
    required_scope: tuple[str, ...] = ()
    clock_skew_ms: int = 0
    needs_issued_at: bool = False


def checked_claims(claims: Mapping[str, Any], rules: ClaimRules, now_ms: float) -> ValidToken:
    """Raises InvalidToken."""
    name = claims.get(rules.principal_claim)
    if not isinstance(name, str) or not name.strip() or len(name) > NAME_CHARACTERS_MAX or not _is_unicode(name):
        raise InvalidToken(f"claim {rules.principal_claim} is no name")
    issued = _seconds(claims, "iat")
    if issued is None and rules.needs_issued_at:
        raise InvalidToken("Required claim missing: iat")
    if issued is not None and int(issued * 1_000) > now_ms + rules.clock_skew_ms:
        raise InvalidToken("the token was issued in the future (claim iat)")
    expires = _seconds(claims, "exp")
    if expires is None:
        raise InvalidToken("Required claim missing: exp")
    if now_ms - rules.clock_skew_ms >= expires * 1_000:
        raise InvalidToken("the token has expired (claim exp)")
    if issued is not None and expires <= issued:
        raise InvalidToken("the token expires before it was issued")
    not_before = _seconds(claims, "nbf")
    if rules.needs_issued_at and not_before is not None and not_before * 1_000 > now_ms + rules.clock_skew_ms:
        raise InvalidToken("the token is not valid yet (claim nbf)")
    _check_scope(claims.get(rules.scope_claim), rules)
    return ValidToken(name, expires * 1_000)


def _is_unicode(name: str) -> bool:
    """JSON may name one half of a surrogate pair, which no protocol message can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_scope(scope: object, rules: ClaimRules) -> None:
    texts = scope.split() if isinstance(scope, str) else [] if scope is None else scope
    if not isinstance(texts, list) or len(texts) > SCOPES_MAX or not all(isinstance(text, str) for text in texts):
        raise InvalidToken(f"claim {rules.scope_claim} is no list of scopes")
    missing = [text for text in rules.required_scope if text not in texts]
    if missing:
        raise InvalidToken(f"the token has not scope {missing[0]}", scope=" ".join(rules.required_scope))


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # A NaN is not at most anything, and an integer may have more digits than a float can hold: it is compared first.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= SECONDS_MAX:
        raise InvalidToken(f"claim {name} is no time")
    return float(value)
