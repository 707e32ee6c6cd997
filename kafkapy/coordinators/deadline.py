"""A timer that may be moved far more often than it fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock, Timer

D = TypeVar("D")


RETRY_MS = 1_000
"""A timer whose decision the log has refused comes again."""


def deciding_deadline(clock: Clock, execute: Callable[[D], bool], decide: Callable[[], D]) -> Deadline:
    """A deadline that has a decision made and executed; again after RETRY_MS if the log refuses it."""

    def expired() -> None:
        if not execute(decide()):
            deadline.set(RETRY_MS)  # the append failed, so nothing has changed

    deadline = Deadline(clock, expired)
    return deadline


class Deadline:
    """Calls `expire` once the clock passes the deadline last set. Unset at first.

    Every heartbeat of every member moves one of these, so moving it later only notes the new time: the clock's timer
    stays where it is and, when it fires early, is set again for the rest.
    """

    __slots__ = ("_armed_until_ms", "_clock", "_expire", "_expires_at_ms", "_timer")

    def __init__(self, clock: Clock, expire: Callable[[], None]) -> None:
        self._clock = clock
        self._expire = expire
        self._timer: Timer | None = None
        self._armed_until_ms = 0.0
        self._expires_at_ms = 0.0

    def set(self, delay_ms: float) -> None:
        """Expire in `delay_ms`; replaces an earlier deadline."""
        self._expires_at_ms = self._clock.monotonic_ms() + delay_ms
        if self._timer is None or self._expires_at_ms < self._armed_until_ms:
            self.cancel()
            self._arm(delay_ms)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, delay_ms: float) -> None:
        self._armed_until_ms = self._clock.monotonic_ms() + delay_ms
        self._timer = self._clock.call_later(delay_ms, self._fire)

    def _fire(self) -> None:
        self._timer = None
        remaining_ms = self._expires_at_ms - self._clock.monotonic_ms()
        if remaining_ms > 0:
            self._arm(remaining_ms)
        else:
            self._expire()
