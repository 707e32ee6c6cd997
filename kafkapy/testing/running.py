"""A cluster that runs somewhere, and is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from kafkapy.testing.errors import KafkaStopped

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kafkapy.testing.options import Options
    from kafkapy.testing.server import Started

Where: TypeAlias = Literal["thread", "process"]


class Running(Protocol):
    """In a thread or in a process: the caller sees no difference."""

    started: Started

    @property
    def log(self) -> list[str]:
        """The latest lines of the log."""

    def submit(self, name: str, *arguments: Any, **named: Any) -> Future[Any]:
        """Perform an operation. Raises KafkaStopped."""

    def stop(self) -> None:
        """Raises HangingTeardown, and what it has ended with by itself."""


class Owner:
    """The process that has started a cluster: a fork of it has neither its threads nor a pipe of its own."""

    def __init__(self) -> None:
        self._process_id = os.getpid()

    @property
    def is_here(self) -> bool:
        return os.getpid() == self._process_id

    def check(self) -> None:
        """Raises KafkaStopped: this is a fork."""
        if not self.is_here:
            raise KafkaStopped(
                f"the Kafka belongs to process {self._process_id}, and this is a fork of it: ask it there. Clients may "
                "connect from here; a fork that needs a Kafka of its own makes one"
            )


class Face(Protocol):
    """`Kafka` or `AsyncKafka`."""

    @property
    def _run(self) -> Running: ...


def running(options: Options, where: Where) -> Running:
    """Returns when the cluster serves. Raises KafkaNotStarted; ValueError: there is no such isolation."""
    if where == "thread":
        from kafkapy.testing.in_thread import InThread

        return InThread(options)
    if where == "process":
        from kafkapy.testing.in_process import InProcess

        return InProcess(options)
    raise ValueError(f"there is no isolation {where!r}: there are thread and process")
