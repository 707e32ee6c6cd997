"""`kafkapy cluster reassign`: replicas to other brokers."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.client.command_line import complain, counted, print_json, print_table, wants_json
from kafkapy.client.deadline import Deadline
from kafkapy.client.errors import ClientError
from kafkapy.client.reassignments import (
    Move,
    moves_under_way,
    parse_plan,
    plan_document,
    present_replicas,
)
from kafkapy.client.reassignments import (
    reassign as begin_moves,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping, Sequence

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.offsets import Partition
    from kafkapy.client.spreading import Replicas

LOOK_SECONDS = 0.2


def reassign(arguments: argparse.Namespace, cluster: Cluster) -> int:
    if arguments.wait is not None and not (arguments.execute or arguments.verify):
        raise ClientError("--wait goes with --execute or --verify")
    if arguments.throttle is not None and not arguments.execute:
        raise ClientError("--throttle goes with --execute")
    if arguments.list:
        return _list(arguments, cluster)
    if arguments.cancel:
        return _cancel(arguments, cluster)
    if arguments.verify and arguments.plan is None:
        return _verify_all(arguments, cluster)
    planned = _planned(arguments, cluster)
    if arguments.verify:
        return _verify(arguments, cluster, planned)
    if arguments.generate:
        print_json(plan_document(planned))
        return 0
    present = present_replicas(cluster, {topic for topic, _ in planned})
    _require_existing(planned, present)
    changed = {partition: replicas for partition, replicas in planned.items() if replicas != present[partition]}
    if arguments.execute:
        return _execute(arguments, cluster, changed, present)
    if wants_json(arguments):
        print_json(
            {"current": plan_document({one: present[one] for one in changed}), "proposed": plan_document(changed)}
        )
    elif changed:
        rows = [[_name(one), _ids(present[one]), _ids(replicas)] for one, replicas in sorted(changed.items())]
        print_table(["PARTITION", "REPLICAS", "TO"], rows)
        print(f"{counted(len(changed), 'partition')} would move: --execute does it")
    else:
        print("all partitions are where they should be")
    return 0


def _planned(arguments: argparse.Namespace, cluster: Cluster) -> Replicas:
    """Raises ClientError."""
    if arguments.plan is not None:
        if arguments.to is not None or arguments.topic is not None or arguments.replication_factor is not None:
            raise ClientError("a plan says all: leave out --to, --topic and --replication-factor, or the plan")
        return _read_plan(arguments.plan)
    if arguments.to is None:
        raise ClientError("name the brokers with --to, as in --to 1,2,3, or a plan")
    return _spread(arguments, cluster)


def _read_plan(name: str) -> Replicas:
    if name == "-":
        return parse_plan(sys.stdin.read(), "standard input")
    try:
        return parse_plan(Path(name).read_text(encoding="utf-8"), name)
    except OSError as error:
        raise ClientError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ClientError(f"{name} is not text in UTF-8") from None


def _spread(arguments: argparse.Namespace, cluster: Cluster) -> Replicas:
    from kafkapy.client.nodes import describe_nodes
    from kafkapy.client.spreading import spread

    nodes = {node.broker_id: node for node in describe_nodes(cluster).nodes}
    for broker in arguments.to:
        if broker not in nodes:
            raise ClientError(f"there is no broker {broker} in the cluster: there is {_ids(sorted(nodes))}")
        if nodes[broker].is_fenced:
            raise ClientError(f"broker {broker} is fenced, so that nothing can move there: start it, or leave it out")
    present = _chosen(arguments, cluster)
    for partition, replicas in present.items():
        wanted = arguments.replication_factor or len(replicas)
        if wanted > len(arguments.to):
            raise ClientError(
                f"partition {_name(partition)} should have {counted(wanted, 'replica')}, and --to names "
                f"{counted(len(arguments.to), 'broker')}: name more, or add --replication-factor {len(arguments.to)}"
            )
    racks = {broker: node.rack for broker, node in nodes.items()}
    return spread(present, arguments.to, racks, arguments.replication_factor)


def _chosen(arguments: argparse.Namespace, cluster: Cluster) -> Replicas:
    """The partitions that `--topic` names, all without, and where they are: as far as they move, where they will be."""
    from kafkapy.client.offsets import named_partitions

    if arguments.topic is None:
        present = present_replicas(cluster)
    else:
        partitions = named_partitions(cluster, arguments.topic, complete=False)
        all_of_them = present_replicas(cluster, {topic for topic, _ in partitions})
        present = {partition: all_of_them[partition] for partition in partitions if partition in all_of_them}
    moving = moves_under_way(cluster, list(present)) if present else {}
    return {one: moving[one].target if one in moving else replicas for one, replicas in present.items()}


def _require_existing(planned: Replicas, present: Replicas) -> None:
    for topic, index in sorted(planned):
        if (topic, index) not in present:
            raise ClientError(f"topic {topic!r} has no partition {index}")


def _execute(arguments: argparse.Namespace, cluster: Cluster, changed: Replicas, present: Replicas) -> int:
    if changed and arguments.throttle is not None:
        from kafkapy.client.throttles import routes, throttle

        throttle(cluster, routes(changed, present, moves_under_way(cluster)), arguments.throttle)
    refused = begin_moves(cluster, changed) if changed else {}
    moving = [partition for partition in sorted(changed) if partition not in refused]
    is_done = not moving
    if moving and arguments.wait is not None:
        is_done = not _wait(cluster, moving, arguments.wait)
    if wants_json(arguments):
        print_json({"begun": _partitions_json(moving), "refused": _refused_json(refused)})
    elif moving and arguments.wait is not None and is_done:
        print(f"moved {counted(len(moving), 'partition')}")
    elif moving:
        print(f"moving {counted(len(moving), 'partition')}: `kafkapy cluster reassign --list` shows what is under way")
        if arguments.throttle is not None:
            print("the throttle holds until `kafkapy cluster reassign --verify` finds that nothing moves any more")
    elif not refused:
        print("all partitions are where they should be")
    if is_done:
        _take_throttles_away(arguments, cluster, {topic for topic, _ in changed})
    _complain_of(refused)
    if moving and arguments.wait is not None and not is_done:
        complain("cluster reassign", f"not all partitions have moved within {arguments.wait:g} s; they go on moving")
    return 0 if not refused and (is_done or arguments.wait is None) else 1


def _wait(cluster: Cluster, partitions: Sequence[Partition] | None, seconds: float) -> dict[Partition, Move]:
    """What still moves of these partitions, of all with None, when it is done, or the time is over."""
    deadline = Deadline(seconds)
    while (moving := moves_under_way(cluster, partitions)) and not deadline.is_over():
        time.sleep(min(LOOK_SECONDS, deadline.remaining()))
    return moving


def _take_throttles_away(arguments: argparse.Namespace, cluster: Cluster, topics: Collection[str]) -> None:
    """The moves of these topics are over. Throttles are for a topic, and for a broker: other moves need theirs."""
    if arguments.preserve_throttles or not topics or moves_under_way(cluster):
        return
    from kafkapy.client.throttles import take_throttles_away

    throttled = take_throttles_away(cluster, topics)
    if throttled and not wants_json(arguments):
        print(f"took away the throttles of {counted(len(throttled), 'topic')} and of all brokers")


def _verify_all(arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Without a plan: whether anything moves."""
    from kafkapy.client.topics import list_topics

    moving = _wait(cluster, None, arguments.wait or 0)
    _show_moves(arguments, moving)
    if not moving:
        topics = [topic.name or "" for topic in list_topics(cluster, include_internal=True)]
        _take_throttles_away(arguments, cluster, topics)
    return 1 if moving else 0


