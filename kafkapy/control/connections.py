"""Who is connected. Connections of the nodes among themselves do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.control.values import Connection
from kafkapy.peers.identity import NODE_SOFTWARE

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes


async def list_connections(nodes: ControlledNodes) -> list[Connection]:
    """The open connections of clients, by node."""
    return [
        Connection(
            node=node.node_id,
            listener=each.client.listener_name,
            address=str(each.client),
            client_id=each.client_id,
            software=f"{each.client.software_name} {each.client.software_version}",
        )
        for node in nodes.running()
        for each in node.server.connections
        if each.client.software_name != NODE_SOFTWARE
    ]


async def close_connections(nodes: ControlledNodes, client_id: str | None = None) -> int:
    """Close the connections of one client, or of all, as a broker does that drops them. Returns how many."""
    closed = 0
    for node in nodes.running():
        for each in node.server.connections:
            if each.client.software_name != NODE_SOFTWARE and client_id in (None, each.client_id):
                each.close()
                closed += 1
    return closed
