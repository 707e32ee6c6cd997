"""ZooKeeper: Kafka has none any more. Scripts that start it first go on.

Its port is listened on, as some of them wait for that; who connects there is not answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    import socket

TAKES_ANYTHING = True
PORT_MAX = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-daemon", action="store_true")
    parser.add_argument("file", nargs="?", metavar="ZOOKEEPER.PROPERTIES")


def run(arguments: argparse.Namespace) -> int:
    listener = None if arguments.daemon else _listener(_port(arguments.file))
    print("There is no ZooKeeper here, and the broker needs none: nothing is done.", flush=True)
    if listener is not None:
        with listener:
            while True:
                listener.accept()[0].close()
    return 0


def _port(file: str | None) -> int | None:
    """The client port of a file of ZooKeeper's settings; None: there is none."""
    from pathlib import Path

    from kafkapy.settings.properties import parse_properties
    from kafkapy_wire.integer_text import parse_integer

    try:
        settings = parse_properties(Path(file or "").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return parse_integer(settings.get("clientPort", ""), 1, PORT_MAX)


def _listener(port: int | None) -> socket.socket | None:
    """None: without a port, or where somebody has it."""
    import socket

    if port is None:
        return None
    try:
        return socket.create_server(("", port))
    except OSError:
        return None
