"""Clients that begin TLS and do not go on, go on for ever, or never meant it."""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from tests.attack.attacker import Attacker
from tests.attack.scenario import Ground
from tests.attack.secured import LISTENERS, SecuredScenario
from tests.tls.certificates import client_context
from tests.tls.records import ALERT, HANDSHAKE, KEY_UPDATE, KEY_UPDATE_ASKING, OwnRecords

FEW_SOCKETS = 25
PROTOCOLS = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
HOST = "127.0.0.1"


def hello() -> bytes:
    """The first bytes of a client that means well."""
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST).do_handshake()
    return outgoing.read()


def connected(ground: Ground, listener: str) -> socket.socket:
    attacker = Attacker(ground.broker.port_of(listener))
    ground.attackers.append(attacker)
    return attacker.socket


def half_open(ground: Ground) -> None:
    """A third says nothing at all, a third only a ClientHello; some send it byte by byte."""
    first = hello()
    silent = [connected(ground, listener) for _, listener in zip(range(ground.scaled(2_000)), cycle(LISTENERS))]
    begun = [connected(ground, "SSL") for _ in range(ground.scaled(4_000))]
    for each in begun:
        each.sendall(first)
    slow = [connected(ground, "SASL_SSL") for _ in range(ground.scaled(200))]
    for byte in first:
        for each in slow:
            each.sendall(bytes([byte]))
    if ground.scale < 1:  # else some have used up their ten seconds before
        for each in (*begun, *slow):
            assert each.recv(1) == b"\x16", "a whole ClientHello is answered"
    if ground.scale == 1:
        # After ten seconds the handshakes are over, after sixty whoever was to log in; the rest may be idle for longer.
        idle_max = FEW_SOCKETS + len(silent) // len(LISTENERS)
        deadline = time.monotonic() + 90
        while ground.broker.usage().sockets > idle_max and time.monotonic() < deadline:
            time.sleep(0.5)
        assert ground.broker.usage().sockets <= idle_max, "who says nothing was not closed"


def finished(ground: Ground) -> None:
    """Handshakes to the end, by both versions of TLS, some with nothing to resume them by; then the client is gone."""
    for number in range(ground.scaled(4_000)):
        context = client_context()
        context.maximum_version = PROTOCOLS[number % 2]
        if number % 3 == 0:
            context.options |= ssl.OP_NO_TICKET
        attacker = Attacker(ground.broker.port_of("SSL"))
        context.wrap_socket(attacker.socket, server_hostname=HOST).close()


def record(kind: int, content: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(content).to_bytes(2, "big") + content


def no_tls(request: bytes) -> Iterator[tuple[str, bytes]]:
    """What is no handshake, by the listener that gets it."""
    first = hello()
    large = b"\x01\0\xff\xff" + first[9:]  # a ClientHello that claims to have 64 kB
    for listener in ("SSL", "SASL_SSL"):
        yield listener, request
        yield listener, b"GET / HTTP/1.1\r\n\r\n"
        yield listener, b"\xff" * 2_000
        yield listener, record(HANDSHAKE, b"\x01\xff\xff\xff") + record(HANDSHAKE, bytes(16_384)) * 10
        yield listener, record(HANDSHAKE, large) + record(HANDSHAKE, bytes(16_000)) * 4
        yield listener, record(HANDSHAKE, b"") * 2_000
        yield listener, record(ALERT, b"\1\0") * 2_000
        yield listener, first[:-1] + b"\xff" + record(23, bytes(16_384)) * 3
        yield listener, first + first
    for listener in ("PLAINTEXT", "SASL_PLAINTEXT"):
        yield listener, first
        yield listener, b"\x16\x03\x01" + bytes(2_000)


def nonsense(ground: Ground) -> None:
    request = Attacker.frame(ground.attacker(listener="PLAINTEXT"), ApiVersionsRequest(), 0)
    kinds = list(no_tls(request))
    for _, (listener, sent) in zip(range(ground.scaled(10_000)), cycle(kinds)):
        attacker = Attacker(ground.broker.port_of(listener))
        with suppress(OSError):
            attacker.socket.sendall(sent)
            attacker.socket.shutdown(socket.SHUT_WR)
            while attacker.socket.recv(1 << 16):
                pass
        attacker.close()


def read_answers(sock: socket.socket) -> None:
    """Those that have come."""
    sock.setblocking(False)
    with suppress(BlockingIOError):
        while sock.recv(1 << 20):
            pass
    sock.settimeout(30)


def nothing_but_tls(ground: Ground) -> None:
    """After a handshake messages of TLS itself, which bring no data: new keys, again and again."""
    for number in range(ground.scaled(40)):
        with tempfile.TemporaryDirectory() as directory:
            records = OwnRecords(ground.broker.port_of("SSL"), client_context(), Path(directory) / "keys")
        asks = number % 2 == 1
        made = [records.key_update(KEY_UPDATE_ASKING if asks else KEY_UPDATE) for _ in range(20_000)]
        try:
            for start in range(0, len(made), 1_000):
                records.socket.sendall(b"".join(made[start : start + 1_000]))
                read_answers(records.socket)
            while records.socket.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            raise AssertionError("who sends no data is not closed") from None
        finally:
            records.close()


SCENARIOS = [
    SecuredScenario(
        "TLS handshakes that do not go on",
        "2,000 say nothing, 4,000 only hello, 200 that byte by byte",
        half_open,
        cpu_seconds_max=5,
        memory_mb_max=130,
    ),
    SecuredScenario(
        "TLS handshakes in a flood",
        "4,000 to the end, one after the other",
        finished,
        cpu_seconds_max=4,
        memory_mb_max=100,
    ),
    SecuredScenario(
        "TLS that is none",
        "10,000 peers that send requests without TLS, TLS without need, huge hellos, records of nothing",
        nonsense,
        cpu_seconds_max=4,
        memory_mb_max=100,
    ),
    SecuredScenario(
        "TLS without data",
        "20,000 changes of keys from each of 40",
        nothing_but_tls,
        cpu_seconds_max=3,
        memory_mb_max=100,
    ),
]
