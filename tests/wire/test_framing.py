"""Frames come out of the stream as they went in, and the buffer keeps its bounds."""

from __future__ import annotations

import random
import struct
from types import ModuleType

import pytest

from kafkapy_wire.errors import MalformedFrame
from kafkapy_wire.framing import (
    DIRECT_GROWTH_BYTES_MAX,
    KEPT_BYTES_MAX,
    KEPT_FOR_FRAMES,
    SPACE_BYTES,
    RequestBuffer,
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


FRAMES = [b"", b"a", b"x" * 1000, b"", b"y" * (SPACE_BYTES - 4), b"z" * (SPACE_BYTES - 3), b"w" * 200_000, b"end"]


@pytest.mark.parametrize("chunk_bytes", [1, 3, 4096, SPACE_BYTES, 10**9])
def test_frames_come_out_as_they_went_in(chunk_bytes: int) -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    assert feed(buffer, framed(*FRAMES), chunk_bytes) == FRAMES
    assert len(buffer) == 0
    assert buffer.next_frame() is None


def test_frames_left_unread_stay_while_more_comes() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = framed(b"one", b"two") + framed(b"x" * SPACE_BYTES)
    for byte in stream:
        buffer.space()[0] = byte
        buffer.filled(1)
    assert [bytes(frame) for frame in iter(buffer.next_frame, None)] == [b"one", b"two", b"x" * SPACE_BYTES]


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


def test_memory_shrinks_after_a_large_frame() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    assert [len(frame) for frame in feed(buffer, framed(b"x" * 10_000_000), SPACE_BYTES)] == [10_000_000]
    buffer.space()
    assert buffer.capacity_bytes == SPACE_BYTES


def test_memory_stays_for_a_run_of_large_frames_and_not_for_long_after() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    feed(buffer, framed(b"x" * 1_000_000), SPACE_BYTES)
    buffer.space()
    assert 1_000_000 < buffer.capacity_bytes <= KEPT_BYTES_MAX
    for _ in range(KEPT_FOR_FRAMES):
        assert feed(buffer, framed(b"small"), 100) == [b"small"]
    buffer.space()
    assert buffer.capacity_bytes == SPACE_BYTES


def test_a_quiet_connection_gives_its_memory_back() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    feed(buffer, framed(b"x" * 1_000_000), SPACE_BYTES)
    buffer.trim()
    assert buffer.capacity_bytes == SPACE_BYTES
    assert feed(buffer, framed(b"small"), 100) == [b"small"]


def test_trimming_keeps_what_is_unread() -> None:
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = framed(b"x" * 1_000_000)
    feed(buffer, stream[:500_000], SPACE_BYTES)
    buffer.trim()
    assert feed(buffer, stream[500_000:], SPACE_BYTES) == [b"x" * 1_000_000]


def test_memory_shrinks_while_the_next_frame_is_half_there() -> None:
    """A connection that never pauses must not keep the memory of its largest request."""
    buffer = RequestBuffer(REQUEST_BYTES_MAX)
    stream = framed(b"x" * 10_000_000) + framed(b"small")
    feed(buffer, stream[:-3], 100_000)
    buffer.space()
    assert buffer.capacity_bytes == SPACE_BYTES
    assert feed(buffer, stream[-3:], 100) == [b"small"]


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


def test_random_streams_in_random_pieces(fuzz_wire: ModuleType) -> None:
    source = random.Random(20262)
    for _ in range(200):
        fuzz_wire.check_framing(source)
