"""All checks over one history, and their verdict."""

from __future__ import annotations

from collections.abc import Iterable

from kafkapy.history.anomalies import Anomaly, Findings
from kafkapy.history.committed_offsets import check_committed_offsets
from kafkapy.history.cycles import check_cycles
from kafkapy.history.observations import Observations
from kafkapy.history.ordering import check_ordering
from kafkapy.history.proofs import prove_commits
from kafkapy.history.reading import read_history
from kafkapy.history.records import ACKNOWLEDGED, SEEN
from kafkapy.history.transactions import Outcome
from kafkapy.history.visibility import check_visibility

__all__ = ["Verdict", "check_history"]


class Verdict:
    """What the checks say about one history."""

    def __init__(self, observed: Observations) -> None:
        self._observed = observed

    @property
    def findings(self) -> Findings:
        return self._observed.findings

    @property
    def anomalies(self) -> list[Anomaly]:
        """Examples, gravest kind first; `findings.counts` has the full numbers."""
        return self.findings.all_examples()

    @property
    def has_final_polls(self) -> bool:
        """Without them nothing can be said about records beyond the highest that was polled."""
        return bool(self._observed.final_views)

    def is_clean(self, allowed: frozenset[str] = frozenset()) -> bool:
        return not set(self.findings.counts) - allowed

    def sizes(self) -> dict[str, int]:
        """What the history was about."""
        observed = self._observed
        outcomes = [transaction.outcome for transaction in observed.transactions]
        return {
            "processes": observed.process_count,
            "partitions": len(observed.records.partitions),
            "records": len(observed.records),
            "acknowledged": sum(1 for state in observed.records.state if state & ACKNOWLEDGED),
            "polled": sum(1 for state in observed.records.state if state & SEEN),
            "polls": observed.poll_count,
            "transactions_committed": outcomes.count(Outcome.COMMITTED),
            "transactions_aborted": outcomes.count(Outcome.ABORTED),
            "transactions_unknown": outcomes.count(Outcome.UNKNOWN),
            "offset_commits": len(observed.commits),
            "resumes": len(observed.committed_reads),
            "crashes": observed.crash_count,
        }


def check_history(lines: Iterable[str | bytes]) -> Verdict:
    """The verdict over a history, one JSON object a line. Raises HistoryError: it cannot be used, and why.

    Time grows with the number of lines (a sort for each partition aside), memory with the number of records and
    transactions: about 700 bytes a record.
    """
    observed = read_history(lines)
    prove_commits(observed)
    check_visibility(observed)
    check_ordering(observed)
    check_committed_offsets(observed)
    check_cycles(observed)
    return Verdict(observed)
