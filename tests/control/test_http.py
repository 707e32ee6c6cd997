"""The control API as it stands at its port: who may ask, what is refused, what hostile askers can do."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from kafkapy.control.http.app import BODY_BYTES_MAX, make_app
from kafkapy.control.http.guard import Guard, is_loopback
from kafkapy.control.http.serve import ControlApi
from kafkapy.errors import StartupError
from kafkapy.testing import Kafka

SOON = 30.0
MANY = 200


@pytest.fixture(scope="module")
def one_kafka() -> Iterator[Kafka]:
    with Kafka(control=True) as kafka:
        yield kafka


@pytest.fixture
def kafka(one_kafka: Kafka) -> Iterator[Kafka]:
    one_kafka.reset()
    yield one_kafka
    assert one_kafka.take_bugs() == []


def ask(kafka: Kafka, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status, and the answer's JSON."""
    connection = HTTPConnection(urlsplit(kafka.control_url).netloc, timeout=SOON)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()


def connected(kafka: Kafka) -> socket.socket:
    url = urlsplit(kafka.control_url)
    return socket.create_connection((url.hostname, url.port), timeout=SOON)


def test_operations_are_asked_for(kafka: Kafka) -> None:
    assert ask(kafka, "POST", "/v1/create_topic", {"name": "orders", "partitions": 2})[0] == 200
    assert ask(kafka, "GET", "/v1/topics") == ask(kafka, "POST", "/v1/topics") == (200, ["orders"])
    stored = ask(kafka, "POST", "/v1/produce", {"topic": "orders", "records": [{"value": "a", "partition": 1}]})
    assert stored == (200, [{"topic": "orders", "partition": 1, "offset": 0}])
    status, found = ask(kafka, "GET", "/v1/records?topic=orders&partition=1")
    assert (status, [each["value"] for each in found]) == (200, ["a"])
    assert ask(kafka, "GET", "/live") == (200, {"live": True})
    assert ask(kafka, "GET", "/ready") == (200, {"ready": True, "not_running": []})
    assert ask(kafka, "GET", "/openapi.json")[1]["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "word"),
    [
        ("POST", "/v1/topix", {}, 404, "UnknownOperation", "did you mean 'topic'?"),
        ("POST", "/v1/" + "x" * 5_000, {}, 404, "UnknownOperation", "there is no operation"),
        ("GET", "/", None, 404, "NotFound", "/openapi.json"),
        ("GET", "/v1/", None, 404, "NotFound", "/v1/OPERATION"),
        ("POST", "/live", {}, 405, "MethodNotAllowed", "GET"),
        ("DELETE", "/v1/topics", None, 405, "MethodNotAllowed", "POST"),
        ("GET", "/v1/reset", None, 405, "ChangesState", "by POST"),
        ("GET", "/v1/topic?name=none", None, 404, "NotFound", "no topic 'none'"),
        ("GET", "/v1/topic", None, 400, "InvalidArgument", "needs it"),
        ("GET", "/v1/records?topic=t&partition=one", None, 400, "InvalidArgument", "a number"),
        ("POST", "/v1/create_topic", {"name": "kept"}, 409, "TOPIC_ALREADY_EXISTS", "kept"),
        ("POST", "/v1/create_topic", {"name": "a/b"}, 409, "INVALID_TOPIC_EXCEPTION", "a/b"),
        ("POST", "/v1/create_topic", b'{"name": "\\ud800"}', 400, "InvalidArgument", "surrogate"),
        ("POST", "/v1/create_topic", b'{"\\ud800": "x"}', 400, "InvalidArgument", "surrogate"),
        (
            "POST",
            "/v1/create_topic",
            {"name": "new", "settings": {"retention.ms": "1", "retention.byte": "1"}},
            409,
            "INVALID_CONFIG",
            "retention.byte (did you mean 'retention.bytes'?)",
        ),
        ("POST", "/v1/create_topic", {"name": "new", "partitions": 2**31}, 409, "POLICY_VIOLATION", "partitions"),
        ("POST", "/v1/create_topic", b"[" * 100_000, 400, "InvalidArgument", "not JSON"),
        ("POST", "/v1/add_faults", {"rules": [{"api": "Produse", "error": "X"}]}, 400, "InvalidRule", "Produce"),
        (
            "POST",
            "/v1/add_faults",
            {"rules": [{"api": "Produce", "disconnect": "before"}, {"topik": 1}]},
            400,
            "InvalidRule",
            "topic",
        ),
        ("POST", "/v1/fault", {"fault_id": 99}, 400, "UnknownFault", "99"),
        ("POST", "/v1/wait_for_topic", {"name": "none", "timeout": 0}, 504, "NotYet", "none"),
        ("POST", "/v1/wait_for_topic", {"name": "none", "timeout": -1}, 400, "InvalidArgument", "negative"),
        ("POST", "/v1/advance_time", {"milliseconds": -1}, 400, "ValueError", "back"),
        ("POST", "/v1/stop_node", {"node_id": 9}, 404, "NotFound", "9"),
        ("GET", "/v1/recorded?api=Produse", None, 400, "InvalidFilter", "Produce"),
        ("POST", "/v1/take_snapshot", {"name": "../x"}, 400, "ValueError", "no name"),
        (
            "POST",
            "/v1/produce",
            {"topic": "kept", "records": [{"value": "a", "partition": 7}]},
            404,
            "NotFound",
            "no 7",
        ),
        (
            "POST",
            "/v1/commit_offsets",
            {"group_id": "g", "offsets": {"kept": {"7": 0}}},
            409,
            "UNKNOWN_TOPIC_OR_PARTITION",
            "",
        ),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_done(
    kafka: Kafka, method: str, path: str, body: Any, status: int, kind: str, word: str
) -> None:
    kafka.create_topic("kept", 1)
    answered, found = ask(kafka, method, path, body)
    assert (answered, found["error"]["kind"]) == (status, kind), found
    assert word in found["error"]["message"]
    assert len(found["error"]["message"]) < 1_000
    assert kafka.topics() == ["kept"] or (path.endswith("commit_offsets") and "kept" in kafka.topics())
    assert kafka.faults.all() == []
    assert kafka.records("kept") == []


def test_other_methods_change_nothing(kafka: Kafka) -> None:
    kafka.create_topic("kept", 1)
    for method in ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        connection = HTTPConnection(urlsplit(kafka.control_url).netloc, timeout=SOON)
        connection.request(method, "/v1/reset")
        assert connection.getresponse().status == 405, method
        connection.close()
    assert kafka.topics() == ["kept"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:80", 200),
        ("[::1]", 200),
        ("[::1]:80", 200),
        ("host.docker.internal:9090", 200),
        ("evil.example:9090", 403),
        ("localhost.evil.example", 403),
        ("localhost:80@evil.example", 403),
        ("", 403),
        ("[localhost", 403),
    ],
)
def test_a_host_that_is_not_ours_is_refused(kafka: Kafka, host: str, status: int) -> None:
    assert ask(kafka, "GET", "/v1/topics", Host=host)[0] == status


def test_scripts_of_web_pages_are_refused(kafka: Kafka) -> None:
    for origin in ("http://evil.example", "null"):
        status, found = ask(kafka, "POST", "/v1/topics", {}, Origin=origin)
        assert (status, found["error"]["kind"]) == (403, "CrossOrigin")


class Headers:
    """A request, as far as the guard looks at it."""

    def __init__(self, **headers: str) -> None:
        self.headers = headers


def test_a_token_is_asked_for() -> None:
    guard = Guard("secret", "0.0.0.0")
    for headers in (
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer Secret"},
        {"authorization": "Basic secret"},
    ):
        refused = guard.refusal(Headers(host="localhost", **headers))  # type: ignore[arg-type]
        assert refused is not None
        assert refused.status_code == 401
    for host in ("localhost", "kafka.example"):
        assert guard.refusal(Headers(host=host, authorization="bearer secret")) is None  # type: ignore[arg-type]


def test_other_machines_need_a_token() -> None:
    with pytest.raises(StartupError, match="KAFKAPY_CONTROL_TOKEN"):
        ControlApi("0.0.0.0", 0, None)
    ControlApi("0.0.0.0", 0, "secret").close()
    assert [is_loopback(each) for each in ("127.0.0.2", "::1", "localhost", "10.0.0.1", "example.org")] == [
        *(True, True, True, False, False)
    ]


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StartupError, match="cannot listen at"):
        ControlApi("127.0.0.1", taken.getsockname()[1], None)


