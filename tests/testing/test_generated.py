"""async_kafka.py is what generate.py makes of kafka.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kafkapy.testing import generate


def test_the_awaited_one_is_made_from_the_other(tmp_path: Path) -> None:
    made = tmp_path / "async_kafka.py"
    made.write_text(generate.generated())
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--quiet", "--line-length", "120", str(made)], check=True, timeout=60
    )
    assert made.read_text() == generate.TARGET.read_text(), "run python -m kafkapy.testing.generate"
