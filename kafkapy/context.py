"""What a handler gets beside its request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.connection import Connection
    from kafkapy.node import Node
    from kafkapy_controller.image import Endpoint


class RequestContext:
    """The request's header, its connection and the node's parts.

    One object a connection: a connection handles one request at a time, so its header fields are renewed in place.
    """

    __slots__ = ("api_version", "client_id", "connection", "correlation_id", "node")

    def __init__(self, node: Node, connection: Connection) -> None:
        self.node = node
        self.connection = connection
        self.api_version = 0
        self.correlation_id = 0
        self.client_id: str | None = None

    def advertised_host(self, endpoint: Endpoint) -> str:
        """Where this client finds the broker: as advertised, else the address by which it has found it."""
        return endpoint.host or self.connection.local_host
