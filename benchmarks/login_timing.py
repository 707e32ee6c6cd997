"""Whether the time of an answer tells that a user exists: wrong user against wrong password, in turn.

    python -m benchmarks.login_timing --logins 2000

Also prints how many logins a second one client does, connection and all. connection.failed.authentication.delay.ms is 0
here: in practice a refused login is answered 100 ms later, and by the node's clock.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import time
from collections.abc import Callable
from struct import Struct

from kafkapy.testing import Kafka
from kafkapy_wire.api_keys import request_header_version, response_header_version
from kafkapy_wire.codec import decode, decode_from, encode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest
from kafkapy_wire.sasl.client import PlainClient, ScramClient

LENGTH = Struct(">i")
USER, PASSWORD = "alice", "secret"


def ask(sock: socket.socket, request: Message, key: int, version: int) -> bytes:
    header = RequestHeader(request_api_key=key, request_api_version=version, correlation_id=1, client_id="t")
    content = encode(header, request_header_version(key, version)) + encode(request, version)
    sock.sendall(LENGTH.pack(len(content)) + content)
    received = b""
    while len(received) < 4 or len(received) < 4 + LENGTH.unpack(received[:4])[0]:
        data = sock.recv(65_536)
        assert data, "the broker has closed the connection"
        received += data
    return received[4:]


def last_answer_seconds(port: int, mechanism: str, user: str, password: str) -> tuple[float, int]:
    """How long the answer to the last token took, and its error code."""
    exchange = PlainClient(user, password) if mechanism == "PLAIN" else ScramClient(mechanism, user, password)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask(sock, SaslHandshakeRequest(mechanism=mechanism), 17, 1)
        token: bytes | None = exchange.first()
        while True:
            assert token is not None
            begun = time.perf_counter()
            frame = ask(sock, SaslAuthenticateRequest(auth_bytes=token), 36, 2)
            took = time.perf_counter() - begun
            _, position = decode_from(ResponseHeader, memoryview(frame), 0, response_header_version(36, 2))
            answer = decode(SaslAuthenticateResponse, frame[position:], 2)
            if answer.error_code or (token := exchange.step(answer.auth_bytes)) is None:
                return took, answer.error_code


def compared(port: int, mechanism: str, count: int) -> None:
    cases: dict[str, Callable[[], tuple[float, int]]] = {
        "wrong password": lambda: last_answer_seconds(port, mechanism, USER, "wrong!"),
        "wrong user": lambda: last_answer_seconds(port, mechanism, "alicf", "wrong!"),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(count):
        for name, case in cases.items():
            took, code = case()
            assert code, name
            times[name].append(took * 1e6)
    known, unknown = times["wrong password"], times["wrong user"]
    print(f"{mechanism}: {count} logins each, microseconds until the last answer")
    for name, values in times.items():
        quartiles = statistics.quantiles(values, n=4)
        print(f"  {name:15} quartiles {quartiles[0]:8.1f} {quartiles[1]:8.1f} {quartiles[2]:8.1f}")
    # How often a wrong user took longer than a wrong password: 0.5 tells nothing.
    ordered = sorted([(value, 0) for value in known] + [(value, 1) for value in unknown])
    rank_sum = sum(rank for rank, (_, which) in enumerate(ordered, 1) if which)
    share = (rank_sum - count * (count + 1) / 2) / count**2
    error = (1 / (12 * count) * 2) ** 0.5
    print(f"  a wrong user takes longer in {share:.3f} of all pairs (0.5 +- {2 * error:.3f} tells nothing)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=1_000)
    count = parser.parse_args().logins
    settings = {"connection.failed.authentication.delay.ms": "0"}
    with Kafka(users={USER: PASSWORD}, settings=settings, host="127.0.0.1", record=False, isolation="process") as kafka:
        port = int(kafka.bootstrap_servers.rpartition(":")[2])
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            compared(port, mechanism, count)
            begun = time.perf_counter()
            for _ in range(200):
                _, code = last_answer_seconds(port, mechanism, USER, PASSWORD)
                assert code == 0
            print(f"  {200 / (time.perf_counter() - begun):.0f} logins a second, one after the other")


if __name__ == "__main__":
    main()
