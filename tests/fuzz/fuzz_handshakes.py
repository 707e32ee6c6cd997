"""Hostile, random and merely odd handshakes and logins at a running node, for as long as asked.

    python -m tests.fuzz.fuzz_handshakes --seconds 600 --seed 7

Holds: whatever comes before a login, nobody is logged in by it; the node logs no internal error, forgets the clients
that are gone, and goes on serving others. A failure prints the seed of the round that found it: `--seed SEED
--rounds 1` repeats it.
"""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from kafkapy.node import Node
from kafkapy.security.sasl.authenticator import Authenticator
from kafkapy.testing import IdentityProvider
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest
from kafkapy_wire.sasl.jaas import OAUTHBEARER_MODULE, PLAIN_MODULE, SCRAM_MODULE
from tests.fuzz.rounds import InternalErrors, parser_of_rounds, run_as_command, run_rounds
from tests.network.test_hostile_logins import mutated, step
from tests.network.test_logins import is_served, log_in
from tests.network.test_tls_handshakes import Mutated
from tests.shell.running_node import Client, running_node
from tests.tls.certificates import client_context, server_settings
from tests.tls.records import ALERT, APPLICATION_DATA, HANDSHAKE, KEY_UPDATE, KEY_UPDATE_ASKING, OwnRecords

CLIENTS_PER_ROUND: Final = 20
STEPS_MAX: Final = 6
CLIENT_SECONDS_MAX: Final = 0.5
FORGOTTEN_SECONDS_MAX: Final = 60
LISTENERS: Final = ("SASL_SSL", "SSL", "SASL_PLAINTEXT", "SIGNED")
HANDLER: Final = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"


def settings(provider: IdentityProvider, keys: Path) -> Mapping[str, str]:
    """A node with each kind of listener; at SIGNED tokens have to be signed."""
    keys.write_text(json.dumps(provider.jwks()))
    kinds = [f"{name}:{name}" for name in LISTENERS[:-1]]
    given = {
        **server_settings(),
        "listeners": ",".join(f"{name}://127.0.0.1:0" for name in (*LISTENERS, "PLAINTEXT")),
        "listener.security.protocol.map": ",".join(
            [*kinds, "SIGNED:SASL_PLAINTEXT", "PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"]
        ),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "inter.broker.listener.name": "PLAINTEXT",
        "connection.failed.authentication.delay.ms": "1",
        "sasl.server.max.receive.size": "5000",
        "listener.name.signed.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.signed.oauthbearer.sasl.server.callback.handler.class": HANDLER,
        "listener.name.signed.oauthbearer.sasl.jaas.config": f"{OAUTHBEARER_MODULE} required;",
        "sasl.oauthbearer.jwks.endpoint.url": keys.as_uri(),
        "sasl.oauthbearer.expected.audience": "kafka",
        "sasl.oauthbearer.expected.issuer": provider.issuer,
    }
    for name in ("sasl_ssl", "sasl_plaintext"):
        prefix = f"listener.name.{name}"
        given[f"{prefix}.plain.sasl.jaas.config"] = f'{PLAIN_MODULE} required user_alice="secret";'
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            given[f"{prefix}.{mechanism}.sasl.jaas.config"] = f"{SCRAM_MODULE} required;"
        given[f"{prefix}.oauthbearer.sasl.jaas.config"] = f"{OAUTHBEARER_MODULE} required;"
    return given


