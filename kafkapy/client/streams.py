"""Standard input, output and error of a command, any of which may be closed, full, or read by nobody.

What is wrong with the output ends a command (as an OSError that `kafkapy.cli.main` tells in one line). What is wrong
with standard error ends nothing: there is no place to say so, and the exit code says enough.
"""

from __future__ import annotations

import io
import os
import sys

READ_BYTES = 256 * 1024


def prepare_streams() -> None:
    """Give closed streams a file of their own, and have every text be printable.

    A number below 3 that is free would go to the next file or socket that is opened, and what is printed would end up
    there.
    """
    # Opened for the other direction, a stream fails as a closed one does: EBADF. Nobody misses messages, though.
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "w", closefd=False)))
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=errors)


def say(text: str) -> None:
    """To standard error, if anybody takes it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def flush_messages() -> None:
    """Drop what standard error does not take: otherwise the interpreter, which flushes it last, exits with 120."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)


def is_terminal(stream: object) -> bool:
    """Whether a person sits at the other end."""
    try:
        return isinstance(stream, io.IOBase) and stream.isatty()
    except (OSError, ValueError):
        return False


def write_output(data: bytes) -> None:
    """To standard output, and out of our buffers. Raises OSError."""
    stream = sys.stdout.buffer
    view = memoryview(data)
    while view:  # under PYTHONUNBUFFERED it is the bare file, which may take a part
        try:
            view = view[stream.write(view) or 0 :]
        except BlockingIOError as error:  # whoever gave us the pipe has made it non-blocking
            view = view[error.characters_written :]
            _wait_until_writable()
    while True:
        try:
            stream.flush()
        except BlockingIOError:
            _wait_until_writable()
        else:
            return


def flush_output() -> None:
    """What was printed leaves now, not when the interpreter ends and nobody can tell of an error. Raises OSError."""
    sys.stdout.flush()


def discard_output() -> None:
    """Nothing that is still to be printed goes anywhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def read_input() -> bytes:
    """The next bytes of standard input as they come, none at its end. Raises OSError."""
    descriptor = sys.stdin.fileno()
    while True:
        try:
            return os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            from select import POLLIN

            _wait_for(descriptor, POLLIN)


def _wait_until_writable() -> None:
    from select import POLLOUT

    _wait_for(sys.stdout.fileno(), POLLOUT)


def _wait_for(descriptor: int, events: int) -> None:
    from select import poll

    polled = poll()
    polled.register(descriptor, events)
    polled.poll()
