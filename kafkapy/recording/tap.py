"""Takes the bytes of each request and of its answer at the dispatcher of one node, for recordings of it.

    connection -> Tap.answer -> Dispatcher.answer

A request is copied before it is handled: its records may be changed in place, and its buffer is used again. An answer
is copied out of the outbox before it is sent, with the records that would go from their file to the socket.
"""

from __future__ import annotations

from itertools import count
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Final, Protocol

from kafkapy.network.dispatch import Unfinished
from kafkapy.peers.identity import NODE_SOFTWARE
from kafkapy.recording.exchange import SIZE_BYTES, Origin, Outcome
from kafkapy.recording.secrets import answer_without_secrets, has_secrets, request_without_secrets

if TYPE_CHECKING:
    from kafkapy.context import Client, NodeContext
    from kafkapy.network.dispatch import Answer, Dispatcher
    from kafkapy.network.outbox import Outbox
    from kafkapy.recording.exchange import Entry
    from kafkapy.recording.names import TopicNames

KEPT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A longer request or answer is not kept whole, so that copying it takes no more than a turn."""
CUT_BYTES: Final = 64 * 1024
"""What is kept of it."""

_numbers = count(1)


class Recorder(Protocol):
    """What a tap gives to a recording."""

    with_nodes: bool
    """Whether it wants requests of other nodes."""

    def add(self, entry: Entry | OpenExchange, size_bytes: int, /) -> None: ...

    def answered(self, exchange: OpenExchange, /) -> None: ...


class OpenExchange:
    """A request that waits for its answer."""

    __slots__ = (
        "answer",
        "answer_size",
        "begun_ns",
        "client",
        "ended_ns",
        "frame",
        "number",
        "origin",
        "outcome",
        "reason",
        "recorders",
        "size",
    )

    def __init__(
        self,
        number: int,
        begun_ns: int,
        origin: Origin,
        client: Client,
        frame: bytes,
        size: int,
        recorders: tuple[Recorder, ...],
    ) -> None:
        self.number = number
        self.begun_ns = begun_ns
        self.ended_ns = begun_ns
        self.origin = origin
        self.client = client
        self.frame = frame
        self.size = size
        self.answer = b""
        self.answer_size = 0
        self.outcome = Outcome.WAITING
        self.reason = ""
        self.recorders = recorders

    def entry(self) -> Entry:
        return (
            *(self.number, self.begun_ns, self.ended_ns, self.origin, self.client, self.frame, self.size),
            *(self.answer, self.answer_size, self.outcome, self.reason),
        )

    def end(self, outcome: Outcome, ended_ns: int, answer: bytes = b"", size: int = 0, reason: str = "") -> None:
        self.ended_ns = ended_ns
        self.answer, self.answer_size = answer, size
        self.reason = reason
        self.outcome = outcome
        for recorder in self.recorders:
            recorder.answered(self)


class Tap:
    """Of one dispatcher, for all recordings of it."""

    def __init__(self, dispatcher: Dispatcher, node_id: int, names: TopicNames) -> None:
        self._dispatcher = dispatcher
        self._names = names
        self._origin = Origin(node_id, names)
        self._clock_began_ns = time_ns() - perf_counter_ns()
        self._recorders: tuple[Recorder, ...] = ()
        self._of_nodes: tuple[Recorder, ...] = ()

    def add(self, recorder: Recorder) -> None:
        self._set((*self._recorders, recorder))

    def remove(self, recorder: Recorder) -> None:
        """The last one ends the tap."""
        self._set(tuple(each for each in self._recorders if each is not recorder))
        if not self._recorders:
            self._dispatcher.set_tap(None)
            self._names.close()

    def _set(self, recorders: tuple[Recorder, ...]) -> None:
        self._recorders = recorders
        self._of_nodes = tuple(each for each in recorders if each.with_nodes)

    def now_ns(self) -> int:
        return self._clock_began_ns + perf_counter_ns()

    def answer(self, frame: memoryview, context: NodeContext, outbox: Outbox, /) -> Unfinished | None:
        """As `Dispatcher.answer`."""
        client = context.client
        if client.software_name == NODE_SOFTWARE and not self._of_nodes:
            return self._dispatcher.metered(frame, context, outbox)
        size = len(frame)
        kept = bytes(frame if size <= KEPT_BYTES_MAX else frame[:CUT_BYTES])
        is_secret = has_secrets(kept)
        if is_secret:
            kept = request_without_secrets(kept)
            size = len(kept)
        number = next(_numbers)
        start = len(outbox.buffer)
        begun_ns = perf_counter_ns() + self._clock_began_ns
        try:
            unfinished = self._dispatcher.metered(frame, context, outbox)
        except Exception as error:
            self._closed(OpenExchange(number, begun_ns, self._origin, client, kept, size, ()), error)
            raise
        # A node says that it is one in its first request.
        recorders = self._recorders if client.software_name != NODE_SOFTWARE else self._of_nodes
        if unfinished is not None:
            exchange = OpenExchange(number, begun_ns, self._origin, client, kept, size, recorders)
            for recorder in recorders:
                recorder.add(exchange, len(kept))
            return RecordedUnfinished(self, self._dispatcher, unfinished, context, exchange)
        ended_ns = perf_counter_ns() + self._clock_began_ns
        buffer = outbox.buffer
        answer_size = len(buffer) - start
        if outbox.ranges or not 0 < answer_size <= KEPT_BYTES_MAX:
            answer, answer_size = copied(outbox, start)
        else:  # as a rule
            answer = bytes(buffer[start + SIZE_BYTES :])
        if is_secret:
            answer = answer_without_secrets(kept, answer)
            answer_size = len(answer) + SIZE_BYTES if answer_size else 0
        outcome = ANSWERED if answer_size else NOT_ANSWERED
        entry = (number, begun_ns, ended_ns, self._origin, client, kept, size, answer, answer_size, outcome, "")
        for recorder in recorders:
            recorder.add(entry, len(kept) + len(answer))
        return None

    def _closed(self, exchange: OpenExchange, error: Exception) -> None:
        """The broker closes the connection for that reason."""
        exchange.end(Outcome.CLOSED, self.now_ns(), reason=reason_of(error))
        for recorder in self._recorders if exchange.client.software_name != NODE_SOFTWARE else self._of_nodes:
            recorder.add(exchange.entry(), len(exchange.frame))


def reason_of(error: Exception) -> str:
    return str(error) or type(error).__name__


ANSWERED: Final = Outcome.ANSWERED
NOT_ANSWERED: Final = Outcome.NOT_ANSWERED


def copied(outbox: Outbox, begin: int) -> tuple[bytes, int]:
    """The answer since then without its size, and its bytes on the wire."""
    try:
        data, size = outbox.copy_since(begin, KEPT_BYTES_MAX)
    except OSError:  # a segment file that cannot be read: sending it fails likewise
        data, size = b"", len(outbox.buffer) - begin
    if len(data) != size:
        data = data[:CUT_BYTES]
    return data[SIZE_BYTES:], size


class RecordedUnfinished(Unfinished):
    """An unfinished request whose answer is recorded when it is there."""

    __slots__ = ("_exchange", "_inner", "_tap")

    def __init__(
        self, tap: Tap, dispatcher: Dispatcher, inner: Unfinished, context: NodeContext, exchange: OpenExchange
    ) -> None:
        super().__init__(dispatcher, inner._version, context, None, inner.waits_for, inner.holds_frame)
        self.is_large = inner.is_large
        self._tap = tap
        self._inner = inner
        self._exchange = exchange

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        begin = len(outbox.buffer)
        try:
            is_answered = self._inner.go_on(value, outbox, error)
        except Exception as failure:
            self._exchange.end(Outcome.CLOSED, self._tap.now_ns(), reason=reason_of(failure))
            raise
        self.waits_for = self._inner.waits_for
        self.is_large = self._inner.is_large
        if is_answered:
            answer, size = copied(outbox, begin)
            if size and has_secrets(self._exchange.frame):
                answer = answer_without_secrets(self._exchange.frame, answer)
                size = len(answer) + SIZE_BYTES
            self._exchange.end(ANSWERED if size else NOT_ANSWERED, self._tap.now_ns(), answer, size)
        return is_answered

    def abandoned(self) -> None:
        self._inner.abandoned()
        self._exchange.end(Outcome.GIVEN_UP, self._tap.now_ns())
