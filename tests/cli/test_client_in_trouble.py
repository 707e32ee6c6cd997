"""Where brokers fail, move, or are none, the client tries again within its time, then says in one line what to do."""

from __future__ import annotations

import os
import struct
import time
from contextlib import ExitStack

import pytest

from compat_tests.ports import refusing_port
from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, ConnectionLost, Refused, TryAgain, check
from kafkapy.client.fetcher import Fetcher
from kafkapy.client.producer import Producer
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.api_versions import ApiVersion, ApiVersionsResponse
from kafkapy_wire.messages.fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData
from kafkapy_wire.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kafkapy_wire.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from kafkapy_wire.records import NewRecord, build_batch, decode_records
from tests.cli.conftest import Kafkapy
from tests.cli.fake_broker import FakeBroker, ScriptedServer
from tests.descriptors import descriptors


def test_nobody_listens(run: Kafkapy) -> None:
    started = time.monotonic()
    with refusing_port() as port:
        result = run("topics", "list", "-b", f"127.0.0.1:{port}", "--timeout", "0.3")
    assert time.monotonic() - started < 3
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == (
        f"kafkapy topics list: cannot connect to 127.0.0.1:{port} (Connection refused): "
        "start a broker there with `kafkapy start`, or name yours with -b HOST:PORT\n"
    )


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak Kafka's protocol"),
        (struct.pack(">ii", 4, 77), "does not speak Kafka's protocol"),
        (struct.pack(">ii", 6, 1) + b"\xff\xff", "does not speak Kafka's protocol"),
        (struct.pack(">i", -1), "does not speak Kafka's protocol"),
        (b"", "closed the connection at the first request: a listener with TLS or SASL does so"),
        (None, "does not answer"),
    ],
)
def test_what_listens_is_no_broker(run: Kafkapy, reply: bytes | None, text: str) -> None:
    with ScriptedServer(reply) as server:
        timeout = "0.3" if reply is None else "2"
        result = run("topics", "list", "-b", f"127.0.0.1:{server.port}", "--timeout", timeout)
    assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
    assert text in result.err
    assert "start a broker there" not in result.err, "something listens there"


def test_a_broker_too_old_for_our_api_versions() -> None:
    """It answers in version 0, with error 35 and what it knows (KIP-511)."""
    body = encode(
        ApiVersionsResponse(
            error_code=ErrorCode.UNSUPPORTED_VERSION,
            api_keys=[
                ApiVersion(api_key=3, min_version=0, max_version=1),
                ApiVersion(api_key=1, min_version=0, max_version=3),
            ],
        ),
        0,
    )
    with ScriptedServer(struct.pack(">ii", 4 + len(body), 1) + body) as server:
        connection = Connection("127.0.0.1", server.port, timeout_seconds=5)
        try:
            with pytest.raises(ClientError, match="speaks FETCH only in versions 0-3"):
                connection.send(FetchRequest(), timeout_seconds=5)
            with pytest.raises(ClientError, match="does not know PRODUCE"):
                connection.send(ProduceRequest(), timeout_seconds=5)
        finally:
            connection.close()


def test_a_host_that_cannot_be_resolved(run: Kafkapy) -> None:
    result = run("topics", "list", "-b", "no-such-host.invalid:9092", "--timeout", "5")
    assert (result.exit_code, result.err.count("\n")) == (1, 1)
    assert "cannot resolve the host of no-such-host.invalid:9092" in result.err


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost:9092", [("localhost", 9092)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("kafka", [("kafka", 9092)]),
        ("[::1]:9093", [("::1", 9093)]),
        ("[::1]", [("::1", 9092)]),
    ],
)
def test_bootstrap_servers(text: str, addresses: list[tuple[str, int]]) -> None:
    assert parse_bootstrap(text) == addresses


@pytest.mark.parametrize("text", ["", ",", "a:", "a:b", ":9092", "a:0", "a:65536"])
def test_bootstrap_servers_that_are_none(text: str, run: Kafkapy) -> None:
    with pytest.raises(ClientError):
        parse_bootstrap(text)
    refused = run("topics", "list", "-b", text)
    assert (refused.exit_code, refused.err.count("\n")) == (1, 1)
    assert "cannot connect" not in refused.err


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--timeout", "soon"], ["--nonsense"]])
def test_usage_errors_end_with_2(run: Kafkapy, arguments: list[str]) -> None:
    assert run("topics", "list", *arguments).exit_code == 2


