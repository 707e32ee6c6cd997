"""A broker that keeps every promise, and clients that write down what they see of it: histories that must be clean.

One partition is a list of entries; read_committed sees them below the first open transaction, without aborted ones and
markers. Answers get lost, requests get lost, clients crash: all that the history's format can say happens.
"""

from __future__ import annotations

import random

from tests.history.history_builder import TOPIC, History, Seen

PARTITIONS = 2
GROUP = "group"
OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


class _Transaction:
    def __init__(self) -> None:
        self.state = OPEN
        self.offsets: dict[int, int] = {}
        self.commit_was_asked_for = False


class _Entry:
    def __init__(self, value: str | None, transaction: _Transaction | None) -> None:
        self.value = value  # None: a marker
        self.transaction = transaction


class ModelBroker:
    def __init__(self) -> None:
        self.partitions: list[list[_Entry]] = [[] for _ in range(PARTITIONS)]
        self.committed: dict[int, int] = {}

    def append(self, partition: int, value: str, transaction: _Transaction | None) -> int:
        self.partitions[partition].append(_Entry(value, transaction))
        return len(self.partitions[partition]) - 1

    def end(self, transaction: _Transaction, state: str) -> None:
        if transaction.state != OPEN:
            return
        transaction.state = state
        for entries in self.partitions:
            if any(entry.transaction is transaction for entry in entries):
                entries.append(_Entry(None, transaction))
        if state == COMMITTED:
            self.committed.update(transaction.offsets)

    def read(self, partition: int, position: int, count: int, *, committed: bool) -> tuple[list[Seen], int]:
        """Records, and the position after what was looked at."""
        seen: list[Seen] = []
        entries = self.partitions[partition]
        while position < len(entries) and len(seen) < count:
            entry = entries[position]
            if committed and entry.transaction is not None and entry.transaction.state == OPEN:
                break
            if entry.value is not None and not (
                committed and entry.transaction is not None and entry.transaction.state == ABORTED
            ):
                seen.append((partition, position, entry.value))
            position += 1
        return seen, position


