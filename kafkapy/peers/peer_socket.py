"""The connection to another node: one frame out, one frame in.

A follower asks thousands of times a second, and each pass through trio's scheduler delays the records of a producer. So
this uses the socket itself, and trio only to wait: an answer that comes whole costs one wait.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

import trio

RESPONSE_BYTES_MAX: Final = 256 << 20
"""Above this it is not an answer: nodes send at most what a fetch asked for, or one batch if that is larger."""
RECEIVED_AT_ONCE: Final = 2 << 20  # what a peer announces is not allocated before it comes
SMALL_BYTES: Final = 8 << 10  # as long as most answers are
LENGTH_BYTES: Final = 4
_LENGTH = struct.Struct(">i")


class NoAnswer(Exception):
    """What came is not an answer to what was sent. The message says what it is, and goes after the name of the peer."""


class BrokenOffTls(NoAnswer):
    """The other node has ended TLS: with TLS 1.3 it says after the handshake that it refuses a certificate."""


class NoTls(Exception):
    """There is no TLS with that node. The message says why."""


class PeerSocket:
    """A connected socket of one task at a time. After a call that has failed or was cancelled it can only be closed."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._fd = sock.fileno()

    @classmethod
    async def connect(cls, host: str, port: int) -> PeerSocket:
        """Raises OSError."""
        return cls(await cls._connected(host, port))

    @staticmethod
    async def _connected(host: str, port: int) -> socket.socket:
        stream = await trio.open_tcp_stream(host, port)
        sock = socket.socket(fileno=stream.socket.detach())
        sock.setblocking(False)
        return sock

    def close(self) -> None:
        """A task that waits for the answer gets trio.ClosedResourceError."""
        if self._fd >= 0:
            trio.lowlevel.notify_closing(self._fd)
            self._fd = -1
            self._socket.close()

    def has_hung_up(self) -> bool:
        """Whether the peer has closed the idle connection, or sent something that nobody has asked for."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    async def exchange(self, frame: bytearray) -> memoryview:
        """Send a frame, and return the one that comes back, without its length.

        Raises OSError, NoAnswer; trio.ClosedResourceError: closed meanwhile.
        """
        await self._send(frame)
        await trio.lowlevel.wait_readable(self._fd)
        return await self._receive()

    async def _send(self, frame: bytearray) -> None:
        sent = self._send_some(frame)
        if sent == len(frame):
            return
        with memoryview(frame) as view:
            while sent < len(frame):
                await trio.lowlevel.wait_writable(self._fd)
                sent += self._send_some(view[sent:])

    def _send_some(self, data: bytearray | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    async def _receive(self) -> memoryview:
        buffer = bytearray(SMALL_BYTES)
        count = 0
        while count < LENGTH_BYTES:
            count += await self._receive_some(memoryview(buffer)[count:])
        (size,) = _LENGTH.unpack_from(buffer)
        if not LENGTH_BYTES <= size <= RESPONSE_BYTES_MAX:
            raise NoAnswer("does not speak Kafka's protocol")
        end = LENGTH_BYTES + size
        if end > SMALL_BYTES:
            first, buffer = buffer, bytearray(min(end, RECEIVED_AT_ONCE))
            buffer[:count] = memoryview(first)[:count]
        while count < end:
            if count == len(buffer):
                buffer += bytes(min(end - count, count))
                await trio.lowlevel.checkpoint()  # a fast peer leaves time to others
            count += await self._receive_some(memoryview(buffer)[count:])
        if count > end:
            raise NoAnswer("sent more than one answer")
        return memoryview(buffer)[LENGTH_BYTES:end]

    async def _receive_some(self, space: memoryview) -> int:
        while True:
            count = self._receive_now(space)
            if count is None:
                await trio.lowlevel.wait_readable(self._fd)
                continue
            if not count:
                raise NoAnswer("closed the connection")
            return count

    def _receive_now(self, space: memoryview) -> int | None:
        """The count of bytes received; None: nothing has arrived yet."""
        try:
            return self._socket.recv_into(space)
        except BlockingIOError:
            return None
