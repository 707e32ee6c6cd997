"""Throttling of clients that use more than their quotas (KIP-13, KIP-124, KIP-219).

`Throttling` stands around a dispatcher as long as there are quotas: as its meter it measures what each request takes,
as one of its accounts it changes the answers. An answer says how long its client must wait, and leaves at once; then
the connection is muted for that long.

producer_byte_rate    the bytes of a Produce, when it is answered
consumer_byte_rate    the bytes of the answer to a consumer's Fetch. One that would exceed the quota is answered without
                      records, and its bytes are not counted
request_percentage    the time that requests take of this thread, 100 for each second of it. For at most one window
controller_mutation_rate    is counted by the active controller, whose answer says how long the client must wait

Requests of a login count for nobody, as in Apache Kafka: who they come from is not known yet, so that whoever connects
could use up what a default quota leaves to all of them, and no login would go on.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from types import coroutine
from typing import TYPE_CHECKING, Any, Final

from kafkapy.network.dispatch import Unfinished
from kafkapy.peers.identity import NODE_SOFTWARE
from kafkapy.pending import Pending
from kafkapy.quotas.client_quotas import CONSUMER_BYTE_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE
from kafkapy_log import FileSlice
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encoder
from kafkapy_wire.messages.fetch import FetchResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from kafkapy.clock import Timer
    from kafkapy.context import Client, NodeContext
    from kafkapy.fetching.sessions import FetchSessionCache
    from kafkapy.network.connection import Connection
    from kafkapy.network.dispatch import Answer, Dispatcher, Later
    from kafkapy.network.outbox import Outbox
    from kafkapy.quotas.client_quotas import ClientQuotas
    from kafkapy_wire.message import Message

PERCENT: Final = 100.0


class Throttling:
    """Of one dispatcher: its meter, and one of its accounts."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        quotas: ClientQuotas,
        sessions: FetchSessionCache,
        connection_of: Callable[[Client], Connection | None],
    ) -> None:
        self._dispatcher = dispatcher
        self._quotas = quotas
        self._sessions = sessions
        self._connection_of = connection_of
        self._current: _Measured | None = None  # whose answer is being made now
        self._timers: dict[Client, Timer] = {}
        """By which each client that had to wait is served again. The timers of most have fired."""

    def begin(self) -> None:
        """From now on clients are throttled."""
        if self._dispatcher.meter is not self:
            self._dispatcher.accounts += (self,)
            self._dispatcher.set_meter(self)

    def end(self) -> None:
        """They are not throttled any more."""
        if self._dispatcher.meter is self:
            self._dispatcher.accounts = tuple(each for each in self._dispatcher.accounts if each is not self)
            self._dispatcher.set_meter(None)

    # -- as the meter

    def answer(self, frame: memoryview, context: NodeContext, outbox: Outbox, /) -> Unfinished | None:
        """As `Dispatcher.answer`."""
        authenticator = context.client.authenticator
        if authenticator is not None and not authenticator.is_complete:
            return self._dispatcher.logged(frame, context, outbox)
        measured = _Measured(len(frame), int.from_bytes(frame[:2], "big"))
        before, self._current = self._current, measured
        measured.begun = perf_counter()
        try:
            unfinished = self._dispatcher.logged(frame, context, outbox)
        finally:
            self._current = before
        if unfinished is None:
            self._answered(measured, context)
            return None
        measured.pause()
        return MeteredUnfinished(self, self._dispatcher, unfinished, context, measured)

    def go_on(
        self, measured: _Measured, unfinished: Unfinished, value: Answer, outbox: Outbox, error: Exception | None
    ) -> bool:
        """As `Unfinished.go_on`, measured."""
        before, self._current = self._current, measured
        measured.begun = perf_counter()
        try:
            is_answered = unfinished.go_on(value, outbox, error)
        finally:
            self._current = before
            measured.pause()
        if is_answered:
            self._answered(measured, unfinished._context)
        return is_answered

    def _answered(self, measured: _Measured, context: NodeContext) -> None:
        """A Produce with acks=0 has no answer, and counts all the same."""
        if not measured.is_counted and measured.api_key == ApiKey.PRODUCE:
            self._mute(context, self._of_produce(measured, context))

    # -- as accounts

    def before_encoding(self, api_key: ApiKey, response: Message, context: NodeContext) -> Message:
        """The answer with its throttle time; the connection of its client is muted."""
        measured, client = self._current, context.client
        if measured is None or measured.is_counted:
            return response
        measured.is_counted = True
        if (client.is_follower or client.software_name == NODE_SOFTWARE) and _may_act_as_node(context):
            return response
        answer: Any = response
        if api_key is ApiKey.PRODUCE:
            throttle_ms = self._of_produce(measured, context)
        elif isinstance(response, FetchResponse):
            throttle_ms = self._of_fetch(measured, response, context)
            if throttle_ms and not response.error_code:
                answer = self._withheld(response)
        else:
            # What the active controller has said of controller_mutation_rate is there already.
            throttle_ms = max(self._of_time(measured, context), getattr(response, "throttle_time_ms", 0))
        if throttle_ms:
            if hasattr(answer, "throttle_time_ms"):
                answer.throttle_time_ms = throttle_ms
            self._mute(context, throttle_ms)
        return answer  # type: ignore[no-any-return]

    def _of_produce(self, measured: _Measured, context: NodeContext) -> int:
        who = context.client.principal, context.client_id
        bytes_ms = self._quotas.record(PRODUCER_BYTE_RATE, *who, measured.frame_bytes)
        return max(bytes_ms, self._of_time(measured, context))

    def _of_fetch(self, measured: _Measured, response: FetchResponse, context: NodeContext) -> int:
        who = context.client.principal, context.client_id
        time_ms = self._of_time(measured, context)
        if not self._quotas.has(CONSUMER_BYTE_RATE):
            return time_ms
        size = _encoded_bytes(response, context.api_version)
        throttle_ms = max(self._quotas.record(CONSUMER_BYTE_RATE, *who, size), time_ms)
        if throttle_ms:
            self._quotas.take_back(CONSUMER_BYTE_RATE, *who, size)
        return throttle_ms

    def _withheld(self, response: FetchResponse) -> FetchResponse:
        """An answer without the partitions: the session tells them with a later one."""
        for topic in response.responses:
            for data in topic.partitions:
                if isinstance(data.records, FileSlice):
                    data.records.release()
        return FetchResponse(session_id=self._sessions.withhold(response.session_id, response.responses))

    def _of_time(self, measured: _Measured, context: NodeContext) -> int:
        """The wait for what the request has taken of this thread's time."""
        share = PERCENT * (measured.spent + perf_counter() - measured.begun)
        return self._quotas.record(REQUEST_PERCENTAGE, context.client.principal, context.client_id, share)

    def _mute(self, context: NodeContext, throttle_ms: int) -> None:
        if throttle_ms and (connection := self._connection_of(context.client)) is not None:
            self._unmute_later(connection, context.node.clock.call_later(throttle_ms, partial(_unmute, connection)))

    def _unmute_later(self, connection: Connection, timer: Timer) -> None:
        """The timer may be due in weeks: it does not outlive the connection."""
        connection.set_muted(is_muted=True)
        client = connection.client
        if client not in self._timers:
            client.when_closed(partial(self._closed, client))
        self._timers[client] = timer

    def _closed(self, client: Client) -> None:
        self._timers.pop(client).cancel()


