"""Clients that come and go leave no object behind, whatever they were doing when they went."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio

from kafkapy.node import Node
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import Client, connect, fetch_request, running_node, trio_test, until_parked

FOR_EVER_MS = 1 << 30
LONGER_THAN_FILES_ARE_KEPT_MS = 61_000  # file.delete.delay.ms
WARM_UP, ROUNDS = 8, 40
BOUNDED = {"Timer"}  # a heap keeps some that were cancelled
ALSO_COUNTED = {"coroutine", "Task", "socket", "bytearray", "memoryview"}

Visit = Callable[[Node, Client, int], Awaitable[None]]
"""With a client that stays: what another one does, and goes."""


async def comes_and_goes(node: Node, _client: Client, _round: int) -> None:
    async with connect(node):
        pass


async def goes_within_a_frame(node: Node, _client: Client, _round: int) -> None:
    async with connect(node) as visitor:
        await visitor.stream.send_all((1_000).to_bytes(4, "big") + bytes(100))


async def speaks_another_protocol(node: Node, _client: Client, _round: int) -> None:
    async with connect(node) as visitor:
        await visitor.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        assert await visitor.closed_by_broker()


async def fetches(node: Node, _client: Client, _round: int) -> None:
    async with connect(node) as visitor:
        await visitor.fetch("orders", 0)


async def hangs_up_while_its_fetch_waits(node: Node, client: Client, _round: int) -> None:
    wanted = fetch_request({"orders": {0: await client.offset("orders", -1), 1: 0}}, max_wait_ms=FOR_EVER_MS)
    async with connect(node) as visitor:
        await visitor.send(wanted, 12)
        await until_parked(node)


async def hangs_up_behind_requests_that_wait(node: Node, client: Client, _round: int) -> None:
    wanted = fetch_request({"orders": {0: await client.offset("orders", -1)}}, max_wait_ms=FOR_EVER_MS)
    async with connect(node) as visitor:
        for _ in range(3):
            await visitor.send(wanted, 12)
        await until_parked(node)
    await client.produce("orders", b"answers the first; the next one finds records, too")


async def reads_none_of_its_answers(node: Node, _client: Client, _round: int) -> None:
    async with connect(node) as visitor:
        for _ in range(20):
            await visitor.send(fetch_request({"large": {0: 0}}), 12)
        await until_parked(node)


async def waits_at_a_topic_that_goes(node: Node, client: Client, round_: int) -> None:
    topic = f"topic-{round_}"
    await client.create_topic(topic, 2)
    async with connect(node) as visitor:
        await visitor.send(fetch_request({topic: {0: 0}}, max_wait_ms=FOR_EVER_MS), 12)
        await until_parked(node)
        await client.ask(MetadataRequest(topics=None), MetadataResponse)
        await client.delete_topic(topic)
        await visitor.receive(FetchResponse)
    node.clock.advance(LONGER_THAN_FILES_ARE_KEPT_MS)


async def joins_a_group_and_leaves_it(node: Node, client: Client, round_: int) -> None:
    group = f"group-{round_}"
    request = JoinGroupRequest(
        group_id=group,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        protocol_type="any",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )
    async with connect(node) as visitor:
        await visitor.find_coordinator(group)
        request.member_id = (await visitor.ask(request, JoinGroupResponse)).member_id
        joined = await visitor.ask(request, JoinGroupResponse)
        assert joined.error_code == ErrorCode.NONE
        leaving = LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id=joined.member_id)])
        await visitor.ask(leaving, LeaveGroupResponse)
    deleted = await client.ask(DeleteGroupsRequest(groups_names=[group]), DeleteGroupsResponse)
    assert deleted.results[0].error_code == ErrorCode.NONE


VISITS: tuple[Visit, ...] = (
    comes_and_goes,
    goes_within_a_frame,
    speaks_another_protocol,
    fetches,
    hangs_up_while_its_fetch_waits,
    hangs_up_behind_requests_that_wait,
    reads_none_of_its_answers,
    waits_at_a_topic_that_goes,
    joins_a_group_and_leaves_it,
)


@pytest.fixture(autouse=True)
def _nothing_is_logged() -> Iterator[None]:
    """What is captured keeps the connections that it tells of, and a session's Kafka may have set levels to INFO."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def objects() -> Counter[str]:
    """How many objects of each class of ours exist. (A class of an extension may have a descriptor as `__module__`.)"""
    gc.collect()
    return Counter(
        kind.__qualname__
        for kind in map(type, gc.get_objects())
        if kind.__qualname__ not in BOUNDED
        and (str(kind.__module__).startswith("kafkapy") or kind.__qualname__ in ALSO_COUNTED)
    )


async def until_all_have_gone(node: Node) -> None:
    while len(node.server.connections) > 1:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.__name__)
@trio_test
async def test_nothing_is_left_of_a_client_that(tmp_path: Path, visit: Visit) -> None:
    settings = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1"}
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        await client.produce("orders", b"first")
        await client.create_topic("large")
        for _ in range(10):
            await client.produce("large", bytes(900_000))
        for round_ in range(WARM_UP):
            await visit(node, client, round_)
        await until_all_have_gone(node)
        before = objects()
        for round_ in range(WARM_UP, WARM_UP + ROUNDS):
            await visit(node, client, round_)
        await until_all_have_gone(node)
        left = objects() - before
        assert all(count < ROUNDS // 4 for count in left.values()), left
