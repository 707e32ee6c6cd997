"""A strict node: each kindness of `kafkapy.strictness`, turned off, has the answers of Apache Kafka, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kafkapy.clock import ManualClock
from kafkapy.cluster import Cluster, members_of
from kafkapy.node import Node
from kafkapy.settings import Settings, SettingsError
from kafkapy.strictness import ENDING_MS, SWITCHES, Strictness, strictness_of
from kafkapy_controller.image import PartitionImage
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.alter_configs import AlterableConfig as ReplacedConfig
from kafkapy_wire.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from kafkapy_wire.messages.alter_configs import AlterConfigsResource as ReplacedResource
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest, DescribeTransactionsResponse
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from tests.shell.running_node import BROKER, TOPIC, Client, connect, port_of, trio_test, until_parked

ID = "orders"
NONE = ErrorCode.NONE
SET, DELETE = 0, 1


@asynccontextmanager
async def strict_node(
    directory: Path, *names: str, clock: ManualClock | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Node]:
    given = {"listeners": "PLAINTEXT://127.0.0.1:0", **(settings or {})}
    node = Node(Settings(given), directory, durable=False, clock=clock or ManualClock(), strict=names or ["all"])
    async with node.started():
        yield node


# -- the names


def test_the_switches_are_the_fields() -> None:
    assert {name.replace("-", "_") for name in SWITCHES} == set(Strictness._fields)
    assert strictness_of(["all"]) == Strictness(*[True] * len(SWITCHES))
    assert strictness_of(["fenced-fetches"]) == Strictness(fenced_fetches=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("new-coordinator", r"no kindness 'new-coordinator' .*\(did you mean 'new-coordinators'\?\): there are auto-"),
        ("ALL", r"no kindness 'ALL' to turn off \(--strict\): there are auto-created-topics, .*, all$"),
        ("x" * 2_000, r"x\.\.\. \(2000 characters\)' to turn off"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=told):
        Node(Settings({}), tmp_path, strict=["fenced-fetches", name])


# -- topics


async def metadata_errors(client: Client, names: Iterable[str], version: int = 13) -> list[ErrorCode]:
    asked = MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=True)
    answer = await client.ask(asked, MetadataResponse, version)
    assert sorted(topic.name or "" for topic in answer.topics) == sorted(names)
    return [ErrorCode(topic.error_code) for topic in answer.topics]


@trio_test
async def test_the_request_that_creates_a_topic_does_not_have_it_yet(tmp_path: Path) -> None:
    async with strict_node(tmp_path, "auto-created-topics") as node, connect(node) as client:
        for version in (1, 9, 13):
            name = f"new-{version}"
            assert await metadata_errors(client, [name], version) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
            assert await metadata_errors(client, [name], version) == [NONE]
        many = [f"many-{number}" for number in range(501)]
        assert set(await metadata_errors(client, many)) == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
        assert set(await metadata_errors(client, many)) == {NONE}


@trio_test
async def test_what_a_client_has_created_is_not_known_at_first(tmp_path: Path) -> None:
    """On whatever node the active controller is; the request that would be the first to have it is answered as if it
    came before.
    """
    cluster = Cluster(tmp_path, members_of(2), host="127.0.0.1", durable=False, kept=False, strict=["created-topics"])
    async with cluster.started():
        for node_id, node in cluster.nodes.items():
            async with connect(node) as client, connect(node) as another:
                await client.create_topic(f"a{node_id}")
                await client.create_topic(f"b{node_id}")
                names = [f"a{node_id}", f"b{node_id}"]
                every = MetadataRequest(topics=None)
                for asking in (client, another):
                    while f"b{node_id}" not in node.broker.metadata.image.topics:
                        await trio.lowlevel.checkpoint()
                    assert await metadata_errors(asking, [names[0]]) == [
                        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if asking is client else NONE
                    ]
                before = await client.ask(every, MetadataResponse)
                after = await client.ask(every, MetadataResponse)
                assert {topic.name for topic in after.topics} - {topic.name for topic in before.topics} == {names[1]}
                many = [*names, *(f"{number}" for number in range(600))]
                await client.create_topic(f"c{node_id}")
                while f"c{node_id}" not in node.broker.metadata.image.topics:
                    await trio.lowlevel.checkpoint()
                request = MetadataRequest(
                    topics=[MetadataRequestTopic(name=name) for name in [*many, f"c{node_id}"]],
                    allow_auto_topic_creation=False,
                )
                for expected in (set(names), {*names, f"c{node_id}"}):
                    answer = await client.ask(request, MetadataResponse)
                    assert {topic.name for topic in answer.topics if not topic.error_code} == expected


# -- coordinators and producer ids


async def coordinator_error(client: Client, key_type: int, key: str = ID) -> ErrorCode:
    request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
    return ErrorCode((await client.ask(request, FindCoordinatorResponse)).coordinators[0].error_code)


@trio_test
async def test_the_request_that_creates_the_topic_of_a_coordinator_finds_none(tmp_path: Path) -> None:
    async with strict_node(tmp_path, "new-coordinators") as node, connect(node) as client:
        for key_type in (0, 1):
            assert await coordinator_error(client, key_type) is ErrorCode.COORDINATOR_NOT_AVAILABLE
            assert await coordinator_error(client, key_type) is NONE
            assert await coordinator_error(client, key_type, "another") is NONE


async def new_producer(client: Client, transactional_id: str | None = None) -> InitProducerIdResponse:
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=60_000)
    return await client.ask(request, InitProducerIdResponse)


@pytest.mark.parametrize("transactional_id", [None, ID])
def test_the_first_producer_id_is_not_there_yet(transactional_id: str | None, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with strict_node(tmp_path, "producer-id-blocks") as node, connect(node) as client:
            assert await coordinator_error(client, 1) is NONE
            first = await new_producer(client, transactional_id)
            assert (first.error_code, first.producer_id) == (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, -1)
            ids = [await new_producer(client, None) for _ in range(3)]
            assert [each.error_code for each in ids] == [NONE] * 3
            assert len({each.producer_id for each in ids}) == 3

    run()


# -- the end of a transaction


class Transactional:
    """A producer of transaction version 0, which asks for each step."""

    def __init__(self, client: Client, initialised: InitProducerIdResponse) -> None:
        assert initialised.error_code == NONE
        self._client = client
        self._producer_id, self._epoch = initialised.producer_id, initialised.producer_epoch

    async def add(self) -> ErrorCode:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=ID,
            v3_and_below_producer_id=self._producer_id,
            v3_and_below_producer_epoch=self._epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name="t", partitions=[0])],
        )
        answer = await self._client.ask(request, AddPartitionsToTxnResponse, 3)
        return ErrorCode(answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)

    async def end(self) -> ErrorCode:
        request = EndTxnRequest(
            transactional_id=ID, producer_id=self._producer_id, producer_epoch=self._epoch, committed=True
        )
        return ErrorCode((await self._client.ask(request, EndTxnResponse, 4)).error_code)


async def state_of_transaction(client: Client) -> str:
    answer = await client.ask(DescribeTransactionsRequest(transactional_ids=[ID]), DescribeTransactionsResponse)
    return answer.transaction_states[0].transaction_state


@trio_test
async def test_a_transaction_is_being_completed_for_a_while(tmp_path: Path) -> None:
    clock = ManualClock(frozen=True)
    async with strict_node(tmp_path, "ending-transactions", clock=clock) as node, connect(node) as client:
        await client.create_topic("t")
        assert await coordinator_error(client, 1) is NONE
        producer = Transactional(client, await new_producer(client, ID))
        assert await producer.add() is NONE
        assert await producer.end() is NONE
        assert await state_of_transaction(client) == "PrepareCommit"
        assert await client.fetch("t") is not None
        for _ in range(2):
            assert await producer.add() is ErrorCode.CONCURRENT_TRANSACTIONS
        assert (await new_producer(client, ID)).error_code == ErrorCode.CONCURRENT_TRANSACTIONS
        assert node.broker.partitions.leader("t", 0).log.log_end_offset == 0
        clock.advance(ENDING_MS)
        while await state_of_transaction(client) != "CompleteCommit":
            pass
        assert node.broker.partitions.leader("t", 0).log.log_end_offset == 1, "the marker, once"
        assert await producer.add() is NONE
        # The next one aborts what is open, and that takes its time, too.
        for _ in range(2):
            assert (await new_producer(client, ID)).error_code == ErrorCode.CONCURRENT_TRANSACTIONS
        assert await state_of_transaction(client) == "PrepareAbort"
        clock.advance(ENDING_MS)
        while await state_of_transaction(client) != "CompleteAbort":
            pass
        assert (await new_producer(client, ID)).error_code == NONE


@trio_test
async def test_a_node_that_stops_while_a_transaction_is_being_completed_completes_it_later(tmp_path: Path) -> None:
    clock = ManualClock(frozen=True)
    async with strict_node(tmp_path, "ending-transactions", clock=clock) as node, connect(node) as client:
        await client.create_topic("t")
        assert await coordinator_error(client, 1) is NONE
        producer = Transactional(client, await new_producer(client, ID))
        assert (await producer.add(), await producer.end()) == (NONE, NONE)
    async with strict_node(tmp_path, "ending-transactions") as node, connect(node) as client:
        while await state_of_transaction(client) != "CompleteCommit":
            pass
        assert node.broker.partitions.leader("t", 0).log.log_end_offset == 1


# -- fetches


@pytest.mark.parametrize("names", [("fenced-fetches",), ("socket-buffers",)])
def test_a_fetch_that_waits_in_an_old_leader_epoch_waits_to_its_end(names: tuple[str, ...], tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        clock = ManualClock(frozen=True)
        async with strict_node(tmp_path, *names, clock=clock) as node, connect(node) as client:
            await client.create_topic("t")
            partition = node.broker.partitions.leader("t", 0)
            wanted = FetchPartition(
                partition=0, current_leader_epoch=partition.leader_epoch, fetch_offset=0, partition_max_bytes=1_000
            )
            request = FetchRequest(max_wait_ms=10_000, min_bytes=1, topics=[FetchTopic(topic="t", partitions=[wanted])])
            await client.send(request, 12)
            await until_parked(node)
            partition.become(PartitionImage((1,), (1,), leader=1, leader_epoch=partition.leader_epoch + 1), now_ms=0)
            if names == ("fenced-fetches",):
                async with connect(node) as another:  # the broker has answered what came later
                    assert await metadata_errors(another, ["t"]) == [NONE]
                assert sum(connection.busy for connection in node.server.connections) == 1
                clock.advance(10_000)
            answer = await client.receive(FetchResponse)
            assert answer.responses[0].partitions[0].error_code == ErrorCode.FENCED_LEADER_EPOCH

    run()


# -- settings


async def described(client: Client, *names: str) -> dict[str, tuple[str | None, int]]:
    resource = DescribeConfigsResource(resource_type=BROKER, resource_name="1", configuration_keys=list(names))
    answer = await client.ask(DescribeConfigsRequest(resources=[resource]), DescribeConfigsResponse)
    return {entry.name: (entry.value, entry.config_source) for entry in answer.results[0].configs}


STATIC, DEFAULT = 4, 5
WITH_OTHER_DEFAULTS = (
    "group.initial.rebalance.delay.ms",
    "group.streams.initial.rebalance.delay.ms",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
)


@trio_test
async def test_kafkas_defaults_hold_for_what_was_not_given(tmp_path: Path) -> None:
    async with strict_node(tmp_path / "all") as node, connect(node) as client:
        values = [("3000", DEFAULT), ("3000", DEFAULT), ("102400", DEFAULT), ("102400", DEFAULT)]
        assert list((await described(client, *WITH_OTHER_DEFAULTS)).values()) == values
        now = node.settings.now
        assert now.groups.group_initial_rebalance_delay_ms == 3_000
        assert now.groups.group_streams_initial_rebalance_delay_ms == 3_000
        assert now.network.socket_send_buffer_bytes == now.network.socket_receive_buffer_bytes == 102_400
        await client.alter_config(BROKER, "", "log.cleaner.threads", "2")  # other settings change: they still hold
        assert node.settings.now is not now
        assert node.settings.now.groups.group_initial_rebalance_delay_ms == 3_000
    given = {"socket.send.buffer.bytes": "5000", "group.initial.rebalance.delay.ms": "7"}
    async with strict_node(tmp_path / "given", settings=given) as node, connect(node) as client:
        values = [("7", STATIC), ("3000", DEFAULT), ("102400", DEFAULT), ("5000", STATIC)]
        assert list((await described(client, *WITH_OTHER_DEFAULTS)).values()) == values
        assert node.settings.now.groups.group_initial_rebalance_delay_ms == 7
    async with strict_node(tmp_path / "others", "fenced-fetches") as node, connect(node) as client:
        values = [("0", STATIC), ("0", STATIC), ("409600", STATIC), ("409600", STATIC)]
        assert list((await described(client, *WITH_OTHER_DEFAULTS)).values()) == values


@trio_test
async def test_advertised_listeners_are_as_in_the_file(tmp_path: Path) -> None:
    async with strict_node(tmp_path, "advertised-listeners") as node, connect(node) as client:
        answer = await changed(client, (BROKER, "1", "advertised.listeners", "PLAINTEXT://elsewhere:1"))
        refused = "Cannot update these configs dynamically: [advertised.listeners]"
        assert answer == [(ErrorCode.INVALID_REQUEST, refused)]
        assert port_of(node) > 1


async def changed(client: Client, *changes: tuple[int, str, str, str | None]) -> list[tuple[int, str | None]]:
    """Error and message of each resource; IncrementalAlterConfigs and AlterConfigs answer the same."""
    incremental = IncrementalAlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[AlterableConfig(name=setting, config_operation=SET, value=value)],
            )
            for kind, name, setting, value in changes
        ]
    )
    replacing = AlterConfigsRequest(
        resources=[
            ReplacedResource(
                resource_type=kind, resource_name=name, configs=[ReplacedConfig(name=setting, value=value)]
            )
            for kind, name, setting, value in changes
        ]
    )
    first = await client.ask(incremental, IncrementalAlterConfigsResponse)
    second = await client.ask(replacing, AlterConfigsResponse)
    assert [each.resource_name for each in first.responses] == [name for _, name, _, _ in changes]
    told = [(each.error_code, each.error_message) for each in first.responses]
    assert [(each.error_code, each.error_message) for each in second.responses] == told
    return told


@trio_test
async def test_a_broker_takes_its_own_settings_only(tmp_path: Path) -> None:
    """Whether it is the active controller or forwards the request; the other resources of a request are done."""
    threads = "log.cleaner.threads"
    cluster = Cluster(tmp_path, members_of(2), host="127.0.0.1", durable=False, kept=False, strict=["all"])
    async with cluster.started():
        for node_id, node in cluster.nodes.items():
            other = str(3 - node_id)
            async with connect(node) as client:
                await client.create_topic(f"t{node_id}")
                told = await changed(
                    client,
                    (BROKER, other, threads, "2"),
                    (BROKER, str(node_id), threads, "2"),
                    (BROKER, "9", threads, None),
                    (TOPIC, f"t{node_id}", "retention.ms", "1000"),
                    (BROKER, "x", threads, "2"),
                    (BROKER, "7", threads, "2"),
                )
                assert told == [
                    (ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {node_id}, but received {other}"),
                    (NONE, None),
                    (ErrorCode.INVALID_REQUEST, f"Null value not supported for : {threads}"),
                    (NONE, None),
                    (ErrorCode.INVALID_REQUEST, "Node id must be an integer, but it is: x"),
                    (ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {node_id}, but received 7"),
                ]
                twice = (BROKER, other, threads, "2")
                assert {error for error, _ in await changed(client, twice, twice)} == {ErrorCode.INVALID_REQUEST}


# -- too few replicas in sync


@pytest.mark.parametrize("strict", [("group-min-isr",), ()])
def test_a_group_coordinator_with_too_few_replicas_in_sync_stores_what_it_cannot_commit_yet(
    strict: tuple[str, ...], tmp_path: Path
) -> None:
    commit = OffsetCommitRequest(
        group_id="g",
        generation_id_or_member_epoch=-1,
        topics=[
            OffsetCommitRequestTopic(
                name="t", partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=7)]
            )
        ],
    )
    join = JoinGroupRequest(
        group_id="another",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )
    fetch = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
    settings = {
        "min.insync.replicas": "2",
        "offsets.topic.num.partitions": "1",
        "offsets.commit.timeout.ms": "300",
        "broker.session.timeout.ms": "2000",
    }

    @trio_test
    async def run() -> None:
        members = members_of(2, controllers=1)
        cluster = Cluster(
            tmp_path, members, settings=settings, host="127.0.0.1", durable=False, kept=False, strict=strict
        )
        async with cluster.started(), connect(cluster.nodes[1]) as client:
            await client.create_topic("t")
            while await coordinator_error(client, 0) is not NONE:
                pass
            await cluster.stop(2)
            while (await client.ask(ListGroupsRequest(), ListGroupsResponse)).error_code != NONE:
                pass
            offsets = cluster.nodes[1].broker.partitions.leader("__consumer_offsets", 0)
            assert offsets.is_under_min_isr
            # As in Apache Kafka a member may join; what it would store with its SyncGroup is refused then.
            joined = await client.ask(join, JoinGroupResponse)
            expected = ErrorCode.MEMBER_ID_REQUIRED if strict else ErrorCode.COORDINATOR_NOT_AVAILABLE
            assert joined.error_code == expected
            answer = await client.ask(commit, OffsetCommitResponse, 9)
            error = answer.topics[0].partitions[0].error_code
            assert error == ErrorCode.COORDINATOR_NOT_AVAILABLE
            await cluster.start(2)
            while (group := (await client.ask(fetch, OffsetFetchResponse)).groups[0]).error_code != NONE:
                pass
            found = [partition.committed_offset for topic in group.topics for partition in topic.partitions]
            assert found == ([7] if strict else [])

    run()


@pytest.mark.parametrize("strict", [("follower-high-watermarks",), ()])
def test_a_follower_hears_of_a_risen_high_watermark_with_the_next_records(
    strict: tuple[str, ...], tmp_path: Path
) -> None:
    settings = {
        "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        "replica.fetch.wait.max.ms": "25000",
        "replica.lag.time.max.ms": "120000",
    }

    @trio_test
    async def run() -> None:
        cluster = Cluster(
            tmp_path, members_of(2), settings=settings, host="127.0.0.1", durable=False, kept=False, strict=strict
        )
        async with cluster.started():
            replicas = {}
            async with connect(cluster.nodes[1]) as client:
                topic = CreatableTopic(name="t", num_partitions=1, replication_factor=2)
                created = await client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), CreateTopicsResponse)
                assert created.topics[0].error_code == NONE
            for node_id, node in cluster.nodes.items():
                while "t" not in node.broker.metadata.image.topics:
                    await trio.lowlevel.checkpoint()
                replicas[node_id] = node.broker.partitions.replica("t", 0)
            leader = replicas[1].leader_id
            follower = replicas[3 - leader]
            async with connect(cluster.nodes[leader]) as client:
                for value in (b"a", b"b"):
                    await client.produce("t", value)
            # The fetch by which the leader has learnt that both have the second record has brought the first mark only.
            assert (replicas[leader].committed.offset, follower.log.log_end_offset) == (2, 2)
            if strict:
                assert follower.committed.offset == 1
            while not strict and follower.committed.offset < 2:
                await trio.lowlevel.checkpoint()

    run()
