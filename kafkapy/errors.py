"""Errors of the shell: what the user is told in one line, and what ends a connection."""

from __future__ import annotations


class StartupError(Exception):
    """The node cannot start; the message says what to do. The command line prints it and exits with 1."""


class ShutdownError(Exception):
    """The node has stopped, but not cleanly; the message says what that means. The command line exits with 1."""


class CloseConnection(Exception):
    """This request ends its connection, as it does in Apache Kafka; the message is the log line's reason."""
