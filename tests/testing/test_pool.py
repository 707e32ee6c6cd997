"""The clusters of a test session: what their reports say of odd clients, and what becomes of broken ones."""

from __future__ import annotations

import socket
import struct

import pytest

from kafkapy.testing import Kafka
from kafkapy.testing.pool import Pool, Used

ODD_ID = b"\x1b[31mred\r\n\0"
API_VERSIONS = 18


def test_reports_escape_client_ids() -> None:
    with Kafka() as kafka:
        used = Used(kafka)
        host, port = kafka.bootstrap_servers.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as client:
            header = struct.pack(">hhih", API_VERSIONS, 0, 1, len(ODD_ID)) + ODD_ID
            client.sendall(struct.pack(">i", len(header)) + header)
            assert client.recv(4)
            lines = [*used.left_open(), *used.seen().split("\n")]
    about = [line for line in lines if "[31mred" in line]
    assert len(about) >= 3
    assert [line for line in lines if not line.isprintable()] == []


def test_a_kafka_that_a_test_has_broken_is_not_given_to_the_next() -> None:
    pool = Pool()
    broken = pool.use(isolation="process").kafka
    other = pool.use().kafka
    broken._run._process.kill()  # type: ignore[attr-defined]
    fresh = pool.use(isolation="process", topics={"orders": 1}).kafka
    assert fresh is not broken
    assert fresh.topics() == ["orders"]
    fresh.__exit__(None, None, None)  # so that its own stop fails
    with pytest.raises(RuntimeError):
        pool.stop()
    with pytest.raises(RuntimeError):
        other.topics()
