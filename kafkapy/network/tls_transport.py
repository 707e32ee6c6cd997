"""TLS between a connection and its peer, over a socket that is not waited for.

Python's `ssl` encrypts into memory and decrypts from it; this moves the bytes between there and the socket.

    send:     plain bytes -> SSLObject -> `_unsent` -> socket        a record has at most 16 KiB
    receive:  socket -> memory -> SSLObject -> the caller's view

Bytes that were encrypted must leave as they are. But a caller does not come back once all its bytes were taken; so
`send` counts those of the last records as taken only when these have left. Until then they are owed: the caller gives
them again, and they are passed over.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kafkapy.errors import CloseConnection
from kafkapy.network.transport import FileEndsEarly, PlainTransport
from kafkapy.tls.failures import explained

if TYPE_CHECKING:
    import socket

RECEIVED_AT_ONCE: Final = 64 * 1024
ENCRYPTED_AT_ONCE: Final = 128 * 1024
"""So much goes to the socket in one call."""
SEND_TURN_BYTES: Final = 1024 * 1024
"""For one call, so that other connections have their turn: about a millisecond."""
CAREFUL_AT_ONCE: Final = 4 * 1024
"""So much is received at once of a peer that sent more of TLS than of data before. A change of keys has 27 bytes and
takes 15 microseconds: 64 KiB of them would hold the loop for 35 ms.
"""
WITHOUT_DATA_BYTES_MAX: Final = 32 * 1024
"""A peer that sends so much without a byte of data in it is closed. One record has at most half of that."""
UNASKED_BYTES_MAX: Final = 64 * 1024
"""Of answers to TLS's own messages (new keys): a peer that asks for more and does not read them is closed."""

# All transports receive here: only one does at a time, on the event loop.
_received = bytearray(RECEIVED_AT_ONCE)
_received_view = memoryview(_received)


