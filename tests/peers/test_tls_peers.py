"""Connections to other nodes with TLS: who is trusted, and what is told if one is not."""

from __future__ import annotations

import ssl
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import trio

from kafkapy.peers import PeerUnavailable
from kafkapy.peers.peer import Peer
from kafkapy.peers.unavailable import PeerRefused
from kafkapy.settings import Settings
from kafkapy.tls.contexts import ClientTls
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.messages.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.request_header import RequestHeader
from tests.shell.running_node import trio_test
from tests.tls.certificates import certificates, other_authority

PAD = "x" * 300_000  # an answer of many records of TLS


def client_tls(**given: str) -> ClientTls:
    """`given` with `_` for `.`."""
    named = {name.replace("_", "."): value for name, value in given.items()}
    settings = Settings({"listeners": "PLAINTEXT://:0", **certificates().trust_store_settings(), **named})
    return ClientTls(settings.security, lambda name: name)


def server_context(
    *, hosts: tuple[str, ...] = ("localhost", "127.0.0.1"), trusted: bool = True, expired: bool = False
) -> ssl.SSLContext:
    authority = certificates().authority if trusted else other_authority()
    begins = datetime.now(UTC) - timedelta(days=2)
    issued = authority.issue("node", hosts=hosts, begins=begins, ends=begins + timedelta(days=1 if expired else 4))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(issued.key_pem + issued.certificate_pem)
        file.flush()
        context.load_cert_chain(file.name)
    context.load_verify_locations(certificates().ca)
    return context


async def answer(stream: trio.abc.Stream) -> None:
    """Requests for ApiVersions, each with a long answer."""
    received = bytearray()
    try:
        while True:
            while len(received) < 4 or len(received) < 4 + struct.unpack_from(">i", received)[0]:
                more = await stream.receive_some()
                if not more:
                    return
                received += more
                if received.startswith(b"\x16\x03"):
                    return  # TLS, where none is spoken: a node closes
            size: int = struct.unpack_from(">i", received)[0]
            header, _ = decode_from(RequestHeader, bytes(received[4 : 4 + size]), 0, 2)
            del received[: 4 + size]
            many = [ApiVersion(api_key=number, max_version=4) for number in range(30_000)]
            versions = [ApiVersion(api_key=ApiKey.API_VERSIONS, max_version=4), *many[100:]]
            body = encode(ApiVersionsResponse(api_keys=versions), 3)
            await stream.send_all(struct.pack(">ii", 4 + len(body), header.correlation_id) + body)
    except (trio.BrokenResourceError, ssl.SSLError):
        return
    finally:
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def other_node(
    context: ssl.SSLContext | None, tls: ClientTls | None, host: str = "127.0.0.1"
) -> AsyncIterator[Peer]:
    async def serve(stream: trio.SocketStream) -> None:
        if context is None:
            await answer(stream)
        else:
            await answer(trio.SSLStream(stream, context, server_side=True, https_compatible=True))

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        peer = Peer(host, listener.socket.getsockname()[1], client_id="test", tls=lambda: tls)
        try:
            yield peer
        finally:
            peer.close()
            nursery.cancel_scope.cancel()


async def ask(peer: Peer) -> int:
    found = await peer.ask(ApiVersionsRequest(), timeout_ms=20_000, version=3)
    assert isinstance(found, ApiVersionsResponse)
    return len(found.api_keys)


@trio_test
async def test_requests_and_long_answers_over_one_connection() -> None:
    async with other_node(server_context(), client_tls()) as peer:
        for _ in range(3):
            assert await ask(peer) == 29_901
        assert not peer.has_hung_up(), "tickets for later sessions are no hang-up"
        peer.close()
        assert await ask(peer) == 29_901


@trio_test
async def test_ssl_endpoint_identification_algorithm() -> None:
    wrong_host = server_context(hosts=("elsewhere",))
    async with other_node(wrong_host, client_tls()) as peer:
        with pytest.raises(
            PeerUnavailable, match=r"no TLS with 127.*the certificate of the peer is refused: IP address"
        ):
            await ask(peer)
    async with other_node(wrong_host, client_tls(ssl_endpoint_identification_algorithm="")) as peer:
        assert await ask(peer) == 29_901


@trio_test
async def test_whoever_is_not_trusted_is_not_asked() -> None:
    async with other_node(server_context(trusted=False), client_tls()) as peer:
        with pytest.raises(PeerUnavailable, match="the certificate of the peer is refused: unable to get local issuer"):
            await ask(peer)
    async with other_node(None, client_tls()) as peer:
        with pytest.raises(
            PeerUnavailable, match=r"no TLS with .*(closed the connection in the handshake|not speak TLS)"
        ):
            await ask(peer)


@trio_test
async def test_a_certificate_that_has_expired_is_told_to_be_renewed() -> None:
    """No node starts with one, but it may expire while the node runs."""
    async with other_node(server_context(expired=True), client_tls()) as peer:
        with pytest.raises(PeerRefused, match="the peer is refused: certificate has expired: renew it there"):
            await ask(peer)
    wants, tls = server_context(), client_tls()
    wants.verify_mode = ssl.CERT_REQUIRED
    past = datetime.now(UTC) - timedelta(days=2)
    expired = certificates().authority.issue("node", begins=past, ends=past + timedelta(days=1))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(expired.key_pem + expired.certificate_pem)
        file.flush()
        tls.context.load_cert_chain(file.name)
    async with other_node(wants, tls) as peer:
        with pytest.raises(
            PeerUnavailable, match=r"our certificate has expired .*renew it|(closed|lost) the connection"
        ):
            await ask(peer)


@trio_test
async def test_a_node_shows_its_certificate_where_one_is_wanted() -> None:
    wants = server_context()
    wants.verify_mode = ssl.CERT_REQUIRED
    async with other_node(wants, client_tls(**{"ssl.keystore.type": "PEM"})) as peer:
        with pytest.raises(PeerUnavailable, match=r"(closed|lost) the connection|certificate_required"):
            await ask(peer)
    async with other_node(wants, client_tls(**certificates().key_store_settings("alice"))) as peer:
        assert await ask(peer) == 29_901