def test_a_body_has_a_bound(kafka: Kafka) -> None:
    with connected(kafka) as sock:
        sock.sendall(
            f"POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES_MAX * 1_000}\r\n\r\n".encode()
        )
        answer = sock.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    with connected(kafka) as sock:
        sock.sendall(b"POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        sender = threading.Thread(target=send_chunks, args=(sock,), daemon=True)
        sender.start()
        answer = sock.recv(65_536)
        with suppress(OSError):  # the server may have reset the connection by now
            sock.shutdown(socket.SHUT_RDWR)
        sender.join(SOON)
    assert answer.startswith(b"HTTP/1.1 413 ")


def send_chunks(sock: socket.socket) -> None:
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    try:
        for _ in range(2 * BODY_BYTES_MAX // (1 << 20)):
            sock.sendall(chunk)
    except OSError:
        pass  # hung up, as it should


def test_slow_bodies_and_many_connections_hold_up_nobody(kafka: Kafka) -> None:
    socks = [connected(kafka) for _ in range(MANY)]
    try:
        for number, sock in enumerate(socks):
            if number % 2:
                sock.sendall(b'POST /v1/create_topic HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{"name":')
        assert ask(kafka, "GET", "/v1/topics") == (200, [])
        socks[1].sendall(b' "orders"}  ')
        assert socks[1].recv(65_536).startswith(b"HTTP/1.1 200 ")
    finally:
        for sock in socks:
            sock.close()
    assert kafka.topics() == ["orders"]


def test_nonsense_in_place_of_http(kafka: Kafka) -> None:
    for sent in (
        b"\x00" * 1_000,
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff" * 10,
    ):
        with connected(kafka) as sock:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            try:
                while sock.recv(65_536):
                    pass
            except ConnectionResetError:
                pass
    assert ask(kafka, "GET", "/v1/topics") == (200, [])


class NoTopics:
    """Nodes that will never have any."""

    image = SimpleNamespace(topics={})

    def topic(self, name: str) -> None:
        raise LookupError(name)


def test_a_wait_ends_with_who_asked_for_it() -> None:
    body = b'{"name": "never", "timeout": 1e9}'
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(_message: Any) -> None:
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        app = make_app(NoTopics(), Guard(None, "localhost"))  # type: ignore[arg-type]
        scope = {"type": "http", "method": "POST", "path": "/v1/wait_for_topic", "headers": [(b"host", b"localhost")]}
        await app({**scope, "query_string": b"", "root_path": ""}, receive, send)

    trio.run(main)
    assert coming == []


def test_events_are_told_as_they_happen(kafka: Kafka) -> None:
    with connected(kafka) as sock:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream = sock.makefile("rb")
        assert any(line.startswith(b": kafkapy") for line in iter(stream.readline, b""))
        request_api_versions(kafka)
        lines = iter(stream.readline, b"")
        assert b"event: exchange\n" in lines
        next(lines)
        exchange = json.loads(next(lines).removeprefix(b"data: "))
        assert exchange["api"] == "ApiVersions"


def request_api_versions(kafka: Kafka, count: int = 1) -> None:
    """ApiVersions v0, as any client's first request."""
    host, port = kafka.bootstrap_servers.split(":")
    frame = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x01c"
    with socket.create_connection((host, int(port)), timeout=SOON) as sock:
        for _ in range(count):
            sock.sendall(len(frame).to_bytes(4, "big") + frame)
            size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "big")
            assert len(sock.recv(size, socket.MSG_WAITALL)) == size


def test_a_stop_leaves_no_copies_of_descriptors(tmp_path: Path) -> None:
    """Of all that the process has open some are copied, to find the connections that are to be closed."""
    with (tmp_path / "open").open("w"):
        with Kafka(control=True) as kafka:
            assert ask(kafka, "GET", "/v1/topics") == (200, [])
        links = [link for each in Path("/proc/self/fd").iterdir() if (link := read_link(each)) is not None]
    assert links.count(str(tmp_path / "open")) == 1


def read_link(path: Path) -> str | None:
    with suppress(FileNotFoundError):  # other threads open and close theirs
        return os.readlink(path)  # noqa: PTH115 - sockets have no path
    return None


def test_readers_that_never_read_hold_up_nobody_and_no_stop() -> None:
    with Kafka(control=True) as kafka:
        socks = [connected(kafka) for _ in range(5)]
        for sock in socks:
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(15) == b"HTTP/1.1 200 \r\n"[:15]
        request_api_versions(kafka, 2_000)
        assert ask(kafka, "GET", "/v1/topics") == (200, [])
        assert kafka.recorded("ApiVersions").count() == 2_000
        assert kafka.take_bugs() == []
    for sock in socks:
        sock.close()
