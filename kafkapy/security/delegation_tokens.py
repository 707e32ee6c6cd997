"""The delegation tokens of a node with a secret key for them: their settings and HMACs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.delegation_tokens import TokenHmacs, TokenSettings, token_hmac

if TYPE_CHECKING:
    from kafkapy.settings.security import SecuritySettings


class DelegationTokens:
    def __init__(self, security: SecuritySettings) -> None:
        secret_key = security.delegation_token_secret_key
        assert secret_key is not None, "without delegation.token.secret.key there are no tokens"
        self.settings = TokenSettings(
            secret_key, security.delegation_token_max_lifetime_ms, security.delegation_token_expiry_time_ms
        )
        self.hmacs = TokenHmacs(secret_key)
        self._secret_key = secret_key

    def hmac_of(self, text: str) -> bytes:
        """Only nodes can make it. That of a token is of its id; nothing is remembered, as a client may say any."""
        return token_hmac(self._secret_key, text)


NO_TOKENS = TokenSettings(None, 0, 0)
"""Of a node without a secret key."""
