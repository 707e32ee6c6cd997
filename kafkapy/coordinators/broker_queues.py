"""What is to be said to other brokers: one request at a time to each, with all that has come together meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class BrokerQueues(Generic[T]):
    """A queue for each broker that something is to be sent to, while `run` runs.

    `send(broker id, items)` sends one request and settles its items, whatever comes of it. It returns those that did
    not fit into the request: they go first in the next one.
    """

    def __init__(self, send: Callable[[int, list[T]], Awaitable[list[T]]]) -> None:
        self._send = send
        self._queues: dict[int, list[T]] = {}
        self._sending: set[int] = set()
        self._wanted = trio.Event()

    def put(self, broker_id: int, item: T) -> None:
        self._queues.setdefault(broker_id, []).append(item)
        if broker_id not in self._sending:
            self._wanted.set()

    async def run(self) -> None:
        """Send what is put, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                for broker_id in self._queues.keys() - self._sending:
                    self._sending.add(broker_id)
                    nursery.start_soon(self._send_to, broker_id)

    async def _send_to(self, broker_id: int) -> None:
        try:
            while items := self._queues.pop(broker_id, None):
                left = await self._send(broker_id, items)
                if left:
                    self._queues[broker_id] = left + self._queues.get(broker_id, [])
        finally:
            self._sending.discard(broker_id)
