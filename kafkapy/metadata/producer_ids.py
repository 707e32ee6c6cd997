"""Producer ids, each given once: taken from blocks that the controller allocates through its log (KIP-730)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.pending import Pending, settled
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy_controller.producer_ids import ProducerIdBlock

NEXT_BLOCK_AT: Final = 0.9
"""When so much of a block is used, the next one is asked for, as in Apache Kafka: the controller may be slow."""


class ProducerIds:
    """Hands out ids of the current block; `run` asks for the next one before that is used up."""

    def __init__(self, allocate_block: Callable[[], Awaitable[ProducerIdBlock]], *, refuses: bool = False) -> None:
        """`allocate_block` may raise KafkaError. With `refuses` those who would have to wait for a block are refused
        when it is there, as if the controller had given none.
        """
        self._allocate_block = allocate_block
        self._refuses = refuses
        self._ids = range(0)
        self._following: range | None = None
        self._ask_below = 0
        """So many ids left in the block, and the next one is asked for."""
        self._waiting: deque[Pending[int]] = deque()
        self._wanted = trio.Event()

    def begin_anew(self) -> None:
        """Leave the rest of the blocks: the next id needs a new one, as after a restart."""
        self._ids = range(0)
        self._following = None

    def next(self) -> Pending[int]:
        """A new producer id. Refused with COORDINATOR_LOAD_IN_PROGRESS if the controller gives none now."""
        producer_id = self._take()
        if producer_id is not None:
            return settled(producer_id)
        pending: Pending[int] = Pending()
        self._waiting.append(pending)
        self._wanted.set()
        return pending

    def _take(self) -> int | None:
        if not self._ids and self._following is not None:
            self._use(self._following)
            self._following = None
        if not self._ids:
            return None
        producer_id = self._ids[0]
        self._ids = self._ids[1:]
        if len(self._ids) <= self._ask_below and self._following is None:
            self._wanted.set()
        return producer_id

    def _use(self, ids: range) -> None:
        self._ids = ids
        self._ask_below = len(ids) - int(len(ids) * NEXT_BLOCK_AT)

    async def run(self) -> None:
        """Get a new block from the controller whenever one is needed, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            try:
                first, count = await self._allocate_block()
            except KafkaError:
                self._refuse_waiting()
                continue
            block = range(first, first + count)
            if self._ids:
                self._following = block
            else:
                self._use(block)
            if self._refuses:
                self._refuse_waiting()
            while self._waiting:
                producer_id = self._take()
                if producer_id is None:
                    self._wanted.set()
                    break
                self._waiting.popleft().answer(producer_id)

    def _refuse_waiting(self) -> None:
        """As Apache Kafka does while its controller gives no block; every client retries."""
        waiting, self._waiting = self._waiting, deque()
        for pending in waiting:
            pending.refuse(KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
