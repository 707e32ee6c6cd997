"""Which seed finds each planted mistake: asked of a process of its own, where a seed is the same run each time.

Sets of strings have another order in each process that does not fix the seed of their hashes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 900


def seeds_that_find(*options: str) -> dict[str, str]:
    """What `python -m tests.simulation` prints of each mistake, by the mistake: `seed 3`, or `not found`."""
    command = [sys.executable, "-m", "tests.simulation", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert not done.stderr, done.stderr
    return dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
