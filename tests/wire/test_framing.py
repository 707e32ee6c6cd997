"""Frames come out of the stream as they went in, and the buffer keeps its bounds."""

from __future__ import annotations

import random
import struct
from mmap import PAGESIZE
from pathlib import Path
from types import ModuleType

import pytest

from kafkapy_wire.errors import MalformedFrame
from kafkapy_wire.framing import (
    COPIED_BYTES_MAX,
    DIRECT_GROWTH_BYTES_MAX,
    SHARED_BYTES,
    SPARE_BYTES_MAX,
    SPARE_COUNT_MAX,
    ReceiveBuffers,
    RequestBuffer,
    begins_with_frame,
)

REQUEST_BYTES_MAX = 100 * 1024 * 1024


def framed(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)


def feed(buffer: RequestBuffer, stream: bytes, chunk_bytes: int) -> list[bytes]:
    received = []
    position = 0
    while position < len(stream):
        space = buffer.space()
        assert len(space) > 0
        count = min(len(space), chunk_bytes, len(stream) - position)
        space[:count] = stream[position : position + count]
        buffer.filled(count)
        position += count
        while (frame := buffer.next_frame()) is not None:
            received.append(bytes(frame))
    return received


FRAMES = [b"", b"a", b"x" * 1000, b"", b"y" * (SHARED_BYTES - 4), b"z" * (SHARED_BYTES - 3), b"w" * 200_000, b"end"]


@pytest.mark.parametrize("chunk_bytes", [1, 3, 4096, SHARED_BYTES, 10**9])
def test_frames_come_out_as_they_went_in(chunk_bytes: int) -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    assert feed(buffer, framed(*FRAMES), chunk_bytes) == FRAMES
    assert len(buffer) == 0
    assert buffer.next_frame() is None


def test_frames_left_unread_stay_while_more_comes() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = framed(b"one", b"two") + framed(b"x" * SHARED_BYTES)
    for byte in stream:
        buffer.space()[0] = byte
        buffer.filled(1)
    assert [bytes(frame) for frame in iter(buffer.next_frame, None)] == [b"one", b"two", b"x" * SHARED_BYTES]


@pytest.mark.parametrize("size", [-1, -(2**31), 1001, 2**31 - 1])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    buffer = RequestBuffer(1000)
    with pytest.raises(MalformedFrame, match=str(size)):
        feed(buffer, framed(b"fine") + struct.pack(">i", size), 10**9)


def test_the_largest_size_is_taken() -> None:
    assert feed(RequestBuffer(1000), framed(b"x" * 1000), 7) == [b"x" * 1000]


def test_an_announced_size_claims_no_memory_that_has_not_come() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    feed(buffer, struct.pack(">i", REQUEST_BYTES_MAX) + b"x" * 10, 14)
    buffer.space()
    assert buffer.capacity_bytes <= DIRECT_GROWTH_BYTES_MAX


def test_memory_shrinks_while_the_next_frame_is_half_there() -> None:
    """A connection that never pauses must not keep the memory of its largest request."""
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = framed(b"x" * 10_000_000) + framed(b"small")
    feed(buffer, stream[:-3], 100_000)
    buffer.space()
    assert buffer.capacity_bytes == SHARED_BYTES
    assert feed(buffer, stream[-3:], 100) == [b"small"]


class Reader:
    """One connection that receives into the buffers of a server."""

    def __init__(self, buffers: ReceiveBuffers) -> None:
        self.buffers = buffers
        self.kept: bytes | RequestBuffer | None = None
        self.frames: list[bytes] = []

    def receive(self, data: bytes, *, take: bool = True) -> None:
        while data:
            buffer = self.buffers.fetch(self.kept)
            space = buffer.space()
            count = min(len(space), len(data))
            space[:count] = data[:count]
            buffer.filled(count)
            while take and (frame := buffer.next_frame()) is not None:
                self.frames.append(bytes(frame))
            self.kept = self.buffers.keep(buffer)
            data = data[count:]

    @property
    def kept_bytes(self) -> int:
        if isinstance(self.kept, RequestBuffer):
            return self.kept.capacity_bytes
        return len(self.kept or b"")


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1_000, 5_000, 50_000])
def test_connections_share_a_buffer_and_get_their_own_frames(chunk_bytes: int) -> None:
    buffers = ReceiveBuffers(REQUEST_BYTES_MAX)
    sizes = (0, 1, 300, COPIED_BYTES_MAX, 20_000) if chunk_bytes < 1_000 else (0, 3_000, SHARED_BYTES, 300_000, 17)
    readers = [Reader(buffers) for _ in range(3)]
    frames = [[bytes([65 + number]) * size for size in sizes] for number in range(3)]
    streams = [framed(*of_one) for of_one in frames]
    for position in range(0, len(streams[0]), chunk_bytes):
        for reader, stream in zip(readers, streams, strict=True):
            reader.receive(stream[position : position + chunk_bytes])
    for reader, sent in zip(readers, frames, strict=True):
        assert reader.frames == sent
        assert reader.kept is None


def test_half_a_frame_is_kept_in_the_bytes_that_have_come() -> None:
    reader = Reader(ReceiveBuffers(REQUEST_BYTES_MAX))
    reader.receive(framed(b"whole") + struct.pack(">i", REQUEST_BYTES_MAX) + b"half")
    assert reader.kept == struct.pack(">i", REQUEST_BYTES_MAX) + b"half"
    reader.receive(b"x" * COPIED_BYTES_MAX)
    assert reader.kept_bytes <= DIRECT_GROWTH_BYTES_MAX


