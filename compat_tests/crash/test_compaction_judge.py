"""The judge of compacted topics finds what is planted in a small history, and nothing else."""

from __future__ import annotations

import json

from compat_tests.crash.compaction_judge import CompactionJudge

TOPIC = "compacted"
DELETE_RETENTION_MS = 100
Shown = tuple[int, int, str, str, bool]  # partition, offset, key, name, tombstone


class History:
    """By hand, one call a line; a reading takes no time when it is not told to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now_ms = 0

    def event(self, process: str, kind: str, function: str, **fields: object) -> None:
        line = {"time": self.now_ms * 1_000_000, "process": process, "type": kind, "f": function, **fields}
        self.lines.append(json.dumps(line))

    def send(
        self,
        key: str,
        name: str,
        offset: int | None,
        *,
        tombstone: bool = False,
        process: str = "p",
        partition: int = 0,
    ) -> None:
        """Without an offset nobody knows what became of it."""
        told = {"topic": TOPIC, "partition": partition, "key": key, "name": name}
        self.event(process, "invoke", "send", **told, tombstone=tombstone)
        if offset is None:
            self.event(process, "info", "send", **told)
        else:
            self.event(process, "ok", "send", **told, offset=offset)

    def begin(self, process: str = "p") -> None:
        self.event(process, "ok", "begin")

    def ask(self, process: str = "p", *, commit: bool = True) -> None:
        self.event(process, "invoke", "end", commit=commit)

    def end(self, process: str = "p", *, commit: bool = True) -> None:
        self.ask(process, commit=commit)
        self.event(process, "ok", "end", commit=commit)

    def read(
        self,
        *records: Shown,
        ends: tuple[int, ...] = (100, 100),
        isolation: str = "read_committed",
        seconds: float = 0.0,
    ) -> None:
        self.event(isolation, "invoke", "read", topic=TOPIC)
        self.now_ms += int(seconds * 1000)
        told = {"topic": TOPIC, "isolation": isolation, "starts": [0, 0], "ends": ends}
        self.event(isolation, "ok", "read", **told, records=records)

    def found(self) -> dict[str, int]:
        judge = CompactionJudge(TOPIC, delete_retention_ms=DELETE_RETENTION_MS)
        judge.judge(self.lines)
        return judge.problems.counts


def shown(offset: int, key: str, name: str, *, tombstone: bool = False, partition: int = 0) -> Shown:
    return partition, offset, key, name, tombstone


def written() -> History:
    """a1, b1, a2 at offsets 0, 1, 2."""
    history = History()
    for offset, (key, name) in enumerate((("a", "a1"), ("b", "b1"), ("a", "a2"))):
        history.send(key, name, offset)
    return history


def test_a_history_without_problems() -> None:
    history = written()
    history.read(shown(0, "a", "a1"), shown(1, "b", "b1"), shown(2, "a", "a2"))
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"))
    history.send("b", "b2", 3, tombstone=True)
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "b", "b2", tombstone=True))
    history.read(shown(2, "a", "a2"))
    assert history.found() == {}


def test_the_last_write_of_a_key_is_gone() -> None:
    history = written()
    history.read(shown(0, "a", "a1"), shown(1, "b", "b1"))
    assert history.found() == {"a write that is lost": 1}


def test_a_key_is_gone_without_a_tombstone() -> None:
    history = written()
    history.read(shown(2, "a", "a2"))
    assert history.found() == {"a write that is lost": 1}


def test_a_tombstone_is_gone_and_what_was_before_it_is_there() -> None:
    history = written()
    history.send("b", "b2", 3, tombstone=True)
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"))
    assert history.found() == {"a write that is lost": 1}


def test_a_reading_longer_than_the_retention_may_miss_a_tombstone() -> None:
    history = written()
    history.send("b", "b2", 3, tombstone=True)
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), seconds=0.2)
    assert history.found() == {}


def test_a_value_after_a_tombstone_must_be_there() -> None:
    history = written()
    history.send("b", "b2", 3, tombstone=True)
    history.send("b", "b3", 4)
    history.read(shown(2, "a", "a2"), seconds=0.2)
    assert history.found() == {"a write that is lost": 1}


def test_a_write_without_an_answer_may_be_there_or_not() -> None:
    history = written()
    history.send("b", "b2", None)
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"))
    history.read(shown(2, "a", "a2"), shown(3, "b", "b2"))
    assert history.found() == {}


def test_a_tombstone_without_an_answer_may_have_taken_all() -> None:
    history = written()
    history.send("b", "b2", None, tombstone=True)
    history.read(shown(2, "a", "a2"))
    assert history.found() == {}


def test_what_was_written_during_the_reading_may_be_missing() -> None:
    history = written()
    history.event("reader", "invoke", "read", topic=TOPIC)
    history.send("a", "a3", 3)
    told = {"topic": TOPIC, "isolation": "read_uncommitted", "starts": [0, 0], "ends": [3, 0]}
    history.event("reader", "ok", "read", **told, records=[shown(1, "b", "b1"), shown(2, "a", "a2")])
    assert history.found() == {}


def test_offsets_go_back() -> None:
    history = written()
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(1, "b", "b1"))
    assert history.found() == {"offsets go back": 1}


def test_a_record_is_doubled() -> None:
    history = written()
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "a", "a2"))
    assert history.found() == {"a record at two places": 1}


def test_a_kept_record_has_another_offset() -> None:
    history = written()
    history.read(shown(0, "b", "b1"), shown(2, "a", "a2"))
    assert history.found() == {"a record at two places": 1, "a place with two records": 1}


def test_a_key_goes_back() -> None:
    history = written()
    history.send("c", "c1", None)
    history.send("c", "c2", None)
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "c", "c2"), shown(4, "c", "c1"))
    assert history.found() == {"a key that goes back": 1}


def test_a_record_comes_back() -> None:
    history = written()
    new = shown(1, "b", "b1"), shown(2, "a", "a2")
    history.read(*new)
    history.read(shown(0, "a", "a1"), *new)
    assert history.found() == {}, "nobody has seen that it was gone"
    history.read(*new)
    history.read(shown(0, "a", "a1"), *new)
    assert history.found() == {"a record that was gone came back": 1}


def test_a_record_of_another_key_or_kind() -> None:
    history = written()
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2", tombstone=True))
    assert history.found() == {"another record than was written": 1}


def test_a_record_that_nobody_wrote() -> None:
    history = written()
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "c", "c1"))
    assert history.found() == {"a record that nobody wrote": 1}


def test_an_aborted_record_is_visible() -> None:
    history = written()
    history.begin()
    history.send("b", "b2", 3)
    history.end(commit=False)
    records = shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "b", "b2")
    history.read(*records, isolation="read_uncommitted")
    assert history.found() == {}
    history.read(*records)
    assert history.found() == {"a record that was aborted": 1}


def test_an_aborted_record_has_taken_the_place_of_a_committed_one() -> None:
    for isolation in ("read_committed", "read_uncommitted"):
        history = written()
        history.begin()
        history.send("b", "b2", 3)
        history.end(commit=False)
        history.read(shown(2, "a", "a2"), isolation=isolation)
        assert history.found() == {"a write that is lost": 1}


def test_a_crash_before_the_commit_aborts() -> None:
    history = written()
    history.begin()
    history.send("b", "b2", 3)
    history.event("p", "info", "crash")
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "b", "b2"))
    assert history.found() == {"a record that was aborted": 1}


def test_a_record_is_visible_before_its_commit() -> None:
    history = written()
    history.begin()
    history.send("b", "b2", 3)
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), shown(3, "b", "b2"))
    history.end()
    assert history.found() == {"a record that was not yet committed": 1}


def test_a_committed_record_is_gone() -> None:
    history = written()
    history.begin()
    history.send("b", "b2", 3)
    history.end()
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), ends=(3, 0))
    assert history.found() == {}, "an open transaction hides it"
    history.read(shown(1, "b", "b1"), shown(2, "a", "a2"), ends=(5, 0))
    assert history.found() == {"a write that is lost": 1}


def test_who_sees_a_part_of_a_commit_without_an_answer_sees_all_from_then_on() -> None:
    history = written()
    history.begin()
    history.send("b", "b2", 3)
    history.send("c", "c1", 0, partition=1)
    history.ask()
    history.event("p", "info", "crash")
    rest = shown(1, "b", "b1"), shown(2, "a", "a2")
    history.read(*rest)
    history.read(*rest, shown(3, "b", "b2"))
    assert history.found() == {}
    history.read(*rest, shown(3, "b", "b2"))
    assert history.found() == {"a write that is lost": 1}
