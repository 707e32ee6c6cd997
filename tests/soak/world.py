"""What all kinds of work share: the way to the broker, the pace, and the count of what was done and went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import trio

from kafkapy_wire.errors import ErrorCode
from tests.shell.running_node import Client

HOST = "127.0.0.1"
PAUSE_STRETCH_MIN, PAUSE_STRETCH_MAX = 0.02, 50.0

EVENTS, TABLE, LEDGER = "events", "table", "ledger"
"""Topics that are there all the time: deleted by size, compacted, written in transactions."""
PARTITION_COUNTS = {EVENTS: 4, TABLE: 2, LEDGER: 4}


class Tally:
    """How often each kind of work was done, and every error code by kind."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.expected: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()

    def error(self, kind: str, code: int, allowed: Iterable[ErrorCode] = ()) -> bool:
        """Whether `code` is one; it is counted, as unexpected when it is not `allowed`."""
        if code == ErrorCode.NONE:
            return False
        counter = self.expected if code in tuple(allowed) else self.unexpected
        counter[f"{kind}: {ErrorCode(code).name}"] += 1
        return True

    def wrong(self, kind: str, what: str) -> None:
        self.unexpected[f"{kind}: {what}"] += 1


class Pace:
    """How long work pauses between requests; stretched or shortened until the broker is as busy as it should be."""

    def __init__(self, random: Random, busy_share: float) -> None:
        self._random = random
        self._busy_share = busy_share
        self.stretch = 1.0

    async def pause(self, seconds: float) -> None:
        await trio.sleep(seconds * self.stretch * self._random.uniform(0.5, 1.5))

    async def govern(self, cpu_seconds: Callable[[], float]) -> None:
        """Follow the broker's CPU time, until cancelled."""
        before, at = cpu_seconds(), trio.current_time()
        while True:
            await trio.sleep(1)
            now, seconds = trio.current_time(), cpu_seconds()
            busy = (seconds - before) / (now - at)
            before, at = seconds, now
            change = min(max(busy / self._busy_share, 0.7), 1.4)
            self.stretch = min(max(self.stretch * change, PAUSE_STRETCH_MIN), PAUSE_STRETCH_MAX)


class World:
    """The broker at `port` as its clients see it."""

    def __init__(self, port: int, *, seed: int, busy_share: float) -> None:
        self.port = port
        self.random = Random(seed)
        self.tally = Tally()
        self.pace = Pace(self.random, busy_share)
        self.steady_ids: set[str] = set()
        """Transactional ids that are used again and again, as long as a producer works under them."""
        self._numbers = count()

    def fresh(self, prefix: str) -> str:
        """A name that nothing has had."""
        return f"{prefix}-{next(self._numbers)}"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        """A connection that is closed at the end of the block, also in the middle of an answer."""
        stream = await trio.open_tcp_stream(HOST, self.port)
        try:
            client = Client(stream)
            client.client_id = "soak"
            yield client
        finally:
            stream.socket.close()

    def partition(self, topic: str) -> int:
        return self.random.randrange(PARTITION_COUNTS[topic])
