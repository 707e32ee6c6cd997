"""A test that counts garbage, or times steps, answers for nothing that other tests have left to the collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Nothing is collected within the block unless it asks; then only what has come into being there is looked at.

    Client libraries leave sockets of connections that were refused: their warnings would be this test's failure. And
    where thousands of tests have run, a look at everything takes longer than most tests.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
