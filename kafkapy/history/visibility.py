"""Who saw what: aborted reads, early reads, phantoms, and acknowledged records that nobody saw.

A record must be visible when its send was acknowledged outside of a transaction, or when it was sent (and not refused)
in a transaction that was committed: with an answer that says so, or a proof (`proofs`).

Judged are the views that somebody had: with final polls those of their isolation, otherwise read_committed where it
was used at all. In a view a record is missed when

* it lies at or below the highest polled offset of its partition and nobody polled it: `lost-write`. Without final
  polls only records above the lowest polled offset are judged, since consumers may have begun there;
* there were final polls and it lies above, or its offset is not known: `unseen`;
* and some record of its transaction was seen: `torn-transaction`, one for the whole transaction.

Not seen by this: loss by retention, compaction or DeleteRecords is reported as loss (do not check such topics); a
record whose send has no answer may be missing; without final polls the loss of a log's end is not seen.
"""

from __future__ import annotations

from kafkapy.history.observations import Observations
from kafkapy.history.records import ACKNOWLEDGED, REFUSED, SEEN, SEEN_COMMITTED, SENT
from kafkapy.history.transactions import Outcome

__all__ = ["check_visibility"]

_SEEN_IN_VIEW = (SEEN, SEEN_COMMITTED)
_NAMED_IN_TEXT_MAX = 5


def check_visibility(observed: Observations) -> None:
    _check_what_was_seen(observed)
    _check_early_polls(observed)
    for view in _views(observed):
        _check_what_was_missed(observed, view)


def _views(observed: Observations) -> list[int]:
    if observed.final_views:
        return sorted(observed.final_views)
    if any(partition.highest_polled[1] >= 0 for partition in observed.records.partitions):
        return [1]
    return [0]


def _check_what_was_seen(observed: Observations) -> None:
    """`phantom` and `G1a`.

    A phantom needs a topic that this history sends to: what others wrote before is nobody's anomaly. G1a counts a
    refused send polled by anybody, and a record of an aborted transaction polled with read_committed.
    """
    records, findings = observed.records, observed.findings
    for record, state in enumerate(records.state):
        if not state & SEEN:
            continue
        if not state & SENT:
            if records.partitions[records.partition[record]].topic in records.topics_sent_to:
                findings.add(
                    "phantom",
                    (records.polled_line[record],),
                    f"value {records.values[record]!r} at {records.place(record)} was sent by nobody",
                )
        elif state & REFUSED:
            findings.add(
                "G1a",
                (records.sent_line[record], records.polled_line[record]),
                f"value {records.values[record]!r} at {records.place(record)} was polled; its send had failed",
            )
        elif state & SEEN_COMMITTED and records.transaction[record] >= 0:
            transaction = observed.transactions[records.transaction[record]]
            if transaction.outcome is Outcome.ABORTED:
                begin, end = transaction.lines
                findings.add(
                    "G1a",
                    (begin, records.sent_line[record], end, records.polled_committed_line[record]),
                    f"value {records.values[record]!r} at {records.place(record)} was polled with read_committed; "
                    f"{transaction} was aborted",
                )


def _check_early_polls(observed: Observations) -> None:
    """`precommitted-read`: by the transaction itself, or by another before the commit was asked for.

    The latter trusts the order of lines: all processes must write to one history, or have one clock.
    """
    records = observed.records
    for record, (line, own) in observed.early_polls.items():
        transaction = observed.transactions[records.transaction[record]]
        if own:
            text = f"{transaction} polled its own value {records.values[record]!r} at {records.place(record)}"
        elif transaction.outcome is Outcome.ABORTED:
            continue  # an aborted read, and reported as such
        else:
            text = (
                f"value {records.values[record]!r} at {records.place(record)} was polled with read_committed "
                f"before {transaction} asked for its commit"
            )
        observed.findings.add("precommitted-read", (records.sent_line[record], line, *transaction.lines), text)


def _check_what_was_missed(observed: Observations, view: int) -> None:
    records = observed.records
    seen = _SEEN_IN_VIEW[view]
    # Of each transaction that was committed: whether some record of it was seen.
    partly_seen = {
        transaction.index: any(records.state[record] & seen for record in transaction.sends)
        for transaction in observed.transactions
        if transaction.outcome is Outcome.COMMITTED
    }
    torn: dict[int, list[int]] = {}
    for record, state in enumerate(records.state):
        if state & seen or state & REFUSED or not state & SENT:
            continue
        transaction = records.transaction[record]
        if not (state & ACKNOWLEDGED if transaction == -1 else transaction in partly_seen):
            continue
        kind = _missed_as(observed, record, view)
        if kind is None:
            continue
        if transaction >= 0 and partly_seen[transaction]:
            torn.setdefault(transaction, []).append(record)
        else:
            _report_missed(observed, kind, record)
    for transaction, missed in torn.items():
        _report_torn(observed, transaction, missed, seen)


def _missed_as(observed: Observations, record: int, view: int) -> str | None:
    records = observed.records
    offset = records.offset[record]
    if offset >= 0:
        partition = records.partitions[records.partition[record]]
        if offset <= partition.highest_polled[view]:
            if observed.final_views or offset > partition.lowest_polled[view]:
                return "lost-write"
            return None
    return "unseen" if observed.final_views else None


def _report_missed(observed: Observations, kind: str, record: int) -> None:
    records = observed.records
    polled = ", although higher offsets were" if kind == "lost-write" else " by the final polls"
    lines = [records.sent_line[record], records.acknowledged_line[record]]
    text = f"value {records.values[record]!r}, acknowledged at {records.place(record)}, was never polled{polled}"
    if records.transaction[record] >= 0:
        transaction = observed.transactions[records.transaction[record]]
        lines.append(transaction.lines[1])
        text += f"; {transaction} was committed"
    observed.findings.add(kind, lines, text, subject=record)


def _report_torn(observed: Observations, index: int, missed: list[int], seen: int) -> None:
    records, transaction = observed.records, observed.transactions[index]
    visible = next(record for record in transaction.sends if records.state[record] & seen)
    named = ", ".join(
        f"{records.values[record]!r} at {records.place(record)}" for record in missed[:_NAMED_IN_TEXT_MAX]
    )
    if len(missed) > _NAMED_IN_TEXT_MAX:
        named += f" and {len(missed) - _NAMED_IN_TEXT_MAX} more"
    begin, end = transaction.lines
    polled = records.polled_committed_line[visible] or records.polled_line[visible]
    observed.findings.add(
        "torn-transaction",
        (begin, *(records.sent_line[record] for record in missed[:_NAMED_IN_TEXT_MAX]), end, polled),
        f"of {transaction} value {records.values[visible]!r} at {records.place(visible)} was polled, but never {named}",
        subject=index,
    )
