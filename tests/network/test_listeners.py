"""What is said when a listener cannot be bound."""

from __future__ import annotations

import socket

import pytest

from kafkapy.errors import StartupError
from kafkapy.network.listeners import bind
from kafkapy.settings import Listener


def listener_at(port: int) -> Listener:
    return Listener("PLAINTEXT", "127.0.0.1", port, "PLAINTEXT")


def test_a_port_where_somebody_listens_is_said_to_be_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=f"127.0.0.1:{port} is taken: stop what listens there"):
            bind(listener_at(port), backlog=1)


def test_a_port_that_a_closed_connection_still_holds_is_said_to_be_held() -> None:
    """The side that closes first stays in TIME_WAIT; fixed ports in the range of outgoing connections meet it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        accepted, _ = server.accept()
        client.close()
        assert accepted.recv(1) == b""
        accepted.close()
    with pytest.raises(StartupError, match=f"127.0.0.1:{port} is held by a connection of another program"):
        bind(listener_at(port), backlog=1)
