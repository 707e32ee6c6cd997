"""ListOffsets finds offsets by time, and knows the special timestamps of each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy_wire.compression import Compression
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.records import NewRecord, TimestampType, build_batch, split_batches
from kafkapy_wire.records.rewrite import stamp_timestamps
from tests.shell.running_node import Client, bytes_of, connect, running_node, trio_test

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = range(-1, -7, -1)
FIRST_VERSION = {LATEST: 1, EARLIEST: 1, MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9,
                 EARLIEST_PENDING_UPLOAD: 11}  # fmt: skip
NOTHING = (ErrorCode.NONE, -1, -1, -1)


def a_request(*timestamps: int, topic: str = "orders", epoch: int = -1, isolation_level: int = 0) -> ListOffsetsRequest:
    """One partition, asked about as often as there are timestamps."""
    wanted = [
        ListOffsetsPartition(partition_index=0, timestamp=timestamp, current_leader_epoch=epoch)
        for timestamp in timestamps
    ]
    return ListOffsetsRequest(
        replica_id=-1, isolation_level=isolation_level, topics=[ListOffsetsTopic(name=topic, partitions=wanted)]
    )


def outline(answer: ListOffsetsPartitionResponse) -> tuple[int, int, int, int]:
    return (answer.error_code, answer.timestamp, answer.offset, answer.leader_epoch)


async def ask(client: Client, timestamp: int, version: int = 11, epoch: int = -1) -> tuple[int, int, int, int]:
    response = await client.ask(a_request(timestamp, epoch=epoch), ListOffsetsResponse, version)
    return outline(response.topics[0].partitions[0])


async def fill(client: Client) -> None:
    """Offsets 0-4 at 100, 300, 200, 300, 250; the log starts at 1."""
    await client.create_topic("orders")
    for timestamps in ((100, 300), (200, 300), (250,)):
        records = build_batch([NewRecord(timestamp, None, b"v") for timestamp in timestamps])
        assert (await client.produce_batch("orders", records)).error_code == ErrorCode.NONE


@pytest.mark.parametrize("version", range(1, 12))
def test_special_timestamps_of_each_version(version: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await fill(client)
            epoch = 0 if version >= 4 else -1
            found = {
                LATEST: (ErrorCode.NONE, -1, 5, epoch),
                EARLIEST: (ErrorCode.NONE, -1, 0, epoch),
                MAX_TIMESTAMP: (ErrorCode.NONE, 300, 1, epoch),
                EARLIEST_LOCAL: (ErrorCode.NONE, -1, 0, epoch),
                LATEST_TIERED: NOTHING,
                EARLIEST_PENDING_UPLOAD: NOTHING,
                -7: None,
            }
            for timestamp, expected in found.items():
                if expected is None or version < FIRST_VERSION[timestamp]:
                    expected = (ErrorCode.UNSUPPORTED_VERSION, -1, -1, -1)
                assert await ask(client, timestamp, version) == expected, (timestamp, version)

    run()


@trio_test
async def test_the_first_record_at_or_after_a_time(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await fill(client)
        none = ErrorCode.NONE
        for timestamp, expected in {
            0: (none, 100, 0, 0),
            100: (none, 100, 0, 0),
            101: (none, 300, 1, 0),
            300: (none, 300, 1, 0),
            301: NOTHING,
            1 << 60: NOTHING,
        }.items():
            assert await ask(client, timestamp) == expected
        node.broker.partitions.leader("orders", 0).delete_records_before(2, now_ms=0)
        assert await ask(client, 0) == (none, 200, 2, 0)
        assert await ask(client, EARLIEST) == (none, -1, 2, 0)
        assert await ask(client, 201) == (none, 300, 3, 0)


@trio_test
async def test_an_empty_log_has_ends_and_no_records(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        for timestamp in (LATEST, EARLIEST):
            error, at, offset, _ = await ask(client, timestamp)
            assert (error, at, offset) == (ErrorCode.NONE, -1, 0)
        assert await ask(client, MAX_TIMESTAMP) == NOTHING
        assert await ask(client, 0) == NOTHING


@pytest.mark.parametrize("version", [7, 11])
def test_records_without_a_timestamp_have_their_first_as_the_latest(version: int, tmp_path: Path) -> None:
    """KIP-734: -1 is the highest timestamp where no record has one."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            for values in ((b"a", b"b"), (b"c",)):
                await client.produce("orders", *values, timestamp=-1)
            assert await ask(client, MAX_TIMESTAMP, version) == (ErrorCode.NONE, -1, 0, 0)
            await client.produce("orders", b"d", timestamp=5)
            assert await ask(client, MAX_TIMESTAMP, version) == (ErrorCode.NONE, 5, 3, 0)

    run()


