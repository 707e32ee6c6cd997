"""What single settings of a broker do in a running node. `tests/settings/effects.py` says which test shows which."""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.node import Node
from kafkapy.partitions import flushing
from kafkapy_log import PartitionLog
from kafkapy_log.checkpoint_files import REPLICATION_CHECKPOINT, TopicPartition, parse_offset_checkpoint
from kafkapy_log.settings import LogSettings
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse, MetadataResponseBroker
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from kafkapy_wire.records import Compression, TimestampType, split_batches
from tests.shell.running_node import (
    TOPIC,
    Client,
    bytes_of,
    connect,
    fetch_request,
    running_node,
    trio_test,
)

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
PATIENT = {"connections.max.idle.ms": str(10_000 * HOUR_MS)}  # the tests move the clock by hours
RARE_CHECKPOINTS = dict.fromkeys(
    ("replica.high.watermark.checkpoint.interval.ms", "log.flush.offset.checkpoint.interval.ms"), str(500 * HOUR_MS)
)
ONE_PARTITION = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}


def log_of(node: Node, topic: str) -> PartitionLog:
    return node.broker.partitions.leader(topic, 0).log


# -- what a broker's setting is for its topics

BROKERS_VALUES = {
    "compression.gzip.level": "3",
    "compression.type": "gzip",
    "log.cleaner.delete.retention.ms": "4001",
    "log.cleaner.max.compaction.lag.ms": "4002",
    "log.cleaner.min.cleanable.ratio": "0.25",
    "log.cleaner.min.compaction.lag.ms": "4003",
    "log.cleanup.policy": "compact,delete",
    "log.flush.interval.messages": "4004",
    "log.flush.interval.ms": "4005",
    "log.index.interval.bytes": "4006",
    "log.index.size.max.bytes": "4008",
    "log.message.timestamp.after.max.ms": "4009",
    "log.message.timestamp.before.max.ms": "4010",
    "log.message.timestamp.type": "LogAppendTime",
    "log.retention.bytes": "4011",
    "log.roll.jitter.ms": "4013",
    "log.roll.ms": "4001",
    "log.segment.bytes": "2000000",
    "log.segment.delete.delay.ms": "4015",
    "max.decompressed.message.bytes": "4018",
    "message.max.bytes": "4016",
    "producer.id.expiration.ms": "4017",
}
LOGS_VALUES = LogSettings(
    segment_bytes=2_000_000,
    segment_ms=4_001,
    segment_jitter_ms=4_013,
    segment_index_bytes=4_008,
    index_interval_bytes=4_006,
    flush_messages=4_004,
    flush_ms=4_005,
    retention_bytes=4_011,
    file_delete_delay_ms=4_015,
    compact=True,
    min_cleanable_dirty_ratio=0.25,
    min_compaction_lag_ms=4_003,
    max_compaction_lag_ms=4_002,
    delete_retention_ms=4_001,
    max_message_bytes=4_016,
    max_decompressed_message_bytes=4_018,
    compression_type=Compression.GZIP,
    compression_level=3,
    message_timestamp_type=TimestampType.LOG_APPEND_TIME,
    message_timestamp_before_max_ms=4_010,
    message_timestamp_after_max_ms=4_009,
    producer_id_expiration_ms=4_017,
)


@trio_test
async def test_a_brokers_values_are_those_of_its_topics_logs(tmp_path: Path) -> None:
    """What each of them does in a log is the business of tests/log."""
    async with running_node(tmp_path, BROKERS_VALUES) as node, connect(node) as client:
        await client.create_topic("orders")
        assert log_of(node, "orders").settings == LOGS_VALUES


LONGER_UNITS = [
    ({"log.retention.ms": "7200001"}, "retention_ms", 7_200_001),
    ({"log.retention.minutes": "3"}, "retention_ms", 3 * MINUTE_MS),
    ({"log.retention.hours": "2"}, "retention_ms", 2 * HOUR_MS),
    ({"log.roll.hours": "2"}, "segment_ms", 2 * HOUR_MS),
    ({"log.roll.jitter.hours": "1"}, "segment_jitter_ms", HOUR_MS),
]


