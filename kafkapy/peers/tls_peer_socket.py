"""The connection to another node, with TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.peers.peer_socket import BrokenOffTls, NoAnswer, NoTls, PeerSocket
from kafkapy.tls.failures import explained

if TYPE_CHECKING:
    import socket

    from kafkapy.tls.contexts import ClientTls

RECEIVED_AT_ONCE: Final = 64 * 1024


class TlsPeerSocket(PeerSocket):
    """As `PeerSocket`."""

    def __init__(self, sock: socket.socket, tls: ClientTls, host: str) -> None:
        super().__init__(sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = tls.context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    @classmethod
    async def connect_with(cls, tls: ClientTls, host: str, port: int) -> TlsPeerSocket:
        """Raises OSError; NoTls: the other node is not who it should be, or speaks no TLS."""
        opened = cls(await cls._connected(host, port), tls, host)
        try:
            await opened._handshake(tls)
        except BaseException:
            opened.close()
            raise
        return opened

    async def _handshake(self, tls: ClientTls) -> None:
        while True:
            try:
                # In a worker thread: checking a chain of certificates, and signing, may take milliseconds.
                await trio.to_thread.run_sync(self._object.do_handshake)
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError as error:
                await self._flush()
                raise NoTls(explained(error)) from None
            else:
                await self._flush()
                break
            if not await self._receive_records():
                raise NoTls("it has closed the connection in the handshake: has it a listener with TLS there?")
        cipher = self._object.cipher()
        if not tls.may_use(cipher):
            raise NoTls(f"it has chosen {cipher[0] if cipher else 'no suite'}, which is not in ssl.cipher.suites")

    async def _flush(self) -> None:
        data = memoryview(self._outgoing.read())
        while data:
            sent = super()._send_some(data)
            data = data[sent:]
            if data:
                await trio.lowlevel.wait_writable(self._fd)

    async def _receive_records(self) -> bool:
        """Whether some have come; False: the other node has closed the connection."""
        while (came := self._read_socket()) is None:
            await trio.lowlevel.wait_readable(self._fd)
        return came

    def _read_socket(self) -> bool | None:
        try:
            data = self._socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return None
        if data:
            self._incoming.write(data)
        return bool(data)

    def has_hung_up(self) -> bool:
        """As of `PeerSocket`. Tickets for later sessions, which come unasked, are no end."""
        try:
            return self._receive_now(memoryview(bytearray(1))) is not None
        except (OSError, NoAnswer):
            return True

    async def _send(self, frame: bytearray) -> None:
        position = 0
        with memoryview(frame) as view:
            while position < len(frame):
                position += self._object.write(view[position:])
        await self._flush()

    def _receive_now(self, space: memoryview) -> int | None:
        while True:
            try:
                count: int = self._object.read(len(space), space)  # type: ignore[assignment]  # with a view, a count
            except ssl.SSLWantReadError:
                came = self._read_socket()
                if came is None:
                    return None
                if not came:
                    return 0
            except ssl.SSLError as error:
                raise BrokenOffTls(f"has broken off TLS: {explained(error)}") from None
            else:
                return count
