"""A broker to compare: any request of any version goes to it raw, and its transcript keeps what it answered."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from compat_tests.differential.plain import Normaliser, Plain
from compat_tests.differential.timing import NEVER, SETTLING_SECONDS, Timing
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_header_version, response_class, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.errors import MalformedMessage, UnsupportedVersion
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

M = TypeVar("M", bound=Message)
ANSWER_TIMEOUT_SECONDS = 60.0  # Apache Kafka asks for the state of a share group that has none for up to 18
LATEST_TIMESTAMP = -1
CLIENT_ID = "differential"


class ConnectionClosed(Exception):
    """The broker closed the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry of a transcript: what was asked, in a word, and what came back, made comparable."""

    request: str
    """`Metadata v3 unknown topic`: the API, the version, the scenario's label."""
    plain: Plain
    when: str = ""
    """`timing`: "at once", "after the wait", ..."""


def api_key_of(request: Message) -> ApiKey:
    return ApiKey(type(request).__schema__.api_key)


def versions_of(key: ApiKey) -> range:
    """Every version Apache Kafka 4.4.0 serves of this API."""
    api = API_VERSIONS[key]
    return range(api.min_version, api.max_version + 1)


class Connection:
    """One blocking connection; answers come in the order of the requests."""

    source_address: tuple[str, int] | None = None
    """Where it comes from; None: from where the system has it come."""

    def __init__(
        self, host: str, port: int, client_id: str = CLIENT_ID, *, patience: float = ANSWER_TIMEOUT_SECONDS
    ) -> None:
        """`patience`: so many seconds for the connection, and then for each answer."""
        self._client_id = client_id
        self._socket = socket.create_connection((host, port), patience, self.source_address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation_id = 0

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends a watcher of its arrival, too
        self._socket.close()

    def watch(self, timing: Timing) -> None:
        """Have `timing` note when the next answer arrives."""
        timing.watch(self._socket)

    def be_patient(self, seconds: float) -> None:
        """Wait so long for an answer: for what is known not to be answered."""
        self._socket.settimeout(seconds)

    def post(self, request: Message, version: int) -> int:
        """Send without waiting; the correlation id is for `receive`."""
        key = api_key_of(request)
        header_version = request_header_version(key, version)
        self._correlation_id += 1
        header = RequestHeader(
            request_api_key=int(key),
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self._client_id,
        )
        self.post_frame(encode(header, header_version) + encode(request, version))
        return self._correlation_id

    def post_frame(self, frame: bytes) -> None:
        self.post_bytes(struct.pack(">i", len(frame)) + frame)

    def post_bytes(self, data: bytes) -> None:
        """Raises ConnectionClosed."""
        try:
            self._socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise ConnectionClosed from error

    def receive_frame(self) -> bytes:
        """Raises ConnectionClosed, TimeoutError."""
        (length,) = struct.unpack(">i", self._receive_exactly(4))
        return self._receive_exactly(length)

    def receive(self, key: ApiKey, version: int, correlation_id: int) -> Message:
        """The next answer, which must be the one to this request. Raises ConnectionClosed, TimeoutError."""
        frame = self.receive_frame()
        header, position = decode_from(ResponseHeader, frame, 0, response_header_version(key, version))
        assert header.correlation_id == correlation_id, (header.correlation_id, correlation_id)
        return decode(response_class(key), frame[position:], version)

    def _receive_exactly(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            try:
                chunk = self._socket.recv(count - len(received))
            except ConnectionResetError as error:
                raise ConnectionClosed from error
            if not chunk:
                raise ConnectionClosed
            received += chunk
        return bytes(received)


@dataclass(slots=True, eq=False)
class Pending:
    """A request that is on its way; `answer` waits for what comes back and writes it down."""

    peer: Peer
    connection: Connection
    key: ApiKey
    version: int
    correlation_id: int
    label: str
    timing: Timing

    def answer(self) -> Any:
        """The decoded answer (the API's response class); None: the connection was closed, or nothing came in time."""
        return self.peer.record_answer(self)


@dataclass
class Peer:
    """One of the two brokers, as the scenarios see it. `name` is for failure messages only.

    `place` is said with each request: which broker of a cluster it is.
    """

    name: str
    host: str
    port: int
    data_dir: Path | None
    transcript: list[Answer] = field(default_factory=list)
    place: str = ""

    def __post_init__(self) -> None:
        self._connections: list[Connection] = []
        self._main: Connection | None = None
        self._waiting: list[Pending] = []
        data_dirs = {self.data_dir: "<data directory>"} if self.data_dir else {}
        self.normaliser = Normaliser(self.host, {self.port: "<port>"}, data_dirs)
        self.topic_ids: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()

    def connect(self, client_id: str = CLIENT_ID) -> Connection:
        """A further connection, closed with the scenario."""
        connection = Connection(self.host, self.port, client_id)
        self._connections.append(connection)
        return connection

    def _main_connection(self) -> Connection:
        if self._main is None:
            self._main = self.connect()
        return self._main

    def post(self, request: Message, version: int, label: str = "", connection: Connection | None = None) -> Pending:
        """Send and do not wait, on a connection of its own unless one is given, with nothing left to read."""
        pending = self._send(request, version, label, connection or self.connect())
        pending.connection.watch(pending.timing)
        self._waiting.append(pending)
        return pending

    def _send(self, request: Message, version: int, label: str, connection: Connection) -> Pending:
        key = api_key_of(request)
        timing = Timing(request)
        return Pending(self, connection, key, version, connection.post(request, version), label, timing)

    def meanwhile(self, what: str) -> None:
        """Let the posted requests wait; then the scenario does `what`, and answers from now on came when that happened.

        Returns earlier if all are answered.
        """
        deadline = time.monotonic() + SETTLING_SECONDS
        for pending in self._waiting:
            pending.timing.settle(deadline)
            pending.timing.happens(what)

    def ask(
        self, request: Message, version: int | None = None, label: str = "", connection: Connection | None = None
    ) -> Any:
        """Send, wait, write the answer down, and give it; None where no answer came. The newest version by default."""
        key = api_key_of(request)
        used = versions_of(key)[-1] if version is None else version
        return self._send(request, used, label, connection or self._main_connection()).answer()

    def ask_each(
        self, request: type[M], make: Callable[..., M], label: str = "", versions: Iterable[int] | None = None
    ) -> None:
        """Ask what `make(version)` gives, in every version that can carry it."""
        for version in versions or versions_of(ApiKey(request.__schema__.api_key)):
            made = make(version)
            try:
                encode(made, version)
            except UnsupportedVersion:
                continue
            self.ask(made, version, label)

    def ask_versions(self, request: Message, label: str = "", versions: Iterable[int] | None = None) -> None:
        """Ask the same in every version that can carry it."""
        self.ask_each(type(request), lambda _: request, label, versions)

    def record_answer(self, pending: Pending) -> Any:
        what = f"{API_VERSIONS[pending.key].message_name} v{pending.version} {pending.label}"
        name = f"{what.rstrip()} {self.place}".rstrip()
        message: Message | None = None
        plain: Plain
        if pending in self._waiting:
            self._waiting.remove(pending)
        try:
            pending.timing.await_arrival(ANSWER_TIMEOUT_SECONDS)
            message = pending.connection.receive(pending.key, pending.version, pending.correlation_id)
            when = pending.timing.answered()
            plain = self.normaliser.plain(message, pending.version)
        except ConnectionClosed:
            plain, when = "connection closed", pending.timing.answered()
            self._forget(pending.connection)
        except TimeoutError:
            plain, when = "no answer", NEVER
            self._forget(pending.connection)
        except MalformedMessage as error:
            plain, when = f"malformed answer: {error}", pending.timing.answered()
            self._forget(pending.connection)
        self.transcript.append(Answer(name, plain, when))
        return message

    def note(self, label: str, plain: Plain) -> None:
        """Write something else down that both brokers must agree on."""
        self.transcript.append(Answer(label, plain))

    def reconnect(self) -> None:
        """Ask on a new connection from now on: the broker was stopped."""
        self._main = None

    def _forget(self, connection: Connection) -> None:
        connection.close()
        if connection is self._main:
            self._main = None

    def quietly(self, request: Message, version: int | None = None) -> Any:
        """Ask without writing it down: preparation, not what is compared."""
        key = api_key_of(request)
        used = versions_of(key)[-1] if version is None else version
        connection = self._main_connection()
        return connection.receive(key, used, connection.post(request, used))

    def until(self, request: Message, done: Callable[[Any], bool], what: str) -> Any:
        """Ask quietly until `done`: Apache Kafka answers before its broker has replayed a change."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        while True:
            answer = self.quietly(request)
            if done(answer):
                return answer
            assert time.monotonic() < deadline, f"{self.name}: {what}: {answer!r}"
            time.sleep(0.01)

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> bytes:
        """A topic that is there when this returns; its id."""
        configs = [CreatableTopicConfig(name=key, value=value) for key, value in (config or {}).items()]
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=configs)
        created = self.quietly(CreateTopicsRequest(topics=[topic], timeout_ms=10_000))
        assert [t.error_code for t in created.topics] == [0], created
        return self.await_topic(name, partitions)

    def await_topic(self, name: str, partitions: int = 1) -> bytes:
        """Wait until every partition of the topic has a leader; the topic's id."""

        def ready(answer: Any) -> bool:
            (topic,) = answer.topics
            return topic.error_code == 0 and [p.error_code for p in topic.partitions] == [0] * partitions

        request = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
        topic_id: bytes = self.until(request, ready, f"topic {name} is ready").topics[0].topic_id

        # Apache Kafka's broker tells clients who leads a moment before it lets the leader lead.
        ends = [ListOffsetsPartition(partition_index=index, timestamp=LATEST_TIMESTAMP) for index in range(partitions)]
        ask_ends = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=name, partitions=ends)])
        self.until(
            ask_ends,
            lambda answer: all(p.error_code == 0 for p in answer.topics[0].partitions),
            f"topic {name} is led",
        )
        self.topic_ids[name] = topic_id
        self.normaliser.name_uuid(topic_id, name)
        return topic_id
