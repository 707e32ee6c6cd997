"""What the transaction coordinator needs of the rest of the node. For type checkers only: nothing imports it to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import ErrorCode


class Markers(Protocol):
    """Where markers are written: see `markers.MarkerWriter`."""

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]: ...
