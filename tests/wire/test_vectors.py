"""1,486 golden encodings by Apache Kafka 4.4.0's own code, in both directions."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import TypedDict

import pytest

from kafkapy.cli import wire
from kafkapy_wire.catalog import message_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.json_format import JsonValue, from_json, to_json


class Vector(TypedDict):
    """A line of vectors.jsonl."""

    schema: str
    version: int
    json: JsonValue
    hex: str


def test_there_are_as_many_as_the_release_has(vectors: list[Vector]) -> None:
    assert len(vectors) == 1486


def test_bytes_decode_to_the_json_and_encode_back(vectors: list[Vector]) -> None:
    for vector in vectors:
        cls, version = message_class(vector["schema"]), vector["version"]
        message = decode(cls, bytes.fromhex(vector["hex"]), version)
        assert encode(message, version).hex() == vector["hex"], vector
        assert to_json(message, version) == as_printed(vector), vector
        assert message == from_json(cls, vector["json"], version), vector


def test_json_encodes_to_the_bytes(vectors: list[Vector]) -> None:
    for vector in vectors:
        message = from_json(message_class(vector["schema"]), vector["json"], vector["version"])
        assert encode(message, vector["version"]).hex() == vector["hex"], vector


def test_json_prints_most_vectors_as_they_stand(vectors: list[Vector]) -> None:
    """In 20 lines the JSON names a tagged field at its default, which Apache Kafka's converters do not print."""
    differing = [vector for vector in vectors if as_printed(vector) != vector["json"]]
    assert len(differing) == 20


@pytest.mark.parametrize("command", ["decode", "encode"])
def test_the_command_converts_all_lines(
    command: str,
    vectors: list[Vector],
    vectors_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given, wanted = ("hex", "json") if command == "decode" else ("json", "hex")
    lines = [
        {"schema": v["schema"], "version": v["version"], given: v["hex" if given == "hex" else "json"]} for v in vectors
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(json.dumps, lines))))
    parser = argparse.ArgumentParser()
    wire.add_arguments(parser)
    assert wire.run(parser.parse_args([command, "--jsonl"])) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == len(vectors)
    for vector, line in zip(vectors, printed, strict=True):
        content = vector["hex"] if wanted == "hex" else as_printed(vector)
        assert line == {"schema": vector["schema"], "version": vector["version"], wanted: content}


def as_printed(vector: Vector) -> JsonValue:
    """The vector's JSON without tagged fields at their defaults."""
    cls = message_class(vector["schema"])
    return to_json(from_json(cls, vector["json"], vector["version"]), vector["version"])
