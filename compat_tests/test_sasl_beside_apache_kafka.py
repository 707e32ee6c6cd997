"""What clients are answered before, during and after a login, by kafkapy and by Apache Kafka 4.4.0: the same, but for
what `ACCEPTED` says.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from struct import Struct

import pytest

from compat_tests.apache_kafka import ApacheKafka
from compat_tests.ports import free_port
from kafkapy.testing import Kafka
from kafkapy_wire.api_keys import ApiKey, request_header_version, response_class, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
LENGTH = Struct(">i")
TIMEOUT_SECONDS = 20
SESSION_MS = 1_700
AT_ONCE = 8
CLOSED = "closed"
Step = Callable[["Login"], object]


def sasl_settings(listener: str) -> dict[str, str]:
    prefix = f"listener.name.{listener}"
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "connections.max.reauth.ms": str(SESSION_MS),
        "connection.failed.authentication.delay.ms": "10",
        f"{prefix}.plain.sasl.jaas.config": f'{PLAIN} required user_alice="secret" user_bob="b";',
        f"{prefix}.scram-sha-256.sasl.jaas.config": f"{SCRAM} required;",
    }


@pytest.fixture(scope="module")
def ours() -> Iterator[int]:
    protocols = {"listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"}
    with Kafka(settings={**sasl_settings("plaintext"), **protocols}, host="127.0.0.1") as kafka:
        yield int(kafka.bootstrap_servers.rpartition(":")[2])


@pytest.fixture(scope="module")
def apache(java: object) -> Iterator[int]:
    port = free_port()
    made = ApacheKafka(sasl_settings("clients"))
    listeners = f"{made.settings['listeners']},CLIENTS://127.0.0.1:{port}"
    advertised = f"{made.settings['advertised.listeners']},CLIENTS://127.0.0.1:{port}"
    made.settings |= {
        "listeners": listeners,
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENTS:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }
    with made:
        yield port


class Login:
    """A connection, and what it was answered."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self._count = 0

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: Message, version: int) -> object:
        key = ApiKey(request.__schema__.api_key or 0)
        self._count += 1
        header = RequestHeader(
            request_api_key=key, request_api_version=version, correlation_id=self._count, client_id="a"
        )
        self._send(encode(header, request_header_version(key, version)) + encode(request, version))
        frame = self._frame()
        if frame is None:
            return CLOSED
        header_version = response_header_version(key, version)
        _, position = decode_from(ResponseHeader, memoryview(frame), 0, header_version)
        answer: Message = decode(response_class(key), frame[position:], version)
        if isinstance(answer, ApiVersionsResponse):
            return "ApiVersions", answer.error_code  # what is announced is compared elsewhere
        if isinstance(answer, MetadataResponse):
            return "Metadata", [topic.error_code for topic in answer.topics]
        return answer

    def raw(self, token: bytes) -> object:
        self._send(token)
        frame = self._frame()
        return CLOSED if frame is None else frame

    def announce(self, length: int) -> object:
        self._socket.sendall(LENGTH.pack(length))
        return CLOSED if self._frame() is None else "answered"

    def end(self) -> object:
        """Whether the connection is closed when the last answer has come."""
        self._socket.settimeout(0.3)
        try:
            return CLOSED if not self._socket.recv(1) else "more bytes"
        except TimeoutError:
            return "open"
        except ConnectionResetError:
            return CLOSED

    def _send(self, content: bytes) -> None:
        self._socket.sendall(LENGTH.pack(len(content)) + content)

    def _frame(self) -> bytes | None:
        received = b""
        try:
            while len(received) < LENGTH.size or len(received) < LENGTH.size + LENGTH.unpack(received[:4])[0]:
                data = self._socket.recv(65_536)
                if not data:
                    return None
                received += data
        except ConnectionResetError:
            return None
        return received[LENGTH.size :]


def versions(login: Login) -> object:
    return login.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 3)


def metadata(login: Login) -> object:
    return login.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")], allow_auto_topic_creation=False), 12)


def handshake(mechanism: str = "PLAIN", version: int = 1) -> Step:
    return lambda login: login.ask(SaslHandshakeRequest(mechanism=mechanism), version)


def token(content: bytes, version: int = 2) -> Step:
    return lambda login: login.ask(SaslAuthenticateRequest(auth_bytes=content), version)


def raw(content: bytes) -> Step:
    return lambda login: login.raw(content)


def announced(length: int) -> Step:
    return lambda login: login.announce(length)


def wait(milliseconds: int) -> Step:
    def waits(_: Login) -> None:
        time.sleep(milliseconds / 1_000)

    return waits


