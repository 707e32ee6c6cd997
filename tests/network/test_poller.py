"""Both kinds of poller tell the same of the same sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator

import pytest

from kafkapy.network.poller import BROKEN, HANG_UP, READ, WRITE, Poller, SelectorPoller, open_poller


@pytest.fixture(params=[open_poller, SelectorPoller], ids=["of the platform", "selectors"])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    make: Callable[[], Poller] = request.param
    one = make()
    yield one
    one.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, peer = socket.socketpair()
    with ours, peer:
        yield ours, peer


def is_readable(poller: Poller) -> bool:
    outer = select.poll()  # select() knows no descriptors above 1,023, and a test run may have them
    outer.register(poller.fileno(), select.POLLIN)
    return bool(outer.poll(0))


def test_what_is_ready_is_told_until_it_is_not(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    poller.register(ours.fileno(), READ)
    assert poller.poll(0, 10) == []
    assert not is_readable(poller)
    peer.send(b"a")
    assert is_readable(poller), "trio waits for the poller's own descriptor"
    assert poller.poll(0, 10) == [(ours.fileno(), READ)]
    assert poller.poll(0, 10) == [(ours.fileno(), READ)]
    ours.recv(1)
    assert poller.poll(0, 10) == []


def test_interest_changes(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    peer.send(b"a")
    poller.register(ours.fileno(), 0)
    assert poller.poll(0, 10) == []
    poller.modify(ours.fileno(), WRITE)
    assert poller.poll(0, 10) == [(ours.fileno(), WRITE)]
    poller.modify(ours.fileno(), READ | WRITE)
    assert poller.poll(0, 10) == [(ours.fileno(), READ | WRITE)]
    poller.modify(ours.fileno(), 0)
    assert poller.poll(0, 10) == []
    poller.unregister(ours.fileno())
    poller.register(ours.fileno(), READ)
    assert poller.poll(0, 10) == [(ours.fileno(), READ)]


def test_a_peer_that_is_gone_makes_its_socket_readable(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    poller.register(ours.fileno(), READ)
    peer.close()
    ((fd, events),) = poller.poll(0, 10)
    assert fd == ours.fileno()
    assert events & READ


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells it")
def test_a_peer_that_is_gone_is_told_without_any_interest(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    poller = open_poller()
    poller.register(ours.fileno(), 0)
    peer.close()
    ((_, events),) = poller.poll(0, 10)
    assert events & BROKEN
    poller.close()


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells it")
def test_a_peer_that_has_sent_all_is_told_before_its_bytes_are_received(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    poller = open_poller()
    poller.register(ours.fileno(), HANG_UP)
    peer.send(b"a")
    assert poller.poll(0, 10) == []
    peer.shutdown(socket.SHUT_WR)
    assert poller.poll(0, 10) == [(ours.fileno(), HANG_UP)]
    poller.modify(ours.fileno(), 0)
    assert poller.poll(0, 10) == []
    poller.close()


def test_at_most_so_many_at_a_time(poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(5)]
    for ours, peer in pairs:
        poller.register(ours.fileno(), READ)
        peer.send(b"a")
    assert len(poller.poll(0, 3)) == 3
    for ours, peer in pairs:
        poller.unregister(ours.fileno())
        ours.close()
        peer.close()
