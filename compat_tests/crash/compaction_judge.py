"""What must hold in every reading of a compacted topic, whenever the broker was killed.

Sans-IO: lines in, problems out. The lines are those that the clients of `compacted.py` write. *Settled* are writes that
were acknowledged, in a transaction those whose commit was, too. Of every reading from the first record to the end:

* offsets ascend in each partition, a key's writes come in the order in which they were made;
* a record is what was written, has one place, and no place has two records, in this and all other readings;
* a record that an earlier reading did not find where it had been does not come back;
* with read_committed nothing is there that was aborted, or whose commit had not been asked for by then;
* a key ends with the write settled last before the reading began, or with a later one. Records of a key may all be
  gone where a tombstone is its last write, or may be: a tombstone goes after delete.retention.ms. A reading that took
  longer than that may have missed the tombstone and still show what was before it (Kafka's documented bound).

With read_committed only what lies below the end that the reader found is missed: an open transaction hides the rest. A
commit without an answer is settled by the first reading with read_committed that sees a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from compat_tests.crash.problems import Event, Problems, events_of

NEVER = 1 << 62
READ_COMMITTED = "read_committed"
Place = tuple[int, int]  # partition, offset


class Write:
    """One record of a key, as its writer told of it."""

    __slots__ = (
        "asked_line",
        "key",
        "name",
        "offset",
        "order",
        "partition",
        "refused",
        "sent_line",
        "settled",
        "tombstone",
    )

    def __init__(self, key: str, name: str, order: int, partition: int, tombstone: bool, sent_line: int) -> None:
        self.key = key
        self.name = name
        self.order = order  # among the writes of its key
        self.partition = partition
        self.tombstone = tombstone
        self.sent_line = sent_line
        self.offset = -1
        self.settled = NEVER  # the line from which on it must be there
        self.asked_line = sent_line  # of a transaction's commit, NEVER: it was not asked for
        self.refused = False  # its transaction was aborted


class Transaction:
    """What one writer sent between `begin` and `end`."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.acknowledged: set[str] = set()
        self.asked_line = NEVER

    def ended(self, line: int, *, settled: bool, refused: bool) -> None:
        for write in self.writes:
            write.asked_line = self.asked_line
            write.refused = refused
            if settled and write.name in self.acknowledged:
                write.settled = line

    def was_seen(self, line: int) -> None:
        """With read_committed: all of it was committed."""
        for write in self.writes:
            if write.name in self.acknowledged:
                write.settled = min(write.settled, line)


