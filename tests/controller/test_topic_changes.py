"""A topic of many partitions, of which few change."""

from __future__ import annotations

from typing import Any

import pytest

from kafkapy_controller.image import PartitionImage
from kafkapy_controller.topic_changes import TopicChange


def partition(leader: int) -> PartitionImage:
    return PartitionImage(replicas=(1, 2), isr=(1, 2), leader=leader, leader_epoch=0, partition_epoch=0, directories=())


class Counted(tuple[PartitionImage, ...]):
    """Counts the partitions that are looked at one by one; copying all of them at once is no work of Python's."""

    looked_at = 0

    def __getitem__(self, index: Any) -> Any:
        Counted.looked_at += 1
        return super().__getitem__(index)


def test_only_the_partitions_that_change_are_looked_at() -> None:
    before = Counted([partition(1)] * 10_000)
    change = TopicChange("t", before)
    for index in (7, 9_999, 10_000):
        change[index] = partition(2)
    assert change[7].leader == change[10_000].leader == 2
    assert change[8].leader == 1
    assert change.differing(before) == [7, 9_999, 10_000]
    assert Counted.looked_at == 3
    after = change.partitions()
    assert [index for index, each in enumerate(after) if each.leader == 2] == [7, 9_999, 10_000]


def test_partitions_are_made_in_any_order_and_none_may_be_missing() -> None:
    change = TopicChange("t")
    for index in (2, 0, 1):
        change[index] = partition(index)
    assert [each.leader for each in change.partitions()] == [0, 1, 2]
    assert [index for index, _ in change.items()] == [2, 0, 1]
    for wrong in (4, -1):
        other = TopicChange("t", (partition(1),))
        other[wrong] = partition(2)
        with pytest.raises(ValueError, match="partition 1 of topic t was not made"):
            other.partitions()
        with pytest.raises(KeyError):
            TopicChange("t", (partition(1),))[wrong]
