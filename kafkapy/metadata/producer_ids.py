"""Producer ids, each given once: taken from blocks that the controller allocates through its log (KIP-730)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.pending import Pending
    from kafkapy_controller.producer_ids import ProducerIdBlock


class ProducerIds:
    """Hands out ids of the current block and asks for the next one when it is used up."""

    def __init__(self, allocate_block: Callable[[], Pending[ProducerIdBlock]]) -> None:
        self._allocate_block = allocate_block
        self._block = iter(range(0))
        self._allocating = trio.Lock()  # one block at a time: spans the wait for the controller

    async def next(self) -> int:
        """Raises KafkaError COORDINATOR_LOAD_IN_PROGRESS: the controller cannot write to its log."""
        while True:
            producer_id = next(self._block, None)
            if producer_id is not None:
                return producer_id
            async with self._allocating:
                producer_id = next(self._block, None)  # another task may have fetched a block meanwhile
                if producer_id is not None:
                    return producer_id
                try:
                    first, count = await self._allocate_block().wait()
                except KafkaError as error:
                    # What Apache Kafka answers as long as its controller gives no block: every client comes again.
                    raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) from error
                self._block = iter(range(first, first + count))
