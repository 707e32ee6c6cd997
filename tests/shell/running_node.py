"""A node in this process and a raw client of it: what the tests of the shell and of its APIs are built with.

@trio_test
async def test_x(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        answer = await client.ask(FetchRequest(...), FetchResponse, 12)
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from struct import Struct as Format
from typing import ParamSpec, TypeVar

import trio
import trio.testing

from kafkapy.clock import Clock, ManualClock
from kafkapy.faults import FaultEngine
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_header_version, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.records import NewRecord, Record, build_batch, decode_records, split_batches
from kafkapy_wire.uuid import Uuid

R = TypeVar("R", bound=Message)
P = ParamSpec("P")

TEST_SECONDS_MAX = 90
SIZE = Format(">i")
TOPIC, BROKER = 2, 4  # resource types of the config APIs


def trio_test(test: Callable[P, Awaitable[None]], *, seconds_max: float = TEST_SECONDS_MAX) -> Callable[P, None]:
    """Run an async test under trio, and end it when it hangs."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            with trio.fail_after(seconds_max):
                await test(*args, **kwargs)

        trio.run(bounded)

    return run


@asynccontextmanager
async def running_node(
    directory: Path,
    settings: Mapping[str, str] | None = None,
    *,
    durable: bool = False,
    clock: Clock | None = None,
    faults: FaultEngine | None = None,
    strict: Iterable[str] = (),
) -> AsyncIterator[Node]:
    """A node on a free port of 127.0.0.1, its data in `directory`."""
    given = {"listeners": "PLAINTEXT://127.0.0.1:0", **(settings or {})}
    clock = clock or ManualClock()
    node = Node(Settings(given), directory, durable=durable, clock=clock, faults=faults, strict=strict)
    async with node.started():
        yield node


@asynccontextmanager
async def connect(node: Node, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    stream = await trio.open_tcp_stream(host, port_of(node))
    try:
        yield Client(stream)
    finally:
        stream.socket.close()


def port_of(node: Node) -> int:
    return node.settings.now.advertised_listeners[0].port


async def until_parked(node: Node, count: int = 1) -> None:
    """Return when so many connections have a request that waits."""
    while sum(connection.busy for connection in node.server.connections) < count:
        await trio.lowlevel.checkpoint()
    await trio.testing.wait_all_tasks_blocked()


class Client:
    """One connection. Requests may be sent ahead; answers come in order and are checked against what was asked."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.client_id: str | None = "a-test"
        self._received = bytearray()
        self._correlation_id = 0
        self._expected: deque[tuple[int, ApiKey, int]] = deque()

    async def ask(self, request: Message, response_class: type[R], version: int | None = None) -> R:
        """Send one request of a version, the newest unless it is said, and return its answer."""
        await self.send(request, version)
        return await self.receive(response_class)

    async def send(self, request: Message, version: int | None = None, *, answered: bool = True) -> None:
        await self.stream.send_all(self.frame(request, version, answered=answered))

    def frame(self, request: Message, version: int | None = None, *, answered: bool = True) -> bytes:
        """One request with its size and header."""
        key = api_key(request)
        if version is None:
            version = API_VERSIONS[key].max_version
        self._correlation_id += 1
        header = RequestHeader(
            request_api_key=key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self.client_id,
        )
        content = encode(header, request_header_version(key, version)) + encode(request, version)
        if answered:
            self._expected.append((self._correlation_id, key, version))
        return SIZE.pack(len(content)) + content

    async def receive(self, response_class: type[R]) -> R:
        correlation_id, key, version = self._expected.popleft()
        frame = await self.receive_frame()
        header, position = decode_from(ResponseHeader, frame, 0, response_header_version(key, version))
        assert header.correlation_id == correlation_id, "answers come in the order of the requests"
        return decode(response_class, bytes(frame[position:]), version)

    async def receive_frame(self) -> memoryview:
        """The next answer without its size. Raises EOFError: the broker has closed the connection."""
        while True:
            if len(self._received) >= SIZE.size:
                end = SIZE.size + SIZE.unpack_from(self._received)[0]
                if len(self._received) >= end:
                    frame = bytes(self._received[SIZE.size : end])
                    del self._received[:end]
                    return memoryview(frame)
            await self._receive_more()

    async def _receive_more(self) -> None:
        try:
            data = await self.stream.receive_some(1 << 18)
        except trio.BrokenResourceError:  # reset: bytes of ours were still unread when the broker closed
            data = b""
        if not data:
            raise EOFError
        self._received += data

    async def closed_by_broker(self) -> bool:
        """Wait until the broker closes the connection; False when it answers instead."""
        try:
            await self.receive_frame()
        except EOFError:
            return True
        return False

    # -- requests that tests make in passing

    async def create_topic(self, name: str, partitions: int = 1, **configs: str) -> Uuid:
        """Settings with `_` for `.`: `max_message_bytes="100"`. Returns the topic's id."""
        topic = CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            configs=[CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
        )
        response = await self.ask(CreateTopicsRequest(topics=[topic]), CreateTopicsResponse)
        assert response.topics[0].error_code == ErrorCode.NONE, response
        return response.topics[0].topic_id

    async def delete_topic(self, name: str) -> None:
        request = DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], timeout_ms=10_000)
        response = await self.ask(request, DeleteTopicsResponse)
        assert response.responses[0].error_code == ErrorCode.NONE, response

    async def find_coordinator(self, key: str, *, key_type: int = 0) -> None:
        """Of a group, or with key type 1 of a transactional id: its topic is there afterwards."""
        request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
        (found,) = (await self.ask(request, FindCoordinatorResponse)).coordinators
        assert found.error_code == 0, found

    async def alter_config(self, resource_type: int, resource: str, name: str, value: str) -> None:
        change = AlterableConfig(name=name, config_operation=0, value=value)
        response = await self.ask(
            IncrementalAlterConfigsRequest(
                resources=[AlterConfigsResource(resource_type=resource_type, resource_name=resource, configs=[change])]
            ),
            IncrementalAlterConfigsResponse,
        )
        assert response.responses[0].error_code == ErrorCode.NONE, response

    async def produce(self, topic: str, *values: bytes, partition: int = 0, timestamp: int = 1_000) -> int:
        """One batch, all records with one timestamp. Returns its base offset."""
        answer = await self.produce_batch(topic, batch(values, timestamp=timestamp), partition)
        assert answer.error_code == ErrorCode.NONE, answer
        return answer.base_offset

    async def produce_batch(
        self, topic: str, records: bytes | None, partition: int = 0, *, acks: int = -1, version: int = 12
    ) -> PartitionProduceResponse:
        response = await self.ask(produce_request(topic, records, partition, acks=acks), ProduceResponse, version)
        (answer,) = response.responses[0].partition_responses
        return answer

    async def fetch(self, topic: str, offset: int = 0, partition: int = 0, *, max_wait_ms: int = 0) -> PartitionData:
        response = await self.ask(
            fetch_request({topic: {partition: offset}}, max_wait_ms=max_wait_ms), FetchResponse, 12
        )
        assert response.error_code == ErrorCode.NONE
        (data,) = response.responses[0].partitions
        return data

    async def values(self, topic: str, partition: int = 0) -> list[bytes | None]:
        """Every record of the partition, from its start on."""
        values: list[bytes | None] = []
        offset = await self.offset(topic, -2, partition)
        while records := records_of(await self.fetch(topic, offset, partition)):
            values += [record.value for record in records if record.offset >= offset]
            offset = records[-1].offset + 1
        return values

    async def offset(self, topic: str, timestamp: int, partition: int = 0) -> int:
        """By ListOffsets, -1 latest and -2 earliest."""
        wanted = ListOffsetsPartition(partition_index=partition, timestamp=timestamp)
        response = await self.ask(
            ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[wanted])]),
            ListOffsetsResponse,
        )
        answer = response.topics[0].partitions[0]
        assert answer.error_code == ErrorCode.NONE, answer
        return answer.offset


