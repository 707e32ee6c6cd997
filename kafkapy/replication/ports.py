"""What replication needs of the node: ways to other brokers and to the controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kafkapy_wire.message import Message


class Source(Protocol):
    """A connection to one other broker."""

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        """Raises PeerUnavailable."""


class Sources(Protocol):
    """Connections to other brokers."""

    def broker(self, broker_id: int, purpose: str) -> Source:
        """Raises PeerUnavailable: it is not running."""


class Controller(Protocol):
    """The active controller, wherever it is."""

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        """Raises KafkaError REQUEST_TIMED_OUT."""