class CompactionJudge:
    """The judge of one topic. `judge` reads the history twice: what was written, then what was read."""

    def __init__(self, topic: str, *, delete_retention_ms: int) -> None:
        self.problems = Problems()
        self.readings = 0
        self.readings_too_slow = 0  # for a tombstone's sake
        self.written = 0
        self.left = 0  # records in the last reading
        self._topic = topic
        self._delete_retention_ns = delete_retention_ms * 1_000_000
        self._writes: dict[str, Write] = {}
        self._by_key: dict[str, list[Write]] = {}
        self._transaction_of: dict[str, Transaction] = {}  # name of a write
        self._open: dict[str, Transaction] = {}  # process
        self._names: dict[Place, str] = {}
        self._shown: dict[str, dict[Place, int]] = {}  # isolation -> what its latest reading found, and in which line
        self._gone: dict[str, dict[Place, int]] = {}

    def judge(self, lines: Sequence[str]) -> None:
        for number, event in events_of(lines, self._topic):
            if event["f"] != "read":
                self._write_told(number, event)
        for transaction in self._open.values():
            self._left(transaction)
        self._open.clear()
        began: dict[str, tuple[int, int]] = {}
        for number, event in events_of(lines, self._topic):
            if event["f"] == "read":
                if event["type"] == "invoke":
                    began[event["process"]] = number, event["time"]
                else:
                    began_line, began_ns = began.pop(event["process"])
                    self._reading(event, began_line, number, event["time"] - began_ns)
        self.written = sum(write.offset >= 0 for write in self._writes.values())

    # -- what was written

    def _write_told(self, line: int, event: Event) -> None:
        process, function, kind = event["process"], event["f"], event["type"]
        if function == "send":
            if kind == "invoke":
                self._sent(line, event)
            elif kind == "ok":
                self._acknowledged(line, event)
        elif function == "begin":
            self._left(self._open.pop(process, None))
            self._open[process] = Transaction()
        elif function == "crash":
            self._left(self._open.pop(process, None))
        elif function == "end" and (transaction := self._open.get(process)) is not None:
            if kind == "invoke":
                if event["commit"] and transaction.asked_line == NEVER:
                    transaction.asked_line = line
            elif kind == "ok":
                del self._open[process]
                if event["commit"]:
                    transaction.ended(line, settled=True, refused=False)
                else:
                    # After a commit whose answer was lost an abort tells nothing: but then a `crash` follows.
                    transaction.ended(line, settled=False, refused=True)

    def _left(self, transaction: Transaction | None) -> None:
        """Nobody ended it: without a commit asked for it cannot commit."""
        if transaction is not None:
            transaction.ended(NEVER, settled=False, refused=transaction.asked_line == NEVER)

    def _sent(self, line: int, event: Event) -> None:
        of_key = self._by_key.setdefault(event["key"], [])
        write = Write(event["key"], event["name"], len(of_key), event["partition"], event["tombstone"], line)
        of_key.append(write)
        self._writes[write.name] = write
        if (transaction := self._open.get(event["process"])) is not None:
            transaction.writes.append(write)
            self._transaction_of[write.name] = transaction

    def _acknowledged(self, line: int, event: Event) -> None:
        write = self._writes[event["name"]]
        self._is_at(write, (event["partition"], event["offset"]))
        if (transaction := self._transaction_of.get(write.name)) is not None:
            transaction.acknowledged.add(write.name)
        else:
            write.settled = line

    def _is_at(self, write: Write, place: Place) -> None:
        if write.offset == -1:
            write.offset = place[1]
        if (write.partition, write.offset) != place:
            self.problems.add(
                "a record at two places", f"{write.name} at {write.partition}, {write.offset} and at {place}"
            )
        other = self._names.setdefault(place, write.name)
        if other != write.name:
            self.problems.add("a place with two records", f"{place} held {other} and {write.name}")

    # -- what was read

    def _reading(self, event: Event, began_line: int, line: int, duration_ns: int) -> None:
        self.readings += 1
        isolation, ends = event["isolation"], event["ends"]
        shown: dict[Place, int] = {}
        latest: dict[str, Write] = {}
        positions: dict[int, int] = {}
        for partition, offset, key, name, tombstone in event["records"]:
            if offset <= positions.get(partition, -1):
                self.problems.add("offsets go back", f"{offset} after {positions[partition]} in partition {partition}")
            positions[partition] = offset
            write = self._writes.get(name)
            if write is None:
                self.problems.add("a record that nobody wrote", f"{name} at {partition}, {offset}")
                continue
            if (write.key, write.tombstone) != (key, tombstone):
                self.problems.add("another record than was written", f"{name} has key {key}, tombstone {tombstone}")
            self._is_at(write, (partition, offset))
            shown[partition, offset] = line
            if self._gone.get(isolation, {}).get((partition, offset), NEVER) < began_line:
                self.problems.add("a record that was gone came back", f"{name} at {partition}, {offset} ({isolation})")
            if write.refused or write.asked_line > line:
                if isolation == READ_COMMITTED:
                    why = "aborted" if write.refused else "not yet committed"
                    self.problems.add(f"a record that was {why}", f"{name} at {partition}, {offset}")
                continue
            if isolation == READ_COMMITTED and (transaction := self._transaction_of.get(name)) is not None:
                transaction.was_seen(line)
            before = latest.get(key)
            if before is not None and before.order > write.order:
                self.problems.add("a key that goes back", f"{key} from {before.name} to {name}")
            latest[key] = write
        slow = duration_ns > self._delete_retention_ns
        self.readings_too_slow += slow
        for key, writes in self._by_key.items():
            wanted = _settled_last(writes, began_line, ends if isolation == READ_COMMITTED else None)
            if wanted is None:
                continue
            found = latest.get(key)
            if found is not None and found.order >= wanted.order:
                continue
            if (found is None or slow) and _may_be_deleted(writes, wanted, line):
                continue
            self.problems.add(
                "a write that is lost",
                f"{key} ends with {found.name if found else 'nothing'} in line {line}, after "
                f"{wanted.name} at {wanted.partition}, {wanted.offset} ({isolation})",
            )
        self._note_gone(isolation, shown, ends, line)
        self.left = len(shown)

    def _note_gone(self, isolation: str, shown: dict[Place, int], ends: list[int], line: int) -> None:
        gone = self._gone.setdefault(isolation, {})
        for place in self._shown.get(isolation, {}):
            if place not in shown and place[1] < ends[place[0]]:
                gone[place] = line
        self._shown[isolation] = shown


def _settled_last(writes: list[Write], line: int, ends: list[int] | None) -> Write | None:
    """The last write that must be there for who began to read at `line`, and read up to `ends`."""
    for write in reversed(writes):
        if write.settled < line and (ends is None or write.offset < ends[write.partition]):
            return write
    return None


def _may_be_deleted(writes: list[Write], wanted: Write, line: int) -> bool:
    """Whether a tombstone may be the key's last write as of some moment between `wanted` and `line`."""
    return any(write.tombstone and not write.refused and write.sent_line < line for write in writes[wanted.order :])
