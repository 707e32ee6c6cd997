"""A fresh cluster within milliseconds, and named states to go back to. Ports stay what they are."""

from __future__ import annotations

import re
import shutil
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import trio

from kafkapy.cluster import MemberChanges
from kafkapy.control.members import join_all, set_rack
from kafkapy.control.membership import (
    begin_again_with_first_members,
    delete_directories,
    go_back_to_members,
    unregister_strangers,
)
from kafkapy.control.nodes import check
from kafkapy.control.seeding import apply_seed_at_start, seed_of
from kafkapy.control.topics import create_topic
from kafkapy_controller.decision import RECORDS_PER_DECISION_MAX, Decision, Steps
from kafkapy_controller.image_difference import difference
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kafkapy.control.nodes import Beginning, ControlledNodes
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.metadata_records import MetadataRecord

TIMEOUT_MS = 10_000
NAME_CHARACTERS_MAX = 60
_SNAPSHOT_NAME = re.compile(rf"\w[\w. -]{{0,{NAME_CHARACTERS_MAX - 1}}}")
SET = 0
DELETE = 1
TOPIC_RESOURCE = 2
LEFT_OUT = shutil.ignore_patterns("*-delete", "*.deleted", "*.cleaned", "*.tmp")
"""What worker threads are deleting or making: a start deletes them, too."""


async def reset(nodes: ControlledNodes) -> None:
    """Bring the cluster back to its start: only the topics that it began with, and these as they were (empty, or
    as its seed has them), no other groups, no transactions, no faults, an empty recording; settings, users, ACLs,
    quotas, delegation tokens and features as they were.

    Nodes that were added are gone, those that were removed are back, and empty. Those that were stopped, killed or
    paused run, in their first racks, cut links are healed, every broker has its part
    in the cluster again, and time goes with the machine's again. Ports and connections stay: a client that is still
    there finds that its topics are gone. A cluster that began with a directory is killed and begins with it again:
    connections break.
    """
    async with nodes.changing_all:
        nodes.faults.start_over()
        nodes.recording.clear()
        nodes.clocks.reset()
        nodes.kept_out.clear()
        for node in nodes.running():
            node.resume()
            node.peers.heal_all()
        if nodes.origin is None:
            await begin_again_with_first_members(nodes)
            await nodes.start(nodes.changing)
            await join_all(nodes)
            await unregister_strangers(nodes)
            for node in nodes.running():
                node.parts.loggers.restore()
            for node in nodes.brokers:
                if node.broker.strictness is not None:  # a test of retries wants the first time again
                    node.broker.producer_ids.begin_anew()
                if node.broker.new_topics is not None:
                    node.broker.new_topics.clear()
                node.broker.client_metrics.received.clear()
            await _bring_back_racks(nodes)
            await _delete_topics(nodes)
            for node in nodes.brokers:  # else tests leave more in a minute than a stop has time to delete
                node.housekeeping.remove_deleted_soon()
            await _forget_settings(nodes)
            await _forget_who_may_what(nodes)
        else:
            await _go_back_to(nodes, nodes.origin)
        await create_topics_of_start(nodes)
        await apply_seed_at_start(nodes)


async def begin_test(nodes: ControlledNodes) -> None:
    """As `reset`, for another test: nothing is left of what the one before has begun with, or kept."""
    async with nodes.changing_all:
        nodes.topics_at_start, nodes.seed_at_start = {}, None
        shutil.rmtree(nodes.snapshots, ignore_errors=True)
    await reset(nodes)
    nodes.faults.forget()


async def begin_with(
    nodes: ControlledNodes,
    topics: Mapping[str, int | Mapping[str, object]],
    seed: str | Mapping[str, Any] | None = None,
) -> None:
    """Make topics and apply a seed as if the cluster had begun with them: `reset` makes them anew, these and no others.

    Raises KafkaError: a topic is refused; InvalidSeed.
    """
    parsed = None if seed is None else await trio.to_thread.run_sync(seed_of, seed)
    async with nodes.changing_all:
        nodes.topics_at_start, nodes.seed_at_start = topics, parsed
        await create_topics_of_start(nodes)
        await apply_seed_at_start(nodes)


async def _go_back_to(nodes: ControlledNodes, origin: Beginning) -> None:
    """Connections break."""
    async with nodes.none_running(killed=True):
        go_back_to_members(nodes, nodes.members_at_start)
        for member in nodes.members_at_start:
            nodes.cluster.move_to_rack(member.node_id, member.rack)
        await trio.to_thread.run_sync(
            origin.restore_to, nodes.cluster.directory_of(nodes.cluster.members[0].node_id).parent
        )
    await origin.settle(nodes)


async def _bring_back_racks(nodes: ControlledNodes) -> None:
    racks = {member.node_id: member.rack for member in nodes.cluster.members}
    for member in nodes.members_at_start:
        if racks[member.node_id] != member.rack:
            await set_rack(nodes, member.node_id, member.rack)


async def create_topics_of_start(nodes: ControlledNodes) -> None:
    for name, wanted in nodes.topics_at_start.items():
        await create_topic(nodes, name, **({"partitions": wanted} if isinstance(wanted, int) else wanted))  # type: ignore[arg-type]


