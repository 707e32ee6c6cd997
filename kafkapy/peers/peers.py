"""The other nodes of the cluster, by address or by broker id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.peers.unavailable import PeerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.peers.peer import Peer
    from kafkapy_controller.image import Endpoint


class Peers:
    """Keeps a `Peer` for each address and purpose: a long poll for one purpose does not hold up another."""

    def __init__(self, broker_endpoint: Callable[[int], Endpoint | None], *, client_id: str) -> None:
        """`broker_endpoint`: where a broker serves other brokers, by the newest image; None: it is not running."""
        self._broker_endpoint = broker_endpoint
        self._client_id = client_id
        self._peers: dict[tuple[str, int, str], Peer] = {}
        self.on_first: Callable[[], object] = _nothing
        """Called when the first other node is to be asked."""

    def at(self, host: str, port: int, purpose: str) -> Peer:
        """The node at an address."""
        peer = self._peers.get((host, port, purpose))
        if peer is None:
            from kafkapy.peers.peer import Peer  # not by a node that is alone

            if not self._peers:
                self.on_first()
            self._forget_hung_up()
            peer = self._peers[host, port, purpose] = Peer(host, port, client_id=f"{self._client_id}-{purpose}")
        return peer

    def broker(self, broker_id: int, purpose: str) -> Peer:
        """The broker with this id. Raises PeerUnavailable: it is not registered, or fenced."""
        endpoint = self._broker_endpoint(broker_id)
        if endpoint is None:
            raise PeerUnavailable(f"broker {broker_id} is not running")
        return self.at(endpoint.host, endpoint.port, purpose)

    def _forget_hung_up(self) -> None:
        """Close idle connections that the other node has closed: a node may come back at another address, again and
        again, and nobody asks at the old one."""
        for key, peer in list(self._peers.items()):
            if peer.has_hung_up():
                peer.close()
                del self._peers[key]

    def close(self) -> None:
        for peer in self._peers.values():
            peer.close()


def _nothing() -> None:
    """The default of `on_first`."""
