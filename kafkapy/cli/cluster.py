"""`kafkapy cluster`: what a running cluster is made of, and changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.cli.client_command import run_command
from kafkapy.client.command_line import (
    add_connection_arguments,
    add_json_argument,
    node_number,
    node_numbers,
    positive_count,
    positive_seconds,
    replica_count,
)
from kafkapy.client.streams import say

if TYPE_CHECKING:
    import argparse

    from kafkapy.cli.parser import CommandParser
    from kafkapy.client.cluster import Cluster

VERBS = ("describe", "reassign", "elect-leaders", "unregister", "voters")


def add_arguments(parser: CommandParser) -> None:
    """The arguments of `kafkapy cluster`."""
    from kafkapy.cli import cluster_start

    cluster_start.add_arguments(parser)
    add_connection_arguments(parser)
    commands = parser.add_subparsers(dest="cluster_command", metavar="COMMAND")

    describe = commands.add_parser(
        "describe", help="show the controllers, the brokers, and the partitions that have a problem"
    )
    add_json_argument(describe)
    reassign = commands.add_parser(
        "reassign",
        help="move replicas to other brokers",
        description="Move replicas to other brokers: as a plan says, which is a file of kafka-reassign-partitions, or "
        "spread evenly over the brokers of --to, with as few moves as that takes.",
    )
    _add_reassign_arguments(reassign)
    elect = commands.add_parser(
        "elect-leaders",
        help="let partitions be led by their preferred leaders",
        description="Let partitions be led by their preferred leaders: the first of their replicas.",
    )
    elect.add_argument(
        "--topic",
        "-t",
        action="append",
        metavar="T[:N,N]",
        help="a topic, or some partitions of it; may be given repeatedly (default: all partitions)",
    )
    elect.add_argument(
        "--unclean",
        action="store_true",
        help="where no replica in sync is there, let one lead that is not: what only the others have is lost; "
        "needs --topic",
    )
    add_json_argument(elect)
    unregister = commands.add_parser(
        "unregister",
        help="forget a broker that does not come back",
        description="Forget a node that does not come back.",
    )
    unregister.add_argument("node", type=node_number, metavar="ID", help="the node's id")
    unregister.add_argument("--controller", action="store_true", help="a controller that does not vote, not a broker")
    voters = commands.add_parser("voters", help="make a controller a voter, or take its vote away")
    voters.add_argument("change", choices=["add", "remove"], help="what to do")
    voters.add_argument(
        "voter",
        metavar="ID[@HOST:PORT][:DIRECTORY_ID]",
        help="to add: ID@HOST:PORT, where the controller is found; to remove: ID. The id of its directory may follow, "
        "as in meta.properties",
    )
    for command in (describe, reassign, elect, unregister, voters):
        add_connection_arguments(command)


def _add_reassign_arguments(reassign: argparse.ArgumentParser) -> None:
    reassign.add_argument(
        "plan", nargs="?", metavar="PLAN.JSON", help="where each partition should be; - is standard input"
    )
    reassign.add_argument(
        "--topic",
        "-t",
        action="append",
        metavar="T[:N,N]",
        help="a topic, or some partitions of it; may be given repeatedly (default: all partitions)",
    )
    reassign.add_argument(
        "--to", type=node_numbers, metavar="ID,ID", help="the brokers to use (default: as the plan says)"
    )
    reassign.add_argument(
        "--replication-factor",
        "-r",
        type=replica_count,
        metavar="N",
        help="how many replicas each partition should have (default: as many as it has)",
    )
    mode = reassign.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="only show what would move (the default)")
    mode.add_argument("--generate", action="store_true", help="print the plan as JSON: it can be executed later")
    mode.add_argument("--execute", action="store_true", help="move them")
    mode.add_argument(
        "--verify",
        action="store_true",
        help="show which partitions are where the plan wants them, without a plan which still move; take throttles "
        "away when all is done",
    )
    mode.add_argument("--list", action="store_true", help="show what moves now")
    mode.add_argument("--cancel", action="store_true", help="stop moves: all, or those of a plan or of --topic")
    reassign.add_argument(
        "--wait",
        type=positive_seconds,
        metavar="SECONDS",
        help="with --execute or --verify: wait so long for the moves to be done (default: do not wait)",
    )
    reassign.add_argument(
        "--throttle",
        type=positive_count,
        metavar="BYTES",
        help="with --execute: each broker sends and fetches so many bytes a second for the moves (default: no bound). "
        "--wait, --verify and --cancel take the bound away when the moves are over",
    )
    reassign.add_argument(
        "--preserve-throttles",
        action="store_true",
        help="with --wait, --verify or --cancel: leave the throttles as they are",
    )
    add_json_argument(reassign)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error."""
    command = arguments.cluster_command
    if command is None and arguments.nodes is not None:
        from kafkapy.cli import cluster_start

        return cluster_start.run(arguments)
    if command is None:
        say(f"kafkapy cluster: `kafkapy cluster --nodes 3` starts one; for one that runs: {', '.join(VERBS)}\n")
        return 2
    return run_command(f"cluster {command}", arguments, _body)