@pytest.mark.parametrize(("given", "attribute", "expected"), LONGER_UNITS)
def test_a_broker_counts_in_longer_units(given: dict[str, str], attribute: str, expected: int, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, given) as node, connect(node) as client:
            await client.create_topic("orders")
            assert getattr(log_of(node, "orders").settings, attribute) == expected

    run()


LEVELS = [("gzip", "1", "9"), ("lz4", "1", "12"), ("zstd", "1", "19")]


@pytest.mark.parametrize(("codec", "low", "high"), LEVELS)
def test_a_higher_level_compresses_more(codec: str, low: str, high: str, tmp_path: Path) -> None:
    """compression.gzip.level, compression.lz4.level, compression.zstd.level: the broker's and the topic's own."""
    value = b"".join(b"%d %x %o;" % (number * 7919 % 1_000, number * 104_729, number) for number in range(20_000))

    @trio_test
    async def run() -> None:
        given = {"compression.type": codec, f"compression.{codec}.level": low}
        async with running_node(tmp_path, given) as node, connect(node) as client:
            await client.create_topic("quick")
            await client.create_topic("small")
            await client.alter_config(TOPIC, "small", f"compression.{codec}.level", high)
            for topic in ("quick", "small"):
                await client.produce(topic, value)
            assert log_of(node, "small").size_bytes < log_of(node, "quick").size_bytes < len(value)

    run()


# -- who the node is, and where it listens


@pytest.mark.parametrize("name", ["node.id", "broker.id"])
def test_clients_are_told_who_the_node_is_and_where(name: str, tmp_path: Path) -> None:
    given = {name: "7", "broker.rack": "r1", "advertised.listeners": "PLAINTEXT://elsewhere:1234"}

    @trio_test
    async def run() -> None:
        async with Address(tmp_path, given) as (_, client):
            answer = await client.ask(MetadataRequest(topics=[]), MetadataResponse)
            assert answer.brokers == [MetadataResponseBroker(node_id=7, host="elsewhere", port=1234, rack="r1")]
            assert answer.controller_id == 7

    run()


class Address:
    """A node and a client that knows its port, whatever it advertises."""

    def __init__(self, directory: Path, given: dict[str, str]) -> None:
        self._node = running_node(directory, given)

    async def __aenter__(self) -> tuple[Node, Client]:
        node = await self._node.__aenter__()
        port = next(listener.port for listener in node.settings.now.listeners)
        self._stream = await trio.open_tcp_stream("127.0.0.1", port)
        return node, Client(self._stream)

    async def __aexit__(self, *error: object) -> None:
        self._stream.socket.close()
        await self._node.__aexit__(None, None, None)


@trio_test
async def test_clients_have_no_part_in_the_controllers_listener(tmp_path: Path) -> None:
    given = {
        "listeners": "INSIDE://127.0.0.1:0,QUORUM://127.0.0.1:0",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,QUORUM:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "controller.listener.names": "QUORUM",
    }
    async with running_node(tmp_path, given) as node, connect(node) as client:
        (broker,) = (await client.ask(MetadataRequest(topics=[]), MetadataResponse)).brokers
        listeners = {listener.name: listener.port for listener in node.settings.now.listeners}
        assert listeners["INSIDE"] == broker.port != listeners["QUORUM"]


# -- sockets


def accepted_socket(node: Node) -> socket.socket:
    """The broker's end of its only connection, as another descriptor."""
    (connection,) = node.server.connections
    return socket.fromfd(connection._transport.fileno(), socket.AF_INET, socket.SOCK_STREAM)


