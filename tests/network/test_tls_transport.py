"""TLS over a socket that takes and gives bytes as it likes: nothing is lost, doubled or held back."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from kafkapy.errors import CloseConnection
from kafkapy.network.outbox import Outbox
from kafkapy.network.tls_transport import ENCRYPTED_AT_ONCE, SEND_TURN_BYTES, UNASKED_BYTES_MAX, TlsTransport
from kafkapy.network.transport import FileEndsEarly
from kafkapy_log import FileSlice
from tests.tls.certificates import certificates, client_context


class Peer:
    """The other end: TLS in memory, and a socket that it reads and writes when a test says so."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.socket = sock
        sock.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def push(self) -> None:
        self.socket.sendall(self.outgoing.read())

    def pull(self, size: int = 1 << 20) -> bool:
        """Take bytes from the socket. Returns whether there were any."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return False
        self.incoming.write(data)
        return bool(data)

    def read(self) -> bytes:
        """What was decrypted so far."""
        data = bytearray()
        try:
            while piece := self.tls.read(1 << 16):
                data += piece
        except ssl.SSLWantReadError:
            pass
        return bytes(data)


Pair = tuple[TlsTransport, Peer]


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A transport after its handshake, and its peer; the socket between has little room."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 10)
    ours.setblocking(False)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates().path("server", ".crt"), certificates().path("server", ".key"))
    context = client_context()
    if request.param == "TLSv1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    peer = Peer(theirs, context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.wrap_bio(incoming, outgoing, server_side=True)
    done = [False, False]
    while not all(done):
        for index, each in enumerate((peer.tls, tls)):
            try:
                each.do_handshake()
                done[index] = True
            except ssl.SSLWantReadError:
                pass
            incoming.write(peer.outgoing.read())
            if not all(done):
                peer.incoming.write(outgoing.read())
    transport = TlsTransport(ours, tls, incoming, outgoing, None)
    with theirs:
        yield transport, peer
        transport.close()


def test_receiving_in_pieces_of_any_size(pair: Pair) -> None:
    """A view may be smaller than a record: then there is more to receive of which no poller tells."""
    transport, peer = pair
    random = Random(3)
    sent, received = random.randbytes(200_000), bytearray()
    assert transport.receive_into(memoryview(bytearray(10))) is None
    position = 0
    while len(received) < len(sent):
        if position < len(sent) and not transport.has_unread:
            size = random.choice((1, 100, 5_000))
            peer.tls.write(sent[position : position + size])
            position += size
            peer.push()
        view = memoryview(bytearray(random.choice((1, 7, 4_096, 65_536))))
        count = transport.receive_into(view)
        received += view[: count or 0]
    assert received == sent
    assert not transport.has_unread
    assert transport.receive_into(memoryview(bytearray(10))) is None


def test_all_records_that_have_come_are_given_before_the_end(pair: Pair) -> None:
    transport, peer = pair
    peer.tls.write(b"last words")
    with pytest.raises(ssl.SSLError):
        peer.tls.unwrap()
    peer.push()
    peer.socket.shutdown(socket.SHUT_WR)
    view = memoryview(bytearray(4))
    words = bytearray()
    while count := transport.receive_into(view):
        words += view[:count]
    assert words == b"last words"
    assert count == 0
    assert transport.receive_into(view) == 0


def test_a_fin_without_farewell_is_an_end(pair: Pair) -> None:
    transport, peer = pair
    peer.socket.shutdown(socket.SHUT_WR)
    assert transport.receive_into(memoryview(bytearray(4))) == 0


def test_bytes_that_were_tampered_with_end_the_connection(pair: Pair) -> None:
    transport, peer = pair
    peer.tls.write(b"some words")
    record = bytearray(peer.outgoing.read())
    record[-1] ^= 1
    peer.socket.sendall(record)
    with pytest.raises(CloseConnection, match=r"TLS cannot go on: .*mac"):
        transport.receive_into(memoryview(bytearray(100)))
    peer.pull()
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        peer.read()


def send_all(transport: TlsTransport, peer: Peer, data: bytes, random: Random) -> bytes:
    """As an outbox does it, while the peer reads now and then."""
    position, received = 0, bytearray()
    while position < len(data):
        size = random.choice((1, 100, 70_000, len(data)))
        position += transport.send(memoryview(data)[position : position + size])
        if random.random() < 0.7:
            peer.pull(random.choice((10, 5_000, 1 << 20)))
    while peer.pull():
        pass
    return bytes(received) + peer.read()


def test_sending_to_a_peer_that_reads_in_pieces(pair: Pair) -> None:
    transport, peer = pair
    random = Random(5)
    data = random.randbytes(900_000)
    assert send_all(transport, peer, data, random) == data
    assert send_all(transport, peer, b"and more", random) == b"and more"


def test_bytes_count_as_taken_when_their_records_have_left(pair: Pair) -> None:
    """Else the caller would not come back, and the last record would wait for ever."""
    transport, peer = pair
    data = bytes(ENCRYPTED_AT_ONCE)
    sent = transport.send(bytearray(data))
    assert sent < len(data)
    while sent < len(data):
        assert peer.pull()
        sent += transport.send(memoryview(data)[sent:])
    while peer.pull():
        pass
    assert peer.read() == data


def test_a_large_answer_does_not_hold_the_loop(pair: Pair) -> None:
    transport, peer = pair
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    transport._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 20)
    assert transport.send(bytearray(3 * SEND_TURN_BYTES)) <= SEND_TURN_BYTES


def test_answers_and_ranges_of_files_leave_in_order(pair: Pair, tmp_path: Path) -> None:
    transport, peer = pair
    random = Random(7)
    content = random.randbytes(600_000)
    path = tmp_path / "segment"
    path.write_bytes(content)
    outbox = Outbox(transport)
    expected = bytearray()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for start, length in ((0, 10), (100, 300_000), (5, 1), (200_000, 400_000)):
            text = random.randbytes(random.choice((1, 20_000)))
            outbox.append_bytes(text)
            outbox.ranges.append((len(outbox.buffer), _piece(descriptor, start, length)))
            expected += text + content[start : start + length]
        outbox.append_bytes(b"end")
        expected += b"end"
        while not outbox.pump():
            peer.pull(random.choice((3_000, 1 << 20)))
        while peer.pull():
            pass
        assert peer.read() == expected
        with pytest.raises(FileEndsEarly, match="ends at 600000"):
            transport.send_file(descriptor, 600_000, 1)
    finally:
        os.close(descriptor)


class _Piece:
    """A range of an open file, as answers have it."""

    def __init__(self, fd: int, position: int, length: int) -> None:
        self.fd, self.position, self.length = fd, position, length

    def __len__(self) -> int:
        return self.length

    def release(self) -> None: ...


def _piece(fd: int, position: int, length: int) -> FileSlice:
    return _Piece(fd, position, length)  # type: ignore[return-value]  # all that an outbox asks of a slice


def test_the_peer_hears_a_farewell(pair: Pair) -> None:
    transport, peer = pair
    transport.close()
    while peer.pull():
        pass
    assert peer.read() == b"", "close_notify, so that nothing was cut off"


def test_a_reset_has_no_farewell(pair: Pair) -> None:
    """A peer that heard one would take the end for an orderly one."""
    transport, peer = pair
    transport.reset()
    transport.close()
    with suppress(ConnectionResetError):
        assert not peer.pull()
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.read(1)


def test_a_peer_that_asks_for_keys_and_does_not_read_is_dropped(pair: Pair) -> None:
    """TLS 1.3 lets either side ask the other for new keys as often as it likes. Python cannot ask for them itself."""
    transport, peer = pair
    transport._outgoing.write(bytes(UNASKED_BYTES_MAX + (32 << 10)))  # as if it had
    peer.tls.write(b"x")
    peer.push()
    with pytest.raises(CloseConnection, match="does not read what it has asked TLS for"):
        transport.receive_into(memoryview(bytearray(10)))


def test_large_records_may_come_in_small_pieces(pair: Pair) -> None:
    """Until a record is whole there is no data, either; a peer that sends TLS alone is closed."""
    transport, peer = pair
    buffer = memoryview(bytearray(1 << 20))
    for _ in range(5):
        peer.tls.write(bytes(16_000))
        record = peer.outgoing.read()
        for start in range(0, len(record), 1_000):
            peer.socket.sendall(record[start : start + 1_000])
            received = transport.receive_into(buffer)
        assert received == 16_000
