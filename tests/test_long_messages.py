"""Long messages outside a socket of their own: those in an Envelope are as bounded, and leave turns to others."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio

from kafkapy.long_messages import ELEMENTS_MAX, decoded, encoded, free_in_turns, has_many_entries
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)

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


class Name(str):
    """Tells when it is freed."""

    __slots__ = ()
    freed = 0

    def __del__(self) -> None:
        Name.freed += 1


@pytest.mark.parametrize("is_nested", [False, True])
def test_the_entries_of_a_long_message_are_freed_in_turns(is_nested: bool) -> None:
    count = 50_000

    def message() -> MetadataRequest | DeleteTopicsRequest:
        names: list[str] = [Name(number) for number in range(count)]
        if is_nested:
            return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names])
        return DeleteTopicsRequest(topic_names=names)

    async def play() -> None:
        freed = [0]
        free_in_turns(message())
        while freed[-1] < count:
            await trio.lowlevel.checkpoint()
            freed.append(Name.freed)
        assert max(after - before for before, after in pairwise(freed)) < count / 2, "a turn frees some of them"

    Name.freed = 0
    trio.run(play)


@pytest.mark.parametrize("level", ["groups", "topics", "partitions"])
def test_many_entries_are_seen_at_every_level(level: str) -> None:
    def response(count: int) -> OffsetFetchResponse:
        counts = {"groups": 1, "topics": 1, "partitions": 1, level: count}
        partitions = [OffsetFetchResponsePartitions()] * counts["partitions"]
        topics = [OffsetFetchResponseTopics(partitions=partitions)] * counts["topics"]
        return OffsetFetchResponse(groups=[OffsetFetchResponseGroup(topics=topics)] * counts["groups"])

    assert not has_many_entries(response(50))
    assert has_many_entries(response(5_000))
