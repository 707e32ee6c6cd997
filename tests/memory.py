"""How much memory something keeps."""

from __future__ import annotations

import functools
import gc
import importlib
import multiprocessing
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec

P = ParamSpec("P")


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """A callable that tells how many bytes Python has allocated since here and still holds, whichever thread it was.

    For tests that are `alone`: brokers of the session's fixtures allocate meanwhile, each in a thread of its own.
    """
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


def alone(test: Callable[P, None]) -> Callable[P, None]:
    """The test, a function of a module with arguments that can be pickled, run in a process of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            process.submit(_run_here, test.__module__, test.__name__, args, kwargs).result()

    return run


def _run_here(module: str, name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    getattr(importlib.import_module(module), name).__wrapped__(*args, **kwargs)
