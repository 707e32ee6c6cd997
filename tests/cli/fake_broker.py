"""Brokers that answer as a test says: for what a real one does only in a cluster, or in trouble."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

from kafkapy_wire.api_keys import (
    API_VERSIONS,
    ApiKey,
    request_class,
    request_header_version,
    response_header_version,
)
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

Answer = Callable[[Message], Message | None]


class FakeBroker:
    """Listens on a free port of 127.0.0.1; `answer` gets each request but ApiVersions, None closes the connection."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[Message] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while prefix := stream.read(4):
                frame = stream.read(*struct.unpack(">i", prefix))
                key, version = struct.unpack_from(">hh", frame)
                header, position = decode_from(RequestHeader, frame, 0, request_header_version(key, version))
                request, _ = decode_from(request_class(key), frame, position, version)
                answer: Message | None
                if isinstance(request, ApiVersionsRequest):
                    answer = all_versions()
                else:
                    self.asked.append(request)
                    answer = self._answer(request)
                if answer is None:
                    return
                head = encode(
                    ResponseHeader(correlation_id=header.correlation_id), response_header_version(key, version)
                )
                body = head + encode(answer, version)
                connection.sendall(struct.pack(">i", len(body)) + body)


def all_versions() -> ApiVersionsResponse:
    return ApiVersionsResponse(
        api_keys=[
            ApiVersion(api_key=key, min_version=versions.min_version, max_version=versions.max_version)
            for key, versions in API_VERSIONS.items()
            if key != ApiKey.INIT_PRODUCER_ID
        ]
    )


class ScriptedServer:
    """Anything that listens: sends `reply` for whatever comes first, then closes; with None it says nothing."""

    def __init__(self, reply: bytes | None) -> None:
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                if self._reply is None:
                    self._done.wait(5)
                else:
                    connection.sendall(self._reply)
