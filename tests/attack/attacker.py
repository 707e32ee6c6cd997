"""A blocking client that sends whatever it likes."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple, TypeVar

from kafkapy_wire.api_keys import ApiKey, request_header_version, response_class, response_header_version
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse

M = TypeVar("M", bound=Message)

TIMEOUT_SECONDS = 120
_SIZE = struct.Struct(">i")


class Login(NamedTuple):
    """At a listener with SASL: a user whose password is its name, by PLAIN; `ca` over TLS, trusting this authority."""

    user: str
    ca: str | None = None


class Attacker:
    """One connection to the broker."""

    def __init__(self, port: int, client_id: str | None = "attacker", login: Login | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client_id = client_id
        if login is not None:
            if login.ca is not None:
                context = ssl.create_default_context(cafile=login.ca)
                self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
            answer = self.authenticate("PLAIN", f"\0{login.user}\0{login.user}".encode())
            assert answer.error_code == ErrorCode.NONE, answer

    def choose(self, mechanism: str) -> None:
        shaken = self.ask(SaslHandshakeRequest(mechanism=mechanism), SaslHandshakeResponse, 1)
        assert shaken.error_code == ErrorCode.NONE, shaken

    def authenticate(self, mechanism: str, token: bytes) -> SaslAuthenticateResponse:
        """The answer to the first token of a login."""
        self.choose(mechanism)
        return self.ask(SaslAuthenticateRequest(auth_bytes=token), SaslAuthenticateResponse, 2)

    def frame(self, request: Message, version: int) -> bytes:
        key = ApiKey(type(request).__schema__.api_key)
        header = RequestHeader(request_api_key=key, request_api_version=version, client_id=self._client_id)
        content = encode(header, request_header_version(key, version)) + encode(request, version)
        return _SIZE.pack(len(content)) + content

    def send_frame(self, frame: bytes) -> None:
        self.socket.sendall(frame)

    def send(self, request: Message, version: int) -> None:
        self.send_frame(self.frame(request, version))

    def _receive(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            data = self.socket.recv(min(count - len(received), 1 << 20))
            if not data:
                raise EOFError
            received += data
        return bytes(received)

    def receive_frame(self) -> bytes:
        """An answer without its size. Raises EOFError: the broker has closed the connection."""
        return self._receive(_SIZE.unpack(self._receive(4))[0])

    def ask(self, request: Message, response: type[M], version: int) -> M:
        self.send(request, version)
        assert response_class(ApiKey(type(request).__schema__.api_key)) is response
        return self.receive(response, version)

    def receive(self, response: type[M], version: int) -> M:
        """The next answer, to a request that was sent before."""
        key = ApiKey(response.__schema__.api_key)
        answer = memoryview(self.receive_frame())
        _, position = decode_from(ResponseHeader, answer, 0, response_header_version(key, version))
        return decode_from(response, answer, position, version)[0]

    def answered_or_closed(self, frame: bytes) -> int:
        """Send it, and wait for the answer, whatever that is; its bytes, -1 where the broker has closed."""
        try:
            self.send_frame(frame)
            return len(self.receive_frame())
        except (EOFError, ConnectionError):
            return -1

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> None:
        """Settings with `_` for `.`."""
        values = [CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=values)
        response = self.ask(CreateTopicsRequest(topics=[topic], timeout_ms=60_000), CreateTopicsResponse, 7)
        assert response.topics[0].error_code in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS), response

    def close(self) -> None:
        with suppress(OSError):
            self.socket.close()


def produce_request(topic: str, records: Mapping[int, bytes]) -> ProduceRequest:
    """One batch for each of the partitions."""
    data = [PartitionProduceData(index=index, records=batch) for index, batch in records.items()]
    return ProduceRequest(acks=-1, timeout_ms=60_000, topic_data=[TopicProduceData(name=topic, partition_data=data)])


def fetch_request(topic: str, partitions: range, *, max_wait_ms: int, min_bytes: int = 1 << 30) -> FetchRequest:
    """One that waits: without a session, from the first offset of each partition."""
    wanted = [FetchPartition(partition=index, partition_max_bytes=1 << 20) for index in partitions]
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=1 << 30,
        session_epoch=-1,
        topics=[FetchTopic(topic=topic, partitions=wanted)],
    )
