"""Handshakes whose signatures take so long that worker threads make them."""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.clock import ManualClock
from kafkapy.network import tls_handshake
from kafkapy.network.tls_handshake import HANDSHAKE_MS_MAX
from kafkapy.tls.contexts import ListenerTls
from kafkapy.workers import Workers
from tests.shell.running_node import port_of, running_node, trio_test
from tests.shell.test_tls import until
from tests.tls.certificates import client_context, server_settings

CLIENTS = 5


@trio_test
async def test_no_signature_is_made_for_clients_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for a thread; until there is one their time is up, or they have hung up."""
    workers, free, hello = Workers("a test", 1), threading.Event(), ssl.MemoryBIO()
    monkeypatch.setattr(tls_handshake, "_workers", workers)
    with suppress(ssl.SSLWantReadError):
        client_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1").do_handshake()
    first = hello.read()
    clock = ManualClock()
    async with running_node(tmp_path, server_settings(), clock=clock) as node, trio.open_nursery() as nursery:
        assert node.tls is not None
        tls: ListenerTls = node.tls.listener("SSL")
        tls.is_slow = True
        nursery.start_soon(workers.run, lambda: free.wait(60))
        streams = [await trio.open_tcp_stream("127.0.0.1", port_of(node)) for _ in range(CLIENTS)]
        for stream in streams:
            await stream.send_all(first)
        await until(lambda: sum(each._is_stepping for each in node.server.handshakes) == CLIENTS)
        await trio.testing.wait_all_tasks_blocked()
        waiting = node.server.handshakes
        clock.advance(HANDSHAKE_MS_MAX + 1)
        assert not node.server.handshakes
        free.set()
        await workers.run(lambda: None)  # behind all of them
        assert [each._outgoing.pending for each in waiting] == [0] * CLIENTS, "no answer was made"
        for stream in streams:
            assert await stream.receive_some() == b""
            await stream.aclose()
