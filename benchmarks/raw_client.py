"""A blocking client whose own cost is tiny: requests are encoded once, then only their correlation ids are patched.

Answers on the measured paths are not decoded: their error code and the few numbers needed stand at a position that is
the same for every answer of a topic, so it is found once, by decoding the first one with all its fields.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from kafkapy_wire.api_keys import ApiKey, request_header_version, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.records import NewRecord, build_batch

CLIENT_ID = "benchmark"
TIMEOUT_SECONDS = 60
# A broker that makes its logs is not to be kept from it by a thousand questions: waits double, as clients' do.
RETRY_SECONDS = 0.001
RETRY_SECONDS_MAX = 0.05
NOT_YET = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER)
COORDINATOR_NOT_YET = (
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
)
COORDINATOR_TYPE_TRANSACTION = 1
# The last versions that name topics (later ones use topic ids), spoken by every peer or lowered to what it speaks.
PRODUCE_VERSION = 12
FETCH_VERSION = 12
METADATA_VERSION = 12
METADATA_VERSION_OF_MOCK = 8  # from 9 on (flexible) the answers of librdkafka 2.16's mock have a byte too many
CREATE_TOPICS_VERSION = 7
FIND_COORDINATOR_VERSION = 4
INIT_PRODUCER_ID_VERSION = 5
API_VERSIONS_VERSION = 0  # what every broker answers in full; the mock lacks the later ones
ACKS_LEADER = 1
ACKS_ALL = -1

# Positions in a frame: its length (4 bytes), then the header. A request's begins with api key and version.
LENGTH_BYTES = 4
REQUEST_CORRELATION_ID_AT = 8
RESPONSE_CORRELATION_ID_AT = 4
_INT32 = struct.Struct(">i")

Address = tuple[str, int]
M = TypeVar("M", bound=Message)


class UnexpectedAnswer(Exception):
    """A broker answered with an error, or not what was asked for; the figure would mean nothing."""


class Connection:
    """One blocking connection. A broker that is silent for TIMEOUT_SECONDS raises BlockingIOError."""

    def __init__(self, address: Address, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.socket = socket.create_connection(address, timeout=timeout_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel's own timeouts: a timeout of Python's costs one poll(2) before each call.
        self.socket.settimeout(None)
        limit = struct.pack("ll", int(timeout_seconds), int(timeout_seconds % 1 * 1_000_000))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def receive(self, buffer: memoryview) -> int:
        """Read one whole frame to the start of `buffer`; its size with the length prefix.

        At most one answer may be under way: what arrives behind the frame would be lost.
        """
        received = 0
        while received < LENGTH_BYTES:
            received += self.receive_some(buffer[received:])
        size: int = _INT32.unpack_from(buffer)[0] + LENGTH_BYTES
        while received < size:
            received += self.receive_some(buffer[received:size])
        return size

    def receive_some(self, buffer: memoryview) -> int:
        count = self.socket.recv_into(buffer)
        if not count:
            raise ConnectionError("the broker closed the connection")
        return count

    def call(self, api_key: ApiKey, request: Message, version: int, response_class: type[M]) -> M:
        """Ask and decode in full: for what is set up before the clock runs."""
        self.socket.sendall(request_frame(api_key, request, version))
        return decode_answer(api_key, version, self.receive_bytes(), response_class)

    def receive_bytes(self) -> bytes:
        """One whole frame of any size, with its length prefix."""
        prefix = self._receive_exactly(LENGTH_BYTES)
        return prefix + self._receive_exactly(_INT32.unpack(prefix)[0])

    def _receive_exactly(self, size: int) -> bytes:
        buffer = bytearray(size)
        view = memoryview(buffer)
        received = 0
        while received < size:
            received += self.receive_some(view[received:])
        return bytes(buffer)


def request_frame(api_key: ApiKey, request: Message, version: int, correlation_id: int = 0) -> bytearray:
    header = RequestHeader(
        request_api_key=api_key, request_api_version=version, correlation_id=correlation_id, client_id=CLIENT_ID
    )
    body = encode(header, request_header_version(api_key, version)) + encode(request, version)
    return bytearray(_INT32.pack(len(body)) + body)


def decode_answer(api_key: ApiKey, version: int, frame: bytes, response_class: type[M]) -> M:
    _, position = decode_from(
        ResponseHeader, memoryview(frame), LENGTH_BYTES, response_header_version(api_key, version)
    )
    return decode(response_class, frame[position:], version)


def ask_api_versions(address: Address, *, timeout_seconds: float) -> dict[int, range]:
    """The versions a broker serves by API key. Raises OSError as long as nobody answers."""
    with Connection(address, timeout_seconds=timeout_seconds) as connection:
        response = connection.call(ApiKey.API_VERSIONS, ApiVersionsRequest(), API_VERSIONS_VERSION, ApiVersionsResponse)
    if response.error_code != ErrorCode.NONE:
        raise UnexpectedAnswer(f"ApiVersions: error {response.error_code}")
    return {int(api.api_key): range(api.min_version, api.max_version + 1) for api in response.api_keys}


def create_topics_request(
    names: list[str],
    *,
    partition_count: int = 1,
    replication_factor: int = 1,
    configs: Mapping[str, str] | None = None,
) -> CreateTopicsRequest:
    given = [CreatableTopicConfig(name=name, value=value) for name, value in (configs or {}).items()]
    topics = [
        CreatableTopic(name=name, num_partitions=partition_count, replication_factor=replication_factor, configs=given)
        for name in names
    ]
    return CreateTopicsRequest(topics=topics, timeout_ms=TIMEOUT_SECONDS * 1000)


def check_created(names: list[str], response: CreateTopicsResponse) -> None:
    """Raises UnexpectedAnswer when one of the topics was refused or forgotten."""
    if {topic.name for topic in response.topics} != set(names):
        raise UnexpectedAnswer(f"CreateTopics: {len(names)} topics, answers for {len(response.topics)}")
    for topic in response.topics:
        if topic.error_code != ErrorCode.NONE:
            raise UnexpectedAnswer(f"CreateTopics: {topic.name}: error {topic.error_code} {topic.error_message}")


def create_topics(connection: Connection, request: CreateTopicsRequest) -> None:
    """Raises UnexpectedAnswer: not all of them were created."""
    created = connection.call(ApiKey.CREATE_TOPICS, request, CREATE_TOPICS_VERSION, CreateTopicsResponse)
    check_created([topic.name for topic in request.topics], created)


def metadata_request(names: list[str], *, create: bool = False) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=create)


def ready_topic(
    connection: Connection, name: str, served: dict[int, range], *, configs: Mapping[str, str] | None = None
) -> None:
    """A new topic with one partition that takes records (one has been produced). The mock has only auto-creation."""
    if ApiKey.CREATE_TOPICS in served:
        create_topics(connection, create_topics_request([name], configs=configs))
    else:
        request = metadata_request([name], create=True)
        connection.call(ApiKey.METADATA, request, METADATA_VERSION_OF_MOCK, MetadataResponse)
    wait_until_usable(connection, [name], served)


def wait_until_usable(connection: Connection, names: list[str], served: dict[int, range]) -> None:
    """Produce one record to each topic in one request, again to those whose leader the broker does not know yet to be.

    Raises UnexpectedAnswer: another error, or not all after TIMEOUT_SECONDS.
    """
    version = produce_version(served)
    batch = one_record_batch()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    pause_seconds = RETRY_SECONDS
    while True:
        response = connection.call(ApiKey.PRODUCE, produce_request(names, batch), version, ProduceResponse)
        errors = {topic.name: topic.partition_responses[0].error_code for topic in response.responses}
        if errors.keys() != set(names):
            raise UnexpectedAnswer(f"Produce to {len(names)} topics: answers for {len(errors)}")
        names = [name for name, error in errors.items() if error != ErrorCode.NONE]
        if not names:
            return
        for name in names:
            if errors[name] not in NOT_YET or time.monotonic() > deadline:
                raise UnexpectedAnswer(f"Produce to {name}: error {errors[name]}")
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, RETRY_SECONDS_MAX)


def produce_version(served: dict[int, range]) -> int:
    return min(PRODUCE_VERSION, served[ApiKey.PRODUCE][-1])


def one_record_batch() -> bytes:
    """A batch with one record of 100 bytes."""
    return build_batch([NewRecord(timestamp=now_ms(), key=None, value=bytes(100))])


def large_batch(record_count: int, value_bytes: int) -> bytes:
    """Stays under Kafka's default `message.max.bytes` (1,048,588) with 1,000 records of 1,000 bytes."""
    value = bytes(range(256)) * (value_bytes // 256 + 1)
    timestamp = now_ms()
    return build_batch(
        [NewRecord(timestamp=timestamp, key=None, value=value[:value_bytes]) for _ in range(record_count)]
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def produce_request(topics: list[str], batch: bytes, *, acks: int = ACKS_ALL) -> ProduceRequest:
    """The same batch to partition 0 of each topic."""
    partition = PartitionProduceData(index=0, records=batch)
    return ProduceRequest(
        acks=acks,
        timeout_ms=TIMEOUT_SECONDS * 1000,
        topic_data=[TopicProduceData(name=topic, partition_data=[partition]) for topic in topics],
    )


def produce_frame(topic: str, batch: bytes, served: dict[int, range], *, acks: int = ACKS_ALL) -> bytearray:
    return request_frame(ApiKey.PRODUCE, produce_request([topic], batch, acks=acks), produce_version(served))


def init_producer_id(connection: Connection, transactional_id: str | None = None) -> tuple[int, int]:
    """A producer id and its epoch; of a transactional id as soon as its coordinator is there.

    Raises UnexpectedAnswer: another error, or not after TIMEOUT_SECONDS.
    """
    if transactional_id is not None:
        find = FindCoordinatorRequest(key_type=COORDINATOR_TYPE_TRANSACTION, coordinator_keys=[transactional_id])
        _until_there(
            "FindCoordinator",
            lambda: (
                connection.call(ApiKey.FIND_COORDINATOR, find, FIND_COORDINATOR_VERSION, FindCoordinatorResponse)
                .coordinators[0]
                .error_code
            ),
        )
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_SECONDS * 1000)
    response = InitProducerIdResponse()

    def ask() -> int:
        nonlocal response
        response = connection.call(ApiKey.INIT_PRODUCER_ID, request, INIT_PRODUCER_ID_VERSION, InitProducerIdResponse)
        return response.error_code

    _until_there("InitProducerId", ask)
    return response.producer_id, response.producer_epoch


def _until_there(what: str, ask: Callable[[], int]) -> None:
    """Ask again while the error is one of COORDINATOR_NOT_YET. Raises UnexpectedAnswer."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while error := ask():
        if error not in COORDINATOR_NOT_YET or time.monotonic() > deadline:
            raise UnexpectedAnswer(f"{what}: error {error}")
        time.sleep(RETRY_SECONDS_MAX)


class ProduceAnswer:
    """Where the error code and the base offset stand in every answer to produces of one partition."""

    def __init__(self, topic: str, version: int) -> None:
        # length, correlation id, [header tags, count, name, count | the same with wider lengths], partition index
        compact = version >= 9
        before_error = 1 + 1 + 1 + len(topic) + 1 + 4 if compact else 4 + 2 + len(topic) + 4 + 4
        self._fields = struct.Struct(f">{RESPONSE_CORRELATION_ID_AT}xi{before_error}xhq")

    def base_offset(self, frame: memoryview | bytearray, position: int, correlation_id: int) -> int:
        """The base offset in the answer at `position`. Raises UnexpectedAnswer: an error, or not this request's."""
        answered, error, base_offset = self._fields.unpack_from(frame, position)
        if error or answered != correlation_id:
            raise UnexpectedAnswer(f"Produce {correlation_id}: answer to {answered}, error {error}")
        offset: int = base_offset
        return offset


class FetchFrame:
    """A fetch of one partition without a session, its offset patched from call to call."""

    def __init__(self, topic: str, *, max_bytes: int, max_wait_ms: int) -> None:
        marker = 0x0123_4567_89AB_CDEF
        request = FetchRequest(
            max_wait_ms=max_wait_ms,
            min_bytes=1,
            max_bytes=max_bytes,
            session_epoch=-1,
            topics=[
                FetchTopic(
                    topic=topic,
                    partitions=[FetchPartition(partition=0, fetch_offset=marker, partition_max_bytes=max_bytes)],
                )
            ],
        )
        self.bytes = request_frame(ApiKey.FETCH, request, FETCH_VERSION)
        self._offset_at = self.bytes.index(marker.to_bytes(8, "big"))

    def at(self, fetch_offset: int) -> bytearray:
        struct.pack_into(">q", self.bytes, self._offset_at, fetch_offset)
        return self.bytes


class FetchAnswer:
    """Where the numbers stand in every answer (version 12) to fetches of one partition without a session."""

    def __init__(self, topic: str) -> None:
        # length, correlation id, header tags, throttle time | error, session id, count, name, count, index | error,
        # high watermark | last stable offset, log start offset, no aborted transactions (null or empty), replica
        self._fields = struct.Struct(f">9x4xh4x1x{1 + len(topic)}x1x4xhq8x8x1x4x")
        self.head_bytes = self._fields.size + 5  # and the size of the records, a varint of at most five bytes

    def records_bytes(self, frame: memoryview | bytearray) -> int:
        """How many bytes of batches the answer at the start of `frame` holds. Raises UnexpectedAnswer."""
        top_error, error, _ = self._fields.unpack_from(frame)
        if top_error or error:
            raise UnexpectedAnswer(f"Fetch: errors {top_error}, {error}")
        size = shift = 0
        for byte in frame[self._fields.size : self.head_bytes]:
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return max(0, size - 1)  # compact: the length plus one, 0 for null
