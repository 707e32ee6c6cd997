"""Ports for programs that are told where to listen, and ports where nobody listens.

The system gives whoever asks for any port, and every outgoing connection, one of its ephemeral range. A port that was
free there a moment ago may be another test's now. So a program's port is chosen below that range, where nobody comes by
chance, also while the program is down; and one where nobody is to listen is held as long as that matters.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
FIRST = 10_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
WORKERS_MAX = 16
"""Each worker of pytest-xdist has ports of its own."""


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    with _taking:  # clusters are started by several threads at once
        return list(itertools.islice(_ports, count))


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port of 127.0.0.1 at which connections are refused: it is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]


def _chosen_ports() -> Iterator[int]:
    """Each of this worker's ports in turn, from any on, so that two runs on one machine begin at different ones."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS_MAX
    low = int(EPHEMERAL_RANGE.read_text().split()[0]) if EPHEMERAL_RANGE.exists() else 32_768
    mine = range(FIRST + worker, low, WORKERS_MAX)
    start = random.randrange(len(mine))
    for port in itertools.cycle((*mine[start:], *mine[:start])):
        if _is_free(port):
            yield port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


_taking = threading.Lock()
_ports = _chosen_ports()