async def _delete_topics(nodes: ControlledNodes) -> None:
    """All of them, the coordinators' own, too: groups and transactions go with these."""
    names = list(nodes.image.topics)
    if not names:
        return
    wanted = [DeleteTopicState(name=name) for name in names]
    answer = await nodes.ask_controller(DeleteTopicsRequest(topics=wanted, timeout_ms=TIMEOUT_MS), DeleteTopicsResponse)
    for topic in answer.responses:
        check(topic.error_code, topic.error_message)
    await nodes.follow()


async def _forget_settings(nodes: ControlledNodes) -> None:
    """Undo what was changed since the start, resource by resource."""
    resources = []
    for (kind, name), settings in nodes.image.configs.items():
        if kind == TOPIC_RESOURCE:
            continue
        before = nodes.image_at_start.resource_configs(kind, name)
        changes = [AlterableConfig(name=each, config_operation=DELETE) for each in settings.keys() - before.keys()] + [
            AlterableConfig(name=each, config_operation=SET, value=value)
            for each, value in before.items()
            if settings.get(each) != value
        ]
        if changes:
            resources.append(AlterConfigsResource(resource_type=kind, resource_name=name, configs=changes))
    if not resources:
        return
    answer = await nodes.ask_controller(
        IncrementalAlterConfigsRequest(resources=resources), IncrementalAlterConfigsResponse
    )
    for response in answer.responses:
        check(response.error_code, response.error_message)
    await nodes.follow()


async def _forget_who_may_what(nodes: ControlledNodes) -> None:
    """Users, ACLs, quotas, delegation tokens and the levels of features, back to those of the start."""
    while any(True for _ in _to_the_start(nodes, nodes.image)):
        wanted = "the active controller to go back to the users, ACLs and quotas of the start"
        await nodes.decide(partial(_decide_the_start, nodes), wanted)
        await nodes.follow()


def _decide_the_start(nodes: ControlledNodes, image: MetadataImage) -> Steps[Decision[None]]:
    yield
    return Decision(list(islice(_to_the_start(nodes, image), RECORDS_PER_DECISION_MAX)), None)


def _to_the_start(nodes: ControlledNodes, image: MetadataImage) -> Iterator[MetadataRecord]:
    """Records that are not there where nothing has changed."""
    start = nodes.image_at_start
    return difference(
        image,
        image._replace(
            features=start.features,
            client_quotas=start.client_quotas,
            scram_credentials=start.scram_credentials,
            acls=start.acls,
            delegation_tokens=start.delegation_tokens,
        ),
    )


async def take_snapshot(nodes: ControlledNodes, name: str) -> None:
    """Keep the present state of all nodes under a name, in place of an earlier one of that name.

    A single node serves nothing while its files are copied, so the state is that of one moment, and connections stay.
    The nodes of a larger cluster are stopped in order and started again: connections break. Snapshots stay over a
    `reset`. Raises ValueError: its name cannot be one; IsThisProcess: nobody could go back to it.
    """
    target = _snapshot_path(nodes, name)
    nodes.cluster.check_can_restart("no snapshot is taken, as nothing could go back to it")
    async with nodes.changing_all:
        if len(nodes.changing) > 1:
            async with nodes.none_running(killed=False):
                _copy_nodes(nodes, target)
        else:
            _copy_nodes(nodes, target)


def _copy_nodes(nodes: ControlledNodes, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    nodes.cluster.changes.write(target, fsync=False)
    for node_id in nodes.changing:
        source = nodes.cluster.directory_of(node_id)
        if source.is_dir():
            shutil.copytree(source, target / source.name, ignore=LEFT_OUT)


async def restore_snapshot(nodes: ControlledNodes, name: str) -> None:
    """Go back to a snapshot: nodes are killed and start again from its files, at their addresses. Those that were added
    since are gone, and those that were removed are back.

    Connections break; clients make them anew. Raises LookupError: there is no such snapshot.
    """
    source = _snapshot_path(nodes, name)
    nodes.cluster.check_can_restart("nothing can go back to a snapshot")
    if not source.is_dir():
        raise LookupError(
            f"there is no snapshot {name!r}; there are: {', '.join(await list_snapshots(nodes)) or 'none'}"
        )
    async with nodes.changing_all, nodes.none_running(killed=True):
        await delete_directories(nodes, nodes.changing)
        changes = MemberChanges.read(source)
        go_back_to_members(nodes, changes.applied_to(nodes.cluster.started_with, source))
        for node_id in nodes.changing:
            target = nodes.cluster.directory_of(node_id)
            if (source / target.name).is_dir():
                shutil.copytree(source / target.name, target)
        nodes.clocks.reset()


async def list_snapshots(nodes: ControlledNodes) -> list[str]:
    """The names of the snapshots, in order."""
    return sorted(path.name for path in nodes.snapshots.iterdir()) if nodes.snapshots.is_dir() else []


def _snapshot_path(nodes: ControlledNodes, name: str) -> Path:
    """Raises ValueError: there can be no directory of this name, or it would be elsewhere."""
    if not isinstance(name, str) or not _SNAPSHOT_NAME.fullmatch(name):
        raise ValueError(
            f"{str(name)[:NAME_CHARACTERS_MAX]!r} is no name for a snapshot: up to {NAME_CHARACTERS_MAX} letters, "
            "digits, dashes, dots and spaces are, with a letter or digit first"
        )
    return nodes.snapshots / name
