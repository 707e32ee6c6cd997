"""What a check can find: the kinds of anomalies, what each proves, and the findings of one run."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ALLOWED", "KINDS", "Anomaly", "Findings"]

EXAMPLES_PER_KIND_MAX = 200
LINES_PER_ANOMALY_MAX = 20

# In the order in which they are printed: the gravest first. The names are those of Jepsen's Kafka workload where it
# has them.
KINDS: dict[str, str] = {
    "lost-write": "an acknowledged record lies below what was polled, and nobody polled it",
    "torn-transaction": "part of a committed transaction is visible, part of it never was",
    "unseen": "an acknowledged record was not there when everything was polled in the end",
    "inconsistent-offsets": "one offset held two values",
    "duplicate": "one value stands at two offsets",
    "phantom": "a value was polled that nobody sent there, or not yet",
    "G1a": "aborted read: what was aborted or refused was polled",
    "precommitted-read": "a record was polled before the commit of its transaction was asked for",
    "G1c": "transactions read from each other in a circle",
    "lost-commit": "the group was told an older offset than it had committed, or none",
    "phantom-commit": "the group was told an offset that nobody committed",
    "commit-beyond-poll": "a group committed past records that it had not polled",
    "int-poll-skip": "one poll, or the polls of one transaction, passed over records that others polled",
    "poll-skip": "from one poll to the next a consumer passed over records that others polled",
    "int-nonmonotonic-poll": "one poll, or the polls of one transaction, went back",
    "nonmonotonic-poll": "from one poll to the next a consumer went back",
    "int-nonmonotonic-send": "a later send of a transaction has a lower offset than an earlier one",
    "nonmonotonic-send": "a later send of a producer has a lower offset than an earlier one",
}

# Found, counted, and no anomaly in Kafka's model.
ALLOWED: dict[str, str] = {
    "G0": "writes of transactions interleave: Kafka never isolates them",
    "G1c-ww": "a circle that needs the order of writes, which interleave",
    "G2": "a circle that needs what a poll did not read yet: a poll may stop anywhere",
    "poll-skip-subscribed": "a subscribed consumer jumped ahead: its partitions had been elsewhere in between",
    "nonmonotonic-poll-subscribed": "a subscribed consumer went back to where its group had committed",
}


class Anomaly:
    """One finding. `lines` are the lines of the history that show it, in the order in which to read them.

    They are the first LINES_PER_ANOMALY_MAX where there are more.
    """

    __slots__ = ("explanation", "kind", "lines")

    def __init__(self, kind: str, lines: tuple[int, ...], explanation: str) -> None:
        self.kind = kind
        self.lines = lines
        self.explanation = explanation

    def __repr__(self) -> str:
        return f"{self.kind}: {self.explanation} (lines {', '.join(map(str, self.lines))})"


class Findings:
    """The anomalies found so far: all are counted, EXAMPLES_PER_KIND_MAX of each kind are kept."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.allowed: dict[str, int] = {}
        self._examples: dict[str, list[Anomaly]] = {}
        self._subjects: dict[str, set[object]] = {}

    def add(self, kind: str, lines: Iterable[int], explanation: str, *, subject: object = None) -> None:
        """Note one anomaly; with a `subject` (hashable) only the first of its kind about that subject."""
        assert kind in KINDS, kind
        if subject is not None:
            subjects = self._subjects.setdefault(kind, set())
            if subject in subjects:
                return
            subjects.add(subject)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES_PER_KIND_MAX:
            distinct = list(dict.fromkeys(line for line in lines if line > 0))
            examples.append(Anomaly(kind, tuple(distinct[:LINES_PER_ANOMALY_MAX]), explanation))

    def allow(self, kind: str, count: int = 1) -> None:
        """Note something that looks like an anomaly but is not."""
        assert kind in ALLOWED, kind
        if count:
            self.allowed[kind] = self.allowed.get(kind, 0) + count

    def kinds(self) -> list[str]:
        """What was found, gravest first."""
        return [kind for kind in KINDS if kind in self.counts]

    def examples(self, kind: str) -> list[Anomaly]:
        return self._examples.get(kind, [])

    def all_examples(self) -> list[Anomaly]:
        return [anomaly for kind in self.kinds() for anomaly in self._examples[kind]]
