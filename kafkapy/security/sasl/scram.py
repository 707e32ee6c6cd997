"""SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802), with credentials of the metadata and of delegation tokens (KIP-48).

Differs: Apache Kafka refuses an unknown user after its first message, a known one with a wrong password after its
second. Here both are refused after the second: the first is answered with a salt that belongs to the name alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy.security.principal import KafkaPrincipal, user
from kafkapy.security.sasl.exchange import LoginRefused
from kafkapy_wire.sasl import scram
from kafkapy_wire.sasl.scram import InvalidScramMessage, ScramKeys

if TYPE_CHECKING:
    from kafkapy_wire.sasl.scram import ClientFirst

TOKEN_AUTH: Final = "tokenauth"
WRONG_ID: Final = "Authentication failed: Client requested an authorization id that is different from username"
SALT_CHARACTERS: Final = 25
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class TokenKeys(NamedTuple):
    """The keys of a delegation token, its owner, and when it expires, in milliseconds since the epoch."""

    keys: ScramKeys
    owner: KafkaPrincipal
    expires_ms: int


class ScramCredentials(Protocol):
    """Where the keys of users and of tokens are looked up, at the time of the login."""

    def keys_of(self, name: str, mechanism: str, /) -> ScramKeys | None: ...

    def keys_of_token(self, token_id: str, mechanism: str, /) -> TokenKeys | None: ...

    def secret(self) -> bytes:
        """The same on all brokers, as long as the users are the same, and known to no client."""


class ScramExchange:
    def __init__(self, mechanism: str, credentials: ScramCredentials) -> None:
        self._mechanism = mechanism
        self._hash = scram.HASHES[mechanism]
        self._credentials = credentials
        self._first: ClientFirst | None = None
        self._keys: ScramKeys | None = None
        self._token: TokenKeys | None = None
        self._nonce = ""
        self._server_first = ""
        self.principal: KafkaPrincipal | None = None
        self.expires_ms: float | None = None

    def step(self, token: bytes, /) -> bytes:
        try:
            if self._first is None:
                return self._answer_first(scram.parse_client_first(token))
            return self._answer_final(token, self._first)
        except InvalidScramMessage as error:
            raise LoginRefused(str(error), name=None if self._first is None else self._first.name) from None

    def _answer_first(self, first: ClientFirst) -> bytes:
        if first.extensions.get(TOKEN_AUTH, "").lower() == "true":
            self._token = self._credentials.keys_of_token(first.name, self._mechanism)
            self._keys = None if self._token is None else self._token.keys
        else:
            self._keys = self._credentials.keys_of(first.name, self._mechanism)
        invented = self._invented_salt(first.name)  # for known users, too: it takes the same time
        # Whom a token stands for is not known to the client, so only the token's own id can be asked for.
        if first.authorization_id and first.authorization_id != first.name:
            raise LoginRefused(WRONG_ID, shown=WRONG_ID, name=first.name)
        salt = invented if self._keys is None else self._keys.salt
        iterations = scram.ITERATIONS_MIN if self._keys is None else self._keys.iterations
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
        stored_key = hashlib.new(self._hash, self._nonce.encode()).digest() if keys is None else keys.stored_key
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
        if first.extensions.get(TOKEN_AUTH, "").lower() == "true":
            return "there is no such delegation token"
        return (
            f"this user has no credentials for {self._mechanism}: make them with kafkapy users add, or those of the "
            "first user with kafkapy format --add-scram"
        )

    def _invented_salt(self, name: str) -> bytes:
        """A salt as Apache Kafka's tools make them; for one name it is always the same, as that of a real user is."""
        digest = hmac.digest(self._credentials.secret(), f"{self._mechanism}\0{name}".encode(), "sha256")
        return "".join(_DIGITS[byte % len(_DIGITS)] for byte in digest[:SALT_CHARACTERS]).encode()
