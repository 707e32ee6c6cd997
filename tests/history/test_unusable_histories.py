"""A history that cannot be used is refused by the line that is wrong."""

import json

import pytest

from kafkapy.history import HistoryError, check_history

INVOKE = {"time": 1, "process": 0, "type": "invoke", "f": "send", "topic": "t", "partition": 0, "value": "a"}
OK = INVOKE | {"type": "ok", "offset": 0}
POLL = {"time": 1, "process": 1, "type": "ok", "f": "poll"}
COMMIT = {"time": 1, "process": 1, "type": "invoke", "f": "commit", "group": "g", "offsets": [["t", 0, 1]]}


@pytest.mark.parametrize(
    ("events", "line", "why"),
    [
        ([], 1, "nothing in it"),
        (["{"], 1, "is not JSON"),
        (["[" * 100_000], 1, "is not JSON"),
        ([b"\xff\xfe"], 1, "is not JSON"),
        (["[]"], 1, "is not a JSON object"),
        ([{}], 1, '"process" is missing'),
        ([INVOKE | {"process": True}], 1, '"process" True is not'),
        ([INVOKE | {"time": "now"}], 1, '"time"'),
        ([INVOKE, OK | {"time": 0}], 2, "sorted by time"),
        ([INVOKE | {"type": ["ok"]}], 1, '"type"'),
        ([INVOKE | {"f": "write"}], 1, '"f"'),
        ([INVOKE | {"value": None}], 1, '"value"'),
        ([INVOKE | {"value": True}], 1, '"value"'),
        ([INVOKE | {"partition": -1}], 1, '"partition"'),
        ([OK], 1, "was invoked before"),
        ([INVOKE, OK, OK], 3, "had ended before"),
        ([INVOKE, INVOKE], 2, "values must be unique"),
        ([INVOKE, OK | {"offset": -1}], 2, '"offset"'),
        ([INVOKE, OK | {"partition": None}], 2, "needs its partition"),
        ([POLL | {"records": [["t", 0, 0]]}], 1, "is not [topic, partition, offset, value]"),
        ([POLL | {"records": [["t", 0, -1, "a"]]}], 1, "is not [topic, partition, offset, value]"),
        ([POLL | {"records": {}}], 1, '"records"'),
        ([POLL | {"isolation": "serializable"}], 1, '"isolation"'),
        ([POLL | {"final": 1}], 1, '"final"'),
        ([POLL | {"f": "subscribe"}], 1, '"group"'),
        ([POLL | {"f": "assign"}], 1, '"partitions"'),
        ([COMMIT, COMMIT], 2, "commit open since line 1"),
        ([COMMIT | {"offsets": [["t"]]}], 1, "is not [topic, partition, offset]"),
        ([COMMIT | {"type": "ok"}], 1, "no commit open"),
        ([POLL | {"f": "end", "commit": True}], 1, "no transaction open"),
        ([POLL | {"f": "begin"}, POLL | {"f": "end", "commit": True}], 2, "did not ask for this commit"),
        ([POLL | {"f": "end"}], 1, '"commit" is missing'),
    ],
)
def test_the_line_and_the_reason_are_named(events: list[object], line: int, why: str) -> None:
    lines = [event if isinstance(event, str | bytes) else json.dumps(event) for event in events]
    with pytest.raises(HistoryError) as refused:
        check_history(lines)
    assert refused.value.line == line
    assert why in str(refused.value)


def test_empty_lines_count_and_are_passed_over() -> None:
    with pytest.raises(HistoryError) as refused:
        check_history(["", json.dumps(INVOKE), "  \n", "nonsense"])
    assert refused.value.line == 4
