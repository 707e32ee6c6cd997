"""What became of transactions whose commit had no answer, where what was seen later proves it.

A commit is one for records of all partitions and for offsets of groups. So the whole transaction was committed when

* one of its records was polled with read_committed, or
* a group was told an offset that nobody else ever committed or tried to.

What it wrote must then be there from the line of the proof on: else it is torn, or lost.
"""

from __future__ import annotations

from kafkapy.history.observations import Observations
from kafkapy.history.records import SEEN_COMMITTED
from kafkapy.history.transactions import Commit, Outcome

__all__ = ["prove_commits"]


def prove_commits(observed: Observations) -> None:
    """Let transactions be COMMITTED that were UNKNOWN and are proven."""
    _prove_by_records(observed)
    _prove_by_offsets(observed)


def _prove_by_records(observed: Observations) -> None:
    records = observed.records
    for transaction in observed.transactions:
        if transaction.outcome is Outcome.UNKNOWN:
            lines = [
                records.polled_committed_line[record]
                for record in transaction.sends
                if records.state[record] & SEEN_COMMITTED
            ]
            if lines:
                transaction.was_committed(min(lines))


def _prove_by_offsets(observed: Observations) -> None:
    only: dict[tuple[str, int, int], Commit | None] = {}  # None: more than one
    for commit in observed.commits:
        if commit.effect()[0] is not Outcome.ABORTED:
            for partition, offset in commit.offsets.items():
                key = commit.group, partition, offset
                only[key] = None if key in only else commit
    for read in observed.committed_reads:
        if read.offset is None:
            continue
        told = only.get((read.group, read.partition, read.offset))
        if told is not None and told.transaction is not None and told.transaction.asked_line < read.end_line:
            told.outcome = Outcome.COMMITTED
            if told.transaction.outcome is Outcome.UNKNOWN:
                told.transaction.was_committed(read.end_line)
