"""Transactions and commits of offsets, as one history tells them."""

from __future__ import annotations

from enum import Enum

__all__ = ["NEVER", "Commit", "Outcome", "Transaction"]

NEVER = 1 << 62  # the line at which something ended whose end was never told


class Outcome(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


class Transaction:
    """From `begin` to what is known of its end. `reads` is the highest offset that it polled with read_committed."""

    __slots__ = (
        "asked_line",
        "begin_line",
        "commits",
        "end_line",
        "index",
        "outcome",
        "process",
        "read_from",
        "reads",
        "sends",
    )

    def __init__(self, index: int, process: str, begin_line: int) -> None:
        self.index = index
        self.process = process
        self.begin_line = begin_line
        self.asked_line = 0  # where its commit was first asked for
        self.end_line = NEVER
        self.outcome = Outcome.OPEN
        self.sends: list[int] = []
        self.reads: dict[int, int] = {}
        self.read_from: dict[int, int] = {}  # transaction -> line of the poll that read from it
        self.commits: list[Commit] = []

    def __str__(self) -> str:
        return f"the transaction of process {self.process} (line {self.begin_line})"

    @property
    def lines(self) -> tuple[int, int]:
        return self.begin_line, self.end_line if self.end_line < NEVER else self.asked_line

    def was_committed(self, line: int) -> None:
        """Something that was seen in that line proves it; its answer never came."""
        self.outcome = Outcome.COMMITTED
        self.end_line = min(self.end_line, line)

    def abandon(self) -> None:
        """Its process began another, crashed, or the history ends: without a commit asked for, it cannot commit."""
        if self.outcome is Outcome.OPEN:
            self.outcome = Outcome.UNKNOWN if self.asked_line else Outcome.ABORTED


class Commit:
    """Offsets that a group committed, perhaps: as part of `transaction`, then that one's outcome counts."""

    __slots__ = ("covered", "end_line", "group", "invoke_line", "offsets", "outcome", "transaction")

    def __init__(self, group: str, invoke_line: int, offsets: dict[int, int], transaction: Transaction | None) -> None:
        self.group = group
        self.invoke_line = invoke_line
        self.end_line = NEVER
        self.offsets = offsets  # partition index -> offset
        self.transaction = transaction
        self.outcome = Outcome.UNKNOWN
        self.covered: dict[int, int] = {}  # partition index -> the highest offset the group had polled by then

    def effect(self) -> tuple[Outcome, int, int]:
        """What became of it, and the lines between which it happened."""
        if self.transaction is None or self.outcome is Outcome.ABORTED:
            return self.outcome, self.invoke_line, self.end_line
        within = self.transaction
        certain = self.outcome is Outcome.COMMITTED or within.outcome is Outcome.ABORTED
        return within.outcome if certain else self.outcome, within.asked_line or within.begin_line, within.end_line
