"""Requests cut out of a byte stream: four bytes of size, then so many bytes.

A server has one `ReceiveBuffers`. All its connections receive into one shared `RequestBuffer`, as each is served
completely before the next one receives. A connection keeps bytes of its own only while a frame is incomplete,
or a whole frame waits for its turn.
"""

from __future__ import annotations

import mmap as system
import sys
from contextlib import suppress
from mmap import mmap
from struct import Struct
from typing import TYPE_CHECKING

from kafkapy_wire.errors import MalformedFrame

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH_BYTES = 4
SHARED_BYTES = 64 * 1024
"""Room offered to one receive call: what a socket usually has at hand."""
COPIED_BYTES_MAX = 4 * 1024
"""So much of a frame waits in a copy of its own size and is put back before the next receive. A frame of which more
has come gets a buffer, so that no byte is copied more often than a few times."""
DIRECT_GROWTH_BYTES_MAX = 1024 * 1024
"""A frame up to this size then gets its buffer at once. For a larger one the buffer doubles as it fills, so that a few
hostile bytes cannot claim `request_bytes_max`."""
LAZY_BYTES_MIN = 8 * 1024 * 1024
"""A longer frame gets all its room once `DIRECT_GROWTH_BYTES_MAX` of it have come: memory of which the system provides
each page when it is first written. Doubling filled and copied fresh memory in one go, and for 0.4 s of a frame of
100 MB nobody else was served."""
SPARE_BYTES_MAX = 2 * 1024 * 1024
SPARE_COUNT_MAX = 4
"""So many buffers of large frames wait for the next large frame of any connection, as large frames come in runs and
fresh memory costs as much as receiving into it. The buffer of a very large frame goes at once."""

ANONYMOUS: int | None = None if sys.platform == "win32" else system.MAP_PRIVATE | system.MAP_ANONYMOUS

_SIZE = Struct(">i")


class RequestBuffer:
    """Bytes of one connection that were received and not yet read, in one buffer.

        [ read | unread frames ... | free ]
               ^ start             ^ end

    Work is proportional to the bytes received: unread bytes move to the front only when the frame they begin does not
    fit behind them, which happens once a frame, and growing doubles.
    """

    __slots__ = ("_buffer", "_view", "end", "request_bytes_max", "start")

    def __init__(self, request_bytes_max: int, capacity_bytes: int = SHARED_BYTES) -> None:
        self.request_bytes_max = request_bytes_max
        """Kafka's socket.request.max.bytes."""
        self._buffer: bytearray | mmap = bytearray(capacity_bytes)
        self._view = memoryview(self._buffer)
        self.start = 0
        self.end = 0

    def __len__(self) -> int:
        """The bytes received and not yet read."""
        return self.end - self.start

    @property
    def capacity_bytes(self) -> int:
        """The memory held."""
        return len(self._buffer)

    def space(self) -> memoryview:
        """Free room for `recv_into`, never empty; may move unread bytes to the front, so older views end here."""
        if self.start == self.end:
            self.start = self.end = 0
            return self._view
        unread = self.end - self.start
        wanted = self._wanted_bytes(unread)
        if len(self._buffer) > max(SPARE_BYTES_MAX, 4 * wanted):
            self._move_to(bytearray(max(SHARED_BYTES, wanted)))
        elif self.start + wanted > len(self._buffer) or self.end == len(self._buffer):
            if wanted > len(self._buffer):
                self._move_to(_memory(wanted))
            else:
                self._view[:unread] = self._view[self.start : self.end]
                self.start, self.end = 0, unread
        return self._view[self.end :]

    def filled(self, count: int) -> None:
        """`count` bytes were put at the beginning of the last `space()`."""
        self.end += count
        assert self.end <= len(self._buffer), f"{count} bytes do not fit: {self.end} of {len(self._buffer)}"

    def receive(self, receive_into: Callable[[memoryview], int | None]) -> int | None:
        """Let `receive_into` put bytes after the unread ones; returns its result."""
        count = receive_into(self.space())
        if count:
            self.end += count
        return count

    def receive_anew(self, receive_into: Callable[[memoryview], int | None]) -> int | None:
        """As `receive`, after dropping the unread bytes."""
        count = receive_into(self._view)
        self.start = 0
        self.end = count or 0
        return count

    def next_frame(self) -> memoryview | None:
        """The next whole request without its length prefix, or None: receive more.

        The view is valid until the next `space()`; to keep bytes longer, copy them or call `leave_memory`.
        Raises MalformedFrame: the length is negative or above `request_bytes_max`.
        """
        begin = self.start + LENGTH_BYTES
        if begin > self.end:
            return None
        size: int = _SIZE.unpack_from(self._buffer, self.start)[0]
        if size < 0 or size > self.request_bytes_max:
            raise self._malformed(size)
        stop = begin + size
        if stop > self.end:
            return None
        self.start = stop
        return self._view[begin:stop]

    @property
    def has_frame(self) -> bool:
        """Whether `next_frame()` would return one, or raise."""
        begin = self.start + LENGTH_BYTES
        if begin > self.end:
            return False
        size: int = _SIZE.unpack_from(self._buffer, self.start)[0]
        return begin + size <= self.end or size > self.request_bytes_max

    def leave_memory(self) -> None:
        """Leave the memory to the frames that were taken, whose views stay valid; unread bytes move to a new buffer."""
        self._move_to(bytearray(max(SHARED_BYTES, self.end - self.start)))

    def put(self, data: bytes | memoryview) -> None:
        """Drop the unread bytes and use `data` as unread bytes."""
        count = len(data)
        if count > len(self._buffer):
            self._buffer = bytearray(count)
            self._view = memoryview(self._buffer)
        self._view[:count] = data
        self.start, self.end = 0, count

    def unread(self) -> memoryview:
        """A view of the unread bytes."""
        return self._view[self.start : self.end]

    def clear(self) -> None:
        """Drop the unread bytes."""
        self.start = self.end = 0

    def wanted_bytes(self) -> int:
        """The buffer size for the unread bytes and the rest of their frame (whose size is trusted in part)."""
        unread = self.end - self.start
        return unread if self.has_frame else self._wanted_bytes(unread)

    def _frame_bytes(self) -> int:
        size: int = _SIZE.unpack_from(self._buffer, self.start)[0]
        if size < 0 or size > self.request_bytes_max:
            raise self._malformed(size)
        return size

    def _malformed(self, size: int) -> MalformedFrame:
        return MalformedFrame(f"a request of {size} bytes was announced, {self.request_bytes_max} are the most", size)

    def _wanted_bytes(self, unread: int) -> int:
        """The size of buffer that the frame at the front asks for; always more than `unread`."""
        if unread < LENGTH_BYTES:
            return LENGTH_BYTES
        frame = LENGTH_BYTES + self._frame_bytes()
        if frame <= unread:
            return 2 * unread  # the caller has not taken all frames yet
        if unread < COPIED_BYTES_MAX:
            return min(frame, SHARED_BYTES)
        size = DIRECT_GROWTH_BYTES_MAX
        if frame > LAZY_BYTES_MIN and unread >= size:
            return frame
        while size <= unread:
            size *= 2
        return min(frame, size)

    def _move_to(self, buffer: bytearray | mmap) -> None:
        """Copy the unread bytes to the front of another buffer; the old one lives on while frames of it are in use."""
        unread = self.end - self.start
        buffer[:unread] = self._view[self.start : self.end]
        self._buffer, self._view = buffer, memoryview(buffer)
        self.start, self.end = 0, unread


