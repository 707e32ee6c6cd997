"""Clients that use more than their quotas are told how long to wait, and wait that long. On the node's clock."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.clock import ManualClock
from kafkapy.node import Node
from kafkapy.peers.identity import NODE_SOFTWARE
from kafkapy_controller.acl import AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_client_quotas import AlterClientQuotasRequest, AlterClientQuotasResponse, OpData
from kafkapy_wire.messages.alter_client_quotas import AlterClientQuotasRequestEntityData as Entity
from kafkapy_wire.messages.alter_client_quotas import AlterClientQuotasRequestEntryData as Entry
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.fetch import FetchRequest, FetchResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from tests.network.test_logins import PREFIX, VERSIONS, log_in
from tests.network.test_logins import SETTINGS as WITH_LOGINS
from tests.shell.running_node import Client, batch, connect, fetch_request, running_node, trio_test


@asynccontextmanager
async def throttled(directory: Path, **bounds: float) -> AsyncIterator[tuple[Node, ManualClock, Client]]:
    """A node where each client id has these quotas; the client has written a kilobyte before."""
    clock = ManualClock(frozen=True)
    async with running_node(directory, clock=clock) as node, connect(node) as client:
        await client.create_topic("t")
        await client.ask(produce(1_000), ProduceResponse, 12)
        await set_quotas(client, **bounds)
        yield node, clock, client


async def set_rate(client: Client, host: str | None, rate: float) -> None:
    entry = Entry(
        entity=[Entity(entity_type="ip", entity_name=host)], ops=[OpData(key="connection_creation_rate", value=rate)]
    )
    answer = await client.ask(AlterClientQuotasRequest(entries=[entry]), AlterClientQuotasResponse)
    assert not answer.entries[0].error_code, answer


async def set_quotas(client: Client, **bounds: float | None) -> None:
    operations = [OpData(key=key, value=value or 0.0, remove=value is None) for key, value in bounds.items()]
    entry = Entry(entity=[Entity(entity_type="client-id", entity_name=None)], ops=operations)
    answer = await client.ask(AlterClientQuotasRequest(entries=[entry]), AlterClientQuotasResponse)
    assert not answer.entries[0].error_code, answer


def produce(size: int, acks: int = 1) -> ProduceRequest:
    data = PartitionProduceData(index=0, records=batch([bytes(size)]))
    return ProduceRequest(acks=acks, timeout_ms=10_000, topic_data=[TopicProduceData(name="t", partition_data=[data])])


async def ask_more(client: Client) -> None:
    """One more request, which nothing throttles but what came before it."""
    await client.send(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 3)


async def is_answered(client: Client) -> bool:
    """Whether bytes have come from the node, when it does nothing any more."""
    await trio.testing.wait_all_tasks_blocked(0.02)
    return bool(select.select([client.stream.socket], [], [], 0)[0])


def test_a_producer_is_answered_at_once_and_then_waits(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, producer_byte_rate=1_000) as (_, clock, client):
            answer = await client.ask(produce(20_000), ProduceResponse, 12)
            assert not answer.responses[0].partition_responses[0].error_code
            wait_ms = answer.throttle_time_ms
            assert 9_000 < wait_ms < 11_000, "20 kB at 1 kB a second, and ten windows of it at once"
            await ask_more(client)
            clock.advance(wait_ms - 1)
            assert not await is_answered(client)
            clock.advance(1)
            await client.receive(ApiVersionsResponse)

    run()


def test_a_producer_that_wants_no_answer_waits_too(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, producer_byte_rate=1_000) as (_, clock, client):
            await client.send(produce(20_000, acks=0), 12, answered=False)
            await ask_more(client)
            assert not await is_answered(client)
            clock.advance(11_000)
            await client.receive(ApiVersionsResponse)

    run()


def test_a_consumer_gets_its_records_when_it_may(tmp_path: Path) -> None:
    """An answer that exceeds the quota is empty, and what it would have had comes with a later one."""

    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, consumer_byte_rate=100) as (_, clock, client):
            await client.ask(produce(2_000), ProduceResponse, 12)
            first = await client.ask(fetch_request({"t": {0: 0}}, max_bytes=10_000, session_epoch=0), FetchResponse, 12)
            assert first.throttle_time_ms
            assert not first.responses
            assert not first.session_id, "as in Apache Kafka no session begins with an empty answer"
            clock.advance(first.throttle_time_ms)
            await set_quotas(client, consumer_byte_rate=None)
            again = await client.ask(fetch_request({"t": {0: 0}}, max_bytes=10_000), FetchResponse, 12)
            assert again.responses[0].partitions[0].records
            assert not again.throttle_time_ms

    run()


def test_no_answer_may_have_more_than_all_windows_may(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, consumer_byte_rate=300) as (_, _, client):
            await client.ask(produce(1_000), ProduceResponse, 12)
            await client.ask(produce(1_000), ProduceResponse, 12)
            answer = await client.ask(fetch_request({"t": {0: 0}}, max_bytes=1 << 20), FetchResponse, 12)
            records = answer.responses[0].partitions[0].records
            assert records is not None
            assert 2_000 < len(records) <= 3_000, "two batches of three"

    run()


def test_the_time_of_requests_is_bounded_by_a_window(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, request_percentage=0.000_001) as (_, clock, client):
            answer = await client.ask(fetch_request({"t": {0: 0}}), FetchResponse, 12)
            assert answer.throttle_time_ms == 1_000
            assert not answer.responses, "a throttled fetch has no records, whatever its client has used up"
            clock.advance(1_000)
            other = await client.ask(produce(10), ProduceResponse, 12)
            assert other.throttle_time_ms == 1_000

    run()


def test_partitions_are_made_as_fast_as_the_quota_says(tmp_path: Path) -> None:
    def topics(*names: str) -> CreateTopicsRequest:
        wanted = [CreatableTopic(name=name, num_partitions=30, replication_factor=1) for name in names]
        return CreateTopicsRequest(topics=wanted, timeout_ms=10_000)

    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, controller_mutation_rate=1.0) as (_, clock, client):
            answer = await client.ask(topics("a", "b"), CreateTopicsResponse, 7)
            assert [topic.error_code for topic in answer.topics] == [0, ErrorCode.THROTTLING_QUOTA_EXCEEDED]
            assert answer.throttle_time_ms == 19_000, "30 partitions, and eleven windows of one"
            clock.advance(19_000)
            old = await client.ask(topics("c", "d"), CreateTopicsResponse, 5)
            assert [topic.error_code for topic in old.topics] == [0, 0], "that version has no such error"
            assert old.throttle_time_ms == 60_000
            await ask_more(client)
            clock.advance(59_999)
            assert not await is_answered(client)

    run()


@pytest.mark.parametrize("key", ["request_percentage", "controller_mutation_rate"])
def test_a_quota_next_to_nothing_gives_the_longest_wait(tmp_path: Path, key: str) -> None:
    longest = 1_000 if key == "request_percentage" else 0x7FFF_FFFF

    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, **{key: 5e-324}) as (node, clock, client):
            for name in ("a", "b"):
                wanted = [CreatableTopic(name=name, num_partitions=1, replication_factor=1)]
                asked = CreateTopicsRequest(topics=wanted, timeout_ms=10_000)
                answer = await client.ask(asked, CreateTopicsResponse, 5)
                assert answer.throttle_time_ms == longest
                clock.advance(longest)
            assert not node.bugs.kept

    run()


def test_nothing_is_kept_of_clients_that_hang_up_while_they_wait(tmp_path: Path) -> None:
    """They would have to wait for weeks."""
    count = 150

    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, producer_byte_rate=1) as (node, clock, _):
            before = clock.timer_count
            for _ in range(count):
                async with connect(node) as other:
                    answer = await other.ask(produce(100_000), ProduceResponse, 12)
                    assert answer.throttle_time_ms > 3_600_000
                    other.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert len(node.server.connections) == 1
            assert clock.timer_count - before < count

    run()


def test_who_calls_itself_a_node_is_throttled_unless_it_may_be_one(tmp_path: Path) -> None:
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:the-nodes",
        "allow.everyone.if.no.acl.found": "true",
    }
    node_name = ApiVersionsRequest(client_software_name=NODE_SOFTWARE, client_software_version="1")

    @trio_test
    async def run() -> None:
        clock = ManualClock(frozen=True)
        async with running_node(tmp_path, settings, clock=clock) as node, connect(node) as client:
            await client.create_topic("t")
            await set_quotas(client, producer_byte_rate=1)
            await client.ask(node_name, ApiVersionsResponse, 3)
            assert not (await client.ask(produce(20_000), ProduceResponse, 12)).throttle_time_ms, "it may be one"
            await deny_cluster_action(client)
            assert (await client.ask(produce(20_000), ProduceResponse, 12)).throttle_time_ms

    run()


async def deny_cluster_action(client: Client) -> None:
    denied = AclCreation(
        resource_type=ResourceType.CLUSTER,
        resource_name="kafka-cluster",
        resource_pattern_type=PatternType.LITERAL,
        principal="User:*",
        host="*",
        operation=AclOperation.CLUSTER_ACTION,
        permission_type=PermissionType.DENY,
    )
    answer = await client.ask(CreateAclsRequest(creations=[denied]), CreateAclsResponse, 3)
    assert not answer.results[0].error_code, answer


def test_what_may_be_used_at_once_is_that_of_the_windows(tmp_path: Path) -> None:
    settings = {
        "controller.quota.window.num": "1",
        "controller.quota.window.size.seconds": "2",
        "quota.window.num": "1",
        "quota.window.size.seconds": "2",
    }
    wanted = [CreatableTopic(name=name, num_partitions=30, replication_factor=1) for name in "ab"]

    @trio_test
    async def run() -> None:
        clock = ManualClock(frozen=True)
        async with running_node(tmp_path, settings, clock=clock) as node, connect(node) as client:
            await client.create_topic("t")
            await set_quotas(client, controller_mutation_rate=1, request_percentage=0.000_001)
            answer = await client.ask(CreateTopicsRequest(topics=wanted, timeout_ms=10_000), CreateTopicsResponse, 7)
            assert answer.throttle_time_ms == 28_000, "30 partitions, and one window of two seconds"
            clock.advance(28_000)
            await set_quotas(client, controller_mutation_rate=None)
            clock.advance(2_000)
            last = await client.ask(produce(10), ProduceResponse, 12)
            assert last.throttle_time_ms == 2_000, "the time of requests has to be waited for a window at most"

    run()


def test_logins_count_for_nobody_and_do_not_wait(tmp_path: Path) -> None:
    """Else clients without a password would use up a quota of `ANONYMOUS`, and nobody could log in."""

    @trio_test
    async def run() -> None:
        clock = ManualClock(frozen=True)
        settings = {**WITH_LOGINS, f"{PREFIX}.plain.connections.max.reauth.ms": "60000"}
        async with running_node(tmp_path, settings, clock=clock) as node:
            async with connect(node) as client:
                await log_in(client)
                await set_quotas(client, request_percentage=0.0001)
            async with connect(node) as client:
                for time in ("first", "second"):
                    if time == "first":
                        versions = await client.ask(VERSIONS, ApiVersionsResponse)
                        assert versions.throttle_time_ms == 0
                    await log_in(client)
                    answer = await client.ask(MetadataRequest(topics=[]), MetadataResponse)
                    assert answer.throttle_time_ms > 0, "of who has logged in, requests count"
                    clock.advance(answer.throttle_time_ms + 1_000)

    run()


def test_clients_without_quotas_do_not_wait(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, producer_byte_rate=1) as (node, clock, client):
            answer = await client.ask(produce(100), ProduceResponse, 12)
            clock.advance(answer.throttle_time_ms)
            await set_quotas(client, producer_byte_rate=None)
            assert node.dispatcher.meter is None, "nothing is measured any more"
            assert not (await client.ask(produce(100), ProduceResponse, 12)).throttle_time_ms

    run()


def test_a_session_goes_on_where_it_was(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with throttled(tmp_path, consumer_byte_rate=100) as (_, clock, client):
            clock.advance(60_000)
            small = fetch_request({"t": {0: 1}}, session_epoch=0)
            begun = await client.ask(small, FetchResponse, 12)
            assert begun.session_id
            await client.ask(produce(5_000), ProduceResponse, 12)
            following = FetchRequest(session_id=begun.session_id, session_epoch=1, max_bytes=1 << 20)
            withheld = await client.ask(following, FetchResponse, 12)
            assert (withheld.responses, withheld.session_id) == ([], begun.session_id)
            clock.advance(withheld.throttle_time_ms)
            await set_quotas(client, consumer_byte_rate=None)
            following.session_epoch = 2
            answer = await client.ask(following, FetchResponse, 12)
            assert answer.responses[0].partitions[0].records

    run()


def test_connections_beyond_the_quota_of_their_address_are_closed_late(tmp_path: Path) -> None:
    """As in Apache Kafka, where a client that is told at once would come again at once."""

    @trio_test
    async def run() -> None:
        async with throttled(tmp_path) as (node, clock, client):
            await set_rate(client, None, 1.0)
            await set_rate(client, "127.0.0.9", 1_000.0)
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(connect(node)) for _ in range(12)]
                for each in clients:
                    await ask_more(each)
                assert [await is_answered(each) for each in clients] == [True] * 10 + [False] * 2
                clock.advance(1_000)
                for each in clients[10:]:
                    assert await each.closed_by_broker()
                clock.advance(11_000)
                newcomer = await stack.enter_async_context(connect(node))
                await ask_more(newcomer)
                await newcomer.receive(ApiVersionsResponse)

    run()
