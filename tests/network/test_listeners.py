"""What is said when a listener cannot be bound, or when it cannot listen."""

from __future__ import annotations

import socket

import pytest

from kafkapy.errors import StartupError
from kafkapy.network.listeners import bind, listen
from kafkapy.settings import Listener


def listener_at(port: int) -> Listener:
    return Listener("PLAINTEXT", "127.0.0.1", port, "PLAINTEXT")


def test_a_port_where_somebody_listens_is_said_to_be_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=f"127.0.0.1:{port} is taken: stop what listens there"):
            bind(listener_at(port))


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
        bind(listener_at(port))


def test_of_two_brokers_that_start_on_one_port_the_later_is_told() -> None:
    """Neither listens yet when the other takes the port, so both get it."""
    with bind(listener_at(0)) as free:
        port = free.getsockname()[1]
    listener = listener_at(port)
    with bind(listener) as first, bind(listener) as second:
        listen(listener, first, backlog=1)
        with pytest.raises(StartupError, match=f"127.0.0.1:{port} is taken: stop what listens there"):
            listen(listener, second, backlog=1)


def test_a_port_refuses_everybody_until_it_is_opened() -> None:
    with bind(listener_at(0)) as sock:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(sock.getsockname())
        listen(listener_at(0), sock, backlog=1)
        socket.create_connection(sock.getsockname()).close()