RIGHT = token(b"\0alice\0secret")
AGAIN = wait(1_100)  # a second has to be between two re-authentications
CASES: Mapping[str, tuple[Step, ...]] = {
    "another request first": (metadata,),
    "a token first": (RIGHT,),
    "ApiVersions twice": (versions, versions),
    "everything in order": (versions, handshake(), RIGHT, metadata, versions),
    "v0": (handshake(version=0), raw(b"\0alice\0secret"), metadata),
    "v0, wrong password": (handshake(version=0), raw(b"\0alice\0wrong")),
    "v0, malformed": (handshake(version=0), raw(b"abc")),
    "v1, and a raw token": (handshake(), raw(b"\0alice\0secret")),
    "unknown mechanism": (handshake("GSSAPI"),),
    "unknown mechanism, v0": (handshake("X", 0),),
    "two handshakes": (handshake(), handshake()),
    "another request in the place of a token": (handshake(), metadata),
    "ApiVersions in the place of a token": (handshake(), versions),
    "SaslAuthenticate v0": (handshake(), token(b"\0alice\0secret", 0)),
    "SaslAuthenticate v1": (handshake(), token(b"\0alice\0secret", 1)),
    **{
        f"PLAIN {content!r}": (handshake(), token(content))
        for content in (
            *(b"\0alice\0wrong", b"\0nobody\0x", b"", b"\0\0\0\0", b"\0\0x", b"\0a\0", b"bob\0alice\0secret"),
            *(b"alice\0alice\0secret", b"\xff\0\xff\0\xff"),
        )
    },
    **{
        f"SCRAM {content!r}": (handshake("SCRAM-SHA-256"), token(content))
        for content in (b"", b"y,,n=alice,r=a", b"n,,n=a", b"n,,n=\xc3\xa4,r=b", b"n,,n=alice,r=abc")
    },
    "SCRAM, no proof": (
        *(handshake("SCRAM-SHA-256"), token(b"n,,n=alice,r=abc")),
        token(b"c=biws,r=abc,p=AAAA"),
    ),
    "after the login": (handshake(), RIGHT, RIGHT, handshake(), RIGHT, handshake(), metadata),
    "another user": (handshake(), RIGHT, AGAIN, handshake(), token(b"\0bob\0b")),
    "another mechanism": (handshake(), RIGHT, AGAIN, handshake("SCRAM-SHA-256"), token(b"n,,n=alice,r=a")),
    "a wrong password later": (handshake(), RIGHT, AGAIN, handshake(), token(b"\0alice\0x")),
    "a request in between": (handshake(), RIGHT, AGAIN, handshake(), metadata),
    "the session is over": (handshake(), RIGHT, wait(SESSION_MS + 300), metadata),
    "over, and a handshake": (handshake(), RIGHT, wait(SESSION_MS + 300), handshake(), RIGHT, metadata),
    "over, and ApiVersions": (handshake(), RIGHT, wait(SESSION_MS + 300), versions, metadata),
    "later, handshake v0": (handshake(), RIGHT, AGAIN, handshake(version=0), raw(b"\0alice\0secret"), metadata),
    "later, SaslAuthenticate v0": (handshake(), RIGHT, AGAIN, handshake(), token(b"\0alice\0secret", 0), metadata),
    "later, a raw token": (handshake(), RIGHT, AGAIN, handshake(), raw(b"\0alice\0secret")),
    "later, ApiVersions in between": (handshake(), RIGHT, AGAIN, handshake(), versions),
    "later, an unknown mechanism": (handshake(), RIGHT, AGAIN, handshake("X"), metadata),
    "v0, and again in v1": (handshake(version=0), raw(b"\0alice\0secret"), AGAIN, handshake(), RIGHT, metadata),
    "v0, and over": (handshake(version=0), raw(b"\0alice\0secret"), wait(SESSION_MS + 300), metadata),
    "SaslAuthenticate v0, and over": (handshake(), token(b"\0alice\0secret", 0), wait(SESSION_MS + 300), metadata),
    "v0, and SaslAuthenticate": (handshake(version=0), RIGHT),
    "no mechanism": (handshake(""),),
    "lower case": (handshake("plain"),),
    "an unknown mechanism, and a known one": (handshake("X"), handshake(), RIGHT),
    "a raw Metadata of v0": (raw(b"\0\x03\0\0\0\0\0\x01\xff\xff\0\0\0\0"),),
    "ApiVersions of a later version": (raw(b"\0\x12\0\x63\0\0\0\x07\xff\xff\0"), handshake(), RIGHT),
    "a later ApiVersions after the handshake": (handshake(), raw(b"\0\x12\0\x63\0\0\0\x07\xff\xff\0")),
    "a handshake of a later version": (raw(b"\0\x11\0\x63\0\0\0\x07\xff\xff\0\x05PLAIN"),),
    "a token of a later version": (handshake(), raw(b"\0\x24\0\x63\0\0\0\x07\xff\xff\0\x01")),
    "too long": (announced(524_289),),
    "negative": (announced(-1),),
    "no header": (raw(b"\0"),),
    "no such API": (raw(b"\x7f\xff\0\0\0\0\0\0\0\0"),),
}
ACCEPTED = {
    "SCRAM b'n,,n=alice,r=abc'": "an unknown user is refused after the second message, as a known one is",
    "SCRAM, no proof": "an unknown user is refused after the second message, as a known one is",
    "later, an unknown mechanism": "the client is told so, as at its first login; Apache Kafka closes the connection",
}


def played(port: int, steps: tuple[Step, ...]) -> list[object]:
    with closing(Login(port)) as login:
        answers: list[object] = []
        for step in steps:
            answer = step(login)
            if answer is not None:
                answers.append(answer)
            if answer == CLOSED:
                return answers
        return [*answers, login.end()]


@pytest.fixture(scope="module")
def told(ours: int, apache: int) -> Iterator[Mapping[str, tuple[Future[list[object]], Future[list[object]]]]]:
    """What ours and Apache Kafka answer in each case. They wait most of the time: several are played at once."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {
            case: (threads.submit(played, ours, steps), threads.submit(played, apache, steps))
            for case, steps in CASES.items()
        }


@pytest.mark.parametrize("case", CASES)
def test_logins_are_answered_as_by_apache_kafka(
    case: str, told: Mapping[str, tuple[Future[list[object]], Future[list[object]]]]
) -> None:
    here, there = (each.result() for each in told[case])
    if case in ACCEPTED:
        assert here != there, "it is the same by now"
    else:
        assert here == there
