"""`kafkapy cluster describe`: controllers, brokers, and partitions that have a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.command_line import Cell, complain, counted, print_json, print_table, wants_json
from kafkapy.client.errors import TryAgain
from kafkapy.client.nodes import ClusterNodes, describe_nodes
from kafkapy.client.partition_health import MIN_ISR, PartitionHealth, partition_health
from kafkapy.client.quorum import Quorum, Replica, describe_quorum
from kafkapy_wire.uuid import ZERO_UUID, uuid_text

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster

SHOWN_PARTITIONS_MAX = 50
"""More lines than that nobody reads; `--json` has them all."""


def describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Exit code 1 if only the brokers could be asked: without a leader of the controllers they still answer."""
    nodes = describe_nodes(cluster)
    # A controller's listener knows no topics.
    count, unhealthy = (0, []) if nodes.are_controllers else partition_health(cluster)
    quorum, failure = None, None
    try:
        quorum = describe_quorum(cluster)
    except TryAgain as error:
        failure = f"the controllers have no leader that answers: {error}"
    if wants_json(arguments):
        print_json(_as_json(quorum, nodes, count, unhealthy))
    else:
        _print(quorum, nodes, count, unhealthy)
    if failure is not None:
        complain("cluster describe", failure)
    return 0 if failure is None else 1


def _print(quorum: Quorum | None, nodes: ClusterNodes, count: int, unhealthy: list[PartitionHealth]) -> None:
    print(f"cluster {nodes.cluster_id}")
    if quorum is None:
        print("controller unknown")
    else:
        print(f"controller {quorum.leader_id}  epoch {quorum.epoch}  high watermark {quorum.high_watermark}")
        print()
        _print_quorum(quorum)
    print()
    _print_nodes(nodes)
    if not nodes.are_controllers:
        print()
        _print_partitions(count, unhealthy)


def _print_quorum(quorum: Quorum) -> None:
    rows: list[list[Cell]] = []
    for replica, role in _roles(quorum):
        behind_ms = quorum.behind_ms(replica)
        endpoints = ",".join(f"{host}:{port}" for _, host, port in quorum.endpoints.get(replica.node_id, ()))
        rows.append(
            [
                replica.node_id,
                role,
                quorum.lag(replica),
                None if behind_ms is None else f"{behind_ms / 1000:.1f} s ago",
                _directory(replica),
                endpoints or None,
            ]
        )
    print_table(["NODE", "ROLE", "LAG", "CAUGHT UP", "DIRECTORY", "ENDPOINTS"], rows)


def _roles(quorum: Quorum) -> list[tuple[Replica, str]]:
    voters = [(one, "leader" if one.node_id == quorum.leader_id else "voter") for one in quorum.voters]
    return [*voters, *((one, "observer") for one in quorum.observers)]


def _directory(replica: Replica) -> str | None:
    return None if replica.directory_id == ZERO_UUID else uuid_text(replica.directory_id)


def _print_nodes(nodes: ClusterNodes) -> None:
    if nodes.are_controllers:
        print_table(["CONTROLLER", "ADDRESS"], [[one.broker_id, f"{one.host}:{one.port}"] for one in nodes.nodes])
        return
    rows = [
        [one.broker_id, "fenced" if one.is_fenced else "alive", one.rack, f"{one.host}:{one.port}"]
        for one in nodes.nodes
    ]
    print_table(["BROKER", "STATE", "RACK", "ADDRESS"], rows)


def _print_partitions(count: int, unhealthy: list[PartitionHealth]) -> None:
    if not unhealthy:
        print(f"{counted(count, 'partition')}, all replicas in sync" if count else "no partitions")
        return
    offline = sum(one.is_offline for one in unhealthy)
    under_min_isr = sum(one.is_under_min_isr for one in unhealthy)
    under_replicated = sum(one.is_under_replicated for one in unhealthy)
    print(
        f"{counted(count, 'partition')}: {offline} offline, {under_min_isr} below {MIN_ISR}, "
        f"{under_replicated} under-replicated"
    )
    worst_first = sorted(unhealthy, key=lambda one: (not one.is_offline, not one.is_under_min_isr))
    rows = [
        [
            f"{one.topic}-{one.partition}",
            one.leader,
            ",".join(map(str, one.replicas)),
            ",".join(map(str, one.isr)),
            ", ".join(one.problems),
        ]
        for one in worst_first[:SHOWN_PARTITIONS_MAX]
    ]
    print_table(["PARTITION", "LEADER", "REPLICAS", "ISR", "PROBLEM"], rows)
    if len(unhealthy) > SHOWN_PARTITIONS_MAX:
        print(f"and {len(unhealthy) - SHOWN_PARTITIONS_MAX} more: --json lists all")


def _as_json(
    quorum: Quorum | None, nodes: ClusterNodes, count: int, unhealthy: list[PartitionHealth]
) -> dict[str, object]:
    document: dict[str, object] = {
        "cluster_id": nodes.cluster_id,
        "controllers": None if quorum is None else _quorum_json(quorum),
    }
    if nodes.are_controllers:
        return document
    document["brokers"] = [
        {"id": one.broker_id, "host": one.host, "port": one.port, "rack": one.rack, "fenced": one.is_fenced}
        for one in nodes.nodes
    ]
    document["partitions"] = {
        "count": count,
        "offline": [_partition_json(one) for one in unhealthy if one.is_offline],
        "under_min_isr": [_partition_json(one) for one in unhealthy if one.is_under_min_isr],
        "under_replicated": [_partition_json(one) for one in unhealthy if one.is_under_replicated],
    }
    return document


def _quorum_json(quorum: Quorum) -> dict[str, object]:
    return {
        "leader": quorum.leader_id,
        "epoch": quorum.epoch,
        "high_watermark": quorum.high_watermark,
        "voters": [_replica_json(quorum, one) for one in quorum.voters],
        "observers": [_replica_json(quorum, one) for one in quorum.observers],
    }


def _replica_json(quorum: Quorum, replica: Replica) -> dict[str, object]:
    return {
        "id": replica.node_id,
        "directory_id": _directory(replica),
        "log_end_offset": replica.log_end_offset,
        "lag": quorum.lag(replica),
        "last_fetch_timestamp": replica.last_fetch_ms,
        "last_caught_up_timestamp": replica.last_caught_up_ms,
        "endpoints": [
            {"name": name, "host": host, "port": port} for name, host, port in quorum.endpoints.get(replica.node_id, ())
        ],
    }


def _partition_json(health: PartitionHealth) -> dict[str, object]:
    return {
        "topic": health.topic,
        "partition": health.partition,
        "leader": health.leader,
        "replicas": health.replicas,
        "isr": health.isr,
        "min_isr": health.min_isr,
    }
