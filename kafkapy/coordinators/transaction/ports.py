"""What the transaction coordinator needs of the rest of the node. For type checkers only: nothing imports it to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy.coordinators.runtime import CoordinatorLog

if TYPE_CHECKING:
    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import ErrorCode


class TransactionLog(CoordinatorLog, Protocol):
    """The internal topic, and in which term of office this node leads a partition of it."""

    def leader_epoch(self, partition: int) -> int: ...


class Markers(Protocol):
    """Where markers are written: see `markers.MarkerWriter`."""

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]: ...
