"""Signed tokens (KIP-768): keys from a JWKS, by URL or in a file, and the claims that the settings expect.

Needs the package PyJWT. Keys are fetched by a worker thread: with the first token, again when they are as old as
sasl.oauthbearer.jwks.endpoint.refresh.ms, and when a token names a key that is not known. A login with a known key does
not wait for the fetch of another one.
"""

from __future__ import annotations

import json
import time
import urllib.request
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import jwt
import trio

from kafkapy.security.sasl.claims import ClaimRules, checked_claims
from kafkapy.security.sasl.oauthbearer import InvalidToken, ValidToken
from kafkapy.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.settings.sasl import JwksSettings

JWKS_BYTES_MAX: Final = 1024 * 1024
FETCH_SECONDS: Final = 10.0
"""For all of it, however slowly it comes."""
UNKNOWN_KEYS_SECONDS: Final = 1.0
"""For keys that are not known the JWKS is fetched again, but not more often: anybody can name one."""
SAME_KEY_SECONDS: Final = 10.0
"""And not more often for a key that was not found the last time."""
MISSING_KEYS_MAX: Final = 16
RETRY_SECONDS: Final = 1.0
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
"""Those with a public key: with a shared secret, whoever can read the JWKS could make tokens."""
_fetching: Final = Workers("keys of an identity provider", 1)
_verifying: Final = Workers("signatures of tokens", 2)


class _Keys(NamedTuple):
    by_id: dict[str, jwt.PyJWK]
    fetched_at: float


class JwksValidator:
    def __init__(self, settings: JwksSettings, now_ms: Callable[[], float]) -> None:
        self.settings = settings
        self._now_ms = now_ms
        self._rules = ClaimRules(
            principal_claim=settings.sub_claim,
            scope_claim=settings.scope_claim,
            clock_skew_ms=settings.clock_skew_seconds * 1_000,
            needs_issued_at=True,
        )
        self._keys = _Keys({}, -float("inf"))
        self._failed_at = -float("inf")
        self._failure = ""
        self._missing: dict[str, float] = {}
        """Keys that were not found, and when."""
        self._under_way: trio.Event | None = None
        """Set when the fetch is over that is under way."""

    async def validate(self, token: str, /) -> ValidToken:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid"))
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken("the token is no signed JWT") from None
        key = await self._key(key_id)
        claims = await _verifying.run(partial(self._verified, token, key))
        return checked_claims(claims, self._rules, self._now_ms())

    def _verified(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        settings = self.settings
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
        if found is None or (age > self.settings.refresh_ms / 1_000 and self._under_way is None):
            await self._fetch_again(key_id)
            found = self._keys.by_id.get(key_id) or found
        if found is None and not self._keys.by_id:
            raise InvalidToken(f"the JWKS cannot be had: {self._failure}")
        if found is None:
            raise InvalidToken("the key of the token is not in the JWKS (sasl.oauthbearer.jwks.endpoint.url)")
        return found

    async def _fetch_again(self, key_id: str) -> None:
        """Return when the keys are there, or cannot be had; at once if they were just fetched."""
        now = time.monotonic()
        if self._under_way is None:
            is_known = key_id in self._keys.by_id
            if not is_known and now - self._missing.get(key_id, -float("inf")) < SAME_KEY_SECONDS:
                return
            least = self.settings.refresh_ms / 1_000 if is_known else UNKNOWN_KEYS_SECONDS
            if now - self._keys.fetched_at < least or now - self._failed_at < RETRY_SECONDS:
                return
            self._under_way = trio.Event()
            # For all who wait, even if the client is gone that was the first; and a node that stops waits for nobody.
            trio.lowlevel.spawn_system_task(self._fetch, self._under_way)
        await self._under_way.wait()
        if key_id not in self._keys.by_id and self._keys.fetched_at >= now:
            self._note_missing(key_id, now)

    async def _fetch(self, over: trio.Event) -> None:
        try:
            with trio.fail_after(FETCH_SECONDS):
                keys = await _fetching.run(partial(_fetched, self.settings.url), abandon_on_cancel=True)
            self._keys = _Keys(keys, time.monotonic())
        except trio.TooSlowError:
            self._note_failure(f"it has not come within {FETCH_SECONDS:.0f} s")
        except (OSError, ValueError, RecursionError, jwt.PyJWTError, HTTPException) as error:
            self._note_failure(str(error))
        finally:
            self._under_way = None
            over.set()

    def _note_failure(self, why: str) -> None:
        self._failure = why
        self._failed_at = time.monotonic()

    def _note_missing(self, key_id: str, now: float) -> None:
        self._missing.pop(key_id, None)
        if len(self._missing) >= MISSING_KEYS_MAX:
            del self._missing[next(iter(self._missing))]
        self._missing[key_id] = now


def _fetched(url: str) -> dict[str, jwt.PyJWK]:
    """In a thread. Raises OSError, HTTPException, ValueError."""
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise ValueError("its URL does not begin with https:, http: or file:")
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:
        content: bytes = response.read(JWKS_BYTES_MAX + 1)
    if len(content) > JWKS_BYTES_MAX:
        raise ValueError("it has more than a megabyte")
    return _keys_in(content)


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
