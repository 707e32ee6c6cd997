"""What must hold in a topic whose old records go, whenever the broker was killed. Sans-IO: lines in, problems out.

The lines are those that the clients of `retained.py` write. Of each partition:

* where it starts never goes back: what an answer to DeleteRecords, a reading's first record or a question says is not
  below what anybody was told before that was asked. As long as DeleteRecords is not answered, its work may be seen
  already, and be gone after a crash;
* DeleteRecords answers with the offset that it was given, or a later one;
* nothing is lost: a record acknowledged before a reading began, at or above where the partition starts when the reading
  is over, was read; and a reading reaches the end of what was acknowledged before it;
* retention leaves enough: where the start is beyond all that DeleteRecords was asked for, `retention.bytes` are there;
* one record stands at one offset, in all readings; offsets ascend in each.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from compat_tests.crash.problems import Event, Problems, events_of

NEVER = 1 << 62
# On the disk, alone in its batch: a header of 61 bytes, about ten for the record, and a value of less than 50.
RECORD_BYTES_MAX = 128


class PartitionState:
    """What is known of one partition at some line."""

    def __init__(self) -> None:
        self.start = 0  # the highest that anybody was told, and that is for good
        self.deleted = 0  # the highest offset that DeleteRecords was asked for and answered
        self.open_deletions: dict[str, int] = {}  # process -> offset
        self.given_up = 0  # the highest offset of a deletion without an answer
        self.acknowledged: list[int] = []  # offsets, ascending
        self.acknowledged_line: dict[int, int] = {}
        self.values: dict[int, str] = {}
        self.starts_seen: set[int] = set()

    @property
    def perhaps_deleted(self) -> int:
        return max([self.given_up, *self.open_deletions.values()])


class RetentionJudge:
    """The judge of one topic. What was known when something was asked for is noted by process."""

    def __init__(self, topic: str, *, retention_bytes: int) -> None:
        self.problems = Problems()
        self.readings = 0
        self.deletions = 0
        self._topic = topic
        self._kept_min = retention_bytes // RECORD_BYTES_MAX
        self._partitions: dict[int, PartitionState] = {}
        self._places: dict[str, tuple[int, int]] = {}  # value -> partition, offset
        self._asked: dict[str, tuple[int, dict[int, int]]] = {}  # process -> line, starts known by then

    @property
    def acknowledged(self) -> int:
        return sum(len(partition.acknowledged) for partition in self._partitions.values())

    @property
    def starts(self) -> int:
        """How many starts of partitions were seen beside 0."""
        return sum(len(partition.starts_seen - {0}) for partition in self._partitions.values())

    def judge(self, lines: Sequence[str]) -> None:
        for number, event in events_of(lines, self._topic):
            kind = event["type"]
            match event["f"]:
                case "send" if kind == "ok":
                    self._acknowledged(number, event)
                case "delete" | "read" if kind == "invoke":
                    starts = {index: partition.start for index, partition in self._partitions.items()}
                    self._asked[event["process"]] = number, starts
                    if event["f"] == "delete":
                        # -1 is the end, wherever that is.
                        asked = event["offset"] if event["offset"] >= 0 else NEVER
                        self._partition(event["partition"]).open_deletions[event["process"]] = asked
                case "delete" if kind == "ok":
                    self._deleted(event)
                case "delete":
                    partition = self._partition(event["partition"])
                    partition.given_up = max(partition.given_up, partition.open_deletions.pop(event["process"]))
                case "read":
                    self._read(event)

    def _partition(self, index: int) -> PartitionState:
        return self._partitions.setdefault(index, PartitionState())

    def _acknowledged(self, line: int, event: Event) -> None:
        # The answer to a repeated request may not tell the offset.
        if (offset := event.get("offset")) is not None:
            partition = self._partition(event["partition"])
            if offset not in partition.acknowledged_line:
                insort(partition.acknowledged, offset)
                partition.acknowledged_line[offset] = line
            self._is_at(event["partition"], offset, event["value"])

    def _deleted(self, event: Event) -> None:
        self.deletions += 1
        index, asked, answered = event["partition"], event["offset"], event["low_watermark"]
        partition = self._partition(index)
        del partition.open_deletions[event["process"]]
        partition.deleted = max(partition.deleted, answered if asked == -1 else asked)
        if answered < asked:
            self.problems.add("not deleted", f"partition {index} starts at {answered}, asked for was {asked}")
        _, starts = self._asked.pop(event["process"])
        self._starts_at(index, answered, starts, "DeleteRecords answered")
        partition.start = max(partition.start, answered)

    def _starts_at(self, index: int, start: int, known: dict[int, int], who: str) -> None:
        if start < known.get(index, 0):
            self.problems.add(
                "a start that went back", f"{who} {start} of partition {index}, which started at {known[index]} before"
            )
        partition = self._partition(index)
        if start > partition.perhaps_deleted:
            partition.start = max(partition.start, start)
        partition.starts_seen.add(start)

    def _read(self, event: Event) -> None:
        self.readings += 1
        asked_line, known = self._asked.pop(event["process"])
        found: dict[int, list[int]] = {index: [] for index in range(len(event["ends"]))}
        for index, offset, value in event["records"]:
            offsets = found[index]
            if not offsets and offset < known.get(index, 0):
                self.problems.add(
                    "a record before the start",
                    f"{value} at {index}, {offset}, where the partition started at {known[index]} before",
                )
            if offsets and offset <= offsets[-1]:
                self.problems.add("offsets go back", f"{offset} after {offsets[-1]} in partition {index}")
            offsets.append(offset)
            self._is_at(index, offset, value)
        for index, (start, end) in enumerate(zip(event["starts"], event["ends"], strict=True)):
            self._starts_at(index, start, known, "ListOffsets told")
            self._judge_what_is_there(index, start, end, found[index], asked_line)

    def _judge_what_is_there(self, index: int, start: int, end: int, found: list[int], asked_line: int) -> None:
        partition = self._partition(index)
        there = set(found)
        acknowledged = partition.acknowledged
        for position in range(bisect_left(acknowledged, start), len(acknowledged)):
            offset = acknowledged[position]
            if offset not in there and partition.acknowledged_line[offset] < asked_line:
                self.problems.add(
                    "a record that is lost",
                    f"{partition.values[offset]} at {index}, {offset}; the partition starts at {start}, ends at {end}",
                )
        # `start` was asked for after the reading, and more was written meanwhile: enough is there if it was by then.
        by_retention = start > max(partition.deleted, partition.perhaps_deleted)
        if by_retention and max(end, *acknowledged[-1:]) - start < self._kept_min:
            self.problems.add(
                "too little is left", f"partition {index} starts at {start} and ends at {end}: {self._kept_min} records"
            )

    def _is_at(self, index: int, offset: int, value: str) -> None:
        before = self._places.setdefault(value, (index, offset))
        if before != (index, offset):
            self.problems.add("a record at two places", f"{value} at {before} and at {(index, offset)}")
        other = self._partition(index).values.setdefault(offset, value)
        if other != value:
            self.problems.add("a place with two records", f"{index}, {offset} held {other} and {value}")
