"""A node with a topic, a share group, and a clock moved by hand."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.clock import ManualClock
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.sharing.share_member import GROUP, ShareMember, set_group
from tests.shell.running_node import Client, connect, running_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from kafkapy.node import Node
    from kafkapy_wire.uuid import Uuid

AT_ONCE = {"group.share.assignment.interval.ms": "0", "group.share.min.assignment.interval.ms": "0"}


class Stage(NamedTuple):
    node: Node
    client: Client
    clock: ManualClock
    topic_id: Uuid

    def member(self, name: str = "alice") -> ShareMember:
        return ShareMember(self.client, self.topic_id, name)


@asynccontextmanager
async def stage(
    path: Path, settings: dict[str, str] | None = None, strict: Iterable[str] = (), **group: str
) -> AsyncIterator[Stage]:
    """A node with a topic `t`, and a group that begins at its beginning."""
    clock = ManualClock()
    async with (
        running_node(path, {**AT_ONCE, **(settings or {})}, clock=clock, strict=strict) as node,
        connect(node) as client,
    ):
        topic_id = await client.create_topic("t")
        given = {name.replace("_", "."): value for name, value in group.items()}
        await set_group(client, {"share.auto.offset.reset": "earliest", **given})
        await coordinated(client)
        yield Stage(node, client, clock, topic_id)


async def coordinated(client: Client) -> None:
    """The group has a coordinator: whoever asks for it first has its topic made."""
    code = None
    while code != ErrorCode.NONE:
        answer = await client.ask(FindCoordinatorRequest(coordinator_keys=[GROUP]), FindCoordinatorResponse)
        code = answer.coordinators[0].error_code


async def produce(client: Client, count: int) -> None:
    now_ms = int(time.time() * 1_000)  # retention deletes what is old
    await client.produce("t", *[b"value"] * count, timestamp=now_ms)


def lead_anew(on: Stage, rise: int) -> None:
    """The metadata say that the node leads `t` in an epoch that is higher by `rise`."""
    state = on.node.broker.metadata.image.topics["t"].partitions[0]
    again = state._replace(leader_epoch=state.leader_epoch + rise, partition_epoch=state.partition_epoch + rise)
    on.node.broker.partitions.leader("t", 0).become(again, now_ms=on.clock.now_ms())
