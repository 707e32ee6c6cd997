"""An answer that is not known yet.

A request that has to wait (for a commit, for records, for other members of its group) returns one in place of its
answer. The code that learns the answer settles it with a plain call, which sends it to the client: no task has
to wake up in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

import trio

from kafkapy.errors import CloseConnection, without_frames
from kafkapy.turns import Turn, drained
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")

_NOT_YET = object()
REFUSALS = (KafkaError, CloseConnection)
"""What a request may be refused with: an error that its answer has, or the end of its connection."""


class Pending(Generic[T]):
    """Settled exactly once, by `answer` or `refuse`; after `abandon` its callbacks are not called.

    If the client disconnects before this is settled, the request is abandoned and `on_abandon` is called once.
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
        """The answer. Raises the error of `refuse`. To be called only when `settled`."""
        error = self._error
        if error is not None:
            try:
                raise error
            finally:
                del self, error  # this frame is in the error's traceback: a cycle that only the collector would free
        assert self._value is not _NOT_YET, "not settled yet"
        return cast("T", self._value)

    def answer(self, value: T) -> None:
        self._settle(value)

    def refuse(self, error: KafkaError | CloseConnection) -> None:
        self._error = without_frames(error)
        self._settle(None)

    def _settle(self, value: object) -> None:
        assert self._value is _NOT_YET, f"settled twice: {self._value} and {value}"
        self._value = value
        self._on_abandon = None
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def when_settled(self, callback: Callable[[Pending[T]], None]) -> None:
        """Call `callback(self)` when this is settled; at once if it is settled already."""
        if self._value is _NOT_YET:
            self._callbacks.append(callback)
        else:
            callback(self)

    def abandon(self) -> None:
        """The client has disconnected: drop the callbacks and call `on_abandon`."""
        self._callbacks.clear()
        if self._on_abandon is not None and self._value is _NOT_YET:
            on_abandon, self._on_abandon = self._on_abandon, None
            on_abandon()

    def map(self, answer: Callable[[T], R]) -> Pending[R]:
        """`answer` is called with the answer, and returns the result's. If this is refused, or `answer` raises, the
        result is refused with that error.
        """
        return self.and_then(lambda value: settled(answer(value)))

    def and_then(self, go_on: Callable[[T], Pending[R]]) -> Pending[R]:
        """`go_on` is called with the answer. If this is refused, or `go_on` raises, the result is refused with that
        error.
        """
        if self._error is None and self._value is not _NOT_YET:
            try:
                return go_on(cast("T", self._value))
            except REFUSALS as error:
                return refused(error)
        following: Pending[R] = Pending(self.abandon)

        def start_second(first: Pending[T]) -> None:
            if first._error is not None:
                following.refuse(first._error)
                return
            try:
                second = go_on(cast("T", first._value))
            except REFUSALS as error:
                following.refuse(error)
            else:
                following.follow(second)

        self.when_settled(start_second)
        return following

    def otherwise(self, answer: Callable[[KafkaError], T]) -> Pending[T]:
        """If this is refused with a KafkaError, `answer` is called with it and returns the answer, or raises another
        error. An answer passes unchanged.
        """
        if self._error is None and self._value is not _NOT_YET:
            return self
        following: Pending[T] = Pending(self.abandon)

        def copy(first: Pending[T]) -> None:
            if first._error is None:
                following._settle(first._value)
                return
            try:
                if not isinstance(first._error, KafkaError):
                    raise first._error
                following.answer(answer(first._error))
            except REFUSALS as error:
                following.refuse(error)

        self.when_settled(copy)
        return following

    def follow(self, other: Pending[T]) -> None:
        """Be settled with the outcome of `other`; if this is abandoned, abandon `other`."""
        self._on_abandon = other.abandon

        def copy(other: Pending[T]) -> None:
            if other._error is not None:
                self.refuse(other._error)
            else:
                self._settle(other._value)

        other.when_settled(copy)

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


class LongPending(Pending[T]):
    """A Pending whose answer may have very many entries, so that it is encoded in turns."""

    __slots__ = ()


class NoAnswer(Pending[None]):
    """What a request waits for that is never answered (an injected fault). It is abandoned when the client hangs up."""

    __slots__ = ()


def settled(value: T) -> Pending[T]:
    """A Pending that has its answer already."""
    pending: Pending[T] = Pending()
    pending._value = value
    return pending


def refused(error: KafkaError | CloseConnection) -> Pending[T]:
    """A Pending that is refused already."""
    pending: Pending[T] = Pending()
    pending.refuse(error)
    return pending


def detached(asked: Pending[T]) -> Pending[T]:
    """Settled as `asked` is. If the result is abandoned, `asked` and what follows from it go on."""
    answer: Pending[T] = Pending()

    def copy(asked: Pending[T]) -> None:
        try:
            answer.answer(asked.result())
        except REFUSALS as error:
            answer.refuse(error)

    asked.when_settled(copy)
    return answer


def attempt(ask: Callable[[], Pending[T]]) -> Pending[T]:
    """The Pending that `ask` returns; if `ask` raises one of `REFUSALS`, a Pending refused with that error."""
    try:
        return ask()
    except REFUSALS as error:
        return refused(error)


def all_of(pendings: Sequence[Pending[T]]) -> Pending[list[T]]:
    """All answers, in their order, once the last one is there. One refusal refuses them all."""
    if all(pending.settled for pending in pendings):
        try:
            return settled([pending.result() for pending in pendings])
        except REFUSALS as error:
            return refused(error)

    def abandon() -> None:
        for pending in pendings:
            pending.abandon()

    together: Pending[list[T]] = Pending(abandon)
    open_count = len(pendings)

    def one_more(_: Pending[T]) -> None:
        nonlocal open_count
        open_count -= 1
        if not open_count:
            together.follow(all_of(pendings))

    for pending in pendings:
        pending.when_settled(one_more)
    return together


async def all_in_turns(ask: Callable[[A], Pending[T]], items: Iterable[A]) -> list[T]:
    """The answers of `ask(item)` for all items, in order; other tasks get turns meanwhile.

    `ask` is called for all items before the first answer is awaited. Raises the error of the first refused one.
    """
    turn = Turn()
    pendings = []
    for item in items:
        pendings.append(ask(item))
        if turn.is_over:
            await turn.share()
    answers = []
    for pending in drained(pendings):
        answers.append(pending.result() if pending.settled else await pending.wait())
        if turn.is_over:
            await turn.share()
    return answers
