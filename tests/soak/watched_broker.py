"""`python -m tests.soak.watched_broker HEAP_FILE TRACED_FRAMES start ...`: kafkapy, counting its objects on SIGUSR1.

With TRACED_FRAMES above 0 each allocation is traced with so many frames, which takes about half of the speed.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path
from types import FrameType

from kafkapy.cli import main

TRACES_MAX = 2_000
ARENA_BYTES = re.compile(r"\d+ arenas \* \d+ bytes/arena\s+=\s+([\d,]+)")


def statistics() -> dict[str, object]:
    """The fields of `HeapStatistics`."""
    collected = gc.collect()
    objects = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return {
        "allocated_blocks": sys.getallocatedblocks(),
        "arena_bytes": arena_bytes(),
        "collected": collected,
        "objects": dict(objects),
        "traced": traced() if tracemalloc.is_tracing() else {},
    }


def traced() -> dict[str, list[int]]:
    found = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(False, tracemalloc.__file__), tracemalloc.Filter(False, __file__)]
    )
    kind = "traceback" if tracemalloc.get_traceback_limit() > 1 else "lineno"
    return {
        " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(one.traceback)): [one.size, one.count]
        for one in found.statistics(kind)[:TRACES_MAX]
    }


def arena_bytes() -> int:
    """pymalloc tells its arenas only in a text on standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as caught:
            os.dup2(caught.fileno(), 2)
            try:
                sys._debugmallocstats()
            finally:
                os.dup2(kept, 2)
            caught.seek(0)
            match = ARENA_BYTES.search(caught.read().decode())
    finally:
        os.close(kept)
    return int(match[1].replace(",", "")) if match else 0


def run() -> int:
    heap_file, frames = Path(sys.argv[1]), int(sys.argv[2])

    def count_objects(_signal: int, _frame: FrameType | None) -> None:
        being_written = heap_file.with_suffix(".new")
        being_written.write_text(json.dumps(statistics()))
        being_written.rename(heap_file)

    signal.signal(signal.SIGUSR1, count_objects)
    if frames:
        tracemalloc.start(frames)
    sys.argv[1:] = sys.argv[3:]
    return main()


if __name__ == "__main__":
    sys.exit(run())
