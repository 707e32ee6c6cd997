"""Hostile handshakes: whatever bytes come, in whatever pieces, the node closes them and serves the others meanwhile."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
import trio

from kafkapy.node import Node
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from tests.shell.running_node import Client, port_of, running_node, trio_test
from tests.shell.test_tls import PLAINTEXT_TOO, connect, until
from tests.tls.certificates import client_context, server_settings

ROUNDS = 150
HANDSHAKES = 200


class Mutated:
    """A client whose bytes are changed on the way, while it does its best to finish the handshake."""

    def __init__(self, random: Random, name: str | None) -> None:
        self._random = random
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = client_context(name).wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self._mutate_at = random.randrange(2)  # the hello, or what follows

    async def play(self, node: Node) -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", port_of(node))
        try:
            with suppress(trio.BrokenResourceError, ssl.SSLError):
                await self._shake_hands(stream)
                await stream.send_eof()  # else both might wait for each other, until the time is up
                while await stream.receive_some():
                    pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _shake_hands(self, stream: trio.SocketStream) -> None:
        for flight in range(3):
            with suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
            data = bytearray(self._outgoing.read())
            if flight == self._mutate_at and data:
                self._change(data)
            await self._send(stream, data)
            if flight >= self._mutate_at or not data:
                break
            received = await stream.receive_some()
            if not received:
                break
            self._incoming.write(received)

    def _change(self, data: bytearray) -> None:
        random = self._random
        match random.randrange(4):
            case 0:
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            case 1:
                del data[random.randrange(len(data)) :]
            case 2:
                start = random.randrange(len(data))
                data[start : start + random.randrange(1, 50)] = random.randbytes(random.randrange(60))
            case _:
                data += random.randbytes(random.randrange(1, 20_000))

    async def _send(self, stream: trio.SocketStream, data: bytearray) -> None:
        position = 0
        while position < len(data):
            size = self._random.choice((1, 7, 200, 20_000))
            await stream.send_all(data[position : position + size])
            position += size


@pytest.mark.parametrize("client_auth", ["none", "required"])
@pytest.mark.parametrize("seed", range(2))
def test_changed_bytes_end_a_handshake_and_nothing_else(
    client_auth: str, seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        random = Random(seed)
        given = server_settings(ssl_client_auth=client_auth)
        async with running_node(tmp_path, given) as node, connect(node, client_context("alice")) as honest:
            for _ in range(ROUNDS // 10):
                async with trio.open_nursery() as nursery:
                    for _ in range(10):
                        nursery.start_soon(Mutated(random, random.choice((None, "alice"))).play, node)
                answer = await honest.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)
                assert answer.error_code == 0
            assert node.bugs.count == 0
            await until(lambda: not node.server.handshakes and len(node.server.connections) == 1)

    trio_test(play)()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@trio_test
async def test_a_request_does_not_wait_for_all_handshakes_that_came_with_it(tmp_path: Path) -> None:
    """They take their steps one at a time, behind the requests of others."""
    async with running_node(tmp_path, {**server_settings(), **PLAINTEXT_TOO}) as node:
        plain = Client(await trio.open_tcp_stream("127.0.0.1", node.settings.now.listeners[1].port))
        await plain.ask(ApiVersionsRequest(), ApiVersionsResponse, 0)
        outgoing = ssl.MemoryBIO()
        with suppress(ssl.SSLWantReadError):
            client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1").do_handshake()
        hello = outgoing.read()
        streams = [await trio.open_tcp_stream("127.0.0.1", port_of(node)) for _ in range(HANDSHAKES)]
        await until(lambda: len(node.server.handshakes) == HANDSHAKES)
        for stream in streams:  # all at once: nothing of the node runs meanwhile
            with own_socket(stream) as own:
                assert own.send(hello) == len(hello)
        with own_socket(plain.stream) as own:
            own.send(plain.frame(ApiVersionsRequest(), 0))
        await plain.receive(ApiVersionsResponse)
        assert sum(map(is_unanswered, streams)) > 0
        for stream in streams:
            assert (await stream.receive_some())[:1] == b"\x16", "each is answered in the end"
            await trio.aclose_forcefully(stream)
        await trio.aclose_forcefully(plain.stream)


def own_socket(stream: trio.SocketStream) -> socket.socket:
    own = socket.socket(fileno=os.dup(stream.socket.fileno()))
    own.setblocking(False)
    return own


def is_unanswered(stream: trio.SocketStream) -> bool:
    with own_socket(stream) as own:
        try:
            own.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
    return False
