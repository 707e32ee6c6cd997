"""Answers on their way to one socket: bytes and file ranges, in order, in as few system calls as can be.

Answers collect in one buffer; records that lie in a segment file are noted as a range and go from the file to the
socket by `sendfile`, never through Python.
"""

from __future__ import annotations

import errno
import os
from struct import Struct
from typing import TYPE_CHECKING

import trio

from kafkapy.errors import CloseConnection
from kafkapy_wire.codec import encode_segments

if TYPE_CHECKING:
    import socket

    from kafkapy_log import FileSlice
    from kafkapy_wire.message import Message

SENDFILE_TURN_BYTES = 4 << 20  # one system call's share, so that a fast consumer leaves time to the others

_SIZE_AND_CORRELATION_ID = Struct(">ii")
_SIZE = Struct(">i")


class Outbox:
    """The answers of one connection that were not sent yet. `flush()` sends them."""

    __slots__ = ("_buffer", "_ranges", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._ranges: list[tuple[int, FileSlice]] = []  # (position in the buffer that it stands before, range)

    def __len__(self) -> int:
        """Bytes that wait in memory; file ranges do not count."""
        return len(self._buffer)

    def append(self, response: Message, version: int, correlation_id: int, *, tagged_header: bool) -> None:
        """Encode one answer behind those that wait."""
        buffer, ranges = self._buffer, self._ranges
        start, first_range = len(buffer), len(ranges)
        buffer += _SIZE_AND_CORRELATION_ID.pack(0, correlation_id)
        if tagged_header:
            buffer.append(0)
        encode_segments(response, version, buffer, ranges)  # type: ignore[arg-type]
        size = len(buffer) - start - 4
        for _, piece in ranges[first_range:]:
            size += len(piece)
        _SIZE.pack_into(buffer, start, size)

    async def flush(self) -> None:
        """Send all that waits. Raises OSError when the peer is gone, CloseConnection when the disk has not what the
        answer says: then the connection is finished.
        """
        buffer, self._buffer = self._buffer, bytearray()
        ranges, self._ranges = self._ranges, []
        try:
            if not ranges:
                if buffer:
                    await self._send(buffer)
                return
            position = 0
            for before, piece in ranges:
                if before > position:
                    await self._send(memoryview(buffer)[position:before])
                    position = before
                await self._send_range(piece)
            if position < len(buffer):
                await self._send(memoryview(buffer)[position:])
        finally:
            for _, piece in ranges:
                piece.release()

    def discard(self) -> None:
        """Forget what waits: the connection is finished."""
        for _, piece in self._ranges:
            piece.release()
        self._ranges = []
        self._buffer = bytearray()

    async def _send(self, data: bytearray | memoryview | bytes) -> None:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        view = memoryview(data)
        while sent < len(view):
            await trio.lowlevel.wait_writable(self._socket)
            try:
                sent += self._socket.send(view[sent:])
            except BlockingIOError:
                continue

    async def _send_range(self, piece: FileSlice) -> None:
        position, end = piece.position, piece.position + piece.length
        while position < end:
            try:
                fd = piece.fd
            except OSError as error:
                raise CloseConnection(f"a segment file cannot be opened: {error}") from error
            try:
                sent = os.sendfile(self._socket.fileno(), fd, position, min(end - position, SENDFILE_TURN_BYTES))
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._socket)
                continue
            except OSError as error:
                if error.errno == errno.EIO:  # of the disk: no socket says that
                    raise CloseConnection(f"a segment file cannot be read: {error}") from error
                raise
            if not sent:
                raise OSError(f"segment file ends at {position}, its index promised {end}")
            position += sent
            if position < end:
                await trio.lowlevel.checkpoint()