def _memory(size: int) -> bytearray | mmap:
    """So many bytes that can be written."""
    if size > LAZY_BYTES_MIN and ANONYMOUS is not None:
        with suppress(OSError):  # the system grants no address space: then it may grant memory
            return mmap(-1, size, flags=ANONYMOUS)
    return bytearray(size)


class ReceiveBuffers:
    """The buffers into which the connections of one server receive.

    buffer = buffers.fetch(kept); receive; take frames; kept = buffers.keep(buffer)

    If nothing is kept, `shared.receive_anew(...)` replaces `fetch` and `receive`. `kept` is what a connection keeps
    between two receives: usually None, else a copy of at most COPIED_BYTES_MAX, or a buffer of the size of its frame.
    """

    __slots__ = ("_spare", "_spare_was_used", "request_bytes_max", "shared")

    def __init__(self, request_bytes_max: int) -> None:
        self.request_bytes_max = request_bytes_max
        """The most that a frame may have."""
        self.shared = RequestBuffer(request_bytes_max)
        self._spare: list[RequestBuffer] = []
        self._spare_was_used = False

    def fetch(self, kept: bytes | RequestBuffer | None) -> RequestBuffer:
        """The buffer to receive into and to take frames from; kept bytes are at its front."""
        if kept is None:
            self.shared.clear()  # a connection that failed may have left bytes
            return self.shared
        if isinstance(kept, RequestBuffer):
            kept.request_bytes_max = self.request_bytes_max  # it may be kept from other buffers
            return kept
        self.shared.put(kept)
        return self.shared

    def keep(self, buffer: RequestBuffer) -> bytes | RequestBuffer | None:
        """Move the unread bytes out of the buffer of `fetch`: the connection keeps them."""
        unread = buffer.end - buffer.start
        if buffer is self.shared:
            if not unread:
                return None
            kept: bytes | RequestBuffer
            if unread <= COPIED_BYTES_MAX:
                kept = bytes(buffer.unread())
            else:
                kept = self._buffer_of(buffer.wanted_bytes())
                kept.put(buffer.unread())
            buffer.clear()
            return kept
        if unread:
            return buffer
        if SHARED_BYTES <= buffer.capacity_bytes <= SPARE_BYTES_MAX and len(self._spare) < SPARE_COUNT_MAX:
            self._spare.append(buffer)
        return None

    def trim(self) -> None:
        """Free the memory of large frames, if none have come since the last call."""
        if not self._spare_was_used:
            self._spare.clear()
        self._spare_was_used = False

    def _buffer_of(self, capacity_bytes: int) -> RequestBuffer:
        if self._spare and capacity_bytes >= SHARED_BYTES:
            self._spare_was_used = True
            return self._spare.pop()  # it grows when it is too small
        return RequestBuffer(self.request_bytes_max, capacity_bytes)


def begins_with_frame(kept: bytes | RequestBuffer | None, request_bytes_max: int) -> bool:
    """Whether a connection's kept bytes begin with a whole frame, or with one of invalid size."""
    if kept is None:
        return False
    if isinstance(kept, RequestBuffer):
        return kept.has_frame
    if len(kept) < LENGTH_BYTES:
        return False
    size: int = _SIZE.unpack_from(kept)[0]
    return LENGTH_BYTES + size <= len(kept) or size > request_bytes_max
