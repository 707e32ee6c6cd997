"""Requests to another node, against a socket that answers as the test wants."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from kafkapy.peers import Peers, PeerUnavailable
from kafkapy.peers.peer import Peer
from kafkapy.peers.peer_socket import RECEIVED_AT_ONCE, SMALL_BYTES
from kafkapy.turns import Turn
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.messages.api_versions import ApiVersion, ApiVersionsResponse
from kafkapy_wire.messages.fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.uuid import Uuid
from tests.shell.running_node import trio_test

VERSION = 17
TOPIC_ID = Uuid(b"topic-id-is-here")
LIMIT_SECONDS = 60

Answering = Callable[[trio.SocketStream, int], Awaitable[None]]


class OtherNode:
    """Answers ApiVersions by itself, and each Fetch with `answer(stream, correlation_id)`."""

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.connections = 0
        self.client_ids: list[str | None] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        received = bytearray()
        try:
            while True:
                while len(received) < 4 or len(received) < 4 + struct.unpack_from(">i", received)[0]:
                    more = await stream.receive_some()
                    if not more:
                        return
                    received += more
                size: int = struct.unpack_from(">i", received)[0]
                key = struct.unpack_from(">h", received, 4)[0]
                header, _ = decode_from(RequestHeader, bytes(received[4 : 4 + size]), 0, 2)
                del received[: 4 + size]
                self.client_ids.append(header.client_id)
                if key == ApiKey.API_VERSIONS:
                    versions = [ApiVersion(api_key=ApiKey.FETCH, min_version=4, max_version=VERSION)]
                    body = encode(ApiVersionsResponse(api_keys=versions), 3)
                    await stream.send_all(struct.pack(">ii", 4 + len(body), header.correlation_id) + body)
                else:
                    await self.answer(stream, header.correlation_id)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # one of the two has closed the connection, as it should


@asynccontextmanager
async def other_node(answer: Answering) -> AsyncIterator[tuple[OtherNode, Peer]]:
    node = OtherNode(answer)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, node.serve, [listener])
        peer = Peer("127.0.0.1", listener.socket.getsockname()[1], client_id="test")
        with trio.fail_after(LIMIT_SECONDS):
            yield node, peer
        peer.close()
        nursery.cancel_scope.cancel()


def fetched(size: int, correlation_id: int) -> bytes:
    """A whole answer with so many bytes of records."""
    data = PartitionData(partition_index=0, high_watermark=1, records=bytes(range(256)) * (size // 256 + 1))
    body = encode(FetchResponse(responses=[FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[data])]), VERSION)
    return struct.pack(">iix", 5 + len(body), correlation_id) + body


async def ask(peer: Peer, timeout_ms: float = 5_000) -> FetchResponse:
    answer = await peer.ask(FetchRequest(), timeout_ms=timeout_ms)
    assert isinstance(answer, FetchResponse)
    return answer


@pytest.mark.parametrize("size", [0, SMALL_BYTES - 200, SMALL_BYTES, 1 << 20, RECEIVED_AT_ONCE, 5 * RECEIVED_AT_ONCE])
@pytest.mark.parametrize("pieces", [1, 3])
@trio_test
async def test_answers_of_all_sizes_come_whole(size: int, pieces: int) -> None:
    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        frame = fetched(size, correlation_id)
        step = len(frame) // pieces + 1
        for start in range(0, len(frame), step):
            await stream.send_all(frame[start : start + step])
            await trio.lowlevel.checkpoint()

    async with other_node(answer) as (node, peer):
        for _ in range(2):
            records = (await ask(peer)).responses[0].partitions[0].records
            assert isinstance(records, memoryview)
            assert records == bytes(range(256)) * (size // 256 + 1)
        assert node.connections == 1
        assert set(node.client_ids) == {"test"}


@trio_test
async def test_the_records_of_an_answer_outlive_the_next_request() -> None:
    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        await stream.send_all(fetched(1_000 * correlation_id, correlation_id))

    async with other_node(answer) as (_, peer):
        first = (await ask(peer)).responses[0].partitions[0].records
        assert isinstance(first, memoryview)
        before = bytes(first)
        await ask(peer)
        assert first == before


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (struct.pack(">i", -1), "does not speak Kafka's protocol"),
        (struct.pack(">i", 1 << 30), "does not speak Kafka's protocol"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak Kafka's protocol"),
        (struct.pack(">iix", 5, 77), "answered another request"),
        (struct.pack(">iix", 5, 2), "invalid answer to FETCH"),
        (fetched(10, 2) + b"\0", "sent more than one answer"),
        (fetched(10, 2)[:-3], "closed the connection"),
        (b"", "closed the connection"),
    ],
)
@trio_test
async def test_what_is_no_answer_ends_the_connection(frame: bytes, reason: str) -> None:
    async def answer(stream: trio.SocketStream, _correlation_id: int) -> None:
        await stream.send_all(frame)
        await stream.send_eof()

    async with other_node(answer) as (node, peer):
        with pytest.raises(PeerUnavailable, match=reason):
            await ask(peer)
        with pytest.raises(PeerUnavailable):
            await ask(peer)
        assert node.connections == 2


@trio_test
async def test_a_late_answer_is_not_taken_for_that_of_the_next_request() -> None:
    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        if node.connections > 1:
            await stream.send_all(fetched(10, correlation_id))

    async with other_node(answer) as (node, peer):
        with pytest.raises(PeerUnavailable, match="has not answered within 20 ms"):
            await ask(peer, timeout_ms=20)
        assert (await ask(peer)).responses
        assert node.connections == 2


@trio_test
async def test_requests_to_one_peer_wait_for_one_another() -> None:
    asked: list[int] = []

    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        asked.append(correlation_id)
        await trio.testing.wait_all_tasks_blocked()
        assert asked[-1] == correlation_id
        await stream.send_all(fetched(10, correlation_id))

    async with other_node(answer) as (node, peer), trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask, peer)
    assert len(asked) == 3
    assert node.connections == 1


@trio_test
async def test_a_connection_that_the_other_node_has_closed_is_made_again() -> None:
    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        await stream.send_all(fetched(10, correlation_id))
        await stream.aclose()
        closed.set()

    closed = trio.Event()
    async with other_node(answer) as (node, peer):
        await ask(peer)
        await closed.wait()
        await ask(peer)
        assert node.connections == 2


@trio_test
async def test_closing_a_peer_ends_the_wait_for_its_answer() -> None:
    asked = trio.Event()

    async def answer(_stream: trio.SocketStream, _correlation_id: int) -> None:
        asked.set()
        await trio.sleep_forever()

    async with other_node(answer) as (_, peer), trio.open_nursery() as nursery:

        async def close() -> None:
            await asked.wait()
            peer.close()

        nursery.start_soon(close)
        with pytest.raises(PeerUnavailable, match="lost the connection"):
            await ask(peer)


@trio_test
async def test_a_long_answer_is_decoded_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower of ten thousand partitions gets one when it begins a session."""
    monkeypatch.setattr("kafkapy.turns.TURN_SECONDS", 0.0)
    partitions = [PartitionData(partition_index=index, records=b"") for index in range(5_000)]
    body = encode(FetchResponse(responses=[FetchableTopicResponse(topic_id=TOPIC_ID, partitions=partitions)]), VERSION)

    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        await stream.send_all(struct.pack(">iix", 5 + len(body), correlation_id) + body)

    shared = 0
    share = Turn.share

    async def count_and_share(turn: Turn) -> None:
        nonlocal shared
        shared += 1
        await share(turn)

    monkeypatch.setattr(Turn, "share", count_and_share)
    async with other_node(answer) as (_, peer):
        answered = await ask(peer)
    assert [each.partition_index for each in answered.responses[0].partitions] == list(range(5_000))
    assert shared >= 5


