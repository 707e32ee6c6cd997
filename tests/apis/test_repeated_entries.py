"""What a request names again and again is answered as often as Apache Kafka does where it is a few times, else once."""

from __future__ import annotations

from pathlib import Path

from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from kafkapy_wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    TopicRequest,
)
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest, DescribeTransactionsResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from tests.network.longest_turn import watching
from tests.shell.running_node import BROKER, TOPIC, Client, connect, running_node, trio_test

FEW, MANY = 3, 2_000
SETTINGS = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}
HOLD_SECONDS_MAX = 0.02


async def describe_configs(client: Client, count: int, *, resource_type: int = TOPIC, name: str = "orders") -> int:
    resource = DescribeConfigsResource(resource_type=resource_type, resource_name=name, configuration_keys=None)
    response = await client.ask(
        DescribeConfigsRequest(resources=[resource] * count, include_synonyms=True), DescribeConfigsResponse
    )
    assert all(result.configs for result in response.results)
    return len(response.results)


async def describe_groups(client: Client, count: int) -> int:
    response = await client.ask(DescribeGroupsRequest(groups=["g"] * count), DescribeGroupsResponse)
    return len(response.groups)


async def describe_transactions(client: Client, count: int) -> int:
    request = DescribeTransactionsRequest(transactional_ids=["t"] * count)
    return len((await client.ask(request, DescribeTransactionsResponse)).transaction_states)


async def find_coordinators(client: Client, count: int) -> int:
    request = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"] * count)
    return len((await client.ask(request, FindCoordinatorResponse)).coordinators)


async def describe_producers(client: Client, count: int) -> int:
    request = DescribeProducersRequest(topics=[TopicRequest(name="orders", partition_indexes=[0] * count)])
    return len((await client.ask(request, DescribeProducersResponse)).topics[0].partitions)


async def fetch_offsets(client: Client, count: int) -> int:
    topic = OffsetFetchRequestTopics(name="orders", partition_indexes=[0] * count)
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=[topic])])
    (group,) = (await client.ask(request, OffsetFetchResponse, 9)).groups
    return sum(len(topic.partitions) for topic in group.topics)


async def fetch_offsets_of_all(client: Client, count: int) -> int:
    groups = [OffsetFetchRequestGroup(group_id="g", topics=None)] * count
    return len((await client.ask(OffsetFetchRequest(groups=groups), OffsetFetchResponse, 9)).groups)


@trio_test
async def test_a_few_are_answered_one_by_one_and_very_many_once(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await client.create_topic("orders")
        for ask in (
            describe_configs,
            describe_groups,
            describe_transactions,
            find_coordinators,
            describe_producers,
            fetch_offsets,
            fetch_offsets_of_all,
        ):
            assert await ask(client, FEW) == FEW, ask
            assert await ask(client, MANY) == 1, ask


@trio_test
async def test_describing_all_topics_and_one_broker_many_times(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await client.create_topic("orders")
        await describe_configs(client, 1, resource_type=BROKER, name="1")
        with watching() as watch:
            assert await describe_configs(client, MANY, resource_type=BROKER, name="1") == 1
        assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
        resources = [
            DescribeConfigsResource(resource_type=TOPIC, resource_name="orders", configuration_keys=[f"no.{number}"])
            for number in range(MANY)
        ]
        with watching() as watch:
            response = await client.ask(DescribeConfigsRequest(resources=resources), DescribeConfigsResponse)
        assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
        assert len(response.results) == MANY


@trio_test
async def test_what_is_kept_of_descriptions_follows_the_settings(tmp_path: Path) -> None:
    async def values(name: str) -> dict[str, str | None]:
        resource = DescribeConfigsResource(resource_type=TOPIC, resource_name=name, configuration_keys=None)
        response = await client.ask(DescribeConfigsRequest(resources=[resource]), DescribeConfigsResponse)
        return {config.name: config.value for config in response.results[0].configs}

    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.create_topic("others")
        assert (await values("orders"))["retention.ms"] == "604800000"
        await client.alter_config(TOPIC, "orders", "retention.ms", "5")
        assert [(await values(name))["retention.ms"] for name in ("orders", "others")] == ["5", "604800000"]
        await client.alter_config(BROKER, "", "log.retention.ms", "7")
        assert [(await values(name))["retention.ms"] for name in ("orders", "others")] == ["5", "7"]
