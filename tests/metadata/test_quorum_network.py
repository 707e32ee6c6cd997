"""What the quorum sends to other nodes, and who is waited for at the end."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing

from kafkapy.metadata.quorum_network import QuorumNetwork
from kafkapy.peers import PeerUnavailable
from kafkapy_controller.raft.messages import EndQuorumEpoch, Fetch, Request
from kafkapy_controller.raft.quorum import Answered, Event, Failed, Send
from kafkapy_controller.voters import ReplicaKey
from kafkapy_wire.message import Message
from kafkapy_wire.messages.end_quorum_epoch import (
    EndQuorumEpochResponse,
    EndQuorumEpochResponsePartitionData,
    EndQuorumEpochResponseTopicData,
)
from kafkapy_wire.uuid import ZERO_UUID
from tests.shell.running_node import trio_test

FAREWELL = EndQuorumEpoch(1, 7, (ReplicaKey(2, ZERO_UUID), ReplicaKey(3, ZERO_UUID)), ())
ANSWER = EndQuorumEpochResponse(
    topics=[
        EndQuorumEpochResponseTopicData(
            topic_name="__cluster_metadata",
            partitions=[EndQuorumEpochResponsePartitionData(leader_id=1, leader_epoch=7)],
        )
    ]
)


class Others:
    """The other nodes: requests wait until `may_answer` is set; a node in `gone` cannot be reached."""

    def __init__(self, *gone: int) -> None:
        self.may_answer = trio.Event()
        self.gone = gone
        self.asked: list[tuple[int, Message]] = []

    def at(self, _host: str, port: int, _purpose: str) -> Any:
        others = self

        class Peer:
            async def ask(self, request: Message, *, timeout_ms: float) -> Message:
                assert timeout_ms > 0
                if port in others.gone:
                    raise PeerUnavailable("nobody is there")
                others.asked.append((port, request))
                await others.may_answer.wait()
                return ANSWER

        return Peer()


class Quorum:
    leader_id = 1
    leader_endpoints = ()

    class membership:  # noqa: N801  # only asked for voters that it does not have
        @staticmethod
        def voter(_node_id: int) -> None:
            return None


def network(others: Others, events: list[Event]) -> QuorumNetwork:
    quorum: Any = Quorum
    peers: Any = others
    made = QuorumNetwork(
        quorum,
        peers,
        cluster_id="c",
        listener_name="CONTROLLER",
        bootstrap_servers=(),
        request_timeout_ms=1_000,
        registered=lambda node_id: ("host", node_id),
    )
    made.step = events.append
    return made


@trio_test
async def test_a_node_that_leaves_waits_for_the_answers_to_what_it_has_just_sent() -> None:
    """Also to requests that no task has begun to send: the successors must hear that the leader has resigned."""
    others, events = Others(), list[Event]()
    made, drained = network(others, events), trio.Event()

    async def leave() -> None:
        for node_id in (2, 3):
            made.send(Send(node_id, FAREWELL))
        await made.drain(60)
        drained.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(leave)
        await trio.testing.wait_all_tasks_blocked()
        assert not drained.is_set()
        assert sorted(port for port, _ in others.asked) == [2, 3]
        others.may_answer.set()
        with trio.fail_after(60):
            await drained.wait()
        assert [type(event) for event in events] == [Answered, Answered]
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_fetch_that_waits_for_records_holds_up_no_leaving_node() -> None:
    others, events = Others(), list[Event]()
    made = network(others, events)
    fetch: Request = Fetch(ReplicaKey(1, ZERO_UUID), 7, 0, 0, 0, 500)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        await trio.testing.wait_all_tasks_blocked()
        made.send(Send(2, fetch))
        with trio.fail_after(60):
            await made.drain(60)
        nursery.cancel_scope.cancel()


@trio_test
async def test_whether_anybody_is_left_who_could_lead() -> None:
    others, events = Others(2), list[Event]()
    made = network(others, events)
    others.may_answer.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        await trio.testing.wait_all_tasks_blocked()
        for node_id in (2, 3):
            made.send(Send(node_id, FAREWELL))
        await made.drain(60)
        assert {type(event) for event in events} == {Answered, Failed}
        assert not made.reaches_any([2])
        assert made.reaches_any([2, 3])
        nursery.cancel_scope.cancel()
