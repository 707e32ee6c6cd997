"""Messages to bytes and back. A codec is plain Python source, emitted and compiled for a (class, version) on first use.

`decode_source` and `encode_source` (modules `emit_decoder`, `emit_encoder`) show what is compiled; a traceback through
a codec shows its lines, because they are registered with `linecache`.

Decoding raises MalformedMessage for whatever the peer sent, and checks every length against the bytes that remain
before anything is allocated. Encoding raises UnsupportedVersion for a field that is set although the version cannot
carry it, and ValueError for a value that its type cannot hold. Both raise UnsupportedVersion for a version that the
message does not have.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Generator, Iterable
from functools import cache
from typing import Any, TypeVar

from kafkapy_wire.errors import MalformedMessage, UnsupportedVersion
from kafkapy_wire.message import Message, Struct

M = TypeVar("M", bound=Message)
S = TypeVar("S", bound=Struct)

RecordsList = list[tuple[int, object]]
Decoder = Callable[[memoryview, int], tuple[M, int]]
Encoder = Callable[[S, bytearray, "RecordsList | None"], None]
DecoderInSteps = Callable[[memoryview, int, int], Generator[None, None, tuple[M, int]]]
EncoderInSteps = Callable[[S, bytearray, "RecordsList | None"], Generator[None, None, bool]]


def decode(cls: type[M], data: bytes | bytearray | memoryview, version: int) -> M:
    """Decode all of `data` as one message. `records` fields are views into `data`, everything else is copied."""
    message, position = decode_from(cls, data, 0, version)
    if position != len(data):
        raise MalformedMessage(f"{cls.__name__} v{version}: {len(data) - position} bytes after the message's end")
    return message


def decode_from(cls: type[M], data: bytes | bytearray | memoryview, position: int, version: int) -> tuple[M, int]:
    """The message that begins at `position`, and the position after it."""
    return decoder(cls, version)(memoryview(data), position)


def encode(message: Message, version: int) -> bytes:
    """The bytes of a message. `records` values must be bytes-like."""
    out = bytearray()
    encoder(type(message), version)(message, out, None)
    return bytes(out)


def encode_segments(message: Message, version: int, out: bytearray, records: list[tuple[int, object]]) -> None:
    """Append the message to `out`, except `records` values that are not bytes-like.

    For such a value only the length prefix is written, from its `len()`, and `(position in out, value)` is appended to
    `records`: the sender of the message inserts the value there.
    """
    encoder(type(message), version)(message, out, records)


class EncodedList(list[S]):
    """Structs of a message with their encoded bytes, by version: encoders copy these.

    For structs that are in many answers. Neither the list nor its structs may be changed, as
    their bytes would stay the same. They may not have `records` values that are not bytes-like.
    """

    __slots__ = ("_encoded", "_message")

    def __init__(self, message: type[Message], structs: Iterable[S], encoded: dict[int, bytes] | None = None) -> None:
        """`encoded`: the bytes by version, as far as they are known."""
        super().__init__(structs)
        self._message = message
        self._encoded = {} if encoded is None else encoded

    def encoded(self, version: int) -> bytes:
        """The elements one after the other, without their number."""
        data = self._encoded.get(version)
        if data is None:
            data = self._encoded[version] = b"".join([encode_struct(self._message, each, version) for each in self])
        return data


def encode_struct(message: type[Message], struct: Struct, version: int) -> bytes:
    """The bytes of a struct as it stands in a message of that class and version."""
    out = bytearray()
    struct_encoder(message, type(struct), version)(struct, out, None)
    return bytes(out)


@cache
def decoder(cls: type[M], version: int) -> Decoder[M]:
    """`(view of bytes, position) -> (message, position after it)`, for the hot path."""
    from kafkapy_wire.emit_decoder import DecoderEmitter

    check_version(cls, version)
    source, namespace = DecoderEmitter(cls, version).emit()
    return _compiled(f"decode {cls.__name__} v{version}", source, namespace)  # type: ignore[no-any-return]


@cache
def encoder(cls: type[M], version: int) -> Encoder[M]:
    """`(message, out, records)`, for the hot path; `records` as in `encode_segments`, or None: bytes-like only."""
    from kafkapy_wire.emit_encoder import EncoderEmitter

    check_version(cls, version)
    source, namespace = EncoderEmitter(cls, version).emit()
    namespace["EncodedList"] = EncodedList
    return _compiled(f"encode {cls.__name__} v{version}", source, namespace)  # type: ignore[no-any-return]


@cache
def decoder_in_steps(cls: type[M], version: int) -> DecoderInSteps[M]:
    """`(view of bytes, position, elements at most)`: a generator that yields each quarter of a millisecond or so.

    It returns what `decoder` does. It also raises MalformedMessage if all arrays together have more elements.
    """
    from kafkapy_wire.emit_decoder import DecoderEmitter

    check_version(cls, version)
    source, namespace = DecoderEmitter(cls, version, in_steps=True).emit()
    return _compiled(f"decode {cls.__name__} v{version} in steps", source, namespace)  # type: ignore[no-any-return]


@cache
def encoder_in_steps(cls: type[M], version: int) -> EncoderInSteps[M]:
    """`encoder` as a generator that yields now and then, and returns True.

    The message must not change meanwhile.
    """
    from kafkapy_wire.emit_encoder import EncoderEmitter

    check_version(cls, version)
    source, namespace = EncoderEmitter(cls, version, in_steps=True).emit()
    namespace["EncodedList"] = EncodedList
    return _compiled(f"encode {cls.__name__} v{version} in steps", source, namespace)  # type: ignore[no-any-return]


@cache
def struct_encoder(message: type[Message], struct: type[S], version: int) -> Encoder[S]:
    """The same for a struct of the message."""
    from kafkapy_wire.emit_encoder import EncoderEmitter

    check_version(message, version)
    source, namespace = EncoderEmitter(message, version, struct).emit()
    namespace["EncodedList"] = EncodedList
    return _compiled(f"encode {struct.__name__} v{version}", source, namespace)  # type: ignore[no-any-return]


def check_version(cls: type[Message], version: int) -> None:
    """Raises UnsupportedVersion: the message has no such version."""
    if version not in cls.__schema__.valid_versions:
        raise UnsupportedVersion(f"{cls.__name__} has versions {cls.__schema__.versions}, not {version}")


def _compiled(title: str, source: str, namespace: dict[str, object]) -> Any:
    filename = f"<{title}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)
    return namespace["codec"]
