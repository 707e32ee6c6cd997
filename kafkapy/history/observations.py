"""What a history says, event after event: records placed, seen and judged as far as the past allows.

What can only be judged when all is known (a record that nobody ever polled) is left to the checks that run at the end.
Every method is one event; `line` is its line in the history. HistoryError: such an event cannot follow the ones before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kafkapy.history.anomalies import Findings
from kafkapy.history.records import ACKNOWLEDGED, REFUSED, SEEN, SEEN_COMMITTED, SENT, Partition, Records, Value
from kafkapy.history.transactions import Commit, Outcome, Transaction

__all__ = ["CommittedRead", "HistoryError", "Observations", "PollGap"]

PolledRecord = tuple[str, int, int, Value]


class HistoryError(Exception):
    """The history cannot be used; `line` says where, the text why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


class Position:
    """Where a process stands in a partition: the last offset it polled and how much can be asked of the next."""

    __slots__ = ("last", "line", "strict", "transaction")

    def __init__(self, last: int, line: int, transaction: int, *, strict: bool) -> None:
        self.last = last
        self.line = line
        self.transaction = transaction
        self.strict = strict


class PollGap:
    """A consumer went from `last` to `next_offset`, which is not the next one: was there something in between?"""

    __slots__ = ("committed", "kind", "last", "last_line", "line", "next_offset", "partition")

    def __init__(
        self, kind: str, partition: int, last: int, next_offset: int, *, committed: bool, last_line: int, line: int
    ) -> None:
        self.kind = kind
        self.partition = partition
        self.last = last
        self.next_offset = next_offset
        self.committed = committed
        self.last_line = last_line
        self.line = line


class CommittedRead:
    """A group's committed offset as its coordinator told it between two lines; None: it had none."""

    __slots__ = ("end_line", "group", "offset", "partition", "start_line")

    def __init__(self, group: str, partition: int, offset: int | None, start_line: int, end_line: int) -> None:
        self.group = group
        self.partition = partition
        self.offset = offset
        self.start_line = start_line
        self.end_line = end_line


class Process:
    """One client: a producer, a consumer, or both."""

    __slots__ = (
        "committed",
        "group",
        "index",
        "last_line",
        "name",
        "open_commit",
        "positions",
        "resume_line",
        "subscribed",
        "transaction",
    )

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name
        self.last_line = 0
        self.committed = False  # its isolation level
        self.group = ""
        self.subscribed = False
        self.positions: dict[int, Position] = {}
        self.transaction: Transaction | None = None
        self.open_commit: Commit | None = None
        self.resume_line = 0


