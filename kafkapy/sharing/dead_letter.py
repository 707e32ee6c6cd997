"""A dead letter: neighbouring records of a share partition that its group gives up, and why."""

from __future__ import annotations

from typing import Final, NamedTuple

REJECTED: Final = "Offset rejected by client."
DELIVERED_TOO_OFTEN: Final = "Offset delivery count exceeded the threshold."


class DeadLetter(NamedTuple):
    """Neighbouring records that are given up for the same reason."""

    first_offset: int
    last_offset: int
    delivery_count: int
    cause: str

    @property
    def offsets(self) -> range:
        return range(self.first_offset, self.last_offset + 1)