@trio_test
async def test_sockets_have_the_buffers_that_were_asked_for(tmp_path: Path) -> None:
    given = {"socket.send.buffer.bytes": "30000", "socket.receive.buffer.bytes": "20000"}
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.ask(MetadataRequest(topics=[]), MetadataResponse)
        with accepted_socket(node) as sock:
            sizes = [sock.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
        factor = 2 if sys.platform == "linux" else 1  # Linux doubles what it is asked for
        assert sizes == [30_000 * factor, 20_000 * factor]


@trio_test
async def test_a_request_beyond_socket_request_max_bytes_closes_its_connection(tmp_path: Path) -> None:
    async with running_node(tmp_path, {"socket.request.max.bytes": "1000"}) as node:
        async with connect(node) as client:
            await client.create_topic("orders")
            await client.stream.send_all((1_001).to_bytes(4, "big") + bytes(1_001))
            assert await client.closed_by_broker()
        async with connect(node) as client:
            await client.produce("orders", b"x" * 500)


def test_as_many_connections_wait_as_the_backlog_is_long() -> None:
    from kafkapy.network.listeners import bind, listen
    from kafkapy.settings import Listener, Settings

    backlog = Settings({"socket.listen.backlog.size": "7"}).network.socket_listen_backlog_size
    listener = Listener("PLAINTEXT", "127.0.0.1", 0, "PLAINTEXT")
    with bind(listener) as sock:
        listen(listener, sock, backlog=backlog)
        # Linux tells a listening socket's backlog where a connected one has tcpi_sacked.
        (told,) = struct.unpack_from("=I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)
    assert told == 7


# -- fetching


@pytest.mark.parametrize(("slots", "has_session"), [("0", False), ("1", True)])
def test_there_are_as_many_fetch_sessions_as_slots(slots: str, has_session: bool, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        given = {"max.incremental.fetch.session.cache.slots": slots}
        async with running_node(tmp_path, given) as node, connect(node) as client:
            await client.create_topic("orders")
            request = fetch_request({"orders": {0: 0}}, session_epoch=0)
            assert bool((await client.ask(request, FetchResponse, 12)).session_id) is has_session

    run()


# -- groups


def join(session_timeout_ms: int) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id="readers",
        session_timeout_ms=session_timeout_ms,
        rebalance_timeout_ms=1_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


@trio_test
async def test_session_timeouts_have_the_brokers_bounds(tmp_path: Path) -> None:
    given = {**ONE_PARTITION, "group.min.session.timeout.ms": "50", "group.max.session.timeout.ms": "60"}
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.find_coordinator("readers")
        errors = {
            timeout_ms: (await client.ask(join(timeout_ms), JoinGroupResponse)).error_code
            for timeout_ms in (49, 50, 60, 61)
        }
    bad, good = ErrorCode.INVALID_SESSION_TIMEOUT, ErrorCode.MEMBER_ID_REQUIRED
    assert errors == {49: bad, 50: good, 60: good, 61: bad}


async def commit(client: Client, *, metadata: str = "") -> int:
    await client.find_coordinator("readers")
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=5, committed_metadata=metadata)
    topic = OffsetCommitRequestTopic(name="orders", partitions=[partition])
    request = OffsetCommitRequest(group_id="readers", generation_id_or_member_epoch=-1, topics=[topic])
    response = await client.ask(request, OffsetCommitResponse, 9)
    return response.topics[0].partitions[0].error_code


async def committed(client: Client) -> int:
    topic = OffsetFetchRequestTopics(name="orders", partition_indexes=[0])
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="readers", topics=[topic])])
    response = await client.ask(request, OffsetFetchResponse, 9)
    return response.groups[0].topics[0].partitions[0].committed_offset


@trio_test
async def test_metadata_of_an_offset_may_be_so_long(tmp_path: Path) -> None:
    given = {**ONE_PARTITION, "offset.metadata.max.bytes": "3"}
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.create_topic("orders")
        assert await commit(client, metadata="abc") == ErrorCode.NONE
        assert await commit(client, metadata="abcd") == ErrorCode.OFFSET_METADATA_TOO_LARGE


