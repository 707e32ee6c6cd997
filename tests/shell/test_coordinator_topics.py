"""What an admin client writes into the coordinators' topics, or a disk changes there, keeps no node from starting."""

from __future__ import annotations

import logging
from pathlib import Path
from random import Random

import pytest

from kafkapy.node import Node
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from kafkapy_wire.records import NewRecord, build_batch
from tests.shell.running_node import Client, connect, running_node, trio_test

SETTINGS = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}
OFFSETS, TRANSACTIONS = "__consumer_offsets", "__transaction_state"
BAD: dict[str, list[tuple[bytes, bytes | None]]] = {
    OFFSETS: [(b"", b""), (b"\0\1\0\1g", b"\0\4"), (b"\0\2\0\1g", b"\0\x63more"), (b"\0\x63later", b"\0\0")],
    TRANSACTIONS: [(b"\0", None), (b"\0\0\0\1t", b"\0\1short"), (b"\0\0\0\1t", b"\0\7more"), (b"\0\x63later", b"\0\0")],
}


async def use_coordinators(client: Client) -> None:
    """A committed offset of the group `a-group`, and the transactional id `an-id`."""
    await client.create_topic("orders")
    await client.find_coordinator("a-group")
    await client.find_coordinator("an-id", key_type=1)
    committed = OffsetCommitRequestPartition(partition_index=0, committed_offset=2, committed_metadata="m")
    request = OffsetCommitRequest(
        group_id="a-group", topics=[OffsetCommitRequestTopic(name="orders", partitions=[committed])]
    )
    response = await client.ask(request, OffsetCommitResponse, 9)
    assert response.topics[0].partitions[0].error_code == ErrorCode.NONE
    assert await producer_epoch(client) == 0


async def producer_epoch(client: Client) -> int:
    request = InitProducerIdRequest(transactional_id="an-id", transaction_timeout_ms=10_000)
    response = await client.ask(request, InitProducerIdResponse, 4)
    assert response.error_code == ErrorCode.NONE
    return response.producer_epoch


async def committed_offset(client: Client) -> tuple[ErrorCode, list[int]]:
    wanted = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="a-group", topics=None)])
    (group,) = (await client.ask(wanted, OffsetFetchResponse, 9)).groups
    offsets = [partition.committed_offset for topic in group.topics for partition in topic.partitions]
    return ErrorCode(group.error_code), offsets


@pytest.mark.parametrize("clean", [True, False])
@trio_test
async def test_records_of_an_admin_client_cost_themselves(
    tmp_path: Path, clean: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        await use_coordinators(client)
        for topic, records in BAD.items():
            answer = await client.produce_batch(topic, build_batch([NewRecord(1, b"key", b"value")]))
            assert answer.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION, "as Apache Kafka answers anyone else"
            client.client_id = "__admin_client"
            answer = await client.produce_batch(topic, build_batch([NewRecord(1, *record) for record in records]))
            assert answer.error_code == ErrorCode.NONE
            client.client_id = "a-test"
    if not clean:
        (tmp_path / ".kafka_cleanshutdown").unlink()
    with caplog.at_level(logging.WARNING):
        async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
            assert await committed_offset(client) == (ErrorCode.NONE, [2])
            assert await producer_epoch(client) == 1
    told = [record.getMessage() for record in caplog.records]
    for topic in BAD:
        assert sum(line.startswith("skipped the record at offset") and f" of {topic}-0," in line for line in told) == 3
        assert f"skipped 1 records of type 99, which is unknown, in {topic}" in told


def bugs_of(node: Node) -> list[str]:
    return [f"{bug.where}: {bug.error!r}" for bug in node.bugs.kept]


@pytest.mark.parametrize("seed", range(24))
def test_a_flipped_byte_keeps_no_node_from_starting(tmp_path: Path, seed: int) -> None:
    """Nor from serving what does not rest on that byte; after a clean stop and after a crash."""
    random = Random(seed)

    @trio_test
    async def use() -> None:
        async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
            await use_coordinators(client)

    @trio_test
    async def use_again() -> None:
        async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
            error, offsets = await committed_offset(client)
            assert error in (ErrorCode.NONE, ErrorCode.NOT_COORDINATOR)
            assert offsets in ([], [2])
            await client.produce("orders", b"more")
            assert bugs_of(node) == []

    use()
    path = tmp_path / f"{random.choice((OFFSETS, TRANSACTIONS))}-0" / f"{0:020d}.log"
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)
    if random.random() < 0.5:
        (tmp_path / ".kafka_cleanshutdown").unlink()
    use_again()
