"""A request context around a group coordinator without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import trio

from kafkapy.broker import Broker
from kafkapy.context import Client, RequestContext
from kafkapy.pending import Pending, settled
from kafkapy.quotas.client_quotas import ClientQuotas
from kafkapy.told_clients import ToldClients
from kafkapy_controller.image import BrokerImage, Endpoint
from kafkapy_wire.uuid import ZERO_UUID, Uuid
from tests.apis.topic_lab import Absent
from tests.coordinators.group_lab import GroupLab

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


Q = TypeVar("Q")
R = TypeVar("R")

NODE_ID = 1
HOST, PORT = "broker.example", 19_092
TOPIC_ID = Uuid(b"t" * 16)
UNKNOWN_ID = Uuid(b"?" * 16)


class ReadyShareCoordinator:
    """This broker coordinates every share partition."""

    def when_ready(self, _key: object) -> Pending[None]:
        return settled(None)

    def coordinator_of(self, _key: object) -> int:
        return NODE_ID


def make_context(version: int, lab: GroupLab | None = None, *, client_id: str | None = "client") -> RequestContext:
    """What a handler reads: the node's groups, its metadata with the topic `t` of two partitions, the connection."""
    lab = lab or make_lab()
    absent: Any = Absent()
    transactions: Any = lab.groups  # only `when_ready` is asked of it, as of the group coordinator
    metadata: Any = lab.metadata
    share_coordinator: Any = ReadyShareCoordinator()
    broker = Broker(
        node_id=NODE_ID,
        cluster_id="a-cluster",
        clock=lab.clock,
        settings=lab.settings,
        metadata=metadata,
        controller=absent,
        quorum=absent,
        to_controller=absent,
        partitions=absent,
        directories=absent,
        checkpoints=absent,
        flusher=absent,
        disk=absent,
        fetch_sessions=absent,
        replication=absent,
        groups=lab.groups,
        transactions=transactions,
        share_coordinator=share_coordinator,
        client_metrics=absent,
        sharing=absent,
        enlister=absent,
        markers=absent,
        producer_ids=absent,
        told_clients=ToldClients(lab.clock, lab.settings, print),
        refused_topics=absent,
        quotas=ClientQuotas(lab.settings, lab.clock),
    )
    context = RequestContext(broker, Client("PLAINTEXT", "::1", 50_000, "::1"))
    context.api_version = version
    context.client_id = client_id
    return context


def answer(
    handle: Callable[[Q, RequestContext], Pending[R] | Coroutine[object, object, R]],
    request: Q,
    context: RequestContext,
    *,
    ready: bool = True,
) -> R:
    """What a handler answers in the end, with the background of the context's group coordinator at work.

    `ready` has its topic created before, as clients do, which look for the coordinator first.
    """
    groups = context.broker.groups

    async def ask() -> R:
        if ready:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(groups.run)
                await groups.when_ready("a-group").wait()
                nursery.cancel_scope.cancel()
        pending = handle(request, context)
        if not isinstance(pending, Pending):
            return await pending
        if not pending.settled:
            there = trio.Event()
            pending.when_settled(lambda _: there.set())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(groups.run)
                await there.wait()
                nursery.cancel_scope.cancel()
        return pending.result()

    return trio.run(ask)


def make_lab() -> GroupLab:
    lab = GroupLab()
    lab.add_topic("t", 2, TOPIC_ID)
    endpoints = {"PLAINTEXT": Endpoint("PLAINTEXT", HOST, PORT, 0)}
    broker = BrokerImage(NODE_ID, 1, ZERO_UUID, endpoints, {}, fenced=False)
    lab.metadata.image = lab.metadata.image._replace(brokers={NODE_ID: broker})
    return lab