class _Measured:
    """What one request has taken so far."""

    __slots__ = ("api_key", "begun", "frame_bytes", "is_counted", "spent")

    def __init__(self, frame_bytes: int, api_key: int) -> None:
        self.frame_bytes = frame_bytes
        self.api_key = api_key
        self.begun = 0.0
        self.spent = 0.0
        """Seconds, without those since `begun`."""
        self.is_counted = False

    def pause(self) -> None:
        self.spent += perf_counter() - self.begun


class MeteredUnfinished(Unfinished):
    """An unfinished request that is measured while it is worked on."""

    __slots__ = ("_inner", "_measured", "_throttling")

    def __init__(
        self,
        throttling: Throttling,
        dispatcher: Dispatcher,
        inner: Unfinished,
        context: NodeContext,
        measured: _Measured,
    ) -> None:
        super().__init__(dispatcher, inner._version, context, None, inner.waits_for, inner.holds_frame)
        self._throttling = throttling
        self._inner = inner
        self._measured = measured
        self._follow()

    def _follow(self) -> None:
        self.is_large = self._inner.is_large
        self.waits_for = _measured_later(self._inner.waits_for, self._measured)

    def go_on(self, value: Answer, outbox: Outbox, error: Exception | None = None) -> bool:
        is_answered = self._throttling.go_on(self._measured, self._inner, value, outbox, error)
        if not is_answered:
            self._follow()
        return is_answered

    def abandoned(self) -> None:
        self._inner.abandoned()


def _unmute(connection: Connection) -> None:
    connection.set_muted(is_muted=False)


def _may_act_as_node(context: NodeContext) -> bool:
    """Anybody can call itself a node."""
    from kafkapy.security.access import is_allowed_in_cluster
    from kafkapy_controller.acl import AclOperation

    return is_allowed_in_cluster(context, AclOperation.CLUSTER_ACTION, is_logged=False)


def _measured_later(later: Later, measured: _Measured) -> Later:
    return later if isinstance(later, Pending) else _run_measured(later, measured)


@coroutine
def _run_measured(inner: Coroutine[Any, Any, Answer], measured: _Measured) -> Generator[Any, Any, Answer]:
    """Await `inner`; its own time is counted, that in which it waits is not."""
    step: Callable[[Any], Any] = inner.send
    value: Any = None
    while True:
        measured.begun = perf_counter()
        try:
            awaited = step(value)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            measured.pause()
        try:
            value = yield awaited
            step = inner.send
        except BaseException as error:
            value, step = error, inner.throw


def _encoded_bytes(response: FetchResponse, version: int) -> int:
    """The size of the answer's body; records that lie in files are not read."""
    data, ranges = bytearray(), list[tuple[int, Any]]()
    encoder(FetchResponse, version)(response, data, ranges)
    return len(data) + sum(len(piece) for _, piece in ranges)
