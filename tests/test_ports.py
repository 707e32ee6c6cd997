"""The ports that tests give to programs are nobody else's."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from compat_tests import ports


def test_workers_have_different_ports_below_the_ephemeral_range(monkeypatch: pytest.MonkeyPatch) -> None:
    given = set()
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        given |= set(islice(ports._chosen_ports(), 100))
    assert len(given) == 300
    with socket.create_server((ports.HOST, 0)) as anybody:
        assert ports.FIRST <= min(given) <= max(given) < anybody.getsockname()[1]


def test_a_port_that_somebody_has_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.randrange", lambda _: 0)
    port, next_port = islice(ports._chosen_ports(), 2)
    with socket.create_server((ports.HOST, port)):
        assert next(ports._chosen_ports()) == next_port


def test_threads_take_ports_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(ports.free_ports, [20] * 50))
    assert len({port for some in given for port in some}) == 1_000


def test_a_refusing_port_refuses() -> None:
    with ports.refusing_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection((ports.HOST, port))
