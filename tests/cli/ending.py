"""Processes that a test starts, and that are gone when it ends, whatever its end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import AnyStr

END_SECONDS_MAX = 60


@contextmanager
def ending(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """The process, killed where the test fails within the block or it does not end soon after that.

    `with Popen(...)` alone would wait for ever for a process that nobody has told to end.
    """
    with process:
        try:
            yield process
            process.wait(END_SECONDS_MAX)
        except BaseException:
            process.kill()
            raise
