"""kio, a typed Kafka protocol by other hands, reads what we write and writes the same bytes."""

from __future__ import annotations

import io
import random
from importlib import import_module
from types import ModuleType
from typing import Any

import kio.serial
import pytest

from kafkapy_wire.catalog import message_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.schema_index import SCHEMA_CLASSES


def kio_class(name: str, version: int) -> Any | None:
    """kio has one class a version, or does not know the schema or version at all."""
    module = SCHEMA_CLASSES[name].partition(":")[0].rpartition(".")[2]
    kind = message_class(name).__schema__.kind
    part = {"request": "request", "response": "response", "header": "header"}.get(kind, "data")
    try:
        return getattr(import_module(f"kio.schema.{module}.v{version}.{part}"), message_class(name).__name__)
    except (ModuleNotFoundError, AttributeError):
        return None


CODECS = [
    (name, version, found)
    for name in SCHEMA_CLASSES
    if name.startswith("messages/")
    for version in message_class(name).__schema__.valid_versions
    if (found := kio_class(name, version)) is not None
]


def test_kio_knows_most_messages() -> None:
    assert len({name for name, _, _ in CODECS}) > 140


@pytest.mark.parametrize("seed", range(3))
def test_kio_writes_what_it_read_from_us(seed: int, fuzz_wire: ModuleType) -> None:
    """Unknown tagged fields are not kept by kio, and it refuses values that its richer types exclude."""
    source = random.Random(seed)
    agreed = 0
    for name, version, theirs in CODECS:
        cls = message_class(name)
        message = fuzz_wire.random_message(source, cls, version)
        fuzz_wire._drop_unknown_tagged_fields(message)
        data = encode(message, version)
        assert decode(cls, data, version) == message
        try:
            entity, size = kio.serial.entity_reader(theirs)(data, 0)
        except (ValueError, OverflowError, kio.serial.errors.SerialError):
            continue
        assert size == len(data), (name, version)
        written = io.BytesIO()
        kio.serial.entity_writer(theirs)(written, entity)
        assert written.getvalue() == data, (name, version, message)
        agreed += 1
    assert agreed > len(CODECS) // 3
