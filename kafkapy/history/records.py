"""Every record that a history speaks of: who sent it, where it lies, who saw it.

A record is an integer: its columns are arrays, so that a million of them take some tens of megabytes beside the values
themselves. Lines are numbers of lines of the history, from 1; 0 is none.
"""

from __future__ import annotations

from array import array

__all__ = ["ACKNOWLEDGED", "REFUSED", "SEEN", "SEEN_COMMITTED", "SENT", "Partition", "Records", "Value"]

Value = str | int

SENT = 1
ACKNOWLEDGED = 2
REFUSED = 4  # definitely not written
SEEN = 8
SEEN_COMMITTED = 16  # by a poll with isolation read_committed


class Partition:
    """One partition as it was seen. What was polled has two views: 0 by any poll, 1 with read_committed; -1 is none."""

    __slots__ = ("by_offset", "highest_polled", "index", "lowest_polled", "number", "topic")

    def __init__(self, index: int, topic: str, number: int) -> None:
        self.index = index
        self.topic = topic
        self.number = number
        self.by_offset: dict[int, int] = {}
        self.lowest_polled = [-1, -1]
        self.highest_polled = [-1, -1]

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


class Records:
    """The columns, and the partitions."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.state = bytearray()
        self.partition = array("i")  # index of the partition, -1: not known
        self.offset = array("q")  # the first that was told, -1: none
        self.process = array("i")
        self.transaction = array("i")  # -1: sent outside of any
        self.sent_line = array("q")
        self.acknowledged_line = array("q")
        self.polled_line = array("q")  # the first poll of any isolation
        self.polled_committed_line = array("q")  # the first with read_committed
        self.partitions: list[Partition] = []
        self.topics_sent_to: set[str] = set()
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_value: dict[str, dict[Value, int]] = {}

    def __len__(self) -> int:
        return len(self.values)

    def partition_named(self, topic: str, number: int) -> Partition:
        partition = self._by_name.get((topic, number))
        if partition is None:
            partition = self._by_name[topic, number] = Partition(len(self.partitions), topic, number)
            self.partitions.append(partition)
        return partition

    def find(self, topic: str, value: Value) -> int:
        """The record with this value in this topic, made now if it is new."""
        by_value = self._by_value.get(topic)
        if by_value is None:
            by_value = self._by_value[topic] = {}
        record = by_value.get(value)
        if record is None:
            record = by_value[value] = len(self.values)
            self.values.append(value)
            self.state.append(0)
            self.partition.append(-1)
            self.offset.append(-1)
            self.process.append(-1)
            self.transaction.append(-1)
            self.sent_line.append(0)
            self.acknowledged_line.append(0)
            self.polled_line.append(0)
            self.polled_committed_line.append(0)
        return record

    def offset_line(self, record: int) -> int:
        """The line that first told where the record lies; where it was sent when none did."""
        return self.acknowledged_line[record] or self.polled_line[record] or self.sent_line[record]

    def place(self, record: int) -> str:
        """`orders-0 offset 17`, as far as it is known."""
        where = str(self.partitions[self.partition[record]]) if self.partition[record] >= 0 else "some partition"
        return f"{where} offset {self.offset[record]}" if self.offset[record] >= 0 else where
