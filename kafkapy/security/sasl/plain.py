"""PLAIN (RFC 4616): name and password in one message."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from kafkapy.security.principal import KafkaPrincipal, user
from kafkapy.security.sasl.exchange import LoginRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS: Final = 3
WRONG: Final = "Authentication failed: Invalid username or password"


class PlainExchange:
    """`[authorization id] NUL name NUL password`, of users with passwords in the JAAS configuration."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords
        self.principal: KafkaPrincipal | None = None
        self.expires_ms: float | None = None

    def step(self, token: bytes, /) -> bytes:
        # As Java decodes: what is no UTF-8 becomes a replacement character, and is a wrong password.
        parts = str(token, "utf-8", "replace").split("\0", TOKENS)
        if len(parts) != TOKENS:
            raise _refused(f"Invalid SASL/PLAIN response: expected 3 tokens, got {len(parts)}")
        authorization_id, name, password = parts
        if not name:
            raise _refused("Authentication failed: username not specified")
        if not password:
            raise _refused("Authentication failed: password not specified", name)
        known = self._passwords.get(name)
        # Of an unknown user, too, a password is compared, and digests have one length: no answer comes sooner.
        is_right = hmac.compare_digest(_digest(password), _digest(name if known is None else known))
        if not is_right or known is None:
            raise _refused(WRONG, name)
        if authorization_id and authorization_id != name:
            raise _refused(
                "Authentication failed: Client requested an authorization id that is different from username", name
            )
        self.principal = user(name)
        return b""


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()


def _refused(shown: str, name: str | None = None) -> LoginRefused:
    return LoginRefused(shown, shown=shown, name=name)
