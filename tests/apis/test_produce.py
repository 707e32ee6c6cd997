"""Produce appends whole batches or nothing, and tells each partition's outcome apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.clock import ManualClock
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import Uuid, random_uuid
from tests.shell.running_node import BROKER, TOPIC, batch, connect, produce_request, running_node, trio_test


def by_id(topic_id: Uuid, records: bytes, partition: int = 0) -> ProduceRequest:
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(acks=-1, topic_data=[TopicProduceData(topic_id=topic_id, partition_data=[data])])


@trio_test
async def test_every_version_appends(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        topic_id = await client.create_topic("orders")
        for offset, version in enumerate(range(3, 14)):
            request = produce_request("orders", batch([b"a"])) if version < 13 else by_id(topic_id, batch([b"a"]))
            response = await client.ask(request, ProduceResponse, version)
            (topic,) = response.responses
            assert (topic.name, topic.topic_id) == (("orders", bytes(16)) if version < 13 else ("", topic_id))
            (answer,) = topic.partition_responses
            assert (answer.error_code, answer.base_offset, answer.log_append_time_ms) == (ErrorCode.NONE, offset, -1)
        assert await client.values("orders") == [b"a"] * 11


@trio_test
async def test_one_failing_partition_does_not_fail_the_others(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", 2)
        whole = batch([b"a", b"b"])
        torn = whole[:-1] + bytes([whole[-1] ^ 1])
        request = ProduceRequest(
            acks=-1,
            topic_data=[
                TopicProduceData(
                    name="orders",
                    partition_data=[
                        PartitionProduceData(index=0, records=torn),
                        PartitionProduceData(index=1, records=whole),
                        PartitionProduceData(index=2, records=whole),
                    ],
                ),
                TopicProduceData(name="unknown", partition_data=[PartitionProduceData(index=0, records=whole)]),
            ],
        )
        response = await client.ask(request, ProduceResponse, 12)
        codes = [answer.error_code for topic in response.responses for answer in topic.partition_responses]
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert codes == [ErrorCode.CORRUPT_MESSAGE, ErrorCode.NONE, unknown, unknown]
        assert await client.values("orders", 0) == []
        assert await client.values("orders", 1) == [b"a", b"b"]


REFUSED = {
    "no records": (None, ErrorCode.INVALID_RECORD),
    "empty records": (b"", ErrorCode.INVALID_RECORD),
    "two batches": (batch([b"a"]) + batch([b"b"]), ErrorCode.INVALID_RECORD),
    "half a batch": (batch([b"a"])[:-1], ErrorCode.INVALID_RECORD),
    "less than a header": (b"\0" * 10, ErrorCode.INVALID_RECORD),
    "a wrong CRC": (batch([b"a"])[:-1] + b"?", ErrorCode.CORRUPT_MESSAGE),
    "too large": (batch([b"x" * 1_100_000]), ErrorCode.MESSAGE_TOO_LARGE),
    "a control batch": (build_batch([NewRecord(1, b"\0\0\0\0", b"")], is_control=True), ErrorCode.INVALID_RECORD),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_batch_is_refused(what: str, tmp_path: Path) -> None:
    records, expected = REFUSED[what]

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            answer = await client.produce_batch("orders", records)
            assert (ErrorCode(answer.error_code), answer.base_offset) == (expected, -1)
            assert await client.offset("orders", -1) == 0

    run()


@trio_test
async def test_unknown_topic_ids_have_their_own_error(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        topic_id = await client.create_topic("orders")
        for wanted, partition, expected in (
            (random_uuid(), 0, ErrorCode.UNKNOWN_TOPIC_ID),
            (topic_id, 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ):
            response = await client.ask(by_id(wanted, batch([b"a"]), partition), ProduceResponse, 13)
            assert response.responses[0].partition_responses[0].error_code == expected


@pytest.mark.parametrize("acks", [2, -2, 32767])
def test_acks_are_all_0_or_1(acks: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            answer = await client.produce_batch("orders", batch([b"a"]), acks=acks)
            assert answer.error_code == ErrorCode.INVALID_REQUIRED_ACKS
            assert await client.offset("orders", -1) == 0

    run()


@trio_test
async def test_min_insync_replicas_asks_for_no_more_replicas_than_there_are(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", min_insync_replicas="2")
        answer = await client.produce_batch("orders", batch([b"a"]), acks=-1)
        assert answer.error_code == ErrorCode.NONE


@trio_test
async def test_internal_topics_are_for_the_coordinators(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("__consumer_offsets")
        answer = await client.produce_batch("__consumer_offsets", batch([b"a"]))
        assert answer.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        client.client_id = "__admin_client"
        answer = await client.produce_batch("__consumer_offsets", build_batch([NewRecord(1, b"k", b"v")]))
        assert answer.error_code == ErrorCode.NONE


@trio_test
async def test_a_batch_sent_again_keeps_its_first_offset(tmp_path: Path) -> None:
    """Idempotent producers (KIP-98): a retry is answered as the first time, and stored once."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"of another")

        def numbered(sequence: int, epoch: int = 0, count: int = 2) -> bytes:
            return batch([b"a"] * count, producer_id=7, producer_epoch=epoch, base_sequence=sequence)

        for sequence, offset in ((0, 1), (2, 3), (0, 1), (2, 3), (4, 5)):
            answer = await client.produce_batch("orders", numbered(sequence))
            assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, offset)
        gap = await client.produce_batch("orders", numbered(99))
        assert gap.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert (await client.produce_batch("orders", numbered(0, epoch=1))).base_offset == 7
        old = await client.produce_batch("orders", numbered(6))
        assert old.error_code == ErrorCode.INVALID_PRODUCER_EPOCH
        assert await client.offset("orders", -1) == 9


