"""Texts of a client that are as long as the protocol allows, or odd: they are answered, and never a bug."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy.apis import API_MODULES
from kafkapy.clock import ManualClock
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Struct, parse_versions
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from tests.apis.long_arrays import array_paths, request_with
from tests.shell.running_node import BROKER, Client, connect, make_coordinators, running_node, trio_test

TEXT_BYTES_MAX = 32_767
TEXTS = {
    "long": "x" * TEXT_BYTES_MAX,
    "long, of two bytes each": "é" * (TEXT_BYTES_MAX // 2),
    "digits": "9" * 10_000,
    "a line": "a\n2026-01-01 ERROR kafkapy: no",
    "zero": "\0",
}
SETTINGS = {"transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1"}


def set_texts(struct: Struct, version: int, text: str) -> None:
    """Every text in the request, however deep."""
    for field in struct.__fields__:
        if version not in parse_versions(field.versions):
            continue
        value = getattr(struct, field.name)
        if field.kind == "string":
            setattr(struct, field.name, text)
        elif field.kind == ["string"]:
            setattr(struct, field.name, [text])
        elif isinstance(value, Struct):
            set_texts(value, version, text)
        elif isinstance(value, list):
            for entry in value:
                if isinstance(entry, Struct):
                    set_texts(entry, version, text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_text_of_every_request(text: str, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, SETTINGS) as node:
            async with connect(node) as client:
                await make_coordinators(client)
            for key in API_MODULES:
                version = API_VERSIONS[key].max_version
                for path in [(), *array_paths(key)]:
                    request = request_with(key, path, 1, "orders")
                    set_texts(request, version, text)
                    async with connect(node) as client:
                        await client.stream.send_all(client.frame(request, version))
                        with trio.move_on_after(5):
                            await client.stream.receive_some(1)
                    assert node.bugs.count == 0, (ApiKey(key).name, path, node.bugs.kept)

    run()


def join_request(group_id: str, member_id: str = "") -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group_id,
        member_id=member_id,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


@trio_test
async def test_a_client_id_too_long_for_a_member_id_costs_nobody_the_connection(tmp_path: Path) -> None:
    """The leader's answer has the ids of all members: one that cannot be encoded would cost it its connection."""
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as honest, connect(node) as odd:
        await make_coordinators(honest)
        first = await honest.ask(join_request("g"), JoinGroupResponse, 3)
        assert first.error_code == ErrorCode.NONE
        odd.client_id = "c" * TEXT_BYTES_MAX
        await odd.send(join_request("g"), 3)
        while not [connection for connection in node.server.connections if connection.busy]:
            await trio.lowlevel.checkpoint()
        leader = await honest.ask(join_request("g", first.member_id), JoinGroupResponse, 3)
        assert leader.error_code == ErrorCode.NONE
        assert len(leader.members) == 2
        joined = await odd.receive(JoinGroupResponse)
        assert len(joined.member_id) < TEXT_BYTES_MAX
        assert node.bugs.count == 0


@trio_test
async def test_a_retention_time_for_ever_is_for_ever(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await client.create_topic("orders")
        await make_coordinators(client)
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=5)
        topic = OffsetCommitRequestTopic(name="orders", partitions=[partition])
        commit = OffsetCommitRequest(group_id="g", retention_time_ms=2**63 - 1, topics=[topic])
        response = await client.ask(commit, OffsetCommitResponse, 4)
        assert response.topics[0].partitions[0].error_code == ErrorCode.NONE
        assert isinstance(node.clock, ManualClock)
        node.clock.advance(365 * 86_400_000)
        assert await committed(client) == 5
        assert node.bugs.count == 0


async def committed(client: Client) -> int:
    wanted = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
    (group,) = (await client.ask(wanted, OffsetFetchResponse, 9)).groups
    return group.topics[0].partitions[0].committed_offset


@trio_test
async def test_files_with_names_that_are_no_offsets(tmp_path: Path) -> None:
    """As a file of another program would be: the log opens, and is what it was."""
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b")
    for name in ("99999999999999999999.log", "99999999999999999999.index", "99999999999999999999.snapshot"):
        (tmp_path / "orders-0" / name).write_bytes(b"nonsense")
    (tmp_path / "orders-0" / "٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩.log").write_bytes(b"nonsense")
    (tmp_path / ".kafka_cleanshutdown").unlink()
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        assert await client.values("orders") == [b"a", b"b"]
        assert node.bugs.count == 0


@trio_test
async def test_a_broker_id_of_thousands_of_digits(tmp_path: Path) -> None:
    """Apache Kafka: "Broker id must be an integer", as for every text that is no 32-bit number."""
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        for name, code in [
            ("9" * 5_000, ErrorCode.INVALID_REQUEST),
            ("99999999999", ErrorCode.INVALID_REQUEST),
            ("1_0", ErrorCode.INVALID_REQUEST),
            ("٣", ErrorCode.INVALID_REQUEST),
            ("+1", ErrorCode.NONE),
            ("0" * 5_000 + "1", ErrorCode.NONE),
        ]:
            resource = DescribeConfigsResource(resource_type=BROKER, resource_name=name, configuration_keys=["node.id"])
            described = await client.ask(DescribeConfigsRequest(resources=[resource]), DescribeConfigsResponse)
            assert described.results[0].error_code == code, name[:20]
            change = AlterConfigsResource(resource_type=BROKER, resource_name=name)
            altered = await client.ask(
                IncrementalAlterConfigsRequest(resources=[change]), IncrementalAlterConfigsResponse
            )
            assert altered.responses[0].error_code == code, name[:20]
        assert node.bugs.count == 0
