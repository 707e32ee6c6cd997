"""The exceptions, by who is at fault: see each class. `ErrorCode` is Kafka's own table, generated from the schema."""

from __future__ import annotations

from typing import Final

from kafkapy_wire.error_code import ErrorCode

__all__ = ["ErrorCode", "KafkaError", "MalformedFrame", "MalformedMessage", "UnsupportedVersion", "cut", "error_code"]


MESSAGE_CHARACTERS_MAX: Final = 2_000
"""A string has at most 32,767 bytes on the wire, and a name from a client may nearly be as long."""


def error_code(code: int) -> ErrorCode:
    """The code by its name; one of a later Kafka is UNKNOWN_SERVER_ERROR."""
    try:
        return ErrorCode(code)
    except ValueError:
        return ErrorCode.UNKNOWN_SERVER_ERROR


def cut(text: str, characters_max: int) -> str:
    """The text; if it is long, its beginning and its length."""
    if len(text) <= characters_max:
        return text
    return f"{text[:characters_max]}... ({len(text)} characters)"


class KafkaError(Exception):
    """A request is refused: the error code, and the error message for responses that have a field for it.

    Raised where the error is found, turned into a response in one place. `message` None means that the response has
    Kafka's standard text, or null, as the API does. A long message is cut: it may quote a client's bytes.
    """

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        if message is not None and len(message) > MESSAGE_CHARACTERS_MAX:
            message = cut(message, MESSAGE_CHARACTERS_MAX)
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.code.name if self.message is None else f"{self.code.name}: {self.message}"


class MalformedMessage(Exception):
    """The peer sent bytes that the schema cannot hold. Every decoder raises this and nothing else."""


class MalformedFrame(Exception):
    """The peer announced a request of negative or refused size: nothing after it can be read.

    `size` is what the first four bytes say; often they are the greeting of another protocol.
    """

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message, size)
        self.size = size

    def __str__(self) -> str:
        return str(self.args[0])


class UnsupportedVersion(ValueError):
    """A message has no such version, or a field is set that this version does not have and that must not get lost."""
