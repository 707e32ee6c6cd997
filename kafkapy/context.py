"""What a handler is given together with its request."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from kafkapy.peers.identity import NODE_SOFTWARE
from kafkapy.security.principal import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.broker import Broker, NodeParts
    from kafkapy.releases import ApiLimits
    from kafkapy.security.sasl.authenticator import Authenticator
    from kafkapy_controller.image import Endpoint

_numbers = count(1)


class Client:
    """What the broker knows of the client at the other end of a connection."""

    __slots__ = (
        "_closers",
        "authenticator",
        "is_follower",
        "listener_name",
        "local_host",
        "number",
        "peer_host",
        "peer_port",
        "principal",
        "security_protocol",
        "software_name",
        "software_version",
    )

    def __init__(
        self,
        listener_name: str,
        peer_host: str,
        peer_port: int,
        local_host: str,
        security_protocol: str = "PLAINTEXT",
    ) -> None:
        self.number = next(_numbers)
        """Of the connection, in this process."""
        self.listener_name = listener_name
        self.peer_host = peer_host
        self.peer_port = peer_port
        self.local_host = local_host
        """A host of ours that the peer can reach: the address that it has connected to. In a container, a peer on the
        machine of the container comes through a published port, and cannot always reach that address: localhost.
        """
        self.principal = ANONYMOUS
        """Who it is; set when it has authenticated, and by nothing else."""
        self.security_protocol = security_protocol
        """Of its listener: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        self.authenticator: Authenticator | None = None
        """On a listener with SASL."""
        self.is_follower = False
        """Whether it has fetched as a broker that follows this one."""
        self.software_name = "unknown"
        self.software_version = "unknown"
        self._closers: list[Callable[[], None]] | None = None

    def __str__(self) -> str:
        return f"{self.peer_host}:{self.peer_port}"

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the connection is closed."""
        if self._closers is None:
            self._closers = []
        self._closers.append(callback)

    def closed(self) -> None:
        """The connection is closed."""
        closers, self._closers = self._closers, None
        for closer in closers or ():
            closer()


class NodeContext:
    """The request's header, its client and the node's parts: for requests that a controller serves, too.

    One object a connection: a connection handles one request at a time, so its header fields are renewed in place.
    """

    __slots__ = ("api_version", "client", "client_id", "correlation_id", "node")

    at_controller = True
    """Whether the request came to a controller listener."""
    is_forwarded = False
    """Whether another node has got the request, and has passed it on in an Envelope."""

    def __init__(self, node: NodeParts, client: Client) -> None:
        self.node = node
        self.client = client
        self.api_version = 0
        self.correlation_id = 0
        self.client_id: str | None = None

    @property
    def is_asked_as_controller(self) -> bool:
        """Whether its client has sent it to a controller itself (KIP-919)."""
        return self.at_controller and not self.is_forwarded

    @property
    def api_limits(self) -> ApiLimits | None:
        """What this client may use, if that is less than is served. Other nodes may use all."""
        if self.at_controller or self.client.software_name == NODE_SOFTWARE:
            return None
        return self.node.api_limits

    def advertised_host(self, endpoint: Endpoint) -> str:
        """The host this client connects to: the advertised one, else the address that it has connected to."""
        return endpoint.host or self.client.local_host


class ForwardedContext(NodeContext):
    """The same for a request that a broker has forwarded; its client is that of the broker."""

    __slots__ = ()

    is_forwarded = True


class RequestContext(NodeContext):
    """The same for a request to a broker, with all of the broker's parts."""

    __slots__ = ("broker",)

    at_controller = False

    def __init__(self, broker: Broker, client: Client) -> None:
        super().__init__(broker, client)
        self.broker = broker