@trio_test
async def test_duplicates_are_known_after_a_restart(tmp_path: Path) -> None:
    # Producers whose last batch is older than producer.id.expiration.ms are forgotten when a log is opened.
    now_ms = ManualClock().now_ms()
    records = batch([b"a", b"b"], timestamp=now_ms, producer_id=7, producer_epoch=0, base_sequence=0)
    for _ in range(3):
        async with running_node(tmp_path) as node, connect(node) as client:
            if "orders" not in node.broker.metadata.image.topics:
                await client.create_topic("orders")
            assert (await client.produce_batch("orders", records)).base_offset == 0
            assert await client.offset("orders", -1) == 2
    (tmp_path / ".kafka_cleanshutdown").unlink()
    async with running_node(tmp_path) as node, connect(node) as client:
        assert (await client.produce_batch("orders", records)).base_offset == 0


@trio_test
async def test_log_append_time_is_told(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", message_timestamp_type="LogAppendTime")
        before = node.clock.now_ms()
        answer = await client.produce_batch("orders", batch([b"a"], timestamp=1))
        assert before <= answer.log_append_time_ms <= node.clock.now_ms()


@trio_test
async def test_compacted_topics_want_keys_and_say_which_record_has_none(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders", cleanup_policy="compact")
        mixed = build_batch([NewRecord(1, b"k", b"v"), NewRecord(1, None, b"v")])
        answer = await client.produce_batch("orders", mixed)
        assert answer.error_code == ErrorCode.INVALID_RECORD
        assert [error.batch_index for error in answer.record_errors] == [1]
        assert await client.offset("orders", -1) == 0


@trio_test
async def test_settings_take_effect_at_once(tmp_path: Path) -> None:
    """The broker's default reaches every topic that has no value of its own."""
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("small", max_message_bytes="200")
        await client.create_topic("usual")
        records = batch([b"x" * 300])
        assert (await client.produce_batch("small", records)).error_code == ErrorCode.MESSAGE_TOO_LARGE
        assert (await client.produce_batch("usual", records)).error_code == ErrorCode.NONE
        await client.alter_config(BROKER, "", "message.max.bytes", "100")
        assert (await client.produce_batch("usual", records)).error_code == ErrorCode.MESSAGE_TOO_LARGE
        await client.alter_config(BROKER, "1", "message.max.bytes", "1000")
        assert (await client.produce_batch("usual", records)).error_code == ErrorCode.NONE
        await client.alter_config(BROKER, "", "log.retention.ms", "1234")
        assert node.broker.partitions.leader("usual", 0).settings.retention_ms == 1_234
        await client.alter_config(TOPIC, "small", "max.message.bytes", "1000")
        assert (await client.produce_batch("small", records)).error_code == ErrorCode.NONE
    async with running_node(tmp_path) as node, connect(node) as client:
        assert node.settings.now.topic_defaults.max_message_bytes == 1_000
        assert (await client.produce_batch("usual", records)).error_code == ErrorCode.NONE
        assert (await client.produce_batch("usual", batch([b"x" * 1_000]))).error_code == ErrorCode.MESSAGE_TOO_LARGE
