"""`python -m kafkapy.testing.process FD`: a cluster in a process of its own, asked over a socket pair.

It ends when the other end of the socket does, so it never outlives the test's process.
"""

from __future__ import annotations

import pickle
import signal
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from kafkapy.testing.in_thread import stack_of
from kafkapy.testing.pipe import receive, send
from kafkapy.testing.server import Server

if TYPE_CHECKING:
    from kafkapy.testing.server import Started


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is for the test's process
    pipe = socket.socket(fileno=int(sys.argv[1]))
    sending = threading.Lock()

    def answer(message: Any) -> None:
        with sending, suppress(OSError):
            send(pipe, message)

    server = Server(receive(pipe))

    listener = threading.Thread(target=lambda: listen(), daemon=True)

    def started(what: Started) -> None:
        answer(("started", what))
        if listener.ident is None:
            listener.start()

    def listen() -> None:
        with suppress(EOFError, trio.RunFinishedError):
            while True:
                number, name, arguments, named = receive(pipe)
                if name == "log":
                    answer((number, server.log.lines, None))
                elif name == "where":
                    answer((number, stack_of(threading.main_thread()), None))
                elif name == "turn":
                    server.call_in_turn(partial(answer, (number, None, None)))
                else:
                    server.call(name, arguments, named, _answer_to(number, answer))
        with suppress(trio.RunFinishedError):
            server.stop()

    try:
        server.run(started)
    except Exception as error:
        answer(("failed", _portable(error)))
    else:
        answer(("missed faults", server.missed_faults))


def _answer_to(number: int, answer: Any) -> Any:
    def done(result: Any, error: BaseException | None) -> None:
        answer((number, result, None if error is None else _portable(error)))

    return done


def _portable(error: BaseException) -> BaseException:
    """The same exception if it can be sent, or else its words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main()
