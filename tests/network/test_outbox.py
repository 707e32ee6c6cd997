"""Answers leave in order and whole, however little the socket takes at a time."""

from __future__ import annotations

import errno
import itertools

import pytest

from kafkapy.errors import CloseConnection
from kafkapy.network.outbox import SENDFILE_TURN_BYTES, Outbox
from kafkapy_wire.message import Message
from kafkapy_wire.messages.heartbeat import HeartbeatResponse


class SlowTransport:
    """Takes `at_most` bytes a call, and nothing at every call for which `blocks` says so."""

    def __init__(self, at_most: int = 1 << 30, blocks: tuple[bool, ...] = (False,)) -> None:
        self.received = bytearray()
        self._at_most = at_most
        self._blocks = itertools.cycle(blocks)
        self.file = b""
        self.file_error: OSError | None = None

    def fileno(self) -> int:
        return -1

    def receive_into(self, view: memoryview, /) -> int | None:
        return None

    def send(self, data: bytearray | memoryview, /) -> int:
        if next(self._blocks):
            return 0
        taken = bytes(data[: self._at_most])
        self.received += taken
        return len(taken)

    def send_file(self, fd: int, position: int, count: int, /) -> int:
        if self.file_error is not None:
            raise self.file_error
        if next(self._blocks):
            return 0
        taken = self.file[position : position + min(count, self._at_most)]
        self.received += taken
        return len(taken)

    def reset(self) -> None:
        raise AssertionError("no test resets this connection")

    def close(self) -> None:
        pass


class Range:
    """A stand-in for `FileSlice`."""

    def __init__(self, position: int, length: int) -> None:
        self.position = position
        self.length = length
        self.fd = 3
        self.releases = 0

    def __len__(self) -> int:
        return self.length

    def release(self) -> None:
        self.releases += 1


def records(*pieces: bytes | Range) -> Encoder:
    return Encoder(pieces)


class Encoder:
    """Encodes any message as these pieces."""

    def __init__(self, pieces: tuple[bytes | Range, ...]) -> None:
        self._pieces = pieces

    def __call__(self, _message: Message, out: bytearray, ranges: list[tuple[int, object]]) -> None:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                out += piece
            else:
                ranges.append((len(out), piece))


def pump_until_sent(outbox: Outbox) -> int:
    """How many calls it took."""
    for calls in range(1, 10_000):
        if outbox.pump():
            return calls
    raise AssertionError("never sent")


ANSWER = HeartbeatResponse()


def test_an_answer_has_its_size_correlation_id_and_tags() -> None:
    transport = SlowTransport()
    outbox = Outbox(transport)
    assert outbox.append(ANSWER, records(b"body"), 7, False) == 12
    assert outbox.append(ANSWER, records(b"body"), 8, True) == 13
    assert outbox.pump()
    assert bytes(transport.received) == b"\0\0\0\x08\0\0\0\x07body" + b"\0\0\0\x09\0\0\0\x08\0body"
    assert not outbox.buffer


@pytest.mark.parametrize("at_most", [1, 3, 10, 1_000])
@pytest.mark.parametrize("blocks", [(False,), (True, False), (False, True, True)])
def test_every_byte_leaves_once_and_in_order(at_most: int, blocks: tuple[bool, ...]) -> None:
    transport = SlowTransport(at_most, blocks)
    transport.file = bytes(range(256))
    outbox = Outbox(transport)
    ranges = [Range(10, 20), Range(0, 5), Range(200, 56)]
    outbox.append(ANSWER, records(b"first", ranges[0], b"second", ranges[1]), 1, False)
    assert not outbox.pump() or transport.received
    outbox.append(ANSWER, records(ranges[2]), 2, True)
    pump_until_sent(outbox)
    first = b"\0\0\0\x01first" + transport.file[10:30] + b"second" + transport.file[:5]
    second = b"\0\0\0\x02\0" + transport.file[200:]
    assert bytes(transport.received) == b"".join(len(one).to_bytes(4, "big") + one for one in (first, second))
    assert [one.releases for one in ranges] == [1, 1, 1]
    assert outbox.pump()


def test_one_call_sends_no_more_of_a_file_than_its_turn() -> None:
    transport = SlowTransport()
    transport.file = bytes(2 * SENDFILE_TURN_BYTES + 1)
    outbox = Outbox(transport)
    outbox.append(ANSWER, records(Range(0, len(transport.file))), 1, False)
    assert not outbox.pump()
    assert len(transport.received) == 8 + SENDFILE_TURN_BYTES
    assert pump_until_sent(outbox) == 2


def test_ranges_are_let_go_when_the_connection_is_finished() -> None:
    outbox = Outbox(SlowTransport(blocks=(True,)))
    waiting = Range(0, 10)
    outbox.append(ANSWER, records(b"a", waiting), 1, False)
    assert not outbox.pump()
    outbox.discard()
    assert waiting.releases == 1
    assert outbox.pump()


def test_a_disk_that_cannot_be_read_ends_the_connection() -> None:
    transport = SlowTransport()
    outbox = Outbox(transport)
    outbox.append(ANSWER, records(Range(0, 10)), 1, False)
    transport.file_error = OSError(errno.EIO, "bad sector")
    with pytest.raises(CloseConnection, match="cannot be read"):
        outbox.pump()


def test_a_peer_that_is_gone_is_an_os_error() -> None:
    transport = SlowTransport()
    outbox = Outbox(transport)
    outbox.append(ANSWER, records(Range(0, 10)), 1, False)
    transport.file_error = ConnectionResetError(errno.ECONNRESET, "reset")
    with pytest.raises(ConnectionResetError):
        outbox.pump()
