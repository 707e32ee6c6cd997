"""What the transaction coordinator needs of the rest of the node. For type checkers only: nothing imports it to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import ErrorCode
    from kafkapy_wire.message import Message


class Markers(Protocol):
    """Where markers are written: see `marker_channels.MarkerChannels` and `markers.MarkerWriter`."""

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]: ...


class OtherBroker(Protocol):
    """The connection to one broker: see `peers.Peer`."""

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        """The answer. Raises PeerUnavailable."""


class OtherBrokers(Protocol):
    """The connections to the other brokers: see `peers.Peers`."""

    def broker(self, broker_id: int, purpose: str) -> OtherBroker:
        """Raises PeerUnavailable: it is not running."""