class Simulation:
    """Runs `steps` steps of random clients, then the final polls."""

    def __init__(self, chance: random.Random, steps: int) -> None:
        self.chance = chance
        self.history = History()
        self.broker = ModelBroker()
        self.values = 0
        self.positions: dict[str, dict[int, int]] = {}
        self.open: dict[str, _Transaction] = {}
        actors = (
            [(self.plain_send, name) for name in ("p0", "p1")]
            + [(self.transact, name) for name in ("t0", "t1")]
            + [(self.consume, name) for name in ("c0",)]
            + [(self.observe, name) for name in ("o0", "o1")]
        )
        for _ in range(steps):
            actor, name = chance.choice(actors)
            actor(name)
        self.finish()

    def new_value(self) -> str:
        self.values += 1
        return f"v{self.values}"

    def plain_send(self, process: str) -> None:
        self._send(process, None)

    def _send(self, process: str, transaction: _Transaction | None) -> None:
        partition, value = self.chance.randrange(PARTITIONS), self.new_value()
        fate = self.chance.choice(("ok", "ok", "ok", "ok", "answer lost", "request lost", "refused"))
        self.history.send(process, value, partition, None, end="")
        offset = None
        if fate in ("ok", "answer lost"):
            offset = self.broker.append(partition, value, transaction)
        place = {"offset": offset} if fate == "ok" else {}
        kind = {"ok": "ok", "refused": "fail"}.get(fate, "info")
        self.history.event(process, kind, "send", topic=TOPIC, partition=partition, value=value, **place)
        if transaction is not None and fate == "request lost":  # a client would not commit then
            self._abort(process)

    def transact(self, process: str) -> None:
        transaction = self.open.get(process)
        if transaction is None:
            self.history.begin(process)
            self.open[process] = _Transaction()
            return
        action = self.chance.choice(("send", "send", "poll", "offsets", "end", "end"))
        if action == "send":
            self._send(process, transaction)
        elif action == "poll":
            self._poll(process, committed=True)
        elif action == "offsets":
            partition = self.chance.randrange(PARTITIONS)
            offset = self.positions.get(process, {}).get(partition, 0)
            transaction.offsets[partition] = offset
            # A group of its own: the model's register is for the consumer's.
            self.history.commit(process, f"group of {process}", offset, partition=partition)
        else:
            self._end(process)

    def _end(self, process: str) -> None:
        transaction = self.open[process]
        fate = self.chance.choice(("commit", "commit", "commit", "abort", "answer lost", "request lost", "crash"))
        transaction.offsets.clear()
        transaction.commit_was_asked_for = fate not in ("abort", "crash")
        if fate == "commit":
            self.history.ask(process)
            self.broker.end(transaction, COMMITTED)
            self.history.event(process, "ok", "end", commit=True)
        elif fate == "abort":
            self._abort(process)
            return
        elif fate == "crash":
            self.history.event(process, "info", "crash")
            self.broker.end(transaction, ABORTED)
            self.positions.pop(process, None)
        else:
            self.history.ask(process)
            self.broker.end(transaction, COMMITTED if fate == "answer lost" else ABORTED)
            self.history.event(process, "info", "end", commit=True)
            self.history.event(process, "info", "crash")
            self.positions.pop(process, None)
        del self.open[process]

    def _abort(self, process: str) -> None:
        self.history.ask(process, commit=False)
        self.broker.end(self.open.pop(process), ABORTED)
        self.history.event(process, "ok", "end", commit=False)

    def _poll(self, process: str, *, committed: bool) -> None:
        if process not in self.positions:
            isolation = "read_committed" if committed else "read_uncommitted"
            start = [[TOPIC, partition, 0] for partition in range(PARTITIONS)]
            self.history.event(process, "ok", "assign", partitions=start, isolation=isolation)
            self.positions[process] = dict.fromkeys(range(PARTITIONS), 0)
        seen: list[Seen] = []
        for partition, position in self.positions[process].items():
            records, following = self.broker.read(partition, position, self.chance.randint(0, 5), committed=committed)
            seen += records
            self.positions[process][partition] = following
        self.history.poll(process, *seen, committed=committed)

    def observe(self, process: str) -> None:
        if self.chance.random() < 0.1:
            self.history.event(process, "info", "crash")
            self.positions.pop(process, None)
        self._poll(process, committed=process == "o0")

    def consume(self, process: str) -> None:
        """A group's only member: polls, commits, crashes, resumes."""
        if process not in self.positions:
            self.history.event(process, "ok", "subscribe", group=GROUP, isolation="read_committed")
            self.positions[process] = {}
            for partition in range(PARTITIONS):
                offset = self.broker.committed.get(partition)
                self.history.resume(process, GROUP, offset, partition)
                self.positions[process][partition] = offset or 0
        fate = self.chance.choice(("poll", "poll", "poll", "commit", "commit", "crash"))
        if fate == "poll":
            self._poll(process, committed=True)
        elif fate == "crash":
            self.history.event(process, "info", "crash")
            del self.positions[process]
        else:
            partition = self.chance.randrange(PARTITIONS)
            offset = self.positions[process][partition]
            answer = self.chance.choice(("ok", "ok", "lost", "refused"))
            applied = answer == "ok" or (answer == "lost" and self.chance.random() < 0.5)
            if applied:
                self.broker.committed[partition] = offset
            kind = {"ok": "ok", "lost": "info", "refused": "fail"}[answer]
            self.history.commit(process, GROUP, offset, end=kind, partition=partition)

    def finish(self) -> None:
        for process, transaction in self.open.items():
            self.history.event(process, "info", "crash")
            self.broker.end(transaction, ABORTED)
        for committed in (True, False):
            seen: list[Seen] = []
            for partition in range(PARTITIONS):
                seen += self.broker.read(partition, 0, 1 << 30, committed=committed)[0]
            self.history.poll(f"final {committed}", *seen, committed=committed, final=True)
