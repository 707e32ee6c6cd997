"""How often the model tests of this folder run: a few dozen times in the suite, as often as asked in the long form.

KAFKAPY_MODEL_RUNS=10000 ./test tests/log -k Test
"""

from __future__ import annotations

import os

MODEL_RUNS = int(os.environ.get("KAFKAPY_MODEL_RUNS", "60"))
DERANDOMIZE = "KAFKAPY_MODEL_RUNS" not in os.environ
"""The suite runs the same cases each time; the long form is for finding new ones."""
