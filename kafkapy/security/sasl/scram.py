"""SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802), with credentials of the metadata and of delegation tokens (KIP-48).

Differs: Apache Kafka refuses an unknown user after its first message, a known one with a wrong password after its
second. Here both are refused after the second: the first is answered with a salt that belongs to the name alone, as
long as a user's, and with as many iterations. A token that does not exist costs the same work as one that does.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy.security.principal import KafkaPrincipal, user
from kafkapy.security.sasl.exchange import LoginRefused
from kafkapy.workers import Workers
from kafkapy_wire.sasl import scram
from kafkapy_wire.sasl.scram import InvalidScramMessage, ScramKeys

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kafkapy_wire.sasl.scram import ClientFirst

TOKEN_AUTH: Final = "tokenauth"
WRONG_ID: Final = "Authentication failed: Client requested an authorization id that is different from username"
_NOBODYS_KEYS: Final = {name: secrets.token_bytes(hashlib.new(name).digest_size) for name in scram.HASHES.values()}
"""Stored keys for users and tokens that do not exist, by hash: they are refused, whatever the proof is."""
_workers: Final = Workers("keys of delegation tokens", 2)
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Token(NamedTuple):
    """The owner of a delegation token, and when it expires, in milliseconds since the epoch."""

    owner: KafkaPrincipal
    expires_ms: int


class Likeness(NamedTuple):
    """What the salt and the iterations of an unknown user look like: as those of a user that there is."""

    secret: bytes
    """The same on all brokers, as long as the users are the same, and known to no client."""
    iterations: int
    salt_length: int
    salt_is_text: bool
    """In the digits of Apache Kafka's tools; else any bytes."""

    def salt(self, mechanism: str, name: str) -> bytes:
        """For one name it is always the same, as that of a real user is."""
        seed = hmac.digest(self.secret, f"{mechanism}\0{name}".encode(), "sha256")
        salt = hashlib.shake_256(seed).digest(self.salt_length)
        return "".join(_DIGITS[byte % len(_DIGITS)] for byte in salt).encode() if self.salt_is_text else salt


def likeness(keys: ScramKeys) -> Likeness:
    """To the user with these keys."""
    is_text = all(byte in _DIGITS.encode() for byte in keys.salt)
    return Likeness(keys.stored_key, keys.iterations, len(keys.salt), is_text)


class ScramCredentials(Protocol):
    """Where the keys of users and of tokens are looked up, at the time of the login."""

    def keys_of(self, name: str, mechanism: str, /) -> ScramKeys | None: ...

    def token(self, token_id: str, /) -> Token | None: ...

    def keys_of_token(self, token_id: str, mechanism: str, /) -> ScramKeys | None:
        """Of any id, whether there is such a token or not. None: tokens are not served. Takes milliseconds."""

    def likeness(self, mechanism: str, /) -> Likeness: ...


class ScramExchange:
    def __init__(self, mechanism: str, credentials: ScramCredentials) -> None:
        self._mechanism = mechanism
        self._hash = scram.HASHES[mechanism]
        self._credentials = credentials
        self._first: ClientFirst | None = None
        self._keys: ScramKeys | None = None
        self._token: Token | None = None
        self._nonce = ""
        self._server_first = ""
        self.principal: KafkaPrincipal | None = None
        self.expires_ms: float | None = None

    def step(self, token: bytes, /) -> bytes | Awaitable[bytes]:
        try:
            if self._first is None:
                first = scram.parse_client_first(token)
                return self._answer_token(first) if _is_token(first) else self._answer_user(first)
            return self._answer_final(token, self._first)
        except InvalidScramMessage as error:
            raise LoginRefused(str(error), name=None if self._first is None else self._first.name) from None

    def _answer_user(self, first: ClientFirst) -> bytes:
        like = self._credentials.likeness(self._mechanism)
        invented = like.salt(self._mechanism, first.name)  # for known users, too: it takes the same time
        self._keys = keys = self._credentials.keys_of(first.name, self._mechanism)
        if keys is None:
            return self._answer_first(first, invented, like.iterations)
        return self._answer_first(first, keys.salt, keys.iterations)

    async def _answer_token(self, first: ClientFirst) -> bytes:
        # In a thread, as it takes milliseconds; and of tokens that do not exist, too, as it would tell which do.
        keys = await _workers.run(partial(self._credentials.keys_of_token, first.name, self._mechanism))
        self._token = self._credentials.token(first.name)
        self._keys = None if self._token is None else keys
        if keys is None:
            like = self._credentials.likeness(self._mechanism)
            return self._answer_first(first, like.salt(self._mechanism, first.name), like.iterations)
        return self._answer_first(first, keys.salt, keys.iterations)

    def _answer_first(self, first: ClientFirst, salt: bytes, iterations: int) -> bytes:
        # Whom a token stands for is not known to the client, so only the token's own id can be asked for.
        if first.authorization_id and first.authorization_id != first.name:
            raise LoginRefused(WRONG_ID, shown=WRONG_ID, name=first.name)
        self._first = first
        self._nonce = first.nonce + secrets.token_urlsafe(24)
        self._server_first = f"r={self._nonce},s={scram.base64_text(salt)},i={iterations}"
        return self._server_first.encode()

    def _answer_final(self, token: bytes, first: ClientFirst) -> bytes:
        final = scram.parse_client_final(token)
        if final.nonce != self._nonce:
            reason = "Invalid client nonce in the final client message."
            if final.nonce == first.nonce + self._nonce:
                reason += " Update the client: librdkafka before 2.6.1 sends it twice"
            raise LoginRefused(reason, name=first.name)
        message = f"{first.bare},{self._server_first},{final.before_proof}".encode()
        keys = self._keys
        stored_key = _NOBODYS_KEYS[self._hash] if keys is None else keys.stored_key
        is_right = scram.proves_password(self._hash, stored_key, message, final.proof)
        if keys is None or not is_right:
            raise LoginRefused(self._why_refused(first), name=first.name)
        if self._token is None:
            self.principal = user(first.name)
        else:
            owner = self._token.owner
            self.principal = KafkaPrincipal(owner.type, owner.name, is_token_authenticated=True)
            self.expires_ms = self._token.expires_ms
        signature = scram.server_signature(self._hash, keys.server_key, message)
        return f"v={scram.base64_text(signature)}".encode()

    def _why_refused(self, first: ClientFirst) -> str:
        """For the log; the client gets one answer for all of it."""
        if self._keys is not None:
            return "wrong password"
        if _is_token(first):
            return "there is no such delegation token"
        return (
            f"this user has no credentials for {self._mechanism}: make them with kafkapy users add, or those of the "
            "first user with kafkapy format --add-scram"
        )


def _is_token(first: ClientFirst) -> bool:
    return first.extensions.get(TOKEN_AUTH, "").lower() == "true"
