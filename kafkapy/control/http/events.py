"""What clients ask and are answered, as it happens: server-sent events, one for each exchange that has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import trio

from kafkapy.recording import exchange_as_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.recording import Exchange

BEHIND_MAX = 10_000
"""Events that a reader may be behind; it misses later ones, and is told how many."""
BEHIND_BYTES_MAX = 16 * 1024 * 1024
"""The same for the bytes of requests and answers."""
KEEP_ALIVE_SECONDS = 15


async def events_of(nodes: ControlledNodes) -> AsyncGenerator[str, None]:
    """Texts of events: `exchange` with an exchange as JSON, `missed` with a number. Until the reader leaves."""
    send, receive = trio.open_memory_channel["Exchange"](BEHIND_MAX)
    missed = waiting_bytes = 0

    def note(exchange: Exchange) -> None:
        nonlocal missed, waiting_bytes
        if waiting_bytes > BEHIND_BYTES_MAX:
            missed += 1
            return
        try:
            send.send_nowait(exchange)
        except trio.WouldBlock:
            missed += 1
        else:
            waiting_bytes += _size_bytes(exchange)

    stop = nodes.recording.watch(note)
    try:
        yield ": kafkapy tells what clients ask\n\n"
        while True:
            exchange = None
            with trio.move_on_after(KEEP_ALIVE_SECONDS):
                exchange = await receive.receive()
                waiting_bytes -= _size_bytes(exchange)
            if missed:
                told, missed = missed, 0
                yield f"event: missed\ndata: {told}\n\n"
            if exchange is None:
                yield ": nothing new\n\n"
            else:
                yield f"event: exchange\nid: {exchange.number}\ndata: {json.dumps(exchange_as_json(exchange))}\n\n"
    finally:
        stop()


def _size_bytes(exchange: Exchange) -> int:
    return len(exchange.request_frame) + len(exchange.response_frame)