@trio_test
async def test_a_log_whose_first_timestamps_are_below_minus_one_has_no_latest(tmp_path: Path) -> None:
    """As in Apache Kafka, which looks for -1 in the log's first batch only."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        for timestamp in (-5, -1):
            await client.produce("orders", b"a", b"b", timestamp=timestamp)
        assert await ask(client, MAX_TIMESTAMP) == NOTHING


@trio_test
async def test_a_topic_named_twice_is_answered_once_and_one_without_partitions_not_at_all(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await fill(client)
        request = a_request(LATEST)
        for other in (a_request(topic="payments"), a_request(LATEST, topic="other"), a_request()):
            request.topics += other.topics
        second = ListOffsetsPartition(partition_index=1, timestamp=LATEST)
        request.topics.append(ListOffsetsTopic(name="orders", partitions=[second]))
        response = await client.ask(request, ListOffsetsResponse, 11)
        assert {topic.name: [one.partition_index for one in topic.partitions] for topic in response.topics} == {
            "orders": [0, 1],
            "other": [0],
        }
        assert len(response.topics) == 2


@pytest.mark.parametrize("codec", [Compression.NONE, Compression.ZSTD])
@pytest.mark.parametrize("claimed", [100, 299, 301, 1 << 40])
def test_what_the_header_claims_of_timestamps_is_not_believed(claimed: int, codec: Compression, tmp_path: Path) -> None:
    """A producer whose batch says another max_timestamp than its records have: they are found all the same."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders", message_timestamp_after_max_ms=str(1 << 62))
            for timestamps in ((100, 300, 200), (250,)):
                records = build_batch([NewRecord(at, None, b"v") for at in timestamps], compression=codec)
                if len(timestamps) > 1:
                    records = claiming(records, claimed)
                assert (await client.produce_batch("orders", records)).error_code == ErrorCode.NONE
            assert await ask(client, MAX_TIMESTAMP) == (ErrorCode.NONE, 300, 1, 0)
            assert await ask(client, 300) == (ErrorCode.NONE, 300, 1, 0)
            assert await ask(client, 301) == NOTHING
            (first, _), _ = split_batches(bytes_of(await client.fetch("orders")))
            assert first.max_timestamp == 300

    run()


def claiming(records: bytes, max_timestamp: int) -> bytes:
    """The batch with another max_timestamp in its header."""
    changed = bytearray(records)
    stamp_timestamps(changed, TimestampType.CREATE_TIME, max_timestamp)
    return bytes(changed)


@trio_test
async def test_errors_are_of_one_partition(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await fill(client)
        unknown = await client.ask(a_request(LATEST, topic="unknown"), ListOffsetsResponse)
        assert unknown.topics[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        twice = await client.ask(a_request(LATEST, EARLIEST), ListOffsetsResponse)
        assert {answer.error_code for answer in twice.topics[0].partitions} == {ErrorCode.INVALID_REQUEST}
        assert (await ask(client, LATEST, epoch=1))[0] == ErrorCode.UNKNOWN_LEADER_EPOCH
    async with running_node(tmp_path) as node, connect(node) as client:
        assert (await ask(client, LATEST, epoch=0))[0] == ErrorCode.FENCED_LEADER_EPOCH
        assert (await ask(client, EARLIEST))[3] == 0, "the epoch in which the first record was written"