async def make_coordinators(client: Client) -> None:
    """As clients do, which look for the coordinator first: it makes its topic."""
    for key_type in (0, 1):
        request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=["a"])
        response = await client.ask(request, FindCoordinatorResponse, 4)
        assert response.coordinators[0].error_code == ErrorCode.NONE


def api_key(request: Message) -> ApiKey:
    key = type(request).__schema__.api_key
    assert key is not None, f"{type(request).__name__} is no request"
    return ApiKey(key)


def batch(values: Iterable[bytes | None], *, timestamp: int = 1_000, **header: int) -> bytes:
    """One batch, not compressed; `header` is for `build_batch`: producer_id, producer_epoch, base_sequence."""
    return build_batch([NewRecord(timestamp, None, value) for value in values], **header)  # type: ignore[arg-type]


def records_of(data: PartitionData) -> list[Record]:
    return [record for _, one in split_batches(bytes_of(data)) for record in decode_records(one)]


def bytes_of(data: PartitionData) -> bytes:
    assert data.records is None or isinstance(data.records, bytes | memoryview)
    return bytes(data.records or b"")


def produce_request(topic: str, records: bytes | None, partition: int = 0, *, acks: int = -1) -> ProduceRequest:
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(acks=acks, timeout_ms=1_000, topic_data=[TopicProduceData(name=topic, partition_data=[data])])


def fetch_request(
    wanted: Mapping[str | Uuid, Mapping[int, int]],
    *,
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    max_bytes: int = 1 << 30,
    partition_max_bytes: int = 1 << 30,
    session_id: int = 0,
    session_epoch: int = -1,
) -> FetchRequest:
    """A consumer's, of topics by name or id: partition -> fetch offset."""
    topics = []
    for topic, offsets in wanted.items():
        partitions = [
            FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=partition_max_bytes)
            for index, offset in offsets.items()
        ]
        named = FetchTopic(topic=topic) if isinstance(topic, str) else FetchTopic(topic_id=topic)
        named.partitions = partitions
        topics.append(named)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        session_id=session_id,
        session_epoch=session_epoch,
        topics=topics,
    )
