"""Clients that log in wrongly, ask for other things instead, or show what was never a password."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.sasl.jaas import OAUTHBEARER_MODULE
from tests.attack.attacker import Attacker, produce_request
from tests.attack.scenario import Ground
from tests.attack.secured import SecuredScenario, secured

LISTENER = "SASL_PLAINTEXT"
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
AT_ONCE = 100
SCRAM, BEARER = "SCRAM-SHA-256", "OAUTHBEARER"
NONCE = "fyko+d2lbbFgONRv9qkxdawL"


def wrong_first(number: int) -> tuple[str, bytes]:
    """A mechanism, and a first token by which nobody gets in: of a user that is known, or not."""
    name = ("honest", f"nobody-{number}")[number // 2 % 2]
    if number % 2:
        return "PLAIN", f"\0{name}\0wrong".encode()
    return SCRAM, f"n,,n={name},r={NONCE}".encode()


def wrong_passwords(ground: Ground) -> None:
    """A hundred at a time, each with a megabyte of requests behind its token; half of them do not wait."""
    behind = Attacker.frame(ground.attacker(listener=LISTENER), MetadataRequest(), 12) * 20_000
    for start in range(0, ground.scaled(5_000), AT_ONCE):
        some = []
        for number in range(start, start + AT_ONCE):
            attacker = Attacker(ground.broker.port_of(LISTENER))
            mechanism, token = wrong_first(number)
            attacker.choose(mechanism)
            attacker.send(SaslAuthenticateRequest(auth_bytes=token), 2)
            if mechanism == SCRAM:
                first = attacker.receive(SaslAuthenticateResponse, 2)
                nonce = first.auth_bytes.split(b",")[0]
                attacker.send(SaslAuthenticateRequest(auth_bytes=b"c=biws," + nonce + b",p=AAAA"), 2)
            attacker.socket.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                attacker.socket.send(behind)
            if number % 4 < 2:
                attacker.close()
            else:
                some.append(attacker)
        for attacker in some:
            attacker.socket.settimeout(60)
            with suppress(ConnectionError):  # unread requests make its end a reset
                answer = attacker.receive(SaslAuthenticateResponse, 2)
                assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED, answer
            attacker.close()


def scram_messages() -> Iterator[bytes]:
    """First messages that are long in one part, or repeat what may be repeated."""
    for size in (60_000, 400_000):
        yield f"n,,n={'x' * size},r={NONCE}".encode()
        yield f"n,,n={'=2C' * (size // 3)},r={NONCE}".encode()
        yield f"n,,n={'=2' * (size // 2)},r={NONCE}".encode()
        yield f"n,a={'=3D' * (size // 6)},n={'=2C' * (size // 6)},r={NONCE}".encode()
        yield f"n,,n=honest,r={'y' * size}".encode()
        yield f"n,,n=honest,r={NONCE}{',a=b' * (size // 4)}".encode()
        yield f"n,,n=honest,r={NONCE}{',a=b' * (size // 4)},".encode()
        yield f"n,,m={'z' * size},n=honest,r={NONCE}".encode()
        yield b"n,," + bytes(size)
        yield b"\xff" * size
        yield b"a" * size


def final_messages(nonce: str) -> Iterator[bytes]:
    for size in (60_000, 400_000):
        yield f"c=biws,r={nonce},p={'AAAA' * (size // 4)}".encode()
        yield f"c={'AAAA' * (size // 4)},r={nonce},p=AAAA".encode()
        yield f"c=biws,r={nonce}{'x' * size},p=AAAA".encode()
        yield f"c=biws,r={nonce}{',a=b' * (size // 4)},p=AAAA".encode()


def long_messages(ground: Ground) -> None:
    firsts = list(scram_messages())
    for _, (number, token) in zip(range(ground.scaled(1_000)), cycle(enumerate(firsts)), strict=False):
        attacker = Attacker(ground.broker.port_of(LISTENER))
        attacker.choose("PLAIN" if number % 5 == 4 else SCRAM)
        attacker.answered_or_closed(attacker.frame(SaslAuthenticateRequest(auth_bytes=token), 2))
        attacker.close()
    for number in range(ground.scaled(400)):
        attacker = Attacker(ground.broker.port_of(LISTENER))
        first = attacker.authenticate(SCRAM, f"n,,n=honest,r={NONCE}".encode())
        nonce = first.auth_bytes.split(b",")[0].removeprefix(b"r=").decode()
        finals = list(final_messages(nonce))
        frame = attacker.frame(SaslAuthenticateRequest(auth_bytes=finals[number % len(finals)]), 2)
        attacker.answered_or_closed(frame)
        attacker.close()


def before_login(attacker: Attacker) -> Iterator[bytes]:
    """Frames that no client without a login may send, or none at all."""
    size = struct.Struct(">i")
    yield attacker.frame(produce_request("honest", {0: build_batch([NewRecord(0, None, bytes(400_000))])}), 12)
    yield attacker.frame(MetadataRequest(), 12)
    yield size.pack(524_289)
    yield size.pack(2_147_483_647) + bytes(100_000)
    yield size.pack(-1)
    yield size.pack(0)
    yield size.pack(524_288) + bytes(200_000)  # and no more
    tagged = attacker.frame(ApiVersionsRequest(), 4)[4:-1]
    content = tagged + b"\xff\xff\x0f" + b"\1\0" * 200_000  # 262,143 tagged fields
    yield size.pack(len(content)) + content
    shaken = attacker.frame(SaslHandshakeRequest(mechanism="X" * 30_000), 1)
    yield shaken
    raw = attacker.frame(SaslHandshakeRequest(mechanism="PLAIN"), 0)
    yield raw + size.pack(500_000) + b"\0" * 500_000
    yield raw + shaken
    plain = attacker.frame(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    yield plain + attacker.frame(MetadataRequest(), 12)
    yield attacker.frame(ApiVersionsRequest(), 3) * 1_000
    yield plain * 1_000


def out_of_place(ground: Ground) -> None:
    some = list(before_login(ground.attacker(listener=LISTENER)))
    for _, sent in zip(range(ground.scaled(4_000)), cycle(some), strict=False):
        attacker = Attacker(ground.broker.port_of(LISTENER))
        with suppress(OSError):
            attacker.socket.sendall(sent)
            attacker.socket.shutdown(socket.SHUT_WR)
            while attacker.socket.recv(1 << 16):
                pass
        attacker.close()


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def bearer(token: str) -> bytes:
    return f"n,,\x01auth=Bearer {token}\x01\x01".encode()


def bearer_messages() -> Iterator[bytes]:
    none, signed = encoded(b'{"alg":"none"}'), encoded(b'{"alg":"RS256","kid":"unknown"}')
    many = json.dumps({"sub": "honest", "exp": 1e11, **{f"claim-{number}": number for number in range(10_000)}})
    for header in (none, signed):
        for claims in (
            b"[" * 150_000,
            b'{"a":' * 30_000,
            many.encode()[:190_000],
            b'{"sub":"honest","exp":' + b"9" * 150_000 + b"}",
            b'{"sub":"honest","exp":1e999}',
            b'{"sub":"' + b"x" * 150_000 + b'","exp":1e11}',
            b'{"sub":"honest","exp":1e11,"scope":"' + b"a " * 70_000 + b'"}',
        ):
            yield bearer(f"{header}.{encoded(claims)}.{'' if header == none else 'AAAA'}")
    for algorithm in ("HS256", "none ", "NONE", "../../etc/passwd", "x" * 100_000):
        header = encoded(json.dumps({"alg": algorithm, "kid": ["x"], "jku": "http://127.0.0.1:1/"}).encode())
        yield bearer(f"{header}.{encoded(b'{}')}.AAAA")
    yield bearer("." * 250_000)
    yield bearer("A" * 500_000)
    yield b"n,," + b"\x01a=b" * 60_000 + b"\x01\x01"
    yield b"n,,\x01auth=" + b"B" * 250_000 + b"\x01\x01"


def tokens(ground: Ground) -> None:
    some = list(bearer_messages())
    for _, token in zip(range(ground.scaled(1_200)), cycle(some), strict=False):
        for listener in (LISTENER, "OTHERS"):
            attacker = Attacker(ground.broker.port_of(listener))
            with suppress(ConnectionError, EOFError):
                answer = attacker.authenticate(BEARER, token)
                assert answer.error_code or answer.auth_bytes, "that lets nobody in"
            attacker.close()


@contextmanager
def with_provider(content: Callable[[], Iterator[bytes]]) -> Iterator[Mapping[str, str]]:
    """A listener OTHERS, which believes tokens by a JWKS that has this content, as slowly as it comes."""

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                for piece in content():
                    self.wfile.write(piece)

        def log_message(self, _format: str, *_arguments: object) -> None:
            """To nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    prefix = "listener.name.others"
    with secured() as settings:
        try:
            yield {
                **settings,
                "listeners": f"{settings['listeners']},OTHERS://127.0.0.1:0",
                "listener.security.protocol.map": ",".join(
                    [
                        *(f"{name}:{name}" for name in ("SASL_SSL", "SSL", "SASL_PLAINTEXT", "PLAINTEXT")),
                        "OTHERS:SASL_PLAINTEXT",
                        "CONTROLLER:PLAINTEXT",
                    ]
                ),
                f"{prefix}.sasl.enabled.mechanisms": BEARER,
                f"{prefix}.oauthbearer.sasl.jaas.config": f"{OAUTHBEARER_MODULE} required;",
                f"{prefix}.oauthbearer.sasl.server.callback.handler.class": HANDLER,
                "sasl.oauthbearer.jwks.endpoint.url": f"http://127.0.0.1:{server.server_address[1]}/",
                "sasl.oauthbearer.expected.audience": "kafka",
                "sasl.oauthbearer.expected.issuer": "me",
            }
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def huge() -> Iterator[bytes]:
    yield b'{"keys":['
    for _ in range(240):
        yield b'{"kid":"x"},' * 80_000
    yield b"{}]}"