@trio_test
async def test_offsets_are_forgotten_after_their_retention_at_the_next_check(tmp_path: Path) -> None:
    given = {**PATIENT, **ONE_PARTITION, "offsets.retention.minutes": "1"}
    given["offsets.retention.check.interval.ms"] = str(10 * MINUTE_MS)
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.create_topic("orders")
        assert await commit(client) == ErrorCode.NONE
        node.clock.advance(9 * MINUTE_MS)
        assert await committed(client) == 5
        node.clock.advance(2 * MINUTE_MS)
        assert await committed(client) == -1


@trio_test
async def test_offsets_are_stored_with_the_codec_of_their_topic(tmp_path: Path) -> None:
    given = {**ONE_PARTITION, "offsets.topic.compression.codec": str(Compression.GZIP.value)}
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.create_topic("orders")
        assert await commit(client) == ErrorCode.NONE
        stored = bytes_of(await client.fetch("__consumer_offsets"))
        assert [header.compression for header, _ in split_batches(stored)] == [Compression.GZIP]


@pytest.mark.parametrize(
    ("key_type", "topic", "name"),
    [
        (0, "__consumer_offsets", "offsets.topic.replication.factor"),
        (1, "__transaction_state", "transaction.state.log.replication.factor"),
    ],
)
def test_an_internal_topic_needs_as_many_brokers_as_replicas(
    key_type: int, topic: str, name: str, tmp_path: Path
) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, {**ONE_PARTITION, name: "2"}) as node, connect(node) as client:
            request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=["readers"])
            (answer,) = (await client.ask(request, FindCoordinatorResponse)).coordinators
            assert answer.error_code != ErrorCode.NONE
            assert topic not in node.broker.metadata.image.topics

    run()


@trio_test
async def test_the_topic_of_transactions_has_the_brokers_settings(tmp_path: Path) -> None:
    given = {
        "transaction.state.log.num.partitions": "3",
        "transaction.state.log.min.isr": "2",
        "transaction.state.log.segment.bytes": "2000000",
    }
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await begin_transactions(client)
        assert len(node.broker.metadata.image.topics["__transaction_state"].partitions) == 3
        partition = node.broker.partitions.leader("__transaction_state", 0)
        assert (partition.settings.min_insync_replicas, partition.settings.segment_bytes) == (2, 2_000_000)


# -- transactions


async def begin_transactions(client: Client) -> None:
    await client.find_coordinator("t", key_type=1)
    request = InitProducerIdRequest(transactional_id="t", transaction_timeout_ms=1_000)
    assert (await client.ask(request, InitProducerIdResponse)).error_code == ErrorCode.NONE


@trio_test
async def test_unused_transactional_ids_are_forgotten_at_the_next_check(tmp_path: Path) -> None:
    given = {
        **PATIENT,
        **ONE_PARTITION,
        "transactional.id.expiration.ms": str(MINUTE_MS),
        "transaction.remove.expired.transaction.cleanup.interval.ms": str(10 * MINUTE_MS),
    }
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await begin_transactions(client)

        async def known() -> list[str]:
            answer = await client.ask(ListTransactionsRequest(), ListTransactionsResponse)
            return [state.transactional_id for state in answer.transaction_states]

        node.clock.advance(9 * MINUTE_MS)
        assert await known() == ["t"]
        node.clock.advance(2 * MINUTE_MS)
        while await known():
            await trio.lowlevel.checkpoint()


@trio_test
async def test_transactions_that_take_too_long_are_aborted_at_the_next_check(tmp_path: Path) -> None:
    interval = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
    given = {**PATIENT, **ONE_PARTITION, interval: str(10 * MINUTE_MS)}
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.find_coordinator("t", key_type=1)
        request = InitProducerIdRequest(transactional_id="t", transaction_timeout_ms=1_000)
        producer = await client.ask(request, InitProducerIdResponse)
        topic = AddPartitionsToTxnTopic(name="orders", partitions=[0])
        begun = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id="t",
            v3_and_below_producer_id=producer.producer_id,
            v3_and_below_producer_epoch=producer.producer_epoch,
            v3_and_below_topics=[topic],
        )
        await client.ask(begun, AddPartitionsToTxnResponse, 3)

        async def state() -> str:
            answer = await client.ask(ListTransactionsRequest(), ListTransactionsResponse)
            return answer.transaction_states[0].transaction_state

        node.clock.advance(9 * MINUTE_MS)
        assert await state() == "Ongoing"
        node.clock.advance(2 * MINUTE_MS)
        while await state() != "CompleteAbort":
            await trio.lowlevel.checkpoint()


