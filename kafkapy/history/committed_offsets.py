"""Groups find the offsets that they committed, and commit no more than they polled.

A group's offset of a partition is a register. A read of it (`resume`) must give what some commit wrote that had begun
before the read ended, and that no acknowledged commit had wholly replaced before the read began: an acknowledged
commit that is gone is `lost-commit`, a value of no commit, or only of refused or aborted ones, is `phantom-commit`.
Offsets sent in a transaction are written between the request and the answer of its commit.

`commit-beyond-poll`: a group committed an offset such that a record below it, polled by somebody else and above all
that the group had polled, resumed at or committed until then, was never polled by the group. Only groups of which the
history tells a poll or a `resume` in that partition are judged. Offsets beyond the end of what anybody saw are not:
transaction markers take offsets, too.

Not seen by this: deleted and expired offsets are reported as lost; the order of two commits that overlap is free.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from kafkapy.history.observations import CommittedRead, Observations
from kafkapy.history.ordering import seen_offsets
from kafkapy.history.records import SEEN, SEEN_COMMITTED
from kafkapy.history.transactions import NEVER, Outcome

__all__ = ["check_committed_offsets"]


class _Register:
    """What was written to one (group, partition): (begin line, end line, offset), NEVER where the end is not known."""

    def __init__(self) -> None:
        self._by_offset: dict[int, list[tuple[int, int]]] = {}  # (begin, end); sorted: the latest end so far
        self.refused: dict[int, int] = {}  # offset -> line
        self._acknowledged: list[tuple[int, int, int]] = []  # (end, begin, offset)
        self._ends: list[int] = []
        self._latest_begin: list[tuple[int, int, int]] = []  # of those ended by then: (begin, end, offset)

    def wrote(self, offset: int, begin: int, end: int, outcome: Outcome) -> None:
        if outcome is Outcome.ABORTED:
            self.refused.setdefault(offset, begin)
            return
        if outcome is Outcome.COMMITTED:
            self._acknowledged.append((end, begin, offset))
        else:
            end = NEVER
        self._by_offset.setdefault(offset, []).append((begin, end))

    def sort(self) -> None:
        self._acknowledged.sort()
        latest = (0, 0, -1)
        for end, begin, offset in self._acknowledged:
            latest = max(latest, (begin, end, offset))
            self._ends.append(end)
            self._latest_begin.append(latest)
        for writes in self._by_offset.values():
            writes.sort()
            latest_end = 0
            for position, (begin, end) in enumerate(writes):
                latest_end = max(latest_end, end)
                writes[position] = begin, latest_end

    def written_before(self, offset: int, line: int) -> tuple[int, int] | None:
        """Of those writes of `offset` that had begun: where the last one began, and where the last one ended."""
        writes = self._by_offset.get(offset, [])
        position = bisect_left(writes, (line, 0))
        return writes[position - 1] if position else None

    def replaced_by(self, read: CommittedRead) -> tuple[int, int, int] | None:
        """The acknowledged commit, ended before the read began, that began last: all that ended before it are gone."""
        position = bisect_left(self._ends, read.start_line)
        return self._latest_begin[position - 1] if position else None


def check_committed_offsets(observed: Observations) -> None:
    registers: dict[tuple[str, int], _Register] = {}
    for commit in observed.commits:
        outcome, begin, end = commit.effect()
        for partition, offset in commit.offsets.items():
            registers.setdefault((commit.group, partition), _Register()).wrote(offset, begin, end, outcome)
    for register in registers.values():
        register.sort()
    for read in observed.committed_reads:
        _check_read(observed, read, registers.get((read.group, read.partition)) or _Register())
    _check_beyond_polls(observed)


def _check_read(observed: Observations, read: CommittedRead, register: _Register) -> None:
    partition = observed.records.partitions[read.partition]
    replacing = register.replaced_by(read)
    where = f"group {read.group!r} in {partition}"
    if read.offset is None:
        if replacing is not None:
            begin, end, offset = replacing
            observed.findings.add(
                "lost-commit",
                (begin, end, read.end_line),
                f"{where}: offset {offset} was committed, then the group was told that there is none",
            )
        return
    written = register.written_before(read.offset, read.end_line)
    if written is None:
        refused = register.refused.get(read.offset, 0)
        why = "its commit was refused or aborted" if refused else "nobody committed it"
        observed.findings.add(
            "phantom-commit", (refused, read.end_line), f"{where}: the group was told offset {read.offset}, but {why}"
        )
    elif replacing is not None and written[1] < replacing[0]:
        begin, end, offset = replacing
        observed.findings.add(
            "lost-commit",
            (written[0], begin, end, read.end_line),
            f"{where}: offset {offset} was committed, then the group was told the earlier {read.offset}",
        )


def _check_beyond_polls(observed: Observations) -> None:
    records = observed.records
    suspects = [
        (commit, partition, covered)
        for commit in observed.commits
        if commit.covered and commit.effect()[0] is Outcome.COMMITTED
        for partition, covered in commit.covered.items()
    ]
    indexes = {partition for _, partition, _ in suspects}
    offsets = seen_offsets(observed, False, indexes)
    for commit, index, covered in suspects:
        partition, seen = records.partitions[index], offsets[index]
        for position in range(bisect_right(seen, covered), len(seen)):
            if seen[position] >= commit.offsets[index]:
                break
            record = partition.by_offset[seen[position]]
            aborted = records.transaction[record] >= 0 and not records.state[record] & SEEN_COMMITTED
            if records.state[record] & SEEN and not aborted:
                observed.findings.add(
                    "commit-beyond-poll",
                    (commit.invoke_line, records.polled_line[record]),
                    f"group {commit.group!r} committed offset {commit.offsets[index]} of {partition}; it had polled up "
                    f"to offset {covered} only, and value {records.values[record]!r} is at offset {seen[position]}",
                )
                break
