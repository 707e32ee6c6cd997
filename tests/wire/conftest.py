"""What the tests of the wire package share."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

VECTORS = Path(__file__).parent / "vectors.jsonl"
FUZZ_TARGET = Path(__file__).parents[1] / "fuzz" / "fuzz_wire.py"


@pytest.fixture(scope="session")
def vectors() -> list[dict[str, object]]:
    """Golden encodings: `schema`, `version`, `json`, and `hex` as Apache Kafka 4.4.0's own code encodes it."""
    return [json.loads(line) for line in VECTORS.read_text().splitlines()]


@pytest.fixture(scope="session")
def vectors_path() -> Path:
    return VECTORS


@pytest.fixture(scope="session")
def fuzz_wire() -> ModuleType:
    """The fuzz target, whose checks run here with fixed seeds."""
    specification = importlib.util.spec_from_file_location("fuzz_wire", FUZZ_TARGET)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
