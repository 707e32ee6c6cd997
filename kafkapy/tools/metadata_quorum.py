"""Show the quorum of controllers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_client_settings_arguments, add_servers_arguments, run_tool, tabbed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.quorum import Quorum, Replica

_COLUMNS = ("NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("command", choices=("describe",), metavar="COMMAND", help="describe")
    add_servers_arguments(parser)
    add_client_settings_arguments(parser)
    parser.add_argument("--status", action="store_true")
    parser.add_argument("--replication", "--re", action="store_true")
    parser.add_argument("--human-readable", "--hr", action="store_true", help="with --replication: how long ago")


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _describe)


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.quorum import describe_quorum

    if arguments.status and arguments.replication:
        raise ClientError("Only one of --status or --replication should be specified with describe sub-command")
    if arguments.human_readable and not arguments.replication:
        raise ClientError("The option --human-readable is only supported along with --replication")
    if not (arguments.status or arguments.replication):
        raise ClientError("One of --status or --replication must be specified with describe sub-command")
    quorum = describe_quorum(cluster)
    if arguments.status:
        from kafkapy.client.nodes import describe_nodes

        _print_status(quorum, describe_nodes(cluster).cluster_id)
    else:
        _print_replication(quorum, is_relative=arguments.human_readable)
    return 0


def _print_status(quorum: Quorum, cluster_id: str) -> None:
    followers = [voter for voter in quorum.voters if voter.node_id != quorum.leader_id]
    lags = [lag for lag in map(quorum.lag, followers) if lag is not None]
    behind = [late_ms for late_ms in map(quorum.behind_ms, followers) if late_ms is not None]
    late_ms = max(behind, default=0) if len(behind) == len(followers) else -1
    for name, value in (
        ("ClusterId", cluster_id),
        ("LeaderId", quorum.leader_id),
        ("LeaderEpoch", quorum.epoch),
        ("HighWatermark", quorum.high_watermark),
        ("MaxFollowerLag", max(lags, default=0)),
        ("MaxFollowerLagTimeMs", late_ms),
        ("CurrentVoters", _nodes(quorum, quorum.voters)),
        ("CurrentObservers", _nodes(quorum, quorum.observers)),
    ):
        print(f"{name + ':':<24}{value}")


def _nodes(quorum: Quorum, replicas: Iterable[Replica]) -> str:
    from kafkapy_wire.uuid import ZERO_UUID, uuid_text

    shown = []
    for replica in replicas:
        parts = [f'"id": {replica.node_id}']
        if replica.directory_id != ZERO_UUID:
            parts.append(f'"directoryId": "{uuid_text(replica.directory_id)}"')
        endpoints = [f'"{name}://{host}:{port}"' for name, host, port in quorum.endpoints.get(replica.node_id, ())]
        if endpoints:
            parts.append(f'"endpoints": [{", ".join(endpoints)}]')
        shown.append(f"{{{', '.join(parts)}}}")
    return f"[{', '.join(shown)}]"


def _print_replication(quorum: Quorum, *, is_relative: bool) -> None:
    import time

    from kafkapy_wire.uuid import uuid_text

    now_ms = time.time_ns() // 1_000_000
    leader = next((voter for voter in quorum.voters if voter.node_id == quorum.leader_id), None)

    def moment(timestamp_ms: int) -> str:
        if not is_relative or timestamp_ms < 0:
            return str(timestamp_ms)
        return f"{max(0, now_ms - timestamp_ms)} ms ago"

    def row(replica: Replica, status: str) -> list[str]:
        lag = leader.log_end_offset - replica.log_end_offset if leader is not None else 0
        cells = [replica.node_id, uuid_text(replica.directory_id), replica.log_end_offset, lag]
        return [*map(str, cells), moment(replica.last_fetch_ms), moment(replica.last_caught_up_ms), status]

    rows = [row(leader, "Leader")] if leader is not None else []
    rows += [row(voter, "Follower") for voter in quorum.voters if voter is not leader]
    rows += [row(observer, "Observer") for observer in quorum.observers]
    print(tabbed(_COLUMNS, rows))
