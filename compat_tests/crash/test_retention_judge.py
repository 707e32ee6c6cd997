"""The judge of topics whose old records go finds what is planted in a small history, and nothing else."""

from __future__ import annotations

import json

from compat_tests.crash.retention_judge import RECORD_BYTES_MAX, RetentionJudge

TOPIC = "retained"
KEPT = 3


class History:
    """Of one partition, by hand; the value of the record at offset 7 is "7"."""

    def __init__(self, sent: int) -> None:
        self.lines: list[str] = []
        for offset in range(sent):
            self.send(offset)

    def event(self, process: str, kind: str, function: str, **fields: object) -> None:
        line = {"time": 0, "process": process, "type": kind, "f": function, "topic": TOPIC, **fields}
        self.lines.append(json.dumps(line))

    def send(self, offset: int, value: str = "") -> None:
        self.event("p", "invoke", "send", partition=0, value=value or str(offset))
        self.event("p", "ok", "send", partition=0, value=value or str(offset), offset=offset)

    def delete(self, offset: int, answer: int | None) -> None:
        self.ask_to_delete(offset)
        self.answer_deletion(offset, answer)

    def ask_to_delete(self, offset: int) -> None:
        self.event("d", "invoke", "delete", partition=0, offset=offset)

    def answer_deletion(self, offset: int, answer: int | None) -> None:
        """Without an answer nobody knows."""
        if answer is None:
            self.event("d", "info", "delete", partition=0, offset=offset)
        else:
            self.event("d", "ok", "delete", partition=0, offset=offset, low_watermark=answer)

    def ask(self) -> None:
        self.event("r", "invoke", "read")

    def answer(self, offsets: range | list[int], start: int) -> None:
        records = [[0, offset, str(offset)] for offset in offsets]
        self.event("r", "ok", "read", records=records, starts=[start], ends=[offsets[-1] + 1 if offsets else start])

    def read(self, offsets: range | list[int], start: int | None = None) -> None:
        self.ask()
        self.answer(offsets, offsets[0] if start is None else start)

    def found(self) -> dict[str, int]:
        judge = RetentionJudge(TOPIC, retention_bytes=KEPT * RECORD_BYTES_MAX)
        judge.judge(self.lines)
        return judge.problems.counts


def test_a_history_without_problems() -> None:
    history = History(10)
    history.read(range(10))
    history.delete(2, 2)
    history.read(range(2, 10))
    history.ask()
    history.delete(4, 4)
    history.answer(range(2, 10), start=4)
    history.read(range(7, 10))
    history.delete(-1, 10)
    history.read([], start=10)
    assert history.found() == {}


def test_deleted_records_come_back() -> None:
    history = History(10)
    history.delete(2, 2)
    history.read(range(10))
    assert history.found() == {"a start that went back": 1, "a record before the start": 1}


def test_a_deletion_without_an_answer_may_come_back() -> None:
    history = History(10)
    history.delete(2, None)
    history.read(range(10))
    assert history.found() == {}


def test_a_deletion_that_was_seen_before_its_answer_may_come_back_until_then() -> None:
    for answer, expected in ((None, {}), (2, {"a start that went back": 1, "a record before the start": 1})):
        history = History(10)
        history.ask_to_delete(2)
        history.read(range(2, 10))
        history.answer_deletion(2, answer)
        history.read(range(10))
        assert history.found() == expected


def test_a_start_that_somebody_was_told_goes_back() -> None:
    history = History(10)
    history.read(range(7, 10))
    history.read(range(10), start=5)
    assert history.found() == {"a start that went back": 1, "a record before the start": 1}


def test_an_answer_below_what_was_asked_for() -> None:
    history = History(10)
    history.delete(5, 3)
    history.read(range(3, 10))
    assert history.found() == {"not deleted": 1}


def test_a_deletion_is_answered_with_an_older_start() -> None:
    history = History(10)
    history.delete(5, 5)
    history.delete(2, 3)
    assert history.found() == {"a start that went back": 1}


def test_a_record_in_the_middle_is_gone() -> None:
    history = History(10)
    history.read([7, 9])
    assert history.found() == {"a record that is lost": 1}


def test_the_end_is_gone() -> None:
    history = History(10)
    history.read(range(5, 8))
    assert history.found() == {"a record that is lost": 2}


def test_what_was_acknowledged_during_the_reading_may_be_missing() -> None:
    history = History(10)
    history.ask()
    history.send(10)
    history.answer(range(10), start=0)
    assert history.found() == {}


def test_retention_takes_too_much() -> None:
    history = History(10)
    history.read(range(10 - KEPT, 10))
    assert history.found() == {}
    history.read(range(10 - KEPT + 1, 10))
    assert history.found() == {"too little is left": 1}


def test_deletion_takes_as_much_as_it_is_asked_to() -> None:
    for asked, answer in ((9, 9), (9, None), (-1, 10), (-1, None)):
        history = History(10)
        history.delete(asked, answer)
        start = 10 if asked == -1 else asked
        history.read(range(start, 10), start)
        assert history.found() == {}, (asked, answer)


def test_offsets_go_back() -> None:
    history = History(10)
    history.read([*range(10), 9])
    assert history.found() == {"offsets go back": 1}


def test_an_offset_has_two_records() -> None:
    history = History(3)
    history.send(2, "another")
    assert history.found() == {"a place with two records": 1}


def test_a_record_has_two_offsets() -> None:
    history = History(3)
    history.send(3, "2")
    assert history.found() == {"a record at two places": 1}
