"""A node with a fault engine, and requests to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kafkapy.faults import FaultEngine
from kafkapy.node import Node
from kafkapy_wire.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from kafkapy_wire.uuid import Uuid
from tests.shell.running_node import (
    Client,
    batch,
    connect,
    running_node,
)


@asynccontextmanager
async def node_with_faults(directory: Path) -> AsyncIterator[tuple[FaultEngine, Node, Client]]:
    """With the topics orders, of three partitions, and others."""
    engine = FaultEngine()
    async with running_node(directory, faults=engine) as node, connect(node) as client:
        await client.create_topic("orders", partitions=3)
        await client.create_topic("others")
        yield engine, node, client
        assert node.bugs.count == 0
        assert engine.bugs.count == 0


def produce_to(*partitions: tuple[str, int], acks: int = -1, ids: dict[str, Uuid] | None = None) -> ProduceRequest:
    """A record to each of them."""
    topics: dict[str, TopicProduceData] = {}
    for name, index in partitions:
        topic = topics.setdefault(
            name, TopicProduceData(name=name) if ids is None else TopicProduceData(topic_id=ids[name])
        )
        topic.partition_data.append(PartitionProduceData(index=index, records=batch([f"{name}-{index}".encode()])))
    return ProduceRequest(acks=acks, timeout_ms=1_000, topic_data=list(topics.values()))


def errors_of(response: ProduceResponse) -> dict[tuple[str, int], int]:
    return {
        (topic.name, one.index): one.error_code for topic in response.responses for one in topic.partition_responses
    }


async def stored(client: Client) -> list[bytes | None]:
    return [value for index in range(3) for value in await client.values("orders", index)] + await client.values(
        "others"
    )
