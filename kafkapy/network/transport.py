"""Bytes between a connection and its peer, without waiting.

A connection talks to a `Transport` only. `PlainTransport` is a TCP socket; `tls_transport.py` has another one, which
decrypts into the view it is given, encrypts what it sends and has no `sendfile`: it reads the file and sends.
"""

from __future__ import annotations

import os
import socket
from struct import pack
from typing import Final, Protocol

ON_WITHOUT_WAITING: Final = pack("ii", 1, 0)  # of SO_LINGER


class Transport(Protocol):
    """Every call returns at once. All raise OSError: the peer is gone."""

    def fileno(self) -> int:
        """The descriptor for the poller."""

    def receive_into(self, view: memoryview, /) -> int | None:
        """The count of bytes received; 0: the peer has sent a FIN; None: nothing has arrived yet."""

    def send(self, data: bytearray | memoryview, /) -> int:
        """How many bytes were taken; 0: none for now, as the peer has not read earlier bytes."""

    def send_file(self, fd: int, position: int, count: int, /) -> int:
        """As `send`, for `count` bytes of a file from `position` on. Raises FileEndsEarly: no byte is at `position`."""

    def reset(self) -> None:
        """`close` will reset the connection: the peer gets no FIN, and no bytes that are still under way."""

    def close(self) -> None: ...


class PacedTransport(Transport, Protocol):
    """One that takes and gives bytes when it wants to, and tells its connection when that is."""

    is_stalled: bool
    """It takes none now, whether the socket would or not."""
    is_read_stalled: bool
    """It gives none now, whether there are any or not."""

    def all_left(self) -> None:
        """All answers that the connection had have left."""


class FileEndsEarly(OSError):
    """A file is shorter than the range that was to be sent."""


class PlainTransport:
    """A connected, non-blocking TCP socket."""

    __slots__ = ("_fd", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._fd = sock.fileno()

    def fileno(self) -> int:
        return self._fd

    def receive_into(self, view: memoryview, /) -> int | None:
        try:
            return self._socket.recv_into(view)
        except BlockingIOError:
            return None

    def send(self, data: bytearray | memoryview, /) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def send_file(self, fd: int, position: int, count: int, /) -> int:
        try:
            sent = os.sendfile(self._fd, fd, position, count)
        except BlockingIOError:
            return 0
        if not sent:
            raise FileEndsEarly(f"the file ends at {position}, {count} bytes more were promised")
        return sent

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ON_WITHOUT_WAITING)

    def close(self) -> None:
        self._fd = -1  # the number may be reused
        self._socket.close()
