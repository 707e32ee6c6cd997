"""An answer that is not known yet.

A request that has to wait (for a commit, for records, for other members of its group) returns one in place of its
answer. Whoever learns the answer gives it with a plain call, and it goes on to the client within that call: no task has
to wake up in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.errors import CloseConnection
    from kafkapy_wire.errors import KafkaError

T = TypeVar("T")
R = TypeVar("R")

_NOT_YET = object()


class Pending(Generic[T]):
    """Settled exactly once, by `answer` or `refuse`; after `abandon` the answer is of no interest to anybody.

    `on_abandon`, when given, is called once if the request is given up before it is settled, its client having gone.
    """

    __slots__ = ("_callbacks", "_error", "_on_abandon", "_value")

    def __init__(self, on_abandon: Callable[[], None] | None = None) -> None:
        self._value: object = _NOT_YET
        self._error: KafkaError | CloseConnection | None = None
        self._callbacks: list[Callable[[Pending[T]], None]] = []
        self._on_abandon = on_abandon

    @property
    def settled(self) -> bool:
        return self._value is not _NOT_YET

    def result(self) -> T:
        """The answer. Raises the error of `refuse`. For those that are settled only."""
        if self._error is not None:
            raise self._error
        assert self._value is not _NOT_YET, "not settled yet"
        return cast("T", self._value)

    def answer(self, value: T) -> None:
        self._settle(value)

    def refuse(self, error: KafkaError | CloseConnection) -> None:
        self._error = error
        self._settle(None)

    def _settle(self, value: object) -> None:
        assert self._value is _NOT_YET, f"settled twice: {self._value} and {value}"
        self._value = value
        self._on_abandon = None
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def when_settled(self, callback: Callable[[Pending[T]], None]) -> None:
        """Call it with this once it is settled, at once if it is."""
        if self._value is _NOT_YET:
            self._callbacks.append(callback)
        else:
            callback(self)

    def abandon(self) -> None:
        """Nobody waits for the answer any more: whoever knows that it is waited for stops to look for it."""
        self._callbacks.clear()
        if self._on_abandon is not None and self._value is _NOT_YET:
            on_abandon, self._on_abandon = self._on_abandon, None
            on_abandon()

    async def wait(self) -> T:
        """The answer, once it is there. Raises the error of `refuse`. Cancelled, it abandons the request."""
        if self._value is _NOT_YET:
            there = trio.Event()
            self._callbacks.append(lambda _: there.set())
            try:
                await there.wait()
            except trio.Cancelled:
                self.abandon()
                raise
        return self.result()


def settled(value: T) -> Pending[T]:
    """One with its answer."""
    pending: Pending[T] = Pending()
    pending.answer(value)
    return pending
