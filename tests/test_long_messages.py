"""Long messages outside a socket of their own: those in an Envelope are as bounded, and leave turns to others."""

from __future__ import annotations

import pytest
import trio

from kafkapy.long_messages import ELEMENTS_MAX, decoded, encoded
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest

VERSION = 5


def request(count: int) -> DeleteTopicsRequest:
    return DeleteTopicsRequest(topic_names=[f"topic-{n}" for n in range(count)])


async def passes_during(work: object) -> int:
    """How often another task runs meanwhile."""
    passes = 0

    async def count() -> None:
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await trio.lowlevel.checkpoint()
        before = passes
        await work  # type: ignore[misc]
        nursery.cancel_scope.cancel()
    return passes - before


def test_a_long_message_is_decoded_and_encoded_in_turns() -> None:
    async def play() -> None:
        long = request(ELEMENTS_MAX - 1)
        data = encode(long, VERSION)
        assert await decoded(DeleteTopicsRequest, memoryview(data), 0, VERSION) == long
        assert await encoded(long, VERSION) == data
        assert await passes_during(decoded(DeleteTopicsRequest, memoryview(data), 0, VERSION)) > 1
        assert await passes_during(encoded(long, VERSION)) > 1

    trio.run(play)


@pytest.mark.parametrize("count", [2, ELEMENTS_MAX * 2])
def test_what_is_too_long_or_longer_than_its_message_is_malformed(count: int) -> None:
    async def play() -> None:
        data = encode(request(count), VERSION) + (b"" if count > ELEMENTS_MAX else b"\0")
        with pytest.raises(MalformedMessage):
            await decoded(DeleteTopicsRequest, memoryview(data), 0, VERSION)

    trio.run(play)
