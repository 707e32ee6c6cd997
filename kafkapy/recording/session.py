"""A recorded session as a file of JSON lines: an exchange a line, with what is needed to send it again."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kafkapy.context import Client
from kafkapy.recording.as_json import exchange_as_json
from kafkapy.recording.exchange import SIZE_BYTES, Exchange, Origin, Outcome
from kafkapy.security.principal import KafkaPrincipal
from kafkapy_wire.uuid import Uuid, parse_uuid, uuid_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike
    from typing import TextIO

T = TypeVar("T")

LINE_CHARACTERS_MAX: Final = 256 * 1024 * 1024
HEADER_BYTES_MIN: Final = 10
TIME_MAX: Final = 1e15


class InvalidSession(ValueError):
    """A file is no recorded session: the message says which line, and why."""


def write_json_lines(exchanges: Iterable[Exchange], path: str | PathLike[str]) -> int:
    """Write them with their bytes. Returns how many. Raises OSError."""
    with Path(path).open("w", encoding="utf-8") as file:
        return write_lines(exchanges, file)


def write_lines(exchanges: Iterable[Exchange], file: TextIO) -> int:
    """As `write_json_lines`, to an open file."""
    written = 0
    for exchange in exchanges:
        file.write(json.dumps(exchange_as_json(exchange, frames=True), ensure_ascii=False) + "\n")
        written += 1
    return written


def read_json_lines(path: str | PathLike[str]) -> list[Exchange]:
    """The exchanges of a file. Raises InvalidSession; OSError."""
    with Path(path).open(encoding="utf-8") as file:
        return list(_read(file, str(path)))


class _RecordedNode(Origin):
    """A node of a file, with the topics that the file names."""

    __slots__ = ("topic_names",)

    def __init__(self, node_id: int) -> None:
        super().__init__(node_id, self._name)
        self.topic_names: dict[Uuid, str] = {}

    def _name(self, topic_id: Uuid) -> str:
        return self.topic_names.get(topic_id) or uuid_text(topic_id)


def _read(file: TextIO, name: str) -> Iterator[Exchange]:
    clients: dict[int, Client] = {}
    origins: dict[int, _RecordedNode] = {}
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(LINE_CHARACTERS_MAX)
        except UnicodeDecodeError:
            raise InvalidSession(f"{name} is no recorded session: it is no text in UTF-8") from None
        if not line:
            return
        try:
            yield _exchange(json.loads(line), clients, origins)
        except (ValueError, RecursionError) as error:
            raise InvalidSession(f"{name} is no recorded session: line {number}: {error}") from None


def _exchange(line: Any, clients: dict[int, Client], origins: dict[int, _RecordedNode]) -> Exchange:
    """Raises ValueError."""
    if not isinstance(line, dict):
        raise ValueError("an object is expected")
    connection = _value(line, "connection", int)
    client = clients.get(connection)
    if client is None:
        host, _, port = _value(line, "peer", str).rpartition(":")
        if not (port.isascii() and port.isdecimal() and len(port) <= 5):
            raise ValueError("peer is no host:port")
        client = clients[connection] = Client(
            _value(line, "listener", str), host, int(port), _value(line, "localHost", str)
        )
        client.number = connection
    # What the client says of itself is known after its first request.
    client.software_name, _, client.software_version = _value(line, "software", str).partition(" ")
    client.principal = KafkaPrincipal.parse(_value(line, "principal", str))
    node_id = _value(line, "node", int)
    node = origins.setdefault(node_id, _RecordedNode(node_id))
    for topic_id, name in _value(line, "topicIds", dict).items():
        if isinstance(name, str):
            node.topic_names[parse_uuid(topic_id)] = name
    frame, answer = _bytes(line, "requestFrame"), _bytes(line, "responseFrame")
    if len(frame) < HEADER_BYTES_MIN:
        raise ValueError("requestFrame has no header of a request")
    begun_ns = int(_value(line, "timeMs", float) * 1_000_000)
    duration_ms = 0.0 if line.get("durationMs") is None else _value(line, "durationMs", float)
    return Exchange(
        (
            _value(line, "number", int),
            begun_ns,
            begun_ns + int(duration_ms * 1_000_000),
            node,
            client,
            frame,
            _value(line, "requestSizeBytes", int) - SIZE_BYTES,
            answer,
            _value(line, "responseSizeBytes", int),
            Outcome(_value(line, "outcome", str)),
            _value(line, "reason", str),
        )
    )


def _value(line: dict[str, Any], name: str, kind: type[T]) -> T:
    if name not in line:
        raise ValueError(f"{name} is missing")
    value = line[name]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"{name} is not of the kind {kind.__name__}")
    if isinstance(value, float) and not abs(value) < TIME_MAX:
        raise ValueError(f"{name} is out of range")
    return value


def _bytes(line: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_value(line, name, str), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{name} is no base64: {error}") from None
