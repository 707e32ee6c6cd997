"""A cluster in a thread of this process: up in some ten milliseconds."""

from __future__ import annotations

import sys
import threading
import traceback
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio

from kafkapy.errors import StartupError
from kafkapy.testing.errors import HangingKafka, HangingTeardown, KafkaNotStarted, KafkaStopped
from kafkapy.testing.owner import Owner
from kafkapy.testing.server import Server, Started
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from kafkapy.control.values import FaultState
    from kafkapy.testing.options import Options

STOP_SECONDS: Final = 10.0


class InThread:
    """Runs a cluster in a thread; operations on it, from any thread."""

    def __init__(self, options: Options) -> None:
        """Returns when it serves. Raises KafkaNotStarted."""
        self._owner = Owner()
        self._server = Server(options)
        self._started: Future[None] = Future()
        self.started: Started
        self._failure: BaseException | None = None
        self._given_up: HangingKafka | None = None
        # A daemon: a test run that is interrupted must not wait for it.
        self._thread = threading.Thread(target=self._run, name="kafkapy", daemon=True)
        try:
            self._thread.start()
            self._started.result()
        except (StartupError, KafkaError, ValueError) as error:
            self._thread.join()
            raise KafkaNotStarted(str(error)) from None
        except BaseException:  # as Ctrl-C: nobody will stop it
            self._started.add_done_callback(self._stop_if_started)
            raise

    def submit(self, name: str, *arguments: Any, **named: Any) -> Future[Any]:
        """Perform an operation. Raises KafkaStopped."""
        self._owner.check()
        if self._given_up is not None:
            raise self._given_up
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # a caller that is cancelled does not wait for it, but it goes on

        def done(result: Any, error: BaseException | None) -> None:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        try:
            self._server.call(name, arguments, named, done)
        except trio.RunFinishedError:
            raise KafkaStopped(f"the Kafka has stopped: {self._failure or 'its block has ended'}") from self._failure
        return future

    @property
    def log(self) -> list[str]:
        return self._server.log.lines

    def turns(self, seconds: float) -> bool:
        """Whether its event loop comes round within that time, or is over."""
        turned = threading.Event()
        try:
            self._server.call_in_turn(turned.set)
        except trio.RunFinishedError:
            return True
        return turned.wait(seconds)

    def where(self) -> str:
        """The stack of its event loop."""
        return stack_of(self._thread)

    def give_up(self, reason: HangingKafka) -> None:
        """From now on it is asked nothing, and `submit` raises this."""
        self._given_up = reason

    def stop(self) -> list[FaultState]:
        """Returns the faults that must fire and never did.

        Raises HangingTeardown: it has not stopped in time; what it failed with, if it has.
        """
        if not self._owner.is_here:
            return []
        with suppress(trio.RunFinishedError):  # it may have ended by itself
            self._server.stop()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise HangingTeardown(
                f"the Kafka has not stopped within {STOP_SECONDS:.0f} s; its thread is here:\n{self.where()}"
            )
        if self._failure is not None:
            raise self._failure
        return self._server.missed_faults

    def _run(self) -> None:
        try:
            self._server.run(self._tell_started)
        except BaseException as error:
            if self._started.done():
                self._failure = error
            else:
                self._started.set_exception(error)

    def _tell_started(self, what: Started) -> None:
        self.started = what
        if not self._started.done():
            self._started.set_result(None)

    def _stop_if_started(self, started: Future[None]) -> None:
        if started.exception() is None:
            with suppress(trio.RunFinishedError):
                self._server.stop()


def stack_of(thread: threading.Thread) -> str:
    """Where a thread of this process is; empty if it is none any more."""
    frame = sys._current_frames().get(thread.ident or -1)
    return "" if frame is None else "".join(traceback.format_stack(frame))