class TlsTransport(PlainTransport):
    """A connected, non-blocking TCP socket with TLS on it, after the handshake."""

    __slots__ = (
        "_at_once",
        "_has_ended",
        "_incoming",
        "_is_reset",
        "_object",
        "_outgoing",
        "_owed",
        "_unsent",
        "_without_data",
        "has_unread",
    )

    def __init__(
        self,
        sock: socket.socket,
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        unsent: memoryview | None,
    ) -> None:
        """`unsent`: what of the handshake the socket has not taken yet."""
        super().__init__(sock)
        self._object = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._unsent = unsent
        self._owed = 0
        self._at_once = CAREFUL_AT_ONCE
        self._without_data = 0  # bytes received since the last one of data
        self._has_ended = False
        self._is_reset = False
        self.has_unread = incoming.pending > 0
        """Whether there may be bytes to receive that have left the socket, so that the poller does not tell of them."""

    # Receiving

    def receive_into(self, view: memoryview, /) -> int | None:
        """As in `Transport`. Raises CloseConnection: what came is no valid TLS."""
        count = 0
        if self.has_unread:
            count = self._decrypt(view, 0)
        if count < len(view) and not self._has_ended:
            try:
                received = self._socket.recv_into(_received, self._at_once)
            except BlockingIOError:
                return count or None
            if received:
                before = count
                self._incoming.write(_received_view[:received])
                count = self._decrypt(view, count)
                if (count - before) * 2 > received:
                    self._at_once = RECEIVED_AT_ONCE
                    self._without_data = 0
                else:
                    self._weigh(received, count - before)
            else:
                self._has_ended = True
        if self._outgoing.pending:
            self._answer()
        return count or (0 if self._has_ended else None)

    def _decrypt(self, view: memoryview, count: int) -> int:
        """Fill the view from `count` on. Returns how many bytes it then has."""
        tls, incoming, size = self._object, self._incoming, len(view)
        try:
            while count < size:
                taken: int = tls.read(size - count, view[count:])  # type: ignore[assignment]  # with a view, a count
                if not taken:  # the peer has said that no more comes
                    self._has_ended = True
                    break
                count += taken
                if not incoming.pending and not tls.pending():
                    break
        except ssl.SSLWantReadError:
            self.has_unread = False
            return count
        except ssl.SSLError as error:
            raise self._broken(error) from error
        self.has_unread = not self._has_ended and bool(tls.pending() or incoming.pending)
        return count

    def _weigh(self, received: int, data: int) -> None:
        """So few bytes of data were in those that were received. Raises CloseConnection: the peer has nothing to say
        but TLS.
        """
        taken = received - min(received, self._incoming.pending)  # the caller may have no room for the others
        self._at_once = RECEIVED_AT_ONCE if data * 2 > taken else CAREFUL_AT_ONCE
        if data:
            self._without_data = 0
            return
        self._without_data += taken
        if self._without_data > WITHOUT_DATA_BYTES_MAX:
            self._say_last()
            raise CloseConnection(f"the peer has sent {self._without_data} bytes of TLS without data")

    def _answer(self) -> None:
        """Send what TLS itself has to say, as far as the socket takes it."""
        if not self._flush() and self._unsent is not None and len(self._unsent) > UNASKED_BYTES_MAX:
            raise CloseConnection("the peer does not read what it has asked TLS for")

    # Sending

    def send(self, data: bytearray | memoryview, /) -> int:
        """As in `Transport`. Raises CloseConnection: TLS cannot go on."""
        if not self._flush():
            return 0
        end = min(len(data), SEND_TURN_BYTES)
        sent = self._take_owed(end)
        with memoryview(data) as view:
            while sent < end:
                step = min(end - sent, ENCRYPTED_AT_ONCE)
                with view[sent : sent + step] as piece:
                    self._encrypt(piece)
                if not self._flush():
                    self._owed = step
                    break
                sent += step
        return sent

    def send_file(self, fd: int, position: int, count: int, /) -> int:
        """As in `Transport`. Raises CloseConnection: TLS cannot go on."""
        if not self._flush():
            return 0
        end = min(count, SEND_TURN_BYTES)
        sent = self._take_owed(end)
        while sent < end:
            piece = os.pread(fd, min(end - sent, ENCRYPTED_AT_ONCE), position + sent)
            if not piece:
                raise FileEndsEarly(f"the file ends at {position + sent}, {count - sent} bytes more were promised")
            with memoryview(piece) as view:
                self._encrypt(view)
            if not self._flush():
                self._owed = len(piece)
                break
            sent += len(piece)
        return sent

    def _take_owed(self, count: int) -> int:
        owed = min(self._owed, count)
        self._owed -= owed
        return owed

    def _encrypt(self, data: memoryview) -> None:
        write, position, size = self._object.write, 0, len(data)
        try:
            while position < size:
                position += write(data[position:])
        except ssl.SSLError as error:
            raise self._broken(error) from error

    def _flush(self) -> bool:
        """Send what is encrypted. Returns whether all of it has left."""
        unsent = self._unsent
        if unsent is None:
            if not self._outgoing.pending:
                return True
            unsent = memoryview(self._outgoing.read())
        elif self._outgoing.pending:
            unsent = memoryview(bytes(unsent) + self._outgoing.read())
        try:
            sent = self._socket.send(unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = None if sent == len(unsent) else unsent[sent:]
        return self._unsent is None

    # The end

    def _broken(self, error: ssl.SSLError) -> CloseConnection:
        """Tell the peer, as far as it listens."""
        self._say_last()
        return CloseConnection(f"TLS cannot go on: {explained(error)}")

    def _say_last(self) -> None:
        try:
            self._flush()
        except OSError:
            self._unsent = None  # the peer is gone

    def reset(self) -> None:
        super().reset()
        self._is_reset = True

    def close(self) -> None:
        """Tell the peer that no more comes, so that it knows that nothing was cut off, if the socket takes that."""
        if self._unsent is None and not self._is_reset:
            with suppress(ssl.SSLError, ValueError):  # usually it waits for the peer to say the same
                self._object.unwrap()
            self._say_last()
        super().close()
