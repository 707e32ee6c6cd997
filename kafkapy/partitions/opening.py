"""Opening many partitions for one request in turns of the event loop.

A log is made, or opened, when it is first asked for. That takes about a third of a millisecond, so a first request
about thousands of partitions would keep everybody else waiting for a second.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from kafkapy.partitions.manager import PartitionManager
    from kafkapy_wire.uuid import Uuid

    Named: TypeAlias = tuple[str | Uuid, int]  # a partition, by the name or id of its topic

OPENED_AT_ONCE_MAX: Final = 10
"""So many a handler may open by itself."""


def to_be_opened(named: Iterable[Named], partitions: PartitionManager) -> list[tuple[str, int]]:
    """The partitions for `open_in_turns`. Usually there are none, and the handler need not wait."""
    closed = partitions.unopened_among(named)
    return closed if len(closed) > OPENED_AT_ONCE_MAX else []


async def open_in_turns(closed: Iterable[tuple[str, int]], partitions: PartitionManager) -> None:
    """Open the partitions. Errors are ignored: the handler gets them again when it uses the partition."""
    turn = Turn()
    for topic, index in closed:
        with suppress(KafkaError):
            partitions.replica(topic, index)
        await turn.share()
