"""What the client tests know about a broker, whichever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Reachable(Protocol):
    """A broker or a cluster, as its clients know it."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, or several with commas, for a client."""


class Broker(Reachable, Protocol):
    """A running broker on 127.0.0.1: kafkapy, or Apache Kafka when a test itself is being checked."""

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int: ...

    @property
    def data_dir(self) -> Path | None:
        """Where the partition directories are; None: nobody may look."""

    def start(self) -> None:
        """Start again on the port and the data of before."""

    def stop(self, *, kill: bool = False) -> None:
        """End it: TERM, with `kill` KILL. The data stays."""

    def output(self) -> str:
        """What it logged."""

    def bugs(self, position: int = 0) -> str:
        """What it logged after `position` when that shows a bug in it; else empty."""