@pytest.mark.parametrize("garbage", [b"\0", bytes(100)])
@trio_test
async def test_bytes_behind_a_long_answer_are_no_answer(garbage: bytes) -> None:
    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        frame = fetched(100_000, correlation_id) + garbage
        await stream.send_all(struct.pack(">i", len(frame) - 4) + frame[4:])

    async with other_node(answer) as (_, peer):
        with pytest.raises(PeerUnavailable, match="sent an invalid answer to FETCH"):
            await ask(peer)


@trio_test
async def test_connections_to_where_a_node_was_are_closed() -> None:
    """It comes back at another address each time."""

    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        await stream.send_all(fetched(10, correlation_id))

    peers = Peers(lambda _: None, client_id="test")
    asked = []
    for _ in range(3):
        async with other_node(answer) as (_, at):
            asked.append(peers.at(at.host, at.port, "fetch"))
            await ask(asked[-1])
            held = [peer for peer in asked if peer._socket is not None]
            assert held == asked[-1:]
        await trio.testing.wait_all_tasks_blocked()
    peers.close()


@trio_test
async def test_a_suspended_node_asks_nothing_and_takes_no_answer() -> None:
    asked: list[int] = []

    async def answer(stream: trio.SocketStream, correlation_id: int) -> None:
        asked.append(correlation_id)
        suspension.begin()  # while the answer is on its way
        await stream.send_all(fetched(0, correlation_id))

    taken: list[FetchResponse] = []

    async def take(peer: Peer) -> None:
        taken.append(await ask(peer))

    async with other_node(answer) as (_, peer), trio.open_nursery() as nursery:
        suspension = peer._suspension
        for count in (1, 2):
            nursery.start_soon(take, peer)
            while len(asked) < count:
                await trio.lowlevel.checkpoint()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(taken) == count - 1
            suspension.end()
            while len(taken) < count:
                await trio.lowlevel.checkpoint()
        suspension.begin()
        nursery.start_soon(take, peer)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert len(asked) == 2
        suspension.end()
        while len(taken) < 3:
            await trio.lowlevel.checkpoint()
            if len(asked) == 3:
                suspension.end()
