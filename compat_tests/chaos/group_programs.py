"""Members of groups in Go and Java that do what they are told, so that all they do is in the history.

What is asked for is written down before the program hears of it, and what was answered afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compat_tests.chaos.conversation import Conversation, Line
from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.transactions import LEFT_ALONE_CHANCE

SESSION_TIMEOUT_MS = 6000
POLL_MAX = 30


class GroupProgram(Client):
    """`program` has the orders of go/group_worker.go, and reads with read_committed."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        directory: Path,
        program: Sequence[str],
        group: str,
        topics: Sequence[str],
        transactional_id: str = "",
    ) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.group = group
        self.topics = list(topics)
        self.positions: dict[tuple[str, int], int] = {}
        """What it has polled and not committed."""
        self._untold: list[tuple[str, int, int, str]] = []
        more = [transactional_id] if transactional_id else []
        command = [*program, "group", bootstrap, group, ",".join(topics), str(SESSION_TIMEOUT_MS), *more]
        self.talk = Conversation(name, command, directory / f"{name}.errors", self.heard, user=self.USER)

    def open(self) -> None:
        self.talk.open()
        self._subscribed()

    def poll(self) -> None:
        for topic, partition, offset, value in self.talk.ask("poll", count=self.random.randint(1, POLL_MAX))["polled"]:
            self._untold.append((topic, partition, offset, value))
            self.positions[topic, partition] = offset + 1

    def tell(self) -> None:
        """Write down what it has polled."""
        if self._untold:
            self.note("ok", "poll", records=self._untold)
            self._untold = []

    def restart(self, error: str | None = None) -> None:
        """As if it had been killed, because of `error` or of nothing."""
        self.tell()
        self.note("info", "crash", **({"error": error} if error is not None else {}))
        self.talk.ask("restart")
        self.positions.clear()
        self._subscribed()

    def offsets(self) -> list[list[object]]:
        return [[topic, partition, offset] for (topic, partition), offset in self.positions.items()]

    def heard(self, line: Line) -> None:
        if "revoked" in line:
            self.tell()
            self.positions.clear()
            self.note("ok", "poll", records=[], rebalanced=True)
        elif "resumed" in line:
            self.tell()
            self.positions.clear()
            self.note("ok", "resume", group=self.group, offsets=line["resumed"])
        else:
            raise AssertionError(f"{self.name} said {line}")

    def close(self) -> None:
        self.tell()
        self.talk.close()

    def _subscribed(self) -> None:
        self.note("ok", "subscribe", group=self.group, topics=self.topics, isolation="read_committed")


class MemberProgram(GroupProgram):
    """Commits what it has polled, and begins anew now and then."""

    USER = "reader"

    def step(self) -> None:
        self.poll()
        self.tell()
        chance = self.random.random()
        if chance < 0.3 and self.positions:
            self.note("invoke", "commit", group=self.group, offsets=self.offsets())
            answer = self.talk.ask("commit", offsets=self.offsets())
            # Perhaps an earlier try was applied and its answer lost: of one that has failed nobody knows.
            self.note("ok" if "done" in answer else "info", "commit")
        elif chance > 0.998:
            self.restart()


class TransformingProgram(GroupProgram):
    """Each record of its one topic becomes `<value>#<name>.<try>` of `target`, exactly once, in transactions."""

    USER = "transformer"

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        directory: Path,
        program: Sequence[str],
        group: str,
        source: str,
        target: str,
    ) -> None:
        super().__init__(
            name,
            bootstrap,
            history,
            seed,
            directory=directory,
            program=program,
            group=group,
            topics=[source],
            transactional_id=name,
        )
        self.target = target
        self._tries = 0
        self._partitions: dict[str, int] = {}
        """Of each value that is sent and has no outcome yet."""

    def step(self) -> None:
        self.poll()
        if not self._untold:
            return
        batch, offsets = list(self._untold), self.offsets()
        answer = self.talk.ask("begin")
        if "failed" in answer:
            self._fail(answer)
            return
        self.note("ok", "begin")
        self.tell()
        self._tries += 1
        for _, partition, _, value in batch:
            made = f"{value}#{self.name}.{self._tries}"
            self._partitions[made] = partition
            self.note("invoke", "send", topic=self.target, partition=partition, value=made)
            self.talk.tell("send", topic=self.target, partition=partition, value=made)
        if self.random.random() < LEFT_ALONE_CHANCE:
            self.restart()
        elif self.random.random() < 0.9:
            self._commit(offsets)
        else:
            self._abort()

    def _commit(self, offsets: list[list[object]]) -> None:
        self.note("invoke", "commit", group=self.group, offsets=offsets)
        self.note("invoke", "end", commit=True)
        answer = self.talk.ask("end", commit=True)
        if "failed" in answer:
            self.note("info", "commit")
            self.note("info", "end", commit=True)
            self._fail(answer)
        elif answer["committed"]:
            self.positions.clear()
            self.note("ok", "commit")
            self.note("ok", "end", commit=True)
        else:
            self.note("info", "commit")
            self.note("fail", "end", commit=True)
            self.note("invoke", "end", commit=False)
            self.note("ok", "end", commit=False)

    def _abort(self) -> None:
        self.note("invoke", "end", commit=False)
        answer = self.talk.ask("end", commit=False)
        if "failed" in answer:
            self.note("info", "end", commit=False)
            self._fail(answer)
        else:
            self.note("ok", "end", commit=False)

    def _fail(self, answer: Line) -> None:
        self.restart(answer["failed"])

    def restart(self, error: str | None = None) -> None:
        super().restart(error)
        self._partitions.clear()

    def heard(self, line: Line) -> None:
        if "sent" not in line:
            super().heard(line)
            return
        value = line["sent"]
        partition = self._partitions.pop(value, None)
        if partition is None:
            return  # of a client that is no more
        if "error" in line:
            self.note("info", "send", topic=self.target, partition=partition, value=value, error=line["error"])
        else:
            self.note("ok", "send", topic=self.target, partition=partition, value=value, offset=line["offset"])