def test_a_frame_that_fits_gets_a_buffer_of_its_size() -> None:
    reader = Reader(ReceiveBuffers(REQUEST_BYTES_MAX))
    reader.receive(framed(b"x" * 30_000)[:20_000])
    assert reader.kept_bytes == 4 + 30_000


def test_buffers_of_large_frames_are_used_again_and_given_back_when_none_come() -> None:
    buffers = ReceiveBuffers(REQUEST_BYTES_MAX)
    readers = [Reader(buffers) for _ in range(SPARE_COUNT_MAX + 2)]
    large = framed(b"x" * 1_000_000)
    for reader in readers:
        reader.receive(large[:-1])
    of_first = readers[0].kept
    for reader in readers:
        reader.receive(large[-1:])
    again = Reader(buffers)
    again.receive(large[:-1])
    spare = [reader.kept for reader in readers]
    assert spare == [None] * len(readers)
    assert isinstance(again.kept, RequestBuffer)
    assert again.kept.capacity_bytes <= SPARE_BYTES_MAX
    again.receive(large[-1:])
    buffers.trim()  # they were used lately
    buffers.trim()
    fresh = Reader(buffers)
    fresh.receive(large[:-1])
    assert fresh.kept is not of_first
    assert [len(frame) for frame in again.frames] == [1_000_000]


def test_a_very_large_buffer_is_not_kept_for_others() -> None:
    buffers = ReceiveBuffers(REQUEST_BYTES_MAX)
    reader = Reader(buffers)
    reader.receive(framed(b"x" * (SPARE_BYTES_MAX + 10)))
    assert len(reader.frames) == 1
    reader.receive(framed(b"x" * 100_000)[:-1])
    assert reader.kept_bytes < SPARE_BYTES_MAX


def test_what_a_failed_connection_left_is_nobody_elses() -> None:
    buffers = ReceiveBuffers(REQUEST_BYTES_MAX)
    buffer = buffers.fetch(None)
    buffer.space()[:8] = b"secrets!"
    buffer.filled(8)  # and then it is closed, without `keep`
    other = Reader(buffers)
    other.receive(framed(b"mine"))
    assert other.frames == [b"mine"]


def test_a_frame_that_is_still_in_use_keeps_its_bytes() -> None:
    buffers = ReceiveBuffers(REQUEST_BYTES_MAX)
    buffer = buffers.fetch(None)
    data = framed(b"in use", b"next")
    buffer.space()[: len(data)] = data
    buffer.filled(len(data))
    frame = buffer.next_frame()
    assert frame is not None
    buffer.leave_memory()
    following = buffer.next_frame()
    assert bytes(following or b"") == b"next"
    Reader(buffers).receive(framed(b"other bytes of another one"))
    assert bytes(frame) == b"in use"


@pytest.mark.parametrize(
    ("kept", "is_frame"),
    [(b"", False), (framed(b"ab")[:-1], False), (framed(b"ab"), True), (b"\x7f\0\0\0", True), (b"\xff" * 4, True)],
)
def test_whole_frames_and_wrong_sizes_are_seen_without_taking_them(kept: bytes, *, is_frame: bool) -> None:
    assert begins_with_frame(kept, REQUEST_BYTES_MAX) is is_frame
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    buffer.put(kept)
    assert begins_with_frame(buffer, REQUEST_BYTES_MAX) is is_frame
    assert not begins_with_frame(None, REQUEST_BYTES_MAX)


def test_a_large_frame_is_moved_at_most_a_few_times() -> None:
    """Growth doubles: the bytes moved stay in proportion to the bytes received."""
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = framed(b"x" * 20_000_000)
    capacities = set()
    position = 0
    while position < len(stream):
        space = buffer.space()
        count = min(len(space), 50_000, len(stream) - position)
        space[:count] = stream[position : position + count]
        buffer.filled(count)
        position += count
        capacities.add(buffer.capacity_bytes)
    assert len(capacities) <= 8
    assert buffer.next_frame() is not None


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_a_very_large_frame_is_moved_once_and_claims_what_has_come() -> None:
    """Nobody else is served while bytes are moved: 0.4 s for a frame of 100 MB whose buffer doubled."""
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = memoryview(framed(bytes(60_000_000)))
    resident = Path("/proc/self/statm")
    before = int(resident.read_text().split()[1])
    capacities = []
    position = 0
    while position < len(stream):
        space = buffer.space()
        if buffer.capacity_bytes not in capacities:
            capacities.append(buffer.capacity_bytes)
        if position < 2 * DIRECT_GROWTH_BYTES_MAX:
            pages = int(resident.read_text().split()[1]) - before
            assert pages * PAGESIZE < 8 * DIRECT_GROWTH_BYTES_MAX, "only what has come takes memory"
        count = min(len(space), 50_000, len(stream) - position)
        space[:count] = stream[position : position + count]
        buffer.filled(count)
        position += count
    assert capacities == [SHARED_BYTES, DIRECT_GROWTH_BYTES_MAX, len(stream)]
    frame = buffer.next_frame()
    assert frame == stream[4:]
    buffer.leave_memory()
    assert feed(buffer, framed(b"next"), 100) == [b"next"]
    assert frame[-10:] == stream[-10:], "who holds a view of the frame still has it"


def test_random_streams_in_random_pieces(fuzz_wire: ModuleType) -> None:
    source = random.Random(20262)
    for _ in range(200):
        fuzz_wire.check_framing(source)