class World:
    """A node, the identity provider whose keys it knows, and who has got through to its APIs at listeners with SASL."""

    def __init__(self, node: Node, provider: IdentityProvider, directory: Path) -> None:
        self.node = node
        self.provider = provider
        self.directory = directory
        self.logged_in: set[str] = set()
        self._count = 0

    def port(self, listener: str) -> int:
        return next(one.port for one in self.node.settings.now.listeners if one.name == listener)

    def new_file(self) -> Path:
        self._count += 1
        return self.directory / f"keys-{self._count}"

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every authenticated principal is noted."""
        logged_in, succeed = self.logged_in, Authenticator._check_success

        def noted(authenticator: Authenticator) -> int:
            lifetime_ms = succeed(authenticator)
            if authenticator.principal is not None:
                logged_in.add(str(authenticator.principal))
            return lifetime_ms

        Authenticator._check_success = noted  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            Authenticator._check_success = succeed  # type: ignore[method-assign]


async def play_logins(source: random.Random, world: World) -> None:
    """Requests and tokens of a login in any order, nearly right ones among them, over TLS and without."""
    listener = source.choice(LISTENERS)
    stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", world.port(listener))
    if listener.endswith("SSL"):
        stream = trio.SSLStream(stream, client_context(), server_hostname="127.0.0.1", https_compatible=True)
    client = Client(stream)  # type: ignore[arg-type]  # it only sends and receives
    sent = b"".join(step(source, client) for _ in range(source.randrange(1, STEPS_MAX)))
    if source.random() < 0.3:
        sent = signed_token(source, world, client)
    try:
        await send_in_pieces(source, stream, sent)
        while await stream.receive_some():
            pass
    finally:
        await trio.aclose_forcefully(stream)


def signed_token(source: random.Random, world: World, client: Client) -> bytes:
    """A login by a token of the provider with some bytes changed."""
    token = world.provider.token("alice")
    at = source.randrange(len(token) - 1)
    # The last character of each part has bits that mean nothing.
    changed = token[:at] + source.choice("-_~.") + token[at + source.randrange(1, 3) :]
    if changed.rstrip("-_~.") == token.rstrip("-_~."):
        changed = ""
    shown = f"n,,\x01auth=Bearer {changed}\x01\x01".encode()
    begin = client.frame(SaslHandshakeRequest(mechanism="OAUTHBEARER"))
    return begin + client.frame(SaslAuthenticateRequest(auth_bytes=shown))


async def play_handshake(source: random.Random, world: World) -> None:
    """A handshake some of whose bytes are changed on their way."""
    await Mutated(source, source.choice((None, "alice"))).play(world.node)


async def play_noise(source: random.Random, world: World) -> None:
    """Bytes, which begin as records of TLS do or not."""
    stream = await trio.open_tcp_stream("127.0.0.1", world.port(source.choice(LISTENERS)))
    sent = b""
    for _ in range(source.randrange(1, 4)):
        content = source.randbytes(source.choice((0, 1, 40, 500, 20_000)))
        size = source.choice((len(content), len(content), 0xFFFF, 0x4000))
        sent += bytes([source.choice((20, 21, 22, 23, 24)), 3, source.choice((0, 1, 3, 4))])
        sent += size.to_bytes(2, "big") + source.choice((b"", b"\1\0\0\xff", b"\1\xff\xff\xff")) + content
    try:
        await send_in_pieces(source, stream, source.choice((sent, mutated(source, sent), source.randbytes(200))))
        await stream.send_eof()
        while await stream.receive_some():
            pass
    finally:
        await trio.aclose_forcefully(stream)


async def play_records(source: random.Random, world: World) -> None:
    """After the handshake records of any type and content, some of them damaged."""
    port = world.port(source.choice(("SSL", "SASL_SSL")))
    records = await trio.to_thread.run_sync(OwnRecords, port, client_context(), world.new_file())
    sent = b""
    for _ in range(source.randrange(1, 30)):
        kind = source.choice((APPLICATION_DATA, APPLICATION_DATA, HANDSHAKE, ALERT, 20, 24, 0, 255))
        content = source.choice((b"", b"\1", b"\1\0", KEY_UPDATE[:3], b"\1\0\0\0", source.randbytes(50), bytes(16_384)))
        match source.randrange(5):
            case 0:
                sent += records.key_update(source.choice((KEY_UPDATE, KEY_UPDATE_ASKING)))
            case 1:
                sent += mutated(source, records.record(content, kind, padding=source.choice((0, 0, 100))))
            case _:
                sent += records.record(content, kind, padding=source.choice((0, 0, 1, 100)))
    records.socket.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(records.socket))
    try:
        await send_in_pieces(source, stream, sent)
        await stream.send_eof()
        while await stream.receive_some():
            pass
    finally:
        await trio.aclose_forcefully(stream)


async def send_in_pieces(source: random.Random, stream: trio.abc.SendStream, sent: bytes) -> None:
    position, size = 0, source.choice((7, 200, 20_000))
    while position < len(sent):
        await stream.send_all(sent[position : position + size])
        position += size


PLAYS: Final = (play_logins, play_logins, play_handshake, play_noise, play_records)


async def play(source: random.Random, world: World) -> None:
    """One client, for as long as it has something to say; the node may end it at any time."""
    with trio.move_on_after(CLIENT_SECONDS_MAX), suppress(trio.BrokenResourceError, ssl.SSLError, OSError):
        await source.choice(PLAYS)(source, world)


async def run_round(seed: int, world: World, errors: InternalErrors) -> None:
    """Some odd clients at a time, and an honest one that logs in over TLS."""
    with world.watching():
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS_PER_ROUND):
                nursery.start_soon(play, random.Random(f"{seed}-{number}"), world)
    assert world.logged_in <= {"User:eve"}, world.logged_in  # by a token without signature, where those are believed
    if errors.seen:
        raise AssertionError("\n".join(errors.seen))
    with trio.fail_after(FORGOTTEN_SECONDS_MAX):
        while world.node.server.handshakes or world.node.server.connections:
            await trio.lowlevel.checkpoint()
        async with honest(world) as client:
            await log_in(client)
            assert await is_served(client)


@asynccontextmanager
async def honest(world: World) -> AsyncIterator[Client]:
    stream = trio.SSLStream(
        await trio.open_tcp_stream("127.0.0.1", world.port("SASL_SSL")),
        client_context(),
        server_hostname="127.0.0.1",
        https_compatible=True,
    )
    try:
        yield Client(stream)  # type: ignore[arg-type]  # it only sends and receives
    finally:
        await trio.aclose_forcefully(stream)


async def run(first: int, rounds_max: int | None, deadline: float, directory: Path) -> int:
    """As `run_rounds`; all nodes on the same directory, with the same provider of identities."""
    errors = InternalErrors()
    with errors.listening(), IdentityProvider() as provider:
        given = settings(provider, directory / "jwks.json")

        @asynccontextmanager
        async def rounds_of_node(_: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
            async with running_node(directory / "data", given) as node:
                yield partial(run_round, world=World(node, provider, directory), errors=errors)

        return await run_rounds(first, rounds_max, deadline, rounds_of_node)


def main() -> int:
    parser = parser_of_rounds("Fuzz the handshakes and logins of a running node.")
    return run_as_command(parser.parse_args(), run)


if __name__ == "__main__":
    raise SystemExit(main())
