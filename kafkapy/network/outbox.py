"""Answers that are being sent to one peer: bytes and file ranges, in order, in few system calls.

Answers collect in one buffer; records that lie in a segment file are noted as a range and go from the file to the
socket by `sendfile`, never through Python.
"""

from __future__ import annotations

import errno
from struct import Struct
from typing import TYPE_CHECKING

from kafkapy.errors import CloseConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.network.transport import Transport
    from kafkapy_log import FileSlice
    from kafkapy_wire.message import Message

SENDFILE_TURN_BYTES = 4 << 20  # for one `pump`, so that a fast consumer leaves time to the others

_HEADER = Struct(">ii")  # size, correlation id
_TAGGED_HEADER = Struct(">iix")  # and no tagged fields
_SIZE = Struct(">i")


class Outbox:
    """The unsent answers of one connection.

        buffer:  [ sent | unsent ... ]        ranges: each stands before a position of the buffer
                        ^ sent_bytes

    `pump()` sends what the socket takes. The buffer is emptied once everything has left.
    """

    __slots__ = ("_sent_bytes", "_sent_of_range", "_transport", "buffer", "ranges")

    def __init__(self, transport: Transport) -> None:
        self.buffer = bytearray()
        """Its length is the memory that answers take; file ranges do not count."""
        self._transport = transport
        self._sent_bytes = 0
        self.ranges: list[tuple[int, FileSlice]] = []
        """Each with the position of the buffer before which it is sent."""
        self._sent_of_range = 0

    def append(
        self,
        response: Message,
        encode: Callable[[Message, bytearray, list[tuple[int, object]]], None],
        correlation_id: int,
        tagged_header: bool,  # by position: it is called for every answer
    ) -> int:
        """Encode one answer after the unsent ones. Returns its bytes on the wire, including the four of its size."""
        buffer, ranges = self.buffer, self.ranges
        start, first_range = len(buffer), len(ranges)
        buffer += (_TAGGED_HEADER if tagged_header else _HEADER).pack(0, correlation_id)
        encode(response, buffer, ranges)  # type: ignore[arg-type]  # every range of ours is a FileSlice
        size = len(buffer) - start
        if len(ranges) > first_range:
            for _, piece in ranges[first_range:]:
                size += len(piece)
        _SIZE.pack_into(buffer, start, size - 4)
        return size

    def append_encoded(
        self, data: bytearray, ranges: list[tuple[int, object]], correlation_id: int, tagged_header: bool
    ) -> int:
        """As `append`, for an encoded answer: `data`, and the file ranges by their positions in it."""
        buffer = self.buffer
        header = _TAGGED_HEADER if tagged_header else _HEADER
        start = len(buffer) + header.size
        size = header.size + len(data)
        for position, piece in ranges:
            self.ranges.append((start + position, piece))  # type: ignore[arg-type]  # every range of ours is a FileSlice
            size += len(piece)  # type: ignore[arg-type]
        buffer += header.pack(size - 4, correlation_id)
        buffer += data
        return size

    def copy_since(self, start: int, bytes_max: int) -> tuple[bytes, int]:
        """The answer that was appended when `buffer` had `start` bytes: a copy of `bytes_max` bytes of it or fewer, and
        their count in all.

        Raises OSError: a segment file cannot be read.
        """
        buffer = self.buffer
        size = len(buffer) - start
        # A range of the answer before may stand at its end, where this one begins, but every answer has a header.
        ranges = [each for each in self.ranges if each[0] > start]
        size += sum(len(piece) for _, piece in ranges)
        copy = bytearray()
        for before, piece in ranges:
            copy += buffer[start:before]
            start = before
            if len(copy) + len(piece) > bytes_max:
                return bytes(copy[:bytes_max]), size
            copy += piece.read()
        copy += buffer[start : start + bytes_max]
        return bytes(copy[:bytes_max]), size

    def append_bytes(self, data: bytes) -> None:
        """Append a part of an answer, as the last bytes of the connection."""
        self.buffer += data

    def use_transport(self, transport: Transport) -> None:
        """Send through another transport from now on."""
        self._transport = transport

    def pump(self) -> bool:
        """Send what the socket takes now. True: all has left; False: call again when the socket is writable.

        Raises OSError: the peer is gone; CloseConnection: a file is shorter than the range in the answer. Then the
        connection is finished.
        """
        buffer = self.buffer
        if not self.ranges and not self._sent_bytes:  # as a rule
            if not buffer:
                return True
            sent = self._transport.send(buffer)
            if sent == len(buffer):
                buffer.clear()
                return True
            self._sent_bytes = sent
            return False
        while self.ranges:
            before, piece = self.ranges[0]
            if not self._send_up_to(before):
                return False
            if not self._send_range(piece):
                return False
            del self.ranges[0]
            piece.release()
        if not self._send_up_to(len(buffer)):
            return False
        self._sent_bytes = 0
        buffer.clear()
        return True

    def discard(self) -> None:
        """Drop the unsent answers: the connection is finished."""
        for _, piece in self.ranges:
            piece.release()
        self.ranges = []
        self.buffer = bytearray()
        self._sent_bytes = self._sent_of_range = 0

    def _send_up_to(self, end: int) -> bool:
        if self._sent_bytes < end:
            with memoryview(self.buffer) as view, view[self._sent_bytes : end] as unsent:
                self._sent_bytes += self._transport.send(unsent)
        return self._sent_bytes == end

    def _send_range(self, piece: FileSlice) -> bool:
        """Send at most SENDFILE_TURN_BYTES of a file range. Returns whether all of it has left."""
        count = min(piece.length - self._sent_of_range, SENDFILE_TURN_BYTES)
        try:
            fd = piece.fd
        except OSError as error:
            raise CloseConnection(f"a segment file cannot be opened: {error}") from error
        try:
            self._sent_of_range += self._transport.send_file(fd, piece.position + self._sent_of_range, count)
        except OSError as error:
            if error.errno == errno.EIO:  # an error of the disk: sockets do not raise it
                raise CloseConnection(f"a segment file cannot be read: {error}") from error
            raise
        if self._sent_of_range < piece.length:
            return False
        self._sent_of_range = 0
        return True
