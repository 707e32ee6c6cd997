"""Signed tokens (KIP-768): keys from a JWKS, by URL or in a file, and the claims that the settings expect.

Needs the package PyJWT. Keys are fetched by worker threads: with the first token, again when they are as old as
sasl.oauthbearer.jwks.endpoint.refresh.ms, and when a token names a key that is not known.
"""

from __future__ import annotations

import json
import time
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import jwt
import trio

from kafkapy.security.sasl.claims import ClaimRules, checked_claims
from kafkapy.security.sasl.oauthbearer import InvalidToken, ValidToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.settings.sasl import JwksSettings

JWKS_BYTES_MAX: Final = 1024 * 1024
FETCH_SECONDS: Final = 10
UNKNOWN_KEYS_SECONDS: Final = 1.0
"""For keys that are not known the JWKS is fetched again, but not more often: anybody can name one."""
SAME_KEY_SECONDS: Final = 10.0
"""And not more often for a key that was not found the last time."""
MISSING_KEYS_MAX: Final = 16
RETRY_SECONDS: Final = 1.0
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
"""Those with a public key: with a shared secret, whoever can read the JWKS could make tokens."""


class _Keys(NamedTuple):
    by_id: dict[str, jwt.PyJWK]
    fetched_at: float


class JwksValidator:
    def __init__(self, settings: JwksSettings, now_ms: Callable[[], float]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._rules = ClaimRules(
            principal_claim=settings.sub_claim,
            scope_claim=settings.scope_claim,
            clock_skew_ms=settings.clock_skew_seconds * 1_000,
            needs_issued_at=True,
        )
        self._keys = _Keys({}, -float("inf"))
        self._failed_at = -float("inf")
        self._missing: dict[str, float] = {}
        """Keys that were not found, and when."""
        self._fetching = trio.Lock()

    async def validate(self, token: str, /) -> ValidToken:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid"))
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken("the token is no signed JWT") from None
        key = await self._key(key_id)
        claims = await trio.to_thread.run_sync(self._verified, token, key)
        return checked_claims(claims, self._rules, self._now_ms())

    def _verified(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        settings = self._settings
        options: Any = {
            **dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_sub"), False),  # by the node's clock
            "verify_aud": bool(settings.audiences),
            "verify_iss": settings.issuer is not None,
        }
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                audience=list(settings.audiences) or None,
                issuer=settings.issuer,
                options=options,
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise InvalidToken(f"Could not validate the access token: {error}") from None
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        """Raises InvalidToken: it is not in the JWKS, or that cannot be had."""
        age = time.monotonic() - self._keys.fetched_at
        found = self._keys.by_id.get(key_id)
        if found is None or age > self._settings.refresh_ms / 1_000:
            async with self._fetching:
                await self._fetch_again(key_id)
            found = self._keys.by_id.get(key_id) or found
        if found is None:
            raise InvalidToken("the key of the token is not in the JWKS (sasl.oauthbearer.jwks.endpoint.url)")
        return found

    async def _fetch_again(self, key_id: str) -> None:
        now = time.monotonic()
        is_known = key_id in self._keys.by_id
        if not is_known and now - self._missing.get(key_id, -float("inf")) < SAME_KEY_SECONDS:
            return
        least = self._settings.refresh_ms / 1_000 if is_known else UNKNOWN_KEYS_SECONDS
        if now - self._keys.fetched_at < least or now - self._failed_at < RETRY_SECONDS:
            return  # somebody else has done it meanwhile, or has tried
        try:
            content = await trio.to_thread.run_sync(partial(_fetched, self._settings.url))
            self._keys = _Keys(_keys_in(content), time.monotonic())
        except (OSError, ValueError, RecursionError, jwt.PyJWTError) as error:
            self._failed_at = time.monotonic()
            if not self._keys.by_id:
                raise InvalidToken(f"the JWKS cannot be had: {error}") from None
            return
        if key_id not in self._keys.by_id:
            self._missing.pop(key_id, None)
            if len(self._missing) >= MISSING_KEYS_MAX:
                del self._missing[next(iter(self._missing))]
            self._missing[key_id] = now


def _fetched(url: str) -> bytes:
    """Raises OSError, ValueError."""
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise ValueError("its URL does not begin with https:, http: or file:")
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:
        content: bytes = response.read(JWKS_BYTES_MAX + 1)
    if len(content) > JWKS_BYTES_MAX:
        raise ValueError("it has more than a megabyte")
    return content


def _keys_in(content: bytes) -> dict[str, jwt.PyJWK]:
    """Those that can be used, by id. Raises ValueError."""
    found = json.loads(content)
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("it has no keys")
    keys = {}
    for each in found["keys"]:
        try:
            keys[str(each.get("kid"))] = jwt.PyJWK(each)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            continue  # of a kind that is not used here
    return keys
