"""One client connection: its requests are handled one after the other and answered in that order.

A connection is an object without a task. `SocketLoop` calls `ready` when its socket is; then it receives, handles the
whole frames that have come, and sends their answers in one system call. While a request waits for its answer, later
ones stay unread. The call that settles that request also sends its answer.

    reads          usually; while a request waits, until a whole frame or WAITING_BYTES_MAX of the next have come
    is muted       its client waits for its quota: nothing is read or handled meanwhile
    is blocked     the peer has not read its answers: nothing is read or handled until they have left
    is finishing   no request after the waiting one is handled: its answer is sent, then the connection is closed
    is closing     no further request is handled: earlier answers are sent, then the connection is closed

A FIN means that the peer has called close(), or shutdown(SHUT_WR) and still reads. So, as in Apache Kafka, the requests
before it are handled and answered in order, and then the connection is closed. But if a request of `ONLY_WAIT` is
waiting, it is abandoned, with the requests behind it: the client is most likely gone. (Apache Kafka lets it wait until
its timeout.) The FIN is noticed by reading, or while nothing is read, through HANG_UP.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.collector import full_collections
from kafkapy.errors import CloseConnection, InjectedEnd
from kafkapy.network.complaints import Complaints
from kafkapy.network.ends import log_end
from kafkapy.network.outbox import Outbox
from kafkapy.network.poller import BROKEN, HANG_UP, READ, WRITE
from kafkapy.pending import NoAnswer, Pending
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import KafkaError, MalformedFrame, MalformedMessage
from kafkapy_wire.framing import begins_with_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kafkapy.broker import NodeParts
    from kafkapy.bugs import Bugs
    from kafkapy.context import NodeContext
    from kafkapy.network.authenticating import Gatekeeper
    from kafkapy.network.dispatch import Answer, Dispatcher, Unfinished
    from kafkapy.network.socket_loop import SocketLoop
    from kafkapy.network.transport import PacedTransport, Transport
    from kafkapy_wire.framing import ReceiveBuffers, RequestBuffer

logger = logging.getLogger("kafkapy.connection")

ANSWERED_BYTES_MAX: Final = 256 * 1024  # answers in memory before they are sent
LARGE_BYTES_MIN: Final = 32 * 1024
"""A frame that comes in pieces and is so long is handled when the small ones of others were."""
WAITING_BYTES_MAX: Final = 64 * 1024  # received of the next request while one waits for its answer
LAST_ANSWERS_MS: Final = 1_000  # how long a peer that misbehaved may take to read its last answers
# A request of these is given up when its client hangs up while it waits. Every other one does what it was asked for to
# the end, as in Apache Kafka: a client may well commit its offsets and close, and no operation is left half done.
ONLY_WAIT: Final = frozenset(
    {
        *(ApiKey.FETCH, ApiKey.JOIN_GROUP, ApiKey.SYNC_GROUP, ApiKey.SHARE_FETCH),
        *(ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE),
    }
)


class SharedParts:
    """The parts that all connections of a server share."""

    __slots__ = ("buffers", "bugs", "complaints", "loop", "node", "on_closed", "start_task")

    def __init__(
        self,
        node: NodeParts,
        loop: SocketLoop,
        buffers: ReceiveBuffers,
        bugs: Bugs,
        start_task: Callable[..., None],
        on_closed: Callable[[Connection], None],
    ) -> None:
        self.node = node
        self.loop = loop
        self.buffers = buffers
        self.bugs = bugs
        self.complaints = Complaints(logger, node.clock)
        self.start_task = start_task
        self.on_closed = on_closed


class Connection:
    """A connected client."""

    __slots__ = (
        "_buffers",
        "_closed",
        "_closing",
        "_context",
        "_dispatcher",
        "_finishing",
        "_greeted",
        "_interest",
        "_is_blocked",
        "_is_muted",
        "_is_queued",
        "_kept",
        "_outbox",
        "_paced",
        "_scope",
        "_shared",
        "_transport",
        "_unfinished",
        "client",
        "is_active",
        "last_active_ms",
    )

    def __init__(self, transport: Transport, context: NodeContext, dispatcher: Dispatcher, shared: SharedParts) -> None:
        self.client = context.client
        self.is_active = True
        """Whether bytes have come from the peer, or left for it, since this was last set to False."""
        self.last_active_ms = 0.0
        """When `Server` last saw `is_active` set, on the monotonic clock; only it reads this and writes it."""
        self._shared = shared
        self._transport = transport
        self._outbox = Outbox(transport)
        self._context = context
        self._dispatcher: Dispatcher | Gatekeeper = dispatcher
        self._buffers = shared.buffers
        self._kept: bytes | RequestBuffer | None = None  # received bytes that are not handled yet
        self._unfinished: Unfinished | None = None
        self._scope: trio.CancelScope | None = None  # of the task of `_unfinished`, if it has one
        self._interest = READ
        self._greeted = self._is_blocked = self._is_muted = self._is_queued = False
        self._paced: PacedTransport | None = None  # for a connection that injected faults make slow
        self._finishing = self._closing = self._closed = False
        shared.loop.add(transport.fileno(), self, READ)

    def __str__(self) -> str:
        return str(self.client)

    @property
    def client_id(self) -> str | None:
        """That of the latest request."""
        return self._context.client_id

    @property
    def busy(self) -> bool:
        """Whether a request waits for its answer, or an answer for the client."""
        return self._unfinished is not None or self._is_blocked

    # -- called by the loop

    def ready(self, events: int, until: float, /) -> None:
        if self._is_queued:
            return  # it waits for its turn: no more than one receive is kept
        try:
            if self._interest == READ:
                self._receive(until)
                if self._paced is not None:
                    self._watch()
            elif events & BROKEN:
                self.close()
            elif events & HANG_UP and self._only_waits:
                self._give_up()
            else:
                self.is_active = True
                if self._pump():
                    self._handle_kept(until)
        except Exception as error:
            self._fail(error)

    def go_on(self, until: float, /) -> None:
        self._is_queued = False
        try:
            self._handle_kept(until)
        except Exception as error:
            self._fail(error)

    def _receive(self, until: float) -> None:
        buffers = self._buffers
        if self._kept is None:
            buffer = buffers.shared
            count = buffer.receive_anew(self._transport.receive_into)
        else:
            buffer = buffers.fetch(self._kept)
            count = buffer.receive(self._transport.receive_into)
        if count:
            self.is_active = True
            if self._unfinished is None and (self._kept is None or not self._leave_for_later(buffer)):
                self._handle(buffer, until)
        elif count == 0:
            self._end_of_input()
            return
        if self._kept is not None or buffer.start != buffer.end:
            self._kept = buffers.keep(buffer)
            if self._unfinished is not None:
                self._watch()

    def _leave_for_later(self, buffer: RequestBuffer) -> bool:
        """Whether this must wait with a large frame, which may take long, so that small requests go first."""
        if len(buffer) < LARGE_BYTES_MIN or not buffer.has_frame:
            return False
        self._is_queued = True
        self._shared.loop.large(self)
        return True

    def _handle_kept(self, until: float) -> None:
        """Handle kept bytes, unless a request waits, or the connection is blocked, muted or closing."""
        if self._closed or self._is_blocked or self._unfinished is not None or self._closing or self._is_muted:
            return
        if self._kept is not None:
            buffers = self._buffers
            buffer = buffers.fetch(self._kept)
            self._handle(buffer, until)
            self._kept = buffers.keep(buffer)
        self._watch()

    # -- requests

    def _handle(self, buffer: RequestBuffer, until: float) -> None:
        """Handle the whole frames that have come, until the time is up, and send their answers."""
        answer, context, outbox = self._dispatcher.enter, self._context, self._outbox
        while (frame := buffer.next_frame()) is not None:
            self._greeted = True
            unfinished = answer(frame, context, outbox)
            if unfinished is not None:
                if unfinished.holds_frame:
                    buffer.leave_memory()
                self._wait_for(unfinished)
                break
            if buffer.start == buffer.end or self._closed or self._is_muted:
                break
            if len(outbox.buffer) > ANSWERED_BYTES_MAX and not self._pump():
                return
            if perf_counter() > until:
                self._queue()
                break
        if outbox.buffer:
            self._shared.loop.has_answered = True
            if not outbox.pump():
                self._is_blocked = True
                self._watch()

    def _pump(self) -> bool:
        """Send what the socket takes. Returns whether all has left."""
        if self._outbox.pump():
            if self._is_blocked:
                self._is_blocked = False
                if self._paced is not None:
                    self._paced.all_left()
                if self._closing:
                    self.close()
                    return False
                self._watch()
            if self._finishing and self._unfinished is None:
                self.close()
                return False
            return True
        self._is_blocked = True
        self._watch()
        return False

    def _queue(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self._shared.loop.later(self)

    def _watch(self) -> None:
        """Tell the loop which events of the socket this connection waits for."""
        if self._closed:
            return
        interest, paced = READ, self._paced
        if self._is_blocked:
            interest = WRITE if paced is None or not paced.is_stalled else 0
        elif self._closing or self._finishing or self._is_muted or (paced is not None and paced.is_read_stalled):
            interest = 0
        elif self._unfinished is not None and (kept := self._kept) is not None:
            enough = begins_with_frame(kept, self._buffers.request_bytes_max) or len(kept) >= WAITING_BYTES_MAX
            interest = 0 if enough else READ
        if interest != READ and self._only_waits:
            interest |= HANG_UP
        if interest != self._interest:
            self._interest = interest
            self._shared.loop.change(self._transport.fileno(), interest)

    def serve_by(self, dispatcher: Dispatcher | Gatekeeper, buffers: ReceiveBuffers | None = None) -> None:
        """From the next request on. `buffers` bound the requests; None: those of all connections."""
        self._dispatcher, self._buffers = dispatcher, buffers or self._shared.buffers

    def set_muted(self, *, is_muted: bool) -> None:
        """While it is muted, nothing is read or handled; answers leave."""
        self._is_muted = is_muted
        (self._watch if is_muted else self._queue)()

    # -- a request that waits

    def _wait_for(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        waits_for = unfinished.waits_for
        if isinstance(waits_for, Pending):
            waits_for.when_settled(self._settled)
        else:
            self._scope = trio.CancelScope()
            if unfinished.is_large:
                full_collections.begin()
            self._shared.start_task(self._run_large if unfinished.is_large else self._run, waits_for)

    async def _run_large(self, coroutine: Coroutine[object, object, Answer]) -> None:
        """What comes next of the request begins before this ends, so that no full collection finds a gap between."""
        try:
            await self._run(coroutine)
        finally:
            full_collections.end()

    async def _run(self, coroutine: Coroutine[object, object, Answer]) -> None:
        """Await a handler's coroutine, in a task of its own."""
        scope = self._scope
        assert scope is not None, "a coroutine runs in the scope that was made for it"
        loop = self._shared.loop
        loop.tasks += 1
        try:
            with scope:
                value = await coroutine
        except Exception as error:
            self._continue_request(None, error)
            return
        finally:
            loop.tasks -= 1
        if not scope.cancelled_caught:
            self._continue_request(value, None)

    def _settled(self, pending: Pending[Answer]) -> None:
        """Called when the request's Pending is settled, by the code that settles it: must not raise."""
        try:
            value = pending.result()
        except Exception as error:
            self._continue_request(None, error)
            return
        self._continue_request(value, None)

    def _continue_request(self, value: Answer, error: Exception | None) -> None:
        """The request has the value or error that it waited for: answer it, or wait for the next one."""
        unfinished = self._unfinished
        if unfinished is None:
            return  # abandoned: the task had ended before it was cancelled
        self._unfinished = self._scope = None
        try:
            if not unfinished.go_on(value, self._outbox, error):
                self._wait_for(unfinished)
            elif self._closed:
                self._outbox.discard()
            elif self._pump():
                self._shared.loop.has_answered = True
                if self._kept is not None:
                    self._queue()  # not handled here: this runs within the call that settled the request
                elif self._interest != READ:
                    self._watch()
            else:
                self._watch()  # no request waits any more, so a hang-up need not be watched
        except Exception as failure:
            self._fail(failure)

    @property
    def _only_waits(self) -> bool:
        """Whether the waiting request is abandoned when the client hangs up."""
        return self._unfinished is not None and _is_abandoned_alone(self._unfinished)

    def _abandon(self, unfinished: Unfinished) -> None:
        """The client has disconnected: abandon the request if its API is in `ONLY_WAIT`. Others are carried out, and
        `_continue_request` drops their answers.
        """
        if not _is_abandoned_alone(unfinished):
            return
        self._unfinished = None
        unfinished.abandoned()
        waits_for = unfinished.waits_for
        if self._scope is not None:
            self._scope.cancel()
        elif isinstance(waits_for, Pending):
            try:
                waits_for.abandon()
            except Exception as error:
                self._shared.bugs.report(f"in giving up a request of {self}", error)

    # -- injected faults

    def paced(self, make: Callable[[Transport], PacedTransport]) -> PacedTransport:
        """The transport, as slow as faults want it; `make` is called for the first of them."""
        if self._paced is None:
            self._transport = self._paced = make(self._transport)
            self._outbox.use_transport(self._transport)
        return self._paced

    def go_on_pacing(self) -> None:
        """The paced transport takes or gives bytes again."""
        if self._closed:
            return
        try:
            if self._pump():
                self._queue()
        except Exception as error:
            self._fail(error)

    # -- the end

    def _end_of_input(self) -> None:
        """The peer has sent a FIN; all its whole frames are handled, except the one that waits."""
        if self._unfinished is None or self._only_waits:
            self.close()
        else:
            self._kept = None  # an incomplete frame
            self._finishing = True
            self._watch()

    def _give_up(self) -> None:
        """Abandon the waiting request and those behind it; earlier answers are still sent."""
        if not self._is_blocked:
            self.close()
            return
        assert self._unfinished is not None, "nothing is given up while no request waits"
        self._abandon(self._unfinished)
        self._kept = None
        self._closing = True
        self._watch()

    def finish(self) -> None:
        """Close the connection when the waiting request is answered."""
        self._finishing = True
        if not self.busy:
            self.close()

    def close(self, reason: str = "") -> None:
        """Close the connection now. A waiting request is abandoned if its API is in `ONLY_WAIT`."""
        if self._closed:
            return
        if reason:
            logger.info("closing the connection from %s: %s", self, reason)
        self._closed = True
        self._shared.loop.remove(self._transport.fileno())
        self._transport.close()
        self._outbox.discard()
        self._kept = None
        self._shared.on_closed(self)
        self.client.closed()
        if self._unfinished is not None:
            self._abandon(self._unfinished)

    def _fail(self, error: Exception) -> None:
        """Close the connection after an error of the peer or a bug of ours."""
        if self._closed:
            if not isinstance(error, (OSError, KafkaError, CloseConnection)):
                self._shared.bugs.report(f"in a request of {self}, whose connection is closed", error)
            return
        if isinstance(error, OSError):
            logger.debug("the peer at %s is gone: %s", self, error)
            self.close()
        elif isinstance(error, (MalformedFrame, MalformedMessage, CloseConnection)):
            log_end(error, self._context, self._shared.complaints, is_greeted=self._greeted)
            if isinstance(error, InjectedEnd):
                self._outbox.append_bytes(error.last_bytes)
                if error.resets:
                    self._transport.reset()
            self._send_last_answers()
        else:
            # A bug of ours costs this client its connection, and no other client; the log has the traceback.
            self._shared.bugs.report(f"in a request of {self}: its connection is closed", error)
            self.close()

    def _send_last_answers(self) -> None:
        """Send the answers to the requests before the one that ends the connection."""
        self._closing = True
        self._kept = None
        if self._unfinished is not None:
            self._abandon(self._unfinished)
        try:
            if self._outbox.pump():
                self.close()
                return
        except (OSError, CloseConnection) as error:
            logger.debug("the peer at %s is gone: %s", self, error)
            self.close()
            return
        self._is_blocked = True
        self._watch()
        self._shared.node.clock.call_later(LAST_ANSWERS_MS, self.close)


def _is_abandoned_alone(unfinished: Unfinished) -> bool:
    """Whether nothing but its answer is lost if the request is given up."""
    return unfinished.api_key in ONLY_WAIT or isinstance(unfinished.waits_for, NoAnswer)