def test_codes_become_errors_by_what_can_be_done() -> None:
    check(0, "anything")
    with pytest.raises(TryAgain, match="has no leader") as retriable:
        check(ErrorCode.LEADER_NOT_AVAILABLE, "partition a-0")
    assert retriable.value.refresh_metadata
    with pytest.raises(Refused, match=r"topic 'a': No\. \(TOPIC_ALREADY_EXISTS\)") as refused:
        check(ErrorCode.TOPIC_ALREADY_EXISTS, "topic 'a'", "No.")
    assert refused.value.code is ErrorCode.TOPIC_ALREADY_EXISTS
    with pytest.raises(Refused, match="UNKNOWN_SERVER_ERROR"):
        check(9999, "topic 'a'")


def test_trying_again_ends_with_the_last_failure_and_tells_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkapy.client.patience.TELL_AFTER_SECONDS", 0.05)
    told: list[str] = []
    attempts = 0

    def attempt() -> int:
        nonlocal attempts
        attempts += 1
        raise TryAgain(f"failure {attempts}")

    with (
        Cluster([("localhost", 1)], timeout_seconds=2, tell=told.append) as cluster,
        pytest.raises(TryAgain, match=r"failure \d+"),
    ):
        cluster.retrying(attempt)
    assert attempts > 3
    (text,) = told
    assert text.endswith("trying again for up to 2 s")


class FakeCluster:
    """Brokers 1 and 2, topic `t` with a partition led by each; `leaders` may be changed by a test."""

    def __init__(self) -> None:
        self.leaders = {0: 1, 1: 2}
        self.log: dict[int, list[bytes | None]] = {0: [], 1: []}
        self.failures: list[str] = []
        """`lose`: the next produce is done and its answer lost; `refuse`: it is not done."""
        self.brokers = {1: FakeBroker(lambda request: self.answer(1, request))}
        self.brokers[2] = FakeBroker(lambda request: self.answer(2, request))

    def answer(self, broker_id: int, request: Message) -> Message | None:
        if isinstance(request, MetadataRequest):
            return self._metadata()
        if isinstance(request, ProduceRequest):
            return self._produce(broker_id, request)
        assert isinstance(request, FetchRequest)
        return self._fetch(broker_id, request)

    def _metadata(self) -> MetadataResponse:
        partitions = [
            MetadataResponsePartition(partition_index=index, leader_id=leader_id)
            for index, leader_id in self.leaders.items()
        ]
        return MetadataResponse(
            brokers=[
                MetadataResponseBroker(node_id=broker_id, host="127.0.0.1", port=broker.port)
                for broker_id, broker in self.brokers.items()
            ],
            topics=[MetadataResponseTopic(name="t", partitions=partitions)],
        )

    def _produce(self, broker_id: int, request: ProduceRequest) -> ProduceResponse | None:
        answers = []
        failure = self.failures.pop() if self.failures else ""
        for data in request.topic_data[0].partition_data:
            code = 0
            if self.leaders[data.index] != broker_id:
                code = ErrorCode.NOT_LEADER_OR_FOLLOWER
            elif failure != "refuse":
                assert isinstance(data.records, bytes | memoryview)
                self.log[data.index] += [record.value for record in decode_records(data.records)]
            answers.append(PartitionProduceResponse(index=data.index, error_code=code))
        if failure:
            return None
        return ProduceResponse(responses=[TopicProduceResponse(name="t", partition_responses=answers)])

    def _fetch(self, broker_id: int, request: FetchRequest) -> FetchResponse:
        partitions = []
        for asked in request.topics[0].partitions:
            data = PartitionData(partition_index=asked.partition, high_watermark=len(self.log[asked.partition]))
            values = self.log[asked.partition][asked.fetch_offset :]
            if self.leaders[asked.partition] != broker_id:
                data.error_code = ErrorCode.NOT_LEADER_OR_FOLLOWER
            elif values:
                records = [NewRecord(0, None, value) for value in values]
                data.records = build_batch(records, base_offset=asked.fetch_offset)
            partitions.append(data)
        return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])

    def connect(self) -> Cluster:
        return Cluster([("127.0.0.1", self.brokers[1].port)], timeout_seconds=5)


