"""`--exit-with-parent`: noticing that the process that has started us is gone, however it ended.

On Linux a descriptor of the parent becomes readable when it ends. PR_SET_PDEATHSIG would not do: it tells of the end of
the *thread* that has started us, and a test runner may well start a broker in a thread that is soon done. Elsewhere,
and on kernels before 5.3, it is asked now and then who the parent is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 0.25
INIT = 1
"""The parent of orphans, as a rule; when it ends, so does everything in its container. 0 is a parent outside of it."""


class Parent:
    """Our parent when this is made. That must be early: an orphan has no parent any more to tell of."""

    def __init__(self) -> None:
        self.pid = os.getppid()

    async def ended(self) -> None:
        """Return once it is gone; never if it is none that can end before us."""
        import trio

        if self.pid <= INIT:
            await trio.sleep_forever()
        descriptor = self._descriptor()
        if descriptor is None:
            while not self._is_gone():  # noqa: ASYNC110  # nothing wakes us
                await trio.sleep(LOOK_SECONDS)
            return
        try:
            if not self._is_gone():  # before it had a descriptor
                await trio.lowlevel.wait_readable(descriptor)
        finally:
            os.close(descriptor)

    def _is_gone(self) -> bool:
        return os.getppid() != self.pid

    def _descriptor(self) -> int | None:
        pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
        if pidfd_open is None:
            return None
        try:
            return pidfd_open(self.pid)
        except ProcessLookupError:
            return None  # gone already, as the first look finds
        except OSError:  # the kernel is too old, or a sandbox does not allow it
            return None
