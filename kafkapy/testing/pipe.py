"""Messages between a test's process and the process of its cluster: pickled values, each with its length in front."""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

_SIZE: Final = struct.Struct(">Q")


def send(pipe: socket.socket, message: Any) -> None:
    """Raises OSError: the other end is gone; what pickle raises: a value cannot be sent."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.sendall(_SIZE.pack(len(data)) + data)


def receive(pipe: socket.socket) -> Any:
    """The next message. Raises EOFError: the other end is gone."""
    (size,) = _SIZE.unpack(_exactly(pipe, _SIZE.size))
    return pickle.loads(_exactly(pipe, size))


def _exactly(pipe: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = pipe.recv(min(size, 1 << 20))
        except OSError:
            part = b""
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