# -- logs


@trio_test
async def test_the_metadata_log_has_segments_of_its_own_size(tmp_path: Path) -> None:
    given = {"metadata.log.segment.bytes": "9000000", "metadata.log.segment.ms": "77000"}
    async with running_node(tmp_path, given) as node:
        settings = node.metadata_log.log.settings
        assert (settings.segment_bytes, settings.segment_ms) == (9_000_000, 77_000)


@trio_test
async def test_high_watermarks_are_noted_at_their_interval(tmp_path: Path) -> None:
    given = {**PATIENT, **RARE_CHECKPOINTS, "replica.high.watermark.checkpoint.interval.ms": "60000"}

    def noted() -> dict[TopicPartition, int]:
        file = tmp_path / REPLICATION_CHECKPOINT
        return parse_offset_checkpoint(file.read_bytes()) if file.exists() else {}

    async with running_node(tmp_path, given) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b", timestamp=node.clock.now_ms())
        node.clock.advance(50 * SECOND_MS)
        await trio.testing.wait_all_tasks_blocked()
        assert not noted()
        node.clock.advance(20 * SECOND_MS)
        while not noted():
            await trio.lowlevel.checkpoint()
        assert noted() == {TopicPartition("orders", 0): 2}


@trio_test
async def test_recovery_points_move_at_their_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "SETTLE_BYTES_MIN", 1)  # of a log that is worth it
    given = {**PATIENT, **RARE_CHECKPOINTS, "log.flush.offset.checkpoint.interval.ms": "60000"}
    async with running_node(tmp_path, given, durable=True) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a", b"b", timestamp=node.clock.now_ms())
        node.clock.advance(50 * SECOND_MS)
        await trio.testing.wait_all_tasks_blocked()
        assert log_of(node, "orders").recovery_point == 0
        node.clock.advance(20 * SECOND_MS)
        while log_of(node, "orders").recovery_point != 2:
            await trio.lowlevel.checkpoint()


@trio_test
async def test_retention_looks_at_its_interval(tmp_path: Path) -> None:
    given = {**PATIENT, "log.initial.task.delay.ms": "0", "log.retention.check.interval.ms": str(HOUR_MS)}
    async with running_node(tmp_path, given) as node, connect(node) as client:
        await trio.testing.wait_all_tasks_blocked()  # the first look is over
        await client.create_topic("orders", retention_ms="1")
        await client.produce("orders", b"a", timestamp=node.clock.now_ms())
        node.clock.advance(HOUR_MS // 2)
        await trio.testing.wait_all_tasks_blocked()
        assert log_of(node, "orders").log_start_offset == 0
        node.clock.advance(HOUR_MS)
        while log_of(node, "orders").log_start_offset != 1:
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("spares", [False, True])
def test_records_stamped_1970_go_with_the_first_check_unless_their_write_counts(spares: bool, tmp_path: Path) -> None:
    """As from Apache Kafka; kafkapy.retention.from.last.write is for tests that stamp records so."""
    given = {**PATIENT, "kafkapy.retention.from.last.write": str(spares).lower()}

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, given) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.create_topic("others")
            await client.produce("orders", b"a", timestamp=0)
            await client.produce("others", b"b", timestamp=node.clock.now_ms() - 8 * 24 * HOUR_MS)
            node.clock.advance(MINUTE_MS)  # log.initial.task.delay.ms
            await trio.testing.wait_all_tasks_blocked()
            expected = [b"a"] if spares else []
            assert await client.values("orders") == expected
            await client.alter_config(4, "", "kafkapy.retention.from.last.write", str(not spares).lower())
            await trio.testing.wait_all_tasks_blocked()
            assert await client.values("orders") == []

    run()
