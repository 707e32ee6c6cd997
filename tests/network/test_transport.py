"""A plain socket tells apart: bytes, nothing yet, the end, a peer that is gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.network.transport import FileEndsEarly, PlainTransport


@pytest.fixture
def pair() -> Iterator[tuple[PlainTransport, socket.socket]]:
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    peer.settimeout(5)
    with peer:
        transport = PlainTransport(ours)
        yield transport, peer
        transport.close()


def test_receiving(pair: tuple[PlainTransport, socket.socket]) -> None:
    transport, peer = pair
    view = memoryview(bytearray(10))
    assert transport.receive_into(view) is None
    peer.sendall(b"bytes")
    assert transport.receive_into(view) == 5
    assert bytes(view[:5]) == b"bytes"
    peer.shutdown(socket.SHUT_WR)
    assert transport.receive_into(view) == 0


def test_sending_to_a_peer_that_does_not_read(pair: tuple[PlainTransport, socket.socket]) -> None:
    transport, peer = pair
    sent = 0
    data = memoryview(bytes(1 << 16))
    while taken := transport.send(data):
        sent += taken
    with Path(__file__).open("rb") as file:
        assert transport.send_file(file.fileno(), 0, 10) == 0
    while sent:
        sent -= len(peer.recv(1 << 16))
    assert transport.send(data[:1]) == 1


def test_a_range_of_a_file(pair: tuple[PlainTransport, socket.socket], tmp_path: Path) -> None:
    transport, peer = pair
    path = tmp_path / "a-file"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDONLY)
    try:
        assert transport.send_file(fd, 4, 3) == 3
        assert peer.recv(10) == b"456"
        with pytest.raises(FileEndsEarly, match="ends at 10"):
            transport.send_file(fd, 10, 1)
    finally:
        os.close(fd)


def test_a_peer_that_is_gone(pair: tuple[PlainTransport, socket.socket]) -> None:
    transport, peer = pair
    peer.close()
    with pytest.raises(OSError, match="Broken pipe"):
        transport.send(bytearray(b"a"))
