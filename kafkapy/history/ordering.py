"""Orders that a partition must keep: polls that pass over records, sends that go back.

`int-poll-skip`, `poll-skip`: a consumer went from one offset to a higher one, and in between lies a record that was
polled by somebody with the same view (read_committed, or any). Gaps that hold only transaction markers, aborted records
or what compaction removed are no skips. `int-` is within one poll, or within the polls of one transaction. Between
polls, subscribed consumers are judged only from a `resume` on, which tells where they stand; assigned ones always.

`nonmonotonic-send`: of two sends of one process to one partition, the one invoked later was acknowledged at a lower
offset. Both must be acknowledged with an offset. Gaps between the sends of a transaction are normal (others write in
between) and not looked for. A producer without idempotence that has several requests in flight may reorder by retries.

Not seen by this: a skip over records that nobody ever polled (that is `lost-write`), and skips before the first poll
of a partition, unless an `assign` or `resume` tells where it began.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from kafkapy.history.observations import Observations
from kafkapy.history.records import ACKNOWLEDGED, SEEN, SEEN_COMMITTED

__all__ = ["check_ordering", "seen_offsets"]


def check_ordering(observed: Observations) -> None:
    _check_poll_gaps(observed)
    _check_sends(observed)


def seen_offsets(observed: Observations, committed: bool, partitions: set[int]) -> dict[int, array[int]]:
    """Partition index -> the offsets that some poll of the view saw, ascending; for these partitions only."""
    state, flag = observed.records.state, SEEN_COMMITTED if committed else SEEN
    return {
        index: array(
            "q",
            sorted(
                offset
                for offset, record in observed.records.partitions[index].by_offset.items()
                if state[record] & flag
            ),
        )
        for index in partitions
    }


def _check_poll_gaps(observed: Observations) -> None:
    records = observed.records
    for committed in (False, True):
        gaps = [gap for gap in observed.poll_gaps if gap.committed is committed]
        offsets = seen_offsets(observed, committed, {gap.partition for gap in gaps})
        for gap in gaps:
            seen = offsets[gap.partition]
            position = bisect_right(seen, gap.last)
            if position == len(seen) or seen[position] >= gap.next_offset:
                continue
            if gap.kind == "poll-skip-subscribed":
                observed.findings.allow(gap.kind)
                continue
            partition = records.partitions[gap.partition]
            skipped = partition.by_offset[seen[position]]
            polled = records.polled_committed_line[skipped] if committed else records.polled_line[skipped]
            observed.findings.add(
                gap.kind,
                (gap.last_line, gap.line, polled),
                f"{partition}: offset {gap.next_offset} came after {gap.last}; value {records.values[skipped]!r} "
                f"at offset {seen[position]} was passed over",
            )


def _check_sends(observed: Observations) -> None:
    records = observed.records
    last: dict[tuple[int, int], int] = {}
    # Records are numbered in the order in which their sends were invoked, as far as a poll did not name them before.
    for record, state in enumerate(records.state):
        if not state & ACKNOWLEDGED or records.offset[record] < 0:
            continue
        key = (records.process[record], records.partition[record])
        before = last.get(key)
        if before is None or records.sent_line[before] > records.sent_line[record]:
            last[key] = record
            continue
        if records.offset[record] < records.offset[before]:
            internal = records.transaction[record] >= 0 and records.transaction[record] == records.transaction[before]
            observed.findings.add(
                "int-nonmonotonic-send" if internal else "nonmonotonic-send",
                (records.sent_line[before], records.sent_line[record], records.acknowledged_line[record]),
                f"value {records.values[record]!r} was sent after {records.values[before]!r}, yet "
                f"{records.place(record)} is before {records.place(before)}",
            )
        last[key] = record