def _body(arguments: argparse.Namespace, cluster: Cluster) -> int:
    match arguments.cluster_command:
        case "describe":
            from kafkapy.cli.cluster_describe import describe

            return describe(arguments, cluster)
        case "reassign":
            from kafkapy.cli.cluster_reassign import reassign

            return reassign(arguments, cluster)
        case "elect-leaders":
            return _elect_leaders(arguments, cluster)
        case "unregister":
            return _unregister(arguments, cluster)
    return _change_voters(arguments, cluster)


def _elect_leaders(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.command_line import complain, counted, print_json, wants_json
    from kafkapy.client.elections import elect_leaders
    from kafkapy.client.errors import ClientError
    from kafkapy.client.offsets import named_partitions

    if arguments.unclean and not arguments.topic:
        raise ClientError("--unclean needs --topic: records may be lost, so that it is for named partitions only")
    partitions = named_partitions(cluster, arguments.topic, complete=False) if arguments.topic else None
    result = elect_leaders(cluster, partitions, unclean=arguments.unclean)
    if wants_json(arguments):
        print_json(
            {
                "elected": [{"topic": topic, "partition": index} for topic, index in result.elected],
                "not_needed": result.unneeded_count,
                "failed": [
                    {"topic": topic, "partition": index, "error": why} for (topic, index), why in result.failed.items()
                ],
            }
        )
    else:
        for topic, index in result.elected:
            print(f"partition {topic}-{index} has another leader")
        if result.unneeded_count:
            print(f"{counted(result.unneeded_count, 'partition')} needed no election")
        elif not result.elected and not result.failed:
            print("no partition needed an election")
        for (topic, index), why in result.failed.items():
            complain("cluster elect-leaders", f"partition {topic}-{index}: {why}")
    return 1 if result.failed else 0


def _unregister(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.nodes import unregister_broker, unregister_controller

    if arguments.controller:
        unregister_controller(cluster, arguments.node)
    else:
        unregister_broker(cluster, arguments.node)
    print(f"unregistered {'controller' if arguments.controller else 'broker'} {arguments.node}")
    return 0


def _change_voters(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.quorum import add_voter, parse_new_voter, parse_voter_to_remove, remove_voter
    from kafkapy_wire.uuid import uuid_text

    if arguments.change == "add":
        voter = parse_new_voter(arguments.voter)
        directory_id = add_voter(cluster, voter)
        print(f"node {voter.node_id} votes (directory id {uuid_text(directory_id)})")
    else:
        node_id, known_id = parse_voter_to_remove(arguments.voter)
        directory_id = remove_voter(cluster, node_id, known_id)
        print(f"node {node_id} votes no more (directory id {uuid_text(directory_id)})")
    return 0
