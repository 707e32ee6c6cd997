"""What every SASL mechanism is to the connection that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kafkapy.security.principal import KafkaPrincipal


class LoginRefused(Exception):
    """The client is not who it says it is, or says it in a wrong way.

    `shown` is for the client, and is the same whether a user exists or not; None: Apache Kafka's words for every other
    failure. The message is for the log of the broker. `name` is whom the client wanted to be, as far as that is known.
    """

    def __init__(self, message: str, *, shown: str | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.shown = shown
        self.name = name


class Exchange(Protocol):
    """One login of one client."""

    principal: KafkaPrincipal | None
    """Who has authenticated; None until then."""
    expires_ms: float | None
    """When what it has authenticated with becomes invalid, in milliseconds since the epoch."""

    def step(self, token: bytes, /) -> bytes | Awaitable[bytes]:
        """The answer to a client's token. Raises LoginRefused. Awaitable: what takes long, or blocks."""
