"""Ten thousand connections are held at once, every one is served, and one that is idle costs a few kilobytes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.cli.test_start_command import started
from tests.descriptors import descriptors

CONNECTION_COUNT = 10_000
BYTES_EACH_MAX = 8_000
DESCRIPTORS_BESIDES = 700  # of the test, and of the broker's logs
AT_ONCE = 40  # below socket.listen.backlog.size, so that no connection has to be tried again after a second
SECONDS_MAX = 60

REQUEST = bytes.fromhex("0000000b 0012 0000 0000002a 0001 78")  # ApiVersions v0, correlation id 42, client id "x"


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def receive_answer(sock: socket.socket) -> None:
    answer = b""
    while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[:4], "big"):
        more = sock.recv(1 << 16)
        assert more, "closed by the broker"
        answer += more
    assert answer[4:8] == b"\0\0\0\x2a"


def ask_each(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.sendall(REQUEST)
    for sock in sockets:
        receive_answer(sock)


def test_ten_thousand_connections_are_held_and_all_served() -> None:
    with descriptors(CONNECTION_COUNT + DESCRIPTORS_BESIDES), started("--ephemeral", "--port", "0") as broker:
        sockets: list[socket.socket] = []
        try:
            warm_up = [socket.create_connection(("127.0.0.1", broker.port), SECONDS_MAX) for _ in range(AT_ONCE)]
            sockets += warm_up
            ask_each(warm_up)
            before = resident_bytes(broker.process.pid)
            while len(sockets) < CONNECTION_COUNT:
                newcomers = [socket.create_connection(("127.0.0.1", broker.port), SECONDS_MAX) for _ in range(AT_ONCE)]
                ask_each(newcomers)
                sockets += newcomers
            ask_each(sockets)
            each = (resident_bytes(broker.process.pid) - before) / CONNECTION_COUNT
            assert each <= BYTES_EACH_MAX, f"{each:.0f} bytes a connection"
        finally:
            for sock in sockets:
                sock.close()
        code, errors = broker.stop()
        assert (code, errors) == (0, "")
