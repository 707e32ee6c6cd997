"""Python's garbage collector, and requests of very many entries.

A full collection walks all objects of the process in one go: a quarter of a second for the million that a request about
a hundred thousand topics has, and their growing number brings on several of them. Reference counts free them all the
same. So full collections are put off while such a request is worked on. Those of young objects go on: they are short.
"""

from __future__ import annotations

import gc
from time import perf_counter
from typing import Final

PUT_OFF_SECONDS_MAX: Final = 10.0
"""One large request after the other must not put them off for ever: there may be garbage that only they find."""
_NEVER: Final = 1_000_000_000


class PutOff:
    """From `begin` to `end` no full collection starts by itself. For several at once; in the end all is as it was."""

    def __init__(self) -> None:
        self._users = 0
        self._threshold_before = 0
        self._ends = 0.0

    def begin(self) -> None:
        if not self._users:
            young, middle, self._threshold_before = gc.get_threshold()
            gc.set_threshold(young, middle, _NEVER)
            self._ends = perf_counter() + PUT_OFF_SECONDS_MAX
        elif perf_counter() > self._ends:
            gc.collect()
            self._ends = perf_counter() + PUT_OFF_SECONDS_MAX
        self._users += 1

    def end(self) -> None:
        self._users -= 1
        if not self._users:
            young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, self._threshold_before)


full_collections: Final = PutOff()
"""Those of the process."""
