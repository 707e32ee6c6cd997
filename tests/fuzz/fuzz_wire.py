"""Hostile and random bytes into every decoder, for as long as asked.

    python tests/fuzz/fuzz_wire.py --seconds 600 --seed 7

Holds: bytes decode or raise MalformedMessage, and nothing else; what decodes encodes again to bytes that decode to the
same; a random message survives bytes and JSON; frames come out as they went in, however they are cut. A failure prints
the seed of the round that found it: `--seed SEED --rounds 1` repeats it.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
import time

from kafkapy_wire.catalog import message_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.emit import FORMATS, FieldPlan
from kafkapy_wire.errors import MalformedFrame, MalformedMessage, UnsupportedVersion
from kafkapy_wire.framing import RequestBuffer
from kafkapy_wire.json_format import from_json, to_json
from kafkapy_wire.message import Message, Struct
from kafkapy_wire.schema_index import SCHEMA_CLASSES

WORDS = ("", "a", "orders", "payments-2026", "größe", "日本", "x" * 127, "y" * 128, "z" * 300)
REQUEST_BYTES_MAX = 4096


def all_codecs() -> list[tuple[type[Message], int]]:
    """Every (class, version) that there is."""
    classes = [message_class(name) for name in SCHEMA_CLASSES]
    return [(cls, version) for cls in classes for version in cls.__schema__.valid_versions]


def random_message(source: random.Random, cls: type[Message], version: int) -> Message:
    """A message with every field of the version set to something, unknown tagged fields included."""
    flexible = version in cls.__schema__.flexible_versions
    message = _random_struct(source, cls, version, flexible)
    assert isinstance(message, cls)
    return message


def _random_struct(source: random.Random, cls: type[Struct], version: int, flexible: bool) -> Struct:
    struct_ = cls()
    for field in cls.__fields__:
        plan = FieldPlan(field, version, flexible)
        if plan.present and not (plan.tagged and source.random() < 0.5):
            setattr(struct_, field.name, _random_field(source, plan, version, flexible))
    if flexible and source.random() < 0.2:
        struct_.unknown_tagged_fields = [(tag, source.randbytes(tag % 5)) for tag in (200, 300)]
    return struct_


def _random_field(source: random.Random, plan: FieldPlan, version: int, flexible: bool) -> object:
    if plan.nullable and source.random() < 0.2:
        return None
    if plan.is_array:
        count = source.choice((0, 1, 1, 2, 3, 12 if isinstance(plan.element, str) else 2))
        return [_random_element(source, plan.element, version, flexible) for _ in range(count)]
    return _random_element(source, plan.element, version, flexible)


def _random_element(source: random.Random, kind: str | type[Struct], version: int, flexible: bool) -> object:
    if not isinstance(kind, str):
        return _random_struct(source, kind, version, flexible)
    if kind == "string":
        return source.choice(WORDS)
    if kind == "uuid":
        return source.randbytes(16)
    if kind in ("bytes", "records"):
        return source.randbytes(source.choice((0, 1, 5, 130)))
    if kind == "bool":
        return source.random() < 0.5
    if kind == "float64":
        return source.choice((0.0, -1.5, 1e300, source.random()))
    size = struct.calcsize(">" + FORMATS[kind])
    value: int = struct.unpack(">" + FORMATS[kind], source.choice((bytes(size), source.randbytes(size))))[0]
    return value


def mutated(source: random.Random, data: bytes) -> bytes:
    """The bytes with a few of them changed, lost or added."""
    out = bytearray(data)
    for _ in range(source.randint(1, 3)):
        position = source.randrange(len(out) + 1)
        match source.randrange(5):
            case 0:
                del out[position:]
            case 1:
                out[position:position] = source.randbytes(source.randint(1, 4))
            case 2:
                out[position : position + 4] = source.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0"))
            case 3:
                out[position : position + 1] = source.choice((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x80\x01"))
            case _ if position < len(out):
                out[position] ^= 1 << source.randrange(8)
    return bytes(out)


def check_hostile_bytes(cls: type[Message], data: bytes, version: int) -> None:
    """Decodes or raises MalformedMessage; what decodes survives a round trip."""
    try:
        message = decode(cls, data, version)
    except MalformedMessage:
        return
    try:
        again = encode(message, version)
    except UnsupportedVersion:
        raise AssertionError(f"decoded what cannot be encoded: {message}") from None
    except ValueError as error:
        if "tags must rise" not in str(error):  # like Kafka, the decoder takes tags in any order
            raise
        return
    assert encode(decode(cls, again, version), version) == again


def check_round_trip(source: random.Random, cls: type[Message], version: int) -> bytes:
    """A random message through bytes and through JSON; returns its bytes."""
    message = random_message(source, cls, version)
    data = encode(message, version)
    assert decode(cls, data, version) == message
    _drop_unknown_tagged_fields(message)
    assert from_json(cls, json.loads(json.dumps(to_json(message, version))), version) == message
    return data


def _drop_unknown_tagged_fields(value: object) -> None:
    """JSON has no place for them."""
    if isinstance(value, list):
        for element in value:
            _drop_unknown_tagged_fields(element)
    elif isinstance(value, Struct):
        value.unknown_tagged_fields = ()
        for field in value.__fields__:
            _drop_unknown_tagged_fields(getattr(value, field.name))


def check_framing(source: random.Random) -> None:
    """Frames cut anywhere come out whole; what is too large is refused, and memory stays bounded."""
    frames = [source.randbytes(source.choice((0, 1, 14, 500, REQUEST_BYTES_MAX))) for _ in range(source.randint(1, 6))]
    stream = b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)
    if refused := source.random() < 0.3:
        stream += struct.pack(">i", source.choice((-1, -(2**31), REQUEST_BYTES_MAX + 1, 2**31 - 1)))
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    received: list[bytes] = []
    position = 0
    try:
        while position < len(stream):
            space = buffer.space()
            count = min(len(space), len(stream) - position, source.choice((1, 3, 100, 10_000)))
            space[:count] = stream[position : position + count]
            buffer.filled(count)
            position += count
            while (frame := buffer.next_frame()) is not None:
                received.append(bytes(frame))
    except MalformedFrame:
        assert refused
    else:
        assert not refused
    assert received == frames


def run_round(seed: int, codecs: list[tuple[type[Message], int]]) -> None:
    """One random message, mutations of its bytes, some noise, one stream of frames."""
    source = random.Random(seed)
    cls, version = source.choice(codecs)
    data = check_round_trip(source, cls, version)
    for _ in range(10):
        check_hostile_bytes(cls, mutated(source, data), version)
    check_hostile_bytes(cls, source.randbytes(source.randrange(64)), version)
    check_framing(source)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the wire codecs.")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=None, help="stop after so many rounds, however long they take")
    parser.add_argument("--seed", type=int, default=None, help="the first round's seed; by default another each time")
    options = parser.parse_args()
    first = random.randrange(2**32) if options.seed is None else options.seed
    codecs = all_codecs()
    deadline = time.monotonic() + options.seconds
    rounds = 0
    while rounds != options.rounds and (options.rounds is not None or time.monotonic() < deadline):
        try:
            run_round(first + rounds, codecs)
        except Exception:
            sys.stderr.write(f"failed with --seed {first + rounds} --rounds 1\n")
            raise
        rounds += 1
    sys.stdout.write(f"{rounds} rounds from seed {first}: nothing found\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
