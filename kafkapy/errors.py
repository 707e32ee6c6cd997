"""Errors of the shell around the cores: those that the user sees as one line, and those that close a connection."""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound=Exception)


class StartupError(Exception):
    """The node cannot start; the message says what to do. The command line prints it and exits with 1."""


class ShutdownError(Exception):
    """The node has stopped, but not cleanly; the message says what that means. The command line exits with 1."""


class CloseConnection(Exception):
    """This request ends its connection, as it does in Apache Kafka; the message is the log line's reason."""


class AuthenticationFailed(CloseConnection):
    """The login was refused; the connection is closed when that is answered. The message is for the log."""


class InjectedEnd(CloseConnection):
    """An injected fault ends the connection, after `last_bytes`; with `resets` by a TCP reset."""

    def __init__(self, message: str, *, last_bytes: bytes = b"", resets: bool = False) -> None:
        super().__init__(message)
        self.last_bytes = last_bytes
        self.resets = resets


class NotServed(CloseConnection):
    """A request of an API or a version that is not served. `served`: the versions that are, perhaps none.

    `is_known`: Apache Kafka has such an API.
    """

    def __init__(self, api_key: int, version: int, served: range, *, is_known: bool = True) -> None:
        super().__init__(f"API key {api_key} version {version} is not served")
        self.api_key = api_key
        self.version = version
        self.served = served
        self.is_known = is_known


def without_frames(error: E) -> E:
    """`error`, which is an answer to somebody, without traceback and context.

    These lead to frames, and the frames to whoever keeps the error: cycles, which only the garbage collector frees. It
    would take a second, in one go, for those of a request about a hundred thousand unknown names.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def how_to_install(extra: str) -> str:
    """What a message says of packages that only some need; kafkapy itself is in no package index."""
    return f"run `pip install './kafkapy[{extra}]'`, where ./kafkapy is a checkout of kafkapy's repository"
