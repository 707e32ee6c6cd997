"""A transport that is as slow or as short as faults want it: latency, bandwidth, slicer, limit_data, slow_close.

It holds no bytes back in memory: it takes fewer than it could, or none for now, and calls the connection again when
its time has come. Meanwhile the connection is blocked as by a client that does not read, and reads no requests either.
Requests that are read slowly stay with the system, which lets the client send no more when it has enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from kafkapy.errors import InjectedEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Timer
    from kafkapy.faults.fault import Fault
    from kafkapy.faults.timers import RealTimers

BANDWIDTH_STEP_SECONDS: Final = 0.05
"""How much is sent at once under a bandwidth."""


class Transport(Protocol):
    """What `kafkapy.network.transport.Transport` has."""

    def fileno(self) -> int: ...
    def receive_into(self, view: memoryview, /) -> int | None: ...
    def send(self, data: bytearray | memoryview, /) -> int: ...
    def send_file(self, fd: int, position: int, count: int, /) -> int: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


class PacedConnection(Protocol):
    """The connection whose transport this is."""

    def go_on_pacing(self) -> None:
        """To be called when the transport takes or gives bytes again."""

    def paced(self, make: Callable[[Any], PacedTransport], /) -> Any:
        """The PacedTransport of the connection, made by `make` of its own one if it has none."""


class ClosingLater:
    """Transports that slow_close keeps open; none of them outlives its node."""

    def __init__(self, timers: RealTimers) -> None:
        self._timers = timers
        self._open: dict[Transport, Timer] = {}

    def close_later(self, transport: Transport, delay_ms: float) -> None:
        self._open[transport] = self._timers.call_later(delay_ms, lambda: self._close(transport))

    def _close(self, transport: Transport) -> None:
        self._open.pop(transport).cancel()
        transport.close()

    def close_all(self) -> None:
        for transport in list(self._open):
            self._close(transport)


class PacedTransport:
    """Obeys the faults that have met the connection."""

    def __init__(
        self, inner: Transport, connection: PacedConnection, timers: RealTimers, closing: ClosingLater
    ) -> None:
        self._inner = inner
        self._closing = closing
        self._connection = connection
        self._timers = timers
        self._faults: dict[Fault, int] = {}
        """And how many bytes have left since each of them holds."""
        self._not_before_ms = 0.0
        self._answers_leave_ms: float | None = None
        """With latency: when the answers leave that wait now."""
        self._timer: Timer | None = None
        self.is_stalled = False
        """It takes no bytes now, whether the socket would or not; it calls the connection when it does."""
        self._read_not_before_ms = 0.0
        self._read_timer: Timer | None = None
        self.is_read_stalled = False
        """It gives no bytes now, whether there are any or not; it calls the connection when it does."""

    def obey(self, fault: Fault) -> None:
        self._faults.setdefault(fault, 0)

    def disobey(self, fault: Fault) -> None:
        self._faults.pop(fault, None)
        if self._timer is not None and self._timer.pending:
            self._timer.cancel()
            self._not_before_ms = 0.0
            self._answers_leave_ms = None
            self._go_on()
        if self._read_timer is not None and self._read_timer.pending:
            self._read_timer.cancel()
            self._read_not_before_ms = 0.0
            self._read_on()

    # -- as a transport

    def fileno(self) -> int:
        return self._inner.fileno()

    def receive_into(self, view: memoryview, /) -> int | None:
        rates = [rate for fault in self._faults if (rate := fault.rule.upload_bytes_per_second) is not None]
        if not rates:
            return self._inner.receive_into(view)
        now_ms = self._timers.now_ms()
        count: int | None = None
        if now_ms >= self._read_not_before_ms:
            rate = min(rates)
            with view[: max(1, int(rate * BANDWIDTH_STEP_SECONDS))] as piece:
                count = self._inner.receive_into(piece)
            if not count:
                return count
            self._read_not_before_ms = now_ms + 1_000 * count / rate
        if not self.is_read_stalled:
            self.is_read_stalled = True
            self._read_timer = self._timers.call_later(self._read_not_before_ms - now_ms, self._read_on)
        return count

    def send(self, data: bytearray | memoryview, /) -> int:
        size = self._may_send(len(data))
        if not size:
            return 0
        with memoryview(data) as view, view[:size] as piece:
            sent = self._inner.send(piece)
        self._note_sent(sent, size < len(data))
        return sent

    def send_file(self, fd: int, position: int, count: int, /) -> int:
        size = self._may_send(count)
        if not size:
            return 0
        sent = self._inner.send_file(fd, position, size)
        self._note_sent(sent, size < count)
        return sent

    def all_left(self) -> None:
        """All answers have left: the next one waits for the latency again."""
        self._answers_leave_ms = None

    def reset(self) -> None:
        self._inner.reset()

    def close(self) -> None:
        for timer in (self._timer, self._read_timer):
            if timer is not None:
                timer.cancel()
        delay_ms = max((fault.rule.slow_close_ms or 0 for fault in self._faults), default=0)
        for fault in list(self._faults):
            fault.forget_transport(self)
        if delay_ms:
            self._closing.close_later(self._inner, delay_ms)
        else:
            self._inner.close()

    # -- how much, and when

    def _may_send(self, size: int) -> int:
        """How many of these bytes may leave now; 0: the connection is called again."""
        now_ms = self._timers.now_ms()
        if self._answers_leave_ms is None:
            latency_ms = sum(
                fault.varied(fault.rule.latency_ms, fault.rule.jitter_ms)
                for fault in self._faults
                if fault.rule.latency_ms is not None
            )
            self._answers_leave_ms = now_ms + latency_ms
        wait_ms = max(self._answers_leave_ms, self._not_before_ms) - now_ms
        if wait_ms > 0:
            self._call_again(wait_ms)
            return 0
        for fault, left in self._faults.items():
            rule = fault.rule
            if rule.slicer_bytes is not None:
                size = min(size, max(1, round(fault.varied(rule.slicer_bytes, rule.slicer_variation_bytes))))
            if rule.bandwidth_bytes_per_second is not None:
                size = min(size, max(1, int(rule.bandwidth_bytes_per_second * BANDWIDTH_STEP_SECONDS)))
            if rule.limit_data_bytes is not None:
                if left >= rule.limit_data_bytes:
                    raise InjectedEnd(f"{fault} lets no more than {rule.limit_data_bytes} bytes through")
                size = min(size, rule.limit_data_bytes - left)
        return size

    def _note_sent(self, sent: int, is_piece: bool) -> None:
        """Raises InjectedEnd: no more bytes may leave."""
        now_ms = self._timers.now_ms()
        pause_ms = 0.0
        for fault in self._faults:
            rule = fault.rule
            self._faults[fault] += sent
            if rule.bandwidth_bytes_per_second is not None:
                pause_ms = max(pause_ms, 1_000 * sent / rule.bandwidth_bytes_per_second)
            if is_piece and rule.slicer_delay_ms is not None:
                pause_ms = max(pause_ms, rule.slicer_delay_ms)
            if rule.limit_data_bytes is not None and self._faults[fault] >= rule.limit_data_bytes:
                raise InjectedEnd(f"{fault} has let {rule.limit_data_bytes} bytes through")
        self._not_before_ms = now_ms + pause_ms
        if is_piece and pause_ms:
            self._call_again(pause_ms)

    def _call_again(self, delay_ms: float) -> None:
        if self._timer is None or not self._timer.pending:
            self._timer = self._timers.call_later(delay_ms, self._go_on)
        self.is_stalled = True

    def _read_on(self) -> None:
        self.is_read_stalled = False
        self._connection.go_on_pacing()

    def _go_on(self) -> None:
        self.is_stalled = False
        self._connection.go_on_pacing()
