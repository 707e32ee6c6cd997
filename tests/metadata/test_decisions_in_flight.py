"""Decisions that come while others wait for the disk see what those have decided."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.node import Node
from kafkapy_controller.image import ConfigResourceType
from kafkapy_log import Flush
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_configs import (
    AlterableConfig as OldAlterableConfig,
)
from kafkapy_wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResponse,
)
from kafkapy_wire.messages.alter_configs import (
    AlterConfigsResource as OldAlterConfigsResource,
)
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.shell.running_node import Client, connect, running_node, trio_test, until_parked

TOPIC, BROKER = ConfigResourceType.TOPIC, ConfigResourceType.BROKER
APPEND = 2


class HeldDisk:
    """Every flush waits until `release`. A flush that nobody lets go would hang the test, which has its own limit."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()

    def sync(self, _flush: Flush, **_options: bool) -> None:
        assert self._free.wait(10)

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> HeldDisk:
    held = HeldDisk()
    monkeypatch.setattr(Flush, "sync", lambda flush, **options: held.sync(flush, **options))
    return held


@asynccontextmanager
async def node_and_clients(directory: Path, count: int) -> AsyncIterator[tuple[Node, list[Client]]]:
    async with running_node(directory, durable=True) as node, AsyncExitStack() as stack:
        yield node, [await stack.enter_async_context(connect(node)) for _ in range(count)]


async def all_decided(node: Node, disk: HeldDisk, clients: list[Client], requests: list[Message]) -> None:
    """Have each client's request decided, one after the other, while the disk is held; then let it go on."""
    disk.hold()
    for count, (client, request) in enumerate(zip(clients, requests, strict=True), 1):
        await client.send(request)
        with trio.fail_after(60):
            await until_parked(node, count)
    disk.release()


def append_to(resource_type: int, name: str, setting: str, value: str) -> IncrementalAlterConfigsRequest:
    change = AlterableConfig(name=setting, config_operation=APPEND, value=value)
    resource = AlterConfigsResource(resource_type=resource_type, resource_name=name, configs=[change])
    return IncrementalAlterConfigsRequest(resources=[resource])


@pytest.mark.parametrize(
    ("resource_type", "name", "setting", "values"),
    [
        (TOPIC, "t", "leader.replication.throttled.replicas", [f"{n}:1" for n in range(5)]),
        (BROKER, "", "log.cleanup.policy", ["compact"]),
        (BROKER, "1", "metric.reporters", [f"reporter{n}" for n in range(5)]),
    ],
)
def test_all_concurrent_appends_to_one_list_survive(
    tmp_path: Path, disk: HeldDisk, resource_type: int, name: str, setting: str, values: list[str]
) -> None:
    @trio_test
    async def test() -> None:
        async with node_and_clients(tmp_path, len(values)) as (node, clients):
            await clients[0].create_topic("t")
            requests: list[Message] = [append_to(resource_type, name, setting, value) for value in values]
            await all_decided(node, disk, clients, requests)
            for client in clients:
                response = await client.receive(IncrementalAlterConfigsResponse)
                assert response.responses[0].error_code == ErrorCode.NONE, response
            stored = node.broker.metadata.image.resource_configs(resource_type, name)[setting]
            assert set(values) <= set(stored.split(","))

    test()


def delete(name: str) -> DeleteTopicsRequest:
    return DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], timeout_ms=10_000)


def set_one(name: str, setting: str, value: str) -> AlterConfigsRequest:
    config = OldAlterableConfig(name=setting, value=value)
    return AlterConfigsRequest(
        resources=[OldAlterConfigsResource(resource_type=TOPIC, resource_name=name, configs=[config])]
    )


def test_a_topic_that_is_being_deleted_takes_no_settings(tmp_path: Path, disk: HeldDisk) -> None:
    @trio_test
    async def test() -> None:
        async with node_and_clients(tmp_path, 2) as (node, clients):
            first, second = clients
            await first.create_topic("t")
            await all_decided(node, disk, clients, [delete("t"), set_one("t", "retention.ms", "7")])
            deleted = await first.receive(DeleteTopicsResponse)
            altered = await second.receive(AlterConfigsResponse)
            assert deleted.responses[0].error_code == ErrorCode.NONE
            assert altered.responses[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            await first.create_topic("t")
            assert node.broker.metadata.image.resource_configs(TOPIC, "t") == {}

    test()


def test_a_topic_that_is_being_deleted_does_not_grow_and_can_be_made_anew(tmp_path: Path, disk: HeldDisk) -> None:
    @trio_test
    async def test() -> None:
        async with node_and_clients(tmp_path, 3) as (node, clients):
            first, second, third = clients
            old_id = await first.create_topic("t")
            grow = CreatePartitionsRequest(
                topics=[CreatePartitionsTopic(name="t", count=2, assignments=None)], timeout_ms=10_000
            )
            make = CreateTopicsRequest(topics=[CreatableTopic(name="t", num_partitions=1, replication_factor=1)])
            await all_decided(node, disk, clients, [delete("t"), grow, make])
            assert (await first.receive(DeleteTopicsResponse)).responses[0].error_code == ErrorCode.NONE
            grown = await second.receive(CreatePartitionsResponse)
            assert grown.results[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            assert (await third.receive(CreateTopicsResponse)).topics[0].error_code == ErrorCode.NONE
            found = node.broker.metadata.image.topics["t"]
            assert found.topic_id != old_id
            assert len(found.partitions) == 1

    test()


def test_what_is_being_made_is_not_visible_yet_and_made_once(tmp_path: Path, disk: HeldDisk) -> None:
    """A second request for a topic that is missing waits for the first one's topic, and has it in its answer."""

    @trio_test
    async def test() -> None:
        async with node_and_clients(tmp_path, 3) as (node, clients):
            ask = MetadataRequest(topics=[MetadataRequestTopic(name="t")], allow_auto_topic_creation=True)
            look = MetadataRequest(topics=[MetadataRequestTopic(name="t")], allow_auto_topic_creation=False)
            disk.hold()
            for count, client in enumerate(clients[:2], 1):
                await client.send(ask)
                with trio.fail_after(60):
                    await until_parked(node, count)
            seen = await clients[2].ask(look, MetadataResponse)
            assert seen.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            disk.release()
            answers = [await client.receive(MetadataResponse) for client in clients[:2]]
            assert {answer.topics[0].topic_id for answer in answers} == {
                node.broker.metadata.image.topics["t"].topic_id
            }

    test()


def test_a_setting_of_the_broker_that_is_not_published_yet_counts_in_the_next_decision(
    tmp_path: Path, disk: HeldDisk
) -> None:
    @trio_test
    async def test() -> None:
        async with node_and_clients(tmp_path, 2) as (node, clients):
            first, second = clients
            change = AlterableConfig(name="log.retention.ms", config_operation=0, value="77")
            resource = AlterConfigsResource(resource_type=BROKER, resource_name="", configs=[change])
            make = CreateTopicsRequest(topics=[CreatableTopic(name="t", num_partitions=1, replication_factor=1)])
            await all_decided(node, disk, clients, [IncrementalAlterConfigsRequest(resources=[resource]), make])
            await first.receive(IncrementalAlterConfigsResponse)
            made = await second.receive(CreateTopicsResponse)
            assert {config.name: config.value for config in made.topics[0].configs or ()}["retention.ms"] == "77"

    test()
