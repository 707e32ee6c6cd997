"""A cluster in a process of its own: whatever the test's process does (forks, blocks, crashes) does not touch it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from concurrent.futures import Future, wait
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from kafkapy.testing.awaiting import outcome_of
from kafkapy.testing.errors import HangingKafka, HangingTeardown, KafkaNotStarted, KafkaStopped
from kafkapy.testing.owner import Owner
from kafkapy.testing.pipe import receive, send

if TYPE_CHECKING:
    from kafkapy.control.values import FaultState
    from kafkapy.testing.options import Options

STOP_SECONDS: Final = 10.0
STACK_SECONDS: Final = 1.0


class InProcess:
    """Runs a cluster in a process; operations on it, from any thread. As `InThread`."""

    def __init__(self, options: Options) -> None:
        """Returns when it serves. Raises KafkaNotStarted."""
        self._owner = Owner()
        self._pipe, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kafkapy.testing.process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._sending = threading.Lock()
        self._numbers = count()
        self._waiting: dict[int, Future[Any]] = {}
        self._failure: BaseException | None = None
        self._given_up: HangingKafka | None = None
        self._missed_faults: list[FaultState] = []
        try:
            send(self._pipe, options)
            kind, what = receive(self._pipe)
        except (EOFError, OSError) as error:
            raise KafkaNotStarted(f"its process ended with code {self._end()}") from error
        except BaseException:  # as Ctrl-C: nobody will stop it
            self._end()
            raise
        if kind == "failed":
            self._end()
            raise KafkaNotStarted(str(what)) from None
        self.started = what
        self._listener = threading.Thread(target=self._listen, name="kafkapy", daemon=True)
        self._listener.start()

    def submit(self, name: str, *arguments: Any, **named: Any) -> Future[Any]:
        """Perform an operation. Raises KafkaStopped."""
        self._owner.check()
        if self._given_up is not None:
            raise self._given_up
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # a caller that is cancelled does not wait for it, but it goes on
        number = next(self._numbers)
        self._waiting[number] = future
        try:
            with self._sending:
                send(self._pipe, (number, name, arguments, named))
        except OSError:
            self._waiting.pop(number, None)
            raise self._stopped() from self._failure
        except BaseException:  # as of a value that cannot be pickled
            self._waiting.pop(number, None)
            raise
        return future

    @property
    def log(self) -> list[str]:
        lines: list[str] = outcome_of(self.submit("log"), self)
        return lines

    def turns(self, seconds: float) -> bool:
        """Whether its event loop comes round within that time, or is over."""
        with suppress(KafkaStopped):
            return not wait([self.submit("turn")], seconds).not_done
        return True

    def where(self) -> str:
        """The stack of its event loop, told by another thread of its process."""
        with suppress(KafkaStopped, TimeoutError):
            return str(self.submit("where").result(STACK_SECONDS))
        return "(its process does not say where)"

    def give_up(self, reason: HangingKafka) -> None:
        """From now on it is asked nothing, and `submit` raises this."""
        self._given_up = reason

    def stop(self) -> list[FaultState]:
        """Returns the faults that must fire and never did.

        Raises HangingTeardown: it has not stopped in time, and was killed; what it failed with, if it has.
        """
        if not self._owner.is_here:
            return []
        with suppress(OSError):
            self._pipe.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(STOP_SECONDS)
            self._listener.join()  # what it has said last is read before its end
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise HangingTeardown(
                f"the Kafka has not stopped within {STOP_SECONDS:.0f} s: its process was killed"
            ) from None
        finally:
            self._pipe.close()
        if self._failure is not None:
            raise self._failure
        return self._missed_faults

    def _listen(self) -> None:
        with suppress(EOFError):
            while True:
                message = receive(self._pipe)
                if message[0] == "failed":
                    self._failure = message[1]
                    break
                if message[0] == "started":  # again: its brokers are others
                    self.started = message[1]
                    continue
                if message[0] == "missed faults":
                    self._missed_faults = message[1]
                    continue
                number, result, error = message
                future = self._waiting.pop(number)
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)
        while self._waiting:
            _, future = self._waiting.popitem()
            future.set_exception(self._stopped())

    def _stopped(self) -> KafkaStopped:
        return KafkaStopped(f"the Kafka has stopped: {self._failure or 'its process has ended'}")

    def _end(self) -> int:
        self._pipe.close()
        return self._process.wait()