def _verify(arguments: argparse.Namespace, cluster: Cluster, planned: Replicas) -> int:
    moving = _wait(cluster, sorted(planned), arguments.wait or 0)
    present = present_replicas(cluster, {topic for topic, _ in planned})
    _require_existing(planned, present)
    states: dict[Partition, str] = {}
    for partition, replicas in sorted(planned.items()):
        if partition in moving:
            states[partition] = "moving"
        else:
            states[partition] = "done" if present[partition] == replicas else "elsewhere"
    is_done = set(states.values()) == {"done"}
    if wants_json(arguments):
        print_json(
            [
                {"topic": topic, "partition": index, "state": state, "replicas": present[topic, index]}
                for (topic, index), state in states.items()
            ]
        )
    else:
        rows = [[_name(one), state, _ids(present[one]), _ids(planned[one])] for one, state in states.items()]
        print_table(["PARTITION", "STATE", "REPLICAS", "PLAN"], rows)
    if is_done:
        _take_throttles_away(arguments, cluster, {topic for topic, _ in planned})
    return 0 if is_done else 1


def _list(arguments: argparse.Namespace, cluster: Cluster) -> int:
    _show_moves(arguments, moves_under_way(cluster))
    return 0


def _show_moves(arguments: argparse.Namespace, moving: Mapping[Partition, Move]) -> None:
    if wants_json(arguments):
        print_json(
            [
                {
                    "topic": topic,
                    "partition": index,
                    "replicas": move.replicas,
                    "adding_replicas": move.adding,
                    "removing_replicas": move.removing,
                }
                for (topic, index), move in sorted(moving.items())
            ]
        )
    elif moving:
        rows = [
            [_name(one), _ids(move.replicas), _ids(move.adding) or None, _ids(move.removing) or None]
            for one, move in sorted(moving.items())
        ]
        print_table(["PARTITION", "REPLICAS", "ADDING", "REMOVING"], rows)
    else:
        print("no partition moves")


def _cancel(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.offsets import named_partitions

    chosen: list[Partition] | None = None
    if arguments.plan is not None:
        chosen = sorted(_read_plan(arguments.plan))
    elif arguments.topic is not None:
        chosen = named_partitions(cluster, arguments.topic, complete=False)
    moving = sorted(moves_under_way(cluster, chosen))
    refused = begin_moves(cluster, dict.fromkeys(moving)) if moving else {}
    cancelled = [partition for partition in moving if partition not in refused]
    if wants_json(arguments):
        print_json({"cancelled": _partitions_json(cancelled), "refused": _refused_json(refused)})
    else:
        for partition in cancelled:
            print(f"cancelled the move of partition {_name(partition)}")
        if not moving:
            print("no partition moves")
    _take_throttles_away(arguments, cluster, {topic for topic, _ in chosen or cancelled})
    _complain_of(refused)
    return 1 if refused else 0


def _complain_of(refused: Mapping[Partition, str]) -> None:
    for partition, why in refused.items():
        complain("cluster reassign", f"partition {_name(partition)}: {why}")


def _partitions_json(partitions: Sequence[Partition]) -> list[dict[str, object]]:
    return [{"topic": topic, "partition": index} for topic, index in partitions]


def _refused_json(refused: Mapping[Partition, str]) -> list[dict[str, object]]:
    return [{"topic": topic, "partition": index, "error": why} for (topic, index), why in refused.items()]


def _name(partition: Partition) -> str:
    return f"{partition[0]}-{partition[1]}"


def _ids(brokers: Sequence[int]) -> str:
    return ",".join(map(str, brokers))
