"""Requests cut out of a byte stream: four bytes of size, then so many bytes."""

from __future__ import annotations

from kafkapy_wire.errors import MalformedFrame

LENGTH_BYTES = 4
SPACE_BYTES = 64 * 1024
"""Room offered to one receive call: what a socket usually has at hand, and what an idle connection keeps."""
BELIEVED_AFTER_BYTES = 4 * 1024
"""What a frame must bring before it gets a larger buffer: so many idle connections that have announced much cost no
more than others."""
DIRECT_GROWTH_BYTES_MAX = 1024 * 1024
"""A frame up to this size then gets its buffer at once. For a larger one the buffer doubles as it fills, so that a few
hostile bytes cannot claim `request_bytes_max`."""
KEPT_BYTES_MAX = 2 * 1024 * 1024
KEPT_FOR_FRAMES = 32
"""A buffer that a large frame needed stays for the next frames, as large frames come in runs and fresh memory costs as
much as receiving into it; the buffer of a very large frame goes at once."""


class RequestBuffer:
    """The unread bytes of one connection, in one buffer that is received into and read from without copying.

        [ read | unread frames ... | free ]
               ^ start             ^ end

    Work is proportional to the bytes received: unread bytes move to the front only when the frame they begin does not
    fit behind them, which happens once a frame, and growing doubles.

    As long as every frame is taken before the next `space()`, it holds at most max(KEPT_BYTES_MAX, twice what has come
    of the frame), and before the first large frame SPACE_BYTES.
    """

    __slots__ = ("_buffer", "_end", "_keep_frames", "_start", "_view", "request_bytes_max")

    def __init__(self, request_bytes_max: int) -> None:
        self.request_bytes_max = request_bytes_max
        """Kafka's socket.request.max.bytes."""
        self._buffer = bytearray(SPACE_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._keep_frames = 0

    def __len__(self) -> int:
        """The bytes received and not yet read."""
        return self._end - self._start

    @property
    def _keeps(self) -> bool:
        return self._keep_frames > 0 and len(self._buffer) <= KEPT_BYTES_MAX

    def trim(self) -> None:
        """Give a large buffer back now: the connection has become quiet."""
        self._keep_frames = 0
        if self._end == self._start and len(self._buffer) > SPACE_BYTES:
            self._move_to(bytearray(SPACE_BYTES))

    @property
    def capacity_bytes(self) -> int:
        """The memory held."""
        return len(self._buffer)

    def space(self) -> memoryview:
        """Free room for `recv_into`, never empty; may move unread bytes to the front, so older views end here."""
        unread = self._end - self._start
        if not unread:
            self._start = self._end = 0
            if len(self._buffer) > SPACE_BYTES and not self._keeps:
                self._move_to(bytearray(SPACE_BYTES))
            return self._view
        wanted = self._wanted_bytes(unread)
        if self._start + wanted > len(self._buffer) or self._end == len(self._buffer):
            if wanted > len(self._buffer) or (not self._keeps and len(self._buffer) > max(SPACE_BYTES, 4 * wanted)):
                self._move_to(bytearray(max(SPACE_BYTES, wanted)))
            else:
                self._buffer[:unread] = self._view[self._start : self._end]
                self._start, self._end = 0, unread
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """`count` bytes were put at the beginning of the last `space()`."""
        self._end += count
        assert self._end <= len(self._buffer), f"{count} bytes do not fit: {self._end} of {len(self._buffer)}"

    def next_frame(self) -> memoryview | None:
        """The next whole request without its length prefix, or None: receive more.

        The view is valid until the next `space()`; who keeps bytes longer copies them.
        Raises MalformedFrame: the length is negative or above `request_bytes_max`.
        """
        begin = self._start + LENGTH_BYTES
        if begin > self._end:
            return None
        size = self._frame_bytes()
        stop = begin + size
        if stop > self._end:
            return None
        self._start = stop
        if size > SPACE_BYTES:
            self._keep_frames = KEPT_FOR_FRAMES
        elif self._keep_frames:
            self._keep_frames -= 1
        return self._view[begin:stop]

    def _frame_bytes(self) -> int:
        size = int.from_bytes(self._view[self._start : self._start + LENGTH_BYTES], "big", signed=True)
        if size < 0 or size > self.request_bytes_max:
            raise MalformedFrame(
                f"a request of {size} bytes was announced, {self.request_bytes_max} are the most", size
            )
        return size

    def _wanted_bytes(self, unread: int) -> int:
        """The size of buffer that the frame at the front asks for; always more than `unread`."""
        if unread < LENGTH_BYTES:
            return LENGTH_BYTES
        frame = LENGTH_BYTES + self._frame_bytes()
        if frame <= unread:
            return 2 * unread  # the caller has not taken all frames yet
        if unread < BELIEVED_AFTER_BYTES:
            return min(frame, SPACE_BYTES)
        size = DIRECT_GROWTH_BYTES_MAX
        while size <= unread:
            size *= 2
        return min(frame, size)

    def _move_to(self, buffer: bytearray) -> None:
        """Copy the unread bytes to the front of another buffer; the old one lives on while frames of it are in use."""
        unread = self._end - self._start
        buffer[:unread] = self._view[self._start : self._end]
        self._buffer, self._view = buffer, memoryview(buffer)
        self._start, self._end = 0, unread
