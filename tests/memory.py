"""How much memory something keeps."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """A callable that tells how many bytes Python has allocated since here and still holds."""
    gc.collect()
    tracemalloc.start()

    def kept() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    try:
        yield kept
    finally:
        tracemalloc.stop()


def traced_peak() -> int:
    """The most that was held at once since `traced` has begun."""
    return tracemalloc.get_traced_memory()[1]