@pytest.fixture
def fake_cluster() -> object:
    fake = FakeCluster()
    with fake.brokers[1], fake.brokers[2]:
        yield fake


def test_records_go_to_the_leader_of_each_partition(fake_cluster: FakeCluster) -> None:
    with fake_cluster.connect() as cluster:
        for index in (0, 1):
            producer = Producer(cluster, "t", partition=index)
            producer.add(NewRecord(0, None, b"value %d" % index))
            producer.flush()
            assert (producer.sent_count, producer.last_position) == (1, (index, 0))
    assert fake_cluster.log == {0: [b"value 0"], 1: [b"value 1"]}


def test_a_leader_that_moved_is_looked_for_again(fake_cluster: FakeCluster) -> None:
    with fake_cluster.connect() as cluster:
        producer = Producer(cluster, "t", partition=0)
        fake_cluster.leaders[0] = 2
        producer.add(NewRecord(0, None, b"value"))
        producer.flush()
    assert fake_cluster.log[0] == [b"value"]


def test_a_connection_that_is_lost_before_the_append_is_tried_again(fake_cluster: FakeCluster) -> None:
    with fake_cluster.connect() as cluster:
        producer = Producer(cluster, "t", partition=1)
        fake_cluster.failures.append("refuse")
        producer.add(NewRecord(0, None, b"value"))
        producer.flush()
    assert fake_cluster.log[1] == [b"value"]


def test_a_leader_that_stays_away_is_an_error_and_the_records_stay(fake_cluster: FakeCluster) -> None:
    with fake_cluster.connect() as cluster:
        cluster.timeout_seconds = 0.3
        producer = Producer(cluster, "t", partition=0)
        producer.add(NewRecord(0, None, b"value"))
        fake_cluster.leaders[0] = 2
        fake_cluster.brokers[2].__exit__()
        with pytest.raises(ConnectionLost):
            producer.flush()
        fake_cluster.leaders[0] = 1
        cluster.timeout_seconds = 5
        producer.flush()
    assert fake_cluster.log[0] == [b"value"]


def test_fetching_from_two_leaders_one_of_which_moves(fake_cluster: FakeCluster) -> None:
    fake_cluster.log = {0: [b"a0"], 1: [b"a1"]}
    with fake_cluster.connect() as cluster, Fetcher(cluster, {("t", 0): 0, ("t", 1): 0}) as fetcher:
        assert read(fetcher, 2) == {b"a0", b"a1"}
        fake_cluster.leaders[1] = 1
        fake_cluster.log = {0: [b"a0", b"b0"], 1: [b"a1", b"b1"]}
        assert read(fetcher, 2) == {b"b0", b"b1"}
        assert fetcher.positions == {("t", 0): 2, ("t", 1): 2}


def test_a_process_may_have_more_than_a_thousand_open_files(fake_cluster: FakeCluster) -> None:
    with ExitStack() as stack:
        stack.enter_context(descriptors(4_096))
        for _ in range(1_100):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        fake_cluster.log = {0: [b"a"]}
        with fake_cluster.connect() as cluster, Fetcher(cluster, {("t", 0): 0}) as fetcher:
            assert read(fetcher, 1) == {b"a"}


def test_answers_for_an_assignment_that_has_ended_are_dropped(fake_cluster: FakeCluster) -> None:
    fake_cluster.log = {0: [b"a0"], 1: [b"a1", b"b1"]}
    with fake_cluster.connect() as cluster, Fetcher(cluster, {("t", 1): 0}) as fetcher:
        fetcher.poll(0)  # asks; the answer may not have come yet
        fetcher.assign({("t", 1): 1})
        assert read(fetcher, 1) == {b"b1"}


def read(fetcher: Fetcher, count: int) -> set[bytes | None]:
    values: list[bytes | None] = []
    deadline = time.monotonic() + 10
    while len(values) < count and time.monotonic() < deadline:
        values += [record.value for chunk in fetcher.poll(0.5) for record, _ in chunk.records]
    return set(values)