class Observations:
    """The state of the world as the history tells it so far."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.records = Records()
        self.transactions: list[Transaction] = []
        self.commits: list[Commit] = []
        self.committed_reads: list[CommittedRead] = []
        self.poll_gaps: list[PollGap] = []
        self.final_views: set[int] = set()  # 0: any poll, 1: read_committed
        self.early_polls: dict[int, tuple[int, bool]] = {}  # record -> line, by its own transaction
        self.poll_count = 0
        self.crash_count = 0
        self._processes: dict[str, Process] = {}
        self._group_polled: dict[tuple[str, int], int] = {}

    def process(self, name: str) -> Process:
        process = self._processes.get(name)
        if process is None:
            process = self._processes[name] = Process(len(self._processes), name)
        return process

    @property
    def process_count(self) -> int:
        return len(self._processes)

    # -- sends

    def send_invoked(self, line: int, process: Process, topic: str, partition: int | None, value: Value) -> None:
        records = self.records
        record = records.find(topic, value)
        if records.state[record] & SENT:
            raise HistoryError(
                line, f"value {value!r} was sent to {topic} before, in line {records.sent_line[record]}: "
                "values must be unique in a topic, also those of another try"
            )  # fmt: skip
        records.state[record] |= SENT
        records.sent_line[record] = line
        if records.polled_line[record]:
            self.findings.add(
                "phantom",
                (records.polled_line[record], line),
                f"value {value!r} was polled before it was sent to {topic}",
            )
        records.process[record] = process.index
        records.topics_sent_to.add(topic)
        if partition is not None:
            self._put_in(record, records.partition_named(topic, partition))
        if process.transaction is not None:
            records.transaction[record] = process.transaction.index
            process.transaction.sends.append(record)

    def send_ended(
        self, line: int, topic: str, value: Value, *, written: bool | None, place: tuple[int, int | None] | None
    ) -> None:
        """`written` None: nobody knows. `place`: partition and offset, where the answer told them."""
        records = self.records
        record = records.find(topic, value)
        if not records.state[record] & SENT:
            raise HistoryError(line, f"no send of value {value!r} to {topic} was invoked before")
        if records.state[record] & (ACKNOWLEDGED | REFUSED):
            raise HistoryError(line, f"the send of value {value!r} to {topic} had ended before")
        if written is False:
            records.state[record] |= REFUSED
            return
        if written:
            records.state[record] |= ACKNOWLEDGED
        if place is not None:
            partition = records.partition_named(topic, place[0])
            if place[1] is None:
                self._put_in(record, partition)
            else:
                if not records.acknowledged_line[record]:
                    records.acknowledged_line[record] = line
                self._put_at(record, partition, place[1], line)
        if not records.acknowledged_line[record]:
            records.acknowledged_line[record] = line

    def _put_in(self, record: int, partition: Partition) -> bool:
        """Note the partition; False where it is known to be another."""
        records = self.records
        known = records.partition[record]
        if known == partition.index:
            return True
        if known == -1:
            records.partition[record] = partition.index
            return True
        return False

    def _put_at(self, record: int, partition: Partition, offset: int, line: int) -> None:
        records = self.records
        known = records.offset[record]
        if known == -1 and self._put_in(record, partition):
            records.offset[record] = offset
        elif known == -1:
            self.findings.add(
                "phantom",
                (records.sent_line[record], line),
                f"value {records.values[record]!r} was sent to {records.place(record)} and is at {partition} "
                f"offset {offset}",
                subject=(record, partition.index),
            )
            records.partition[record], records.offset[record] = partition.index, offset
        elif known != offset or records.partition[record] != partition.index:
            self.findings.add(
                "duplicate",
                (records.sent_line[record], records.offset_line(record), line),
                f"value {records.values[record]!r} is at {records.place(record)} and at {partition} offset {offset}",
                subject=record,
            )
        other = partition.by_offset.setdefault(offset, record)
        if other != record:
            self.findings.add(
                "inconsistent-offsets",
                (records.offset_line(other), line),
                f"{partition} offset {offset} held {records.values[other]!r} and {records.values[record]!r}",
                subject=(partition.index, offset),
            )

    # -- polls

    def polled(
        self,
        line: int,
        process: Process,
        polled_records: Sequence[PolledRecord],
        *,
        committed: bool,
        final: bool,
        rebalanced: bool,
    ) -> None:
        records = self.records
        self.poll_count += 1
        if rebalanced:
            process.positions.clear()
        if final:
            self.final_views.add(int(committed))
        transaction = process.transaction
        within = -1 if transaction is None else transaction.index
        flags = SEEN | SEEN_COMMITTED if committed else SEEN
        moved: dict[int, Position] = {}
        partition: Partition | None = None
        for topic, number, offset, value in polled_records:
            if partition is None or partition.number != number or partition.topic != topic:
                partition = records.partition_named(topic, number)
            record = records.find(topic, value)
            if (
                records.offset[record] != offset
                or records.partition[record] != partition.index
                or partition.by_offset[offset] != record
            ):
                self._put_at(record, partition, offset, line)
            writer = records.transaction[record]
            own = writer >= 0 and writer == within
            seen = SEEN if own else flags  # what a transaction sees of itself proves nothing about its commit
            if records.state[record] & seen != seen:
                records.state[record] |= seen
                if not records.polled_line[record]:
                    records.polled_line[record] = line
                if committed and not own and not records.polled_committed_line[record]:
                    records.polled_committed_line[record] = line
            if writer >= 0 and committed:
                self._read_from(line, record, self.transactions[writer], transaction)

            position = moved.get(partition.index)
            if position is None:
                position = moved[partition.index] = self._continue(process, partition, offset, line, within, committed)
            elif offset != position.last + 1:
                self._jump(True, True, partition, position, offset, line, committed)
            position.last = offset
        self._note_highest(process, moved, committed)
        if transaction is not None and committed:
            for index, position in moved.items():
                transaction.reads[index] = max(transaction.reads.get(index, -1), position.last)

    def _continue(
        self, process: Process, partition: Partition, offset: int, line: int, within: int, committed: bool
    ) -> Position:
        """The process's position, at the first record that this poll has of the partition."""
        position = process.positions.get(partition.index)
        if position is None:
            position = process.positions[partition.index] = Position(
                offset, line, within, strict=not process.subscribed
            )
        else:
            if offset != position.last + 1:
                internal = within >= 0 and position.transaction == within
                self._jump(internal, internal or position.strict, partition, position, offset, line, committed)
            position.line = line
            position.transaction = within
        lowest = partition.lowest_polled
        for view in range(1 + committed):
            if lowest[view] == -1 or offset < lowest[view]:
                lowest[view] = offset
        return position

    def _jump(
        self,
        internal: bool,
        strict: bool,
        partition: Partition,
        position: Position,
        offset: int,
        line: int,
        committed: bool,
    ) -> None:
        prefix = "int-" if internal else ""
        suffix = "" if strict else "-subscribed"
        if offset > position.last:
            self.poll_gaps.append(
                PollGap(
                    f"{prefix}poll-skip{suffix}",
                    partition.index,
                    position.last,
                    offset,
                    committed=committed,
                    last_line=position.line,
                    line=line,
                )
            )
        elif strict:
            self.findings.add(
                f"{prefix}nonmonotonic-poll",
                (position.line, line),
                f"{partition}: offset {offset} was polled after offset {position.last}",
            )
        else:
            self.findings.allow("nonmonotonic-poll-subscribed")

    def _note_highest(self, process: Process, moved: dict[int, Position], committed: bool) -> None:
        for index, position in moved.items():
            highest = self.records.partitions[index].highest_polled
            for view in range(1 + committed):
                highest[view] = max(highest[view], position.last)
            if process.group:
                self._group_covers(process.group, index, position.last)

    def _group_covers(self, group: str, partition: int, offset: int) -> None:
        key = (group, partition)
        if self._group_polled.get(key, -2) < offset:
            self._group_polled[key] = offset

    def _read_from(self, line: int, record: int, writer: Transaction, reader: Transaction | None) -> None:
        """A read_committed poll saw what a transaction wrote."""
        if reader is writer:
            self.early_polls.setdefault(record, (line, True))
        elif not writer.asked_line:
            self.early_polls.setdefault(record, (line, False))
        if reader is not None and reader is not writer:
            reader.read_from.setdefault(writer.index, line)

    # -- consumers

    def subscribed(self, process: Process, group: str, committed: bool) -> None:
        process.subscribed, process.group, process.committed = True, group, committed
        process.positions.clear()

    def assigned(
        self,
        line: int,
        process: Process,
        group: str,
        committed: bool,
        partitions: Iterable[tuple[str, int, int | None]],
    ) -> None:
        """Partitions, with the offset to start at where the client chose one. A seek is an assignment, too."""
        process.subscribed, process.group, process.committed = False, group, committed
        process.positions.clear()
        for topic, number, offset in partitions:
            if offset is not None:
                index = self.records.partition_named(topic, number).index
                process.positions[index] = Position(offset - 1, line, -1, strict=True)

    def resume_invoked(self, line: int, process: Process) -> None:
        process.resume_line = line

    def resumed(self, line: int, process: Process, group: str, offsets: Iterable[tuple[str, int, int | None]]) -> None:
        """The process has these partitions now, and its group's committed offsets are said to be these."""
        start_line = process.resume_line or process.last_line
        process.resume_line = 0
        process.group = group
        for topic, number, offset in offsets:
            index = self.records.partition_named(topic, number).index
            self.committed_reads.append(CommittedRead(group, index, offset, start_line, line))
            if offset is None:
                process.positions.pop(index, None)
            else:
                process.positions[index] = Position(offset - 1, line, -1, strict=True)
                self._group_covers(group, index, offset - 1)

    def commit_invoked(
        self, line: int, process: Process, group: str, offsets: Iterable[tuple[str, int, int | None]]
    ) -> None:
        if process.open_commit is not None:
            raise HistoryError(
                line, f"process {process.name} has a commit open since line {process.open_commit.invoke_line}"
            )
        named = {
            self.records.partition_named(topic, number).index: offset
            for topic, number, offset in offsets
            if offset is not None
        }
        commit = Commit(group, line, named, process.transaction)
        for index, offset in named.items():
            covered = self._group_polled.get((group, index))
            if covered is not None and offset - 1 > covered:
                commit.covered[index] = covered
        self.commits.append(commit)
        if process.transaction is not None:
            process.transaction.commits.append(commit)
        process.open_commit = commit

    def commit_ended(self, line: int, process: Process, outcome: Outcome) -> None:
        commit, process.open_commit = process.open_commit, None
        if commit is None:
            raise HistoryError(line, f"process {process.name} has no commit open")
        commit.outcome = outcome
        if outcome is not Outcome.UNKNOWN:
            commit.end_line = line
        if outcome is Outcome.COMMITTED and commit.transaction is None:
            self._group_committed(commit)

    def _group_committed(self, commit: Commit) -> None:
        """What the group has not polled below is reported once. Groups whose polls are not told are not judged."""
        for index, offset in commit.offsets.items():
            if (commit.group, index) in self._group_polled:
                self._group_covers(commit.group, index, offset - 1)

    # -- transactions

    def began(self, line: int, process: Process) -> None:
        self._leave_transaction(process)
        transaction = Transaction(len(self.transactions), process.name, line)
        self.transactions.append(transaction)
        process.transaction = transaction

    def end_invoked(self, line: int, process: Process, *, commit: bool) -> None:
        transaction = self._transaction_of(line, process)
        if commit and not transaction.asked_line:
            transaction.asked_line = line

    def ended(self, line: int, process: Process, done: bool | None, *, commit: bool) -> None:
        """The answer to an end: `done` False: it was refused, so another may be asked for; None: nobody knows."""
        transaction = self._transaction_of(line, process)
        if commit and not transaction.asked_line:
            raise HistoryError(line, f"process {process.name} did not ask for this commit before")
        if done is None:
            if commit:
                transaction.outcome = Outcome.UNKNOWN
        elif done:
            # An abort that succeeds does not tell what became of a commit whose answer was lost.
            if commit or transaction.outcome is Outcome.OPEN:
                transaction.outcome = Outcome.COMMITTED if commit else Outcome.ABORTED
            transaction.end_line = line
            process.transaction = None
            if transaction.outcome is Outcome.COMMITTED:
                for within in transaction.commits:
                    self._group_committed(within)
        elif commit and transaction.outcome is Outcome.OPEN:
            transaction.outcome = Outcome.ABORTED

    def _transaction_of(self, line: int, process: Process) -> Transaction:
        if process.transaction is None:
            raise HistoryError(line, f"process {process.name} has no transaction open")
        return process.transaction

    def _leave_transaction(self, process: Process) -> None:
        if process.transaction is not None:
            process.transaction.abandon()
            process.transaction = None

    # -- the end

    def crashed(self, process: Process) -> None:
        self.crash_count += 1
        self._leave_transaction(process)
        process.positions.clear()
        process.open_commit = None
        process.resume_line = 0

    def finished(self) -> None:
        """The history ends: what is open stays unknown."""
        for process in self._processes.values():
            self._leave_transaction(process)
