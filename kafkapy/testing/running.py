"""A cluster that runs somewhere, and is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from kafkapy.testing.hanging import Turning

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kafkapy.control.values import FaultState
    from kafkapy.testing.options import Options
    from kafkapy.testing.server import Started

Where: TypeAlias = Literal["thread", "process"]


class Running(Turning, Protocol):
    """In a thread or in a process: the caller sees no difference."""

    started: Started

    @property
    def log(self) -> list[str]:
        """The latest lines of the log."""

    def submit(self, name: str, *arguments: Any, **named: Any) -> Future[Any]:
        """Perform an operation. Raises KafkaStopped."""

    def stop(self) -> list[FaultState]:
        """Returns the faults that must fire and never did. Raises HangingTeardown, and what it has ended with by
        itself.
        """


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


def described(name: str, run: Running | None) -> str:
    """For reports: `<Kafka of 1 broker at localhost:9092>`."""
    if run is None:
        return f"<{name} that does not run>"
    addresses = run.started.bootstrap_servers
    brokers = addresses.count(",") + 1
    return f"<{name} of {brokers} broker{'s'[: brokers > 1]} at {addresses}>"
