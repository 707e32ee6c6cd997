"""Kilobytes that decompress to very many records are looked into beside the event loop, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import trio

from kafkapy.node import Node
from kafkapy_wire.compression import Compression
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.records.validation import RECORD_ERRORS_MAX, RECORDS_PER_BATCH_MAX
from tests.network.longest_turn import watching
from tests.shell.running_node import Client, connect, produce_request, running_node, trio_test
from tests.wire.batches_of_many import batch_of, batch_of_many

TOPIC, COMPACTED, LATE = "orders", "compacted", "late"
MANY = 60_000
HOLD_SECONDS_MAX = 0.02
"""To walk over so many records took 5 ms in the loop, to look into each of them 80 ms."""
NOW_MS = 1_700_000_000_000
FAR_MS = 4_000_000_000_000
CODECS = [codec for codec in Compression if codec is not Compression.NONE]


async def make_topics(client: Client, partitions: int = 1) -> None:
    await client.create_topic(TOPIC, partitions, retention_ms="-1")
    await client.create_topic(COMPACTED, partitions, cleanup_policy="compact")
    await client.create_topic(LATE, partitions, message_timestamp_before_max_ms="1000")


def produce_many(topic: str, batches: Iterable[bytes]) -> ProduceRequest:
    data = [PartitionProduceData(index=index, records=records) for index, records in enumerate(batches)]
    return ProduceRequest(acks=-1, timeout_ms=60_000, topic_data=[TopicProduceData(name=topic, partition_data=data)])


def codes_of(response: ProduceResponse) -> set[int]:
    return {answer.error_code for topic in response.responses for answer in topic.partition_responses}


@pytest.mark.parametrize("codec", list(Compression))
@pytest.mark.parametrize(
    ("topic", "max_timestamp", "code"),
    [
        (TOPIC, None, ErrorCode.NONE),
        (TOPIC, FAR_MS, ErrorCode.NONE),  # what its header claims is looked into, and is wrong
        (COMPACTED, None, ErrorCode.NONE),
        (LATE, None, ErrorCode.INVALID_TIMESTAMP),
    ],
)
def test_a_batch_of_many_records_leaves_others_their_turns(
    topic: str, max_timestamp: int | None, code: ErrorCode, codec: Compression, tmp_path: Path
) -> None:
    count = MANY if max_timestamp is None and topic == TOPIC else MANY // 4
    records = batch_of_many(count, codec, timestamp=NOW_MS, max_timestamp=max_timestamp, key=b"k")

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, {"message.max.bytes": "10000000"}) as node, connect(node) as client:
            await make_topics(client)
            with watching() as watch:
                response = await client.ask(produce_request(topic, records), ProduceResponse, 12)
                await trio.lowlevel.checkpoint()
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
            assert codes_of(response) == {code}
            (answer,) = response.responses[0].partition_responses
            assert len(answer.record_errors) == (RECORD_ERRORS_MAX if code else 0)
            assert node.bugs.count == 0

    run()


@pytest.mark.parametrize("codec", CODECS)
def test_ten_in_one_request_and_ten_pipelined(codec: Compression, tmp_path: Path) -> None:
    records = batch_of_many(MANY // 4, codec, timestamp=NOW_MS, key=b"k")
    small = batch_of_many(4_000, codec, timestamp=NOW_MS, key=b"k")

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client, connect(node) as other:
            await make_topics(client, 10)
            with watching() as watch:
                await client.send(produce_many(COMPACTED, [records] * 5 + [small] * 5), 12)
                await pipeline(node, other, [records, small] * 5)
                assert codes_of(await client.receive(ProduceResponse)) == {0}
                await trio.lowlevel.checkpoint()
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
            assert await client.offset(COMPACTED, -1, 9) == 4_000
            assert await client.offset(TOPIC, -1) == 5 * (MANY // 4 + 4_000)

    run()


async def pipeline(_node: Node, client: Client, batches: list[bytes]) -> None:
    frames = [client.frame(produce_request(TOPIC, records), 12) for records in batches]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.stream.send_all, b"".join(frames))
        for _ in frames:
            assert codes_of(await client.receive(ProduceResponse)) == {0}


@trio_test
async def test_a_batch_has_a_million_records_at_most(tmp_path: Path) -> None:
    """It is refused by its header, before anything is decompressed."""
    records = batch_of(b"", RECORDS_PER_BATCH_MAX + 1, Compression.ZSTD, timestamp=NOW_MS)
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic(TOPIC)
        assert (await client.produce_batch(TOPIC, records)).error_code == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec", CODECS)
def test_one_record_that_decompresses_to_a_hundred_megabytes(codec: Compression, tmp_path: Path) -> None:
    """Few records are no small batch. Above 64 MiB it is refused."""
    records = build_batch([NewRecord(NOW_MS, None, b"\0" * (20 << 20))], compression=codec)

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, {"message.max.bytes": "10000000"}) as node, connect(node) as client:
            await make_topics(client)
            with watching() as watch:
                answer = await client.produce_batch(TOPIC, records)
                await trio.lowlevel.checkpoint()
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
            assert answer.error_code == ErrorCode.NONE

    run()


async def list_offsets(client: Client, timestamp: int) -> ListOffsetsPartitionResponse:
    wanted = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name=TOPIC, partitions=[wanted])])
    response = await client.ask(request, ListOffsetsResponse, 9)
    return response.topics[0].partitions[0]


@trio_test
async def test_a_look_up_by_time_leaves_others_their_turns(tmp_path: Path) -> None:
    """The header claims a later record than there is: every record of the batch is looked at, and the next batch."""
    lies = batch_of_many(MANY, Compression.ZSTD, timestamp=NOW_MS, max_timestamp=NOW_MS + 5_000, key=b"k")
    honest = build_batch([NewRecord(NOW_MS + 3_000, b"k", b"v")], compression=Compression.GZIP)
    async with running_node(tmp_path) as node, connect(node) as client:
        await make_topics(client)
        for records in (lies, honest):
            assert (await client.produce_batch(TOPIC, records)).error_code == ErrorCode.NONE
        with watching() as watch:
            found = await list_offsets(client, NOW_MS + 2_000)
            await trio.lowlevel.checkpoint()
        assert watch.quiet_seconds < HOLD_SECONDS_MAX, watch
        assert (found.offset, found.timestamp) == (MANY, NOW_MS + 3_000)


@trio_test
async def test_only_some_of_the_record_errors_are_told(tmp_path: Path) -> None:
    """Apache Kafka tells of each of 5,000."""
    records = build_batch([NewRecord(NOW_MS, None, b"")] * 5_000)
    async with running_node(tmp_path) as node, connect(node) as client:
        await make_topics(client)
        answer = await client.produce_batch(COMPACTED, records)
        assert answer.error_code == ErrorCode.INVALID_RECORD
        assert [error.batch_index for error in answer.record_errors] == list(range(RECORD_ERRORS_MAX))
        assert "due to 5000 record errors in total" in (answer.error_message or "")


@pytest.mark.parametrize("codec", list(Compression))
def test_a_record_has_max_decompressed_message_bytes_at_most(codec: Compression, tmp_path: Path) -> None:
    """As Apache Kafka 4.4.0: compared with a record's body, and only where the batch is compressed; no message, and no
    record errors. What was stored before the limit was lowered cannot be looked up by time.
    """

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic(TOPIC, max_decompressed_message_bytes="1000", retention_ms="-1")
            await client.create_topic(COMPACTED, cleanup_policy="compact", max_decompressed_message_bytes="1000")
            for topic in (TOPIC, COMPACTED):
                for size, code in ((992, ErrorCode.NONE), (5_000, ErrorCode.INVALID_RECORD)):
                    records = build_batch([NewRecord(NOW_MS, b"k", b"x" * size)], compression=codec)
                    answer = await client.produce_batch(topic, records)
                    assert answer.error_code == (code if codec else ErrorCode.NONE)
                    assert (answer.error_message, answer.record_errors) == (None, [])
            await client.alter_config(2, TOPIC, "max.decompressed.message.bytes", "100")
            for timestamp in (NOW_MS, -3):
                found = await list_offsets(client, timestamp)
                assert found.error_code == (ErrorCode.INVALID_RECORD if codec else ErrorCode.NONE)
                assert found.offset == (-1 if codec else 0)
            assert (await list_offsets(client, -1)).error_code == ErrorCode.NONE

    run()
