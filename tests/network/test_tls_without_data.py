"""After the handshake a client may send messages of TLS itself; they cost the node little, however many there are."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.network.longest_turn import watching
from tests.shell.running_node import port_of, running_node, trio_test
from tests.tls.certificates import client_context, server_settings
from tests.tls.records import KEY_UPDATE, KEY_UPDATE_ASKING, OwnRecords

MESSAGES = 4_000
TURN_SECONDS_MAX = 0.008
"""64 KiB of changes of keys took 18 ms, with answers 35."""


@pytest.mark.parametrize("message", [KEY_UPDATE, KEY_UPDATE_ASKING])
def test_changes_of_keys_neither_hold_the_loop_nor_go_on_for_ever(
    message: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def play(port: int, count: int) -> None:
        records = OwnRecords(port, client_context(), tmp_path / f"keys-{count}")
        records.socket.settimeout(60)
        with suppress(ConnectionError):
            records.socket.sendall(b"".join(records.key_update(message) for _ in range(count)))
            records.socket.shutdown(socket.SHUT_WR)
            while records.socket.recv(1 << 20):
                pass
        records.close()

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path / "data", server_settings()) as node:
            await trio.to_thread.run_sync(play, port_of(node), 1)  # what is imported late is there
            with watching() as watch:
                await trio.to_thread.run_sync(play, port_of(node), MESSAGES)
            assert watch.quiet_seconds < TURN_SECONDS_MAX, watch
            assert not node.bugs.kept

    run()
    assert "bytes of TLS without data" in caplog.text
