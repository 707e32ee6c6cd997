"""async_kafka.py and its kin are what generate.py makes of kafka.py and its kin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kafkapy.testing import generate


@pytest.mark.parametrize("source", generate.SOURCES)
def test_the_awaited_one_is_made_from_the_other(source: str, tmp_path: Path) -> None:
    made = tmp_path / f"async_{source}"
    made.write_text(generate.generated(source))
    for tidied in ("check --fix --select I", "format"):
        command = [sys.executable, "-m", "ruff", *tidied.split(), "--quiet", "--line-length", "120", str(made)]
        subprocess.run(command, check=True, timeout=60)
    assert made.read_text() == generate.target_of(source).read_text(), "run python -m kafkapy.testing.generate"
