"""Producer ids, each given once: taken from blocks that the controller allocates through its log (KIP-730)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from kafkapy.pending import Pending, settled
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.pending import Pending
    from kafkapy_controller.producer_ids import ProducerIdBlock


class ProducerIds:
    """Hands out ids of the current block; `run` asks for the next one when it is used up."""

    def __init__(self, allocate_block: Callable[[], Pending[ProducerIdBlock]]) -> None:
        self._allocate_block = allocate_block
        self._block = iter(range(0))
        self._waiting: deque[Pending[int]] = deque()
        self._wanted = trio.Event()

    def next(self) -> Pending[int]:
        """A new producer id. Refused with COORDINATOR_LOAD_IN_PROGRESS if the controller cannot write to its log."""
        producer_id = next(self._block, None)
        if producer_id is not None:
            return settled(producer_id)
        pending: Pending[int] = Pending()
        self._waiting.append(pending)
        self._wanted.set()
        return pending

    async def run(self) -> None:
        """Get a new block from the controller whenever one is needed, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            try:
                first, count = await self._allocate_block().wait()
            except KafkaError:
                # Apache Kafka answers this while its controller gives no block; every client retries.
                waiting, self._waiting = self._waiting, deque()
                for pending in waiting:
                    pending.refuse(KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
                continue
            self._block = iter(range(first, first + count))
            while self._waiting:
                producer_id = next(self._block, None)
                if producer_id is None:
                    self._wanted.set()
                    break
                self._waiting.popleft().answer(producer_id)
