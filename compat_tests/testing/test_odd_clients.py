"""What clients that are no clients leave in recordings."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kafkapy.testing import Kafka


@contextmanager
def connected(kafka: Kafka) -> Iterator[socket.socket]:
    host, port = kafka.bootstrap_servers.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as client:
        yield client


def framed(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


@pytest.mark.parametrize("size", [0, 1, 2, 4, 7])
def test_a_frame_without_a_header_is_no_produce(kafka: Kafka, size: int) -> None:
    with connected(kafka) as client:
        client.sendall(framed(bytes(size)))
        assert client.recv(1) == b""
    (exchange,) = kafka.wait_for_requests()
    assert (exchange.api_key, exchange.api_version, exchange.request) == (-1, -1, None)
    assert list(kafka.recorded("Produce")) == []
    assert "Produce" not in str(exchange)
