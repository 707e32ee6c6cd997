"""The other nodes of the cluster, by address or by broker id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy.peers.unavailable import PeerUnavailable
from kafkapy.suspension import Suspension

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.peers.login import Login, Logins
    from kafkapy.peers.peer import Peer
    from kafkapy.tls.contexts import ClientTls
    from kafkapy_controller.image import Endpoint


class PeerTls(Protocol):
    """The TLS of connections to other nodes as it is now; None where they have none."""

    def to_controllers(self) -> ClientTls | None: ...

    def to_brokers(self) -> ClientTls | None: ...


class Peers:
    """Keeps a `Peer` for each address and purpose: a long poll for one purpose does not hold up another."""

    def __init__(
        self,
        broker_endpoint: Callable[[int], Endpoint | None],
        *,
        client_id: str,
        suspension: Suspension | None = None,
        logins: Logins | None = None,
        tls: PeerTls | None = None,
    ) -> None:
        """`broker_endpoint`: where a broker serves other brokers, by the newest image; None: it is not running.
        `suspension`: of the node that asks. `logins` and `tls`: of its connections.
        """
        self._logins = logins
        self._tls = tls
        self._suspension = suspension or Suspension()
        self._broker_endpoint = broker_endpoint
        self._client_id = client_id
        self._peers: dict[tuple[str, int, str], Peer] = {}
        self._cut: set[tuple[str, int]] = set()
        self.on_first: Callable[[], object] = _nothing
        """Called when the first other node is to be asked."""

    def at(self, host: str, port: int, purpose: str) -> Peer:
        """The controller at an address. Raises PeerUnavailable: the link to it is cut."""
        login = None if self._logins is None else self._logins.to_controllers
        return self._at(host, port, purpose, login, None if self._tls is None else self._tls.to_controllers)

    def _at(
        self,
        host: str,
        port: int,
        purpose: str,
        login: Callable[[str], Login | None] | None,
        tls: Callable[[], ClientTls | None] | None,
    ) -> Peer:
        peer = self._peers.get((host, port, purpose))
        if peer is None:
            from kafkapy.peers.peer import Peer  # not by a node that is alone

            if not self._peers:
                self.on_first()
            self._forget_hung_up()
            peer = self._peers[host, port, purpose] = Peer(
                host,
                port,
                client_id=f"{self._client_id}-{purpose}",
                suspension=self._suspension,
                login=login,
                tls=tls,
            )
        if (host, port) in self._cut:
            raise PeerUnavailable(f"the link to {peer} is cut")
        return peer

    def broker(self, broker_id: int, purpose: str) -> Peer:
        """The broker with this id. Raises PeerUnavailable: it is not registered, or fenced."""
        endpoint = self._broker_endpoint(broker_id)
        if endpoint is None:
            raise PeerUnavailable(f"broker {broker_id} is not running")
        login = None if self._logins is None else self._logins.to_brokers
        tls = None if self._tls is None else self._tls.to_brokers
        return self._at(endpoint.host, endpoint.port, purpose, login, tls)

    def cut(self, host: str, port: int) -> None:
        """From now on no request reaches this address, and those under way have no answer."""
        self._cut.add((host, port))
        for (known_host, known_port, _), peer in self._peers.items():
            if (known_host, known_port) == (host, port):
                peer.close()

    def heal(self, host: str, port: int) -> None:
        """Requests reach this address again."""
        self._cut.discard((host, port))

    def heal_all(self) -> None:
        """Requests reach every address again."""
        self._cut.clear()

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
