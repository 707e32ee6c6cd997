"""How much of a log is on the disk: which files a flush must sync, and where a recovery would begin.

```
indexed_end_offset   recovery_point                    log end
        |                   |                             |
 derived files, too    records synced         page cache only
```
"""

from collections.abc import Collection

from kafkapy_log.segment import Segment


class FlushProgress:
    """The progress of one log. One flush at a time runs, from `begin` to `succeeded` or `failed`."""

    __slots__ = (
        "_end_offset_under_way",
        "_indexed_end_offset",
        "_indexed_under_way",
        "_settled_bytes",
        "_settling",
        "_taken",
        "_unflushed",
        "recovery_point",
    )

    def __init__(
        self, recovery_point: int, *, unflushed: list[Segment], indexed_end_offset: int, settled_bytes: int
    ) -> None:
        self.recovery_point = recovery_point
        """Every record below is on the disk."""
        self._unflushed = unflushed
        self._indexed_end_offset = indexed_end_offset
        self._settled_bytes = settled_bytes  # of the active segment: what a recovery would not read
        self._taken: list[Segment] | None = None  # by the flush under way
        self._end_offset_under_way = 0  # below it the flush under way has what is in the log
        self._indexed_under_way = 0
        self._settling: tuple[Segment, int] | None = None  # `_settled_bytes` of a segment after the flush under way

    @property
    def recovery_point_to_note(self) -> int:
        """The recovery point for the checkpoint file; one offset lower if only records were flushed.

        If the segment were rolled at just that offset, recovery would begin behind it, and take the indexes for flushed
        that were written with the roll.
        """
        return self.recovery_point - (self.recovery_point > self._indexed_end_offset)

    def unsettled_bytes(self, active: Segment) -> int:
        """How many bytes of the active segment a recovery would read after a crash now."""
        return active.size - self._settled_bytes

    # -- the log changes

    def wrote_to(self, segment: Segment) -> None:
        """The segment was written to: the next flush syncs it."""
        if segment not in self._unflushed:
            self._unflushed.append(segment)

    def began(self, active: Segment) -> None:
        """A new segment is active from now on."""
        self._unflushed.append(active)
        self._settled_bytes = 0

    def rolled(self, segment: Segment) -> None:
        """The previous segment is closed. A running flush may lack its end and its indexes."""
        if segment not in self._unflushed:
            self._unflushed.insert(-1, segment)

    def dropped(self, segment: Segment) -> None:
        if segment in self._unflushed:
            self._unflushed.remove(segment)

    def truncated(self, offset: int, active: Segment) -> None:
        """The log ends at `offset` now."""
        self.recovery_point = min(self.recovery_point, offset)
        self._end_offset_under_way = min(self._end_offset_under_way, offset)
        self._indexed_end_offset = min(self._indexed_end_offset, offset)
        self._settled_bytes = min(self._settled_bytes, active.size)

    # -- a flush

    @property
    def is_under_way(self) -> bool:
        return self._taken is not None

    def to_flush(self, active: Segment, *, rolled_only: bool) -> list[Segment]:
        """The segments to sync; the active one, if it is among them, is the last."""
        segments = [segment for segment in self._unflushed if segment is not active]
        if not rolled_only and active.size:
            segments.append(active)
        return segments

    def begin(self, active: Segment, end_offset: int, *, rolled_only: bool, settles: bool) -> None:
        """A flush up to `end_offset` begins; `settles`: with the active segment's indexes and a snapshot."""
        self._taken = self._unflushed
        self._unflushed = [active] if rolled_only else []
        self._end_offset_under_way = end_offset
        self._indexed_under_way = end_offset if settles else active.base_offset
        self._settling = (active, active.size) if settles else None

    def succeeded(self, active: Segment, end_offset: int) -> bool:
        """The flush up to `end_offset` has succeeded. False: the log was truncated below that offset meanwhile."""
        was_cut = end_offset > self._end_offset_under_way
        self.recovery_point = max(self.recovery_point, self._end_offset_under_way)
        indexed_end_offset = min(self._indexed_under_way, self._end_offset_under_way)
        self._indexed_end_offset = max(self._indexed_end_offset, indexed_end_offset)
        if self._settling is not None and self._settling[0] is active and not was_cut:
            self._settled_bytes = self._settling[1]
        self._taken = self._settling = None
        return not was_cut

    def failed(self, present: Collection[Segment]) -> None:
        """The flush has failed: the next one syncs the same segments, if they are still `present`."""
        taken = self._taken or []
        again = [segment for segment in taken if segment in present and segment not in self._unflushed]
        self._unflushed = again + self._unflushed
        self._taken = self._settling = None
