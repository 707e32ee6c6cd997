"""Show the id of a cluster and its nodes, unregister a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_client_settings_arguments, run_tool, table

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("command", choices=("cluster-id", "unregister", "list-endpoints"), metavar="COMMAND")
    parser.add_argument("-b", "--bootstrap-server", metavar="HOST:PORT")
    parser.add_argument("-C", "--bootstrap-controller", metavar="HOST:PORT")
    parser.add_argument("-i", "--id", type=int, metavar="N", help="of the broker to unregister")
    parser.add_argument("--config", dest="command_config", metavar="FILE")
    parser.add_argument("--include-fenced-brokers", action="store_true")
    add_client_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    arguments.bootstrap_server = arguments.bootstrap_server or arguments.bootstrap_controller
    body = {"cluster-id": _print_id, "unregister": _unregister, "list-endpoints": _list_endpoints}
    return run_tool(arguments, body[arguments.command])


def _print_id(_arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.nodes import describe_nodes

    print(f"Cluster ID: {describe_nodes(cluster).cluster_id}")
    return 0


def _unregister(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.nodes import unregister_broker

    if arguments.id is None:
        raise ClientError("unregister needs --id")
    unregister_broker(cluster, arguments.id)
    print(f"Broker {arguments.id} is no longer registered.")
    return 0


def _list_endpoints(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.nodes import describe_nodes

    nodes = describe_nodes(cluster)
    shown = [node for node in nodes.nodes if arguments.include_fenced_brokers or not node.is_fenced]
    kind = "controller" if nodes.are_controllers else "broker"
    rows = [
        [n.broker_id, n.host, n.port, n.rack or "null", "fenced" if n.is_fenced else "unfenced", kind] for n in shown
    ]
    columns = ["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"]
    host_width = max([len("HOST"), *(len(node.host) for node in shown)])
    rack_width = max([10, *(len(node.rack or "null") for node in shown)])
    print(table(columns, [10, host_width, 10, rack_width, 10, 15], rows))
    return 0