def slow() -> Iterator[bytes]:
    while True:
        yield b" "
        time.sleep(0.05)


def waiting_for_keys(ground: Ground) -> None:
    """Tokens of a key that nobody has, while the keys do not come; their clients come and go."""
    header, claims = encoded(b'{"alg":"RS256","kid":"unknown"}'), encoded(b"{}")
    token = bearer(f"{header}.{claims}.AAAA")
    for _ in range(0, ground.scaled(5_000), AT_ONCE):
        some = [Attacker(ground.broker.port_of("OTHERS")) for _ in range(AT_ONCE)]
        for attacker in some:
            attacker.choose(BEARER)
            attacker.send(SaslAuthenticateRequest(auth_bytes=token), 2)
        for attacker in some:
            attacker.close()
    assert ground.broker.usage().threads < 30


SCENARIOS = [
    SecuredScenario(
        "wrong passwords",
        "5,000 logins by PLAIN and SCRAM, of users that are and are not, with requests behind the refused token",
        wrong_passwords,
        cpu_seconds_max=4,
        memory_mb_max=120,
    ),
    SecuredScenario(
        "long SCRAM messages",
        "names, nonces, proofs and extensions of up to 400 kB",
        long_messages,
        cpu_seconds_max=4,
        memory_mb_max=120,
        settings={"connection.failed.authentication.delay.ms": "0"},
    ),
    SecuredScenario(
        "requests before a login",
        "4,000 that may not come then, are too long, or never end",
        out_of_place,
        cpu_seconds_max=4,
        memory_mb_max=120,
        settings={"connection.failed.authentication.delay.ms": "0"},
    ),
    SecuredScenario(
        "tokens of OAUTHBEARER",
        "deep, long and with ten thousand claims; the keys of the provider have 240 MB",
        tokens,
        cpu_seconds_max=4,
        memory_mb_max=120,
        settings={"connection.failed.authentication.delay.ms": "0"},
        around=lambda: with_provider(huge),
    ),
    SecuredScenario(
        "tokens of a provider that does not answer",
        "5,000 clients that come and go meanwhile",
        waiting_for_keys,
        cpu_seconds_max=4,
        memory_mb_max=120,
        around=lambda: with_provider(slow),
    ),
]
