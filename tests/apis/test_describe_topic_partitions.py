"""DescribeTopicPartitions: pages and cursors as Apache Kafka 4.4.0 makes them of `t0` (2 partitions) and `t1` (3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.apis import describe_topic_partitions
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsRequestCursor,
    DescribeTopicPartitionsResponse,
    TopicRequest,
)
from kafkapy_wire.record_formats import metadata as m

from .topic_lab import Lab, lab, topic


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as opened:
        opened.create(topic("t1", 3), topic("t0", 2))
        yield opened


def ask(
    node: Lab, *names: str, limit: int = 2000, cursor: tuple[str, int] | None = None
) -> DescribeTopicPartitionsResponse:
    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name=name) for name in names],
        response_partition_limit=limit,
        cursor=cursor and DescribeTopicPartitionsRequestCursor(topic_name=cursor[0], partition_index=cursor[1]),
    )
    request = decode(DescribeTopicPartitionsRequest, encode(request, 0), 0)
    response = node.call(describe_topic_partitions, request, 0)
    assert isinstance(response, DescribeTopicPartitionsResponse)
    return decode(DescribeTopicPartitionsResponse, encode(response, 0), 0)


def page(response: DescribeTopicPartitionsResponse) -> list[tuple[str | None, list[int]]]:
    return [(found.name, [p.partition_index for p in found.partitions]) for found in response.topics]


def next_cursor(response: DescribeTopicPartitionsResponse) -> tuple[str, int] | None:
    cursor = response.next_cursor
    return None if cursor is None else (cursor.topic_name, cursor.partition_index)


def test_topics_come_sorted_with_all_operations(node: Lab) -> None:
    response = ask(node, "t1", "t0", "nope", "bad name", "t0")
    assert [(found.name, ErrorCode(found.error_code)) for found in response.topics] == [
        ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t0", ErrorCode.NONE),
        ("t1", ErrorCode.NONE),
    ]
    assert {found.topic_authorized_operations for found in response.topics} == {3576}
    assert next_cursor(response) is None
    partition = response.topics[2].partitions[0]
    assert (partition.leader_id, partition.leader_epoch, partition.replica_nodes, partition.isr_nodes) == (
        1,
        0,
        [1],
        [1],
    )
    assert (partition.eligible_leader_replicas, partition.last_known_elr, partition.offline_replicas) == ([], [], [])


@pytest.mark.parametrize(
    ("limit", "expected", "cursor"),
    [
        (-1, [("t0", [0])], ("t0", 1)),
        (0, [("t0", [0])], ("t0", 1)),
        (1, [("t0", [0])], ("t0", 1)),
        (2, [("t0", [0, 1])], ("t1", 0)),
        (4, [("t0", [0, 1]), ("t1", [0, 1])], ("t1", 2)),
        (5, [("t0", [0, 1]), ("t1", [0, 1, 2])], None),
    ],
)
def test_a_page_ends_with_the_next_ones_beginning(
    node: Lab, limit: int, expected: list[tuple[str, list[int]]], cursor: tuple[str, int] | None
) -> None:
    response = ask(node, "t0", "t1", limit=limit)
    assert page(response) == expected
    assert next_cursor(response) == cursor


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (("t0", 1), [("t0", [1]), ("t1", [0, 1])]),
        (("t1", 2), [("t1", [2])]),
        (("t0", 9), [("t0", []), ("t1", [0, 1, 2])]),
    ],
)
def test_a_cursor_goes_on_where_it_points(
    node: Lab, cursor: tuple[str, int], expected: list[tuple[str, list[int]]]
) -> None:
    assert page(ask(node, "t0", "t1", limit=3, cursor=cursor)) == expected


@pytest.mark.parametrize("cursor", [("t00", 0), ("t0", -1)])
def test_a_cursor_that_does_not_fit(node: Lab, cursor: tuple[str, int]) -> None:
    response = ask(node, "t0", "t1", cursor=cursor)
    assert [(found.name, ErrorCode(found.error_code)) for found in response.topics] == [
        ("t0", ErrorCode.INVALID_REQUEST),
        ("t1", ErrorCode.INVALID_REQUEST),
    ]


def test_all_topics_by_following_cursors(node: Lab) -> None:
    cursor: tuple[str, int] | None = None
    seen: list[tuple[str | None, int]] = []
    for _ in range(10):
        response = ask(node, limit=1, cursor=cursor)
        seen += [(name, index) for name, indexes in page(response) for index in indexes]
        cursor = next_cursor(response)
        if cursor is None:
            break
    assert seen == [("t0", 0), ("t0", 1), ("t1", 0), ("t1", 1), ("t1", 2)]


def test_a_full_page_points_at_a_topic_that_may_not_exist(node: Lab) -> None:
    response = ask(node, "t0", "aa", "zz", limit=2)
    assert [name for name, _ in page(response)] == ["aa", "t0"]
    assert next_cursor(response) == ("zz", 0)


def test_the_broker_bounds_a_page(tmp_path: Path) -> None:
    with lab(tmp_path, {"max.request.partition.size.limit": "2"}) as node:
        node.create(topic("a", 3))
        assert next_cursor(ask(node, "a")) == ("a", 2)


def test_a_partition_without_a_leader(node: Lab) -> None:
    topic_id = node.image.topics["t0"].topic_id
    node.change_metadata(
        m.PartitionChangeRecord(
            partition_id=0, topic_id=topic_id, isr=[], leader=-1, eligible_leader_replicas=[1], last_known_elr=[1]
        )
    )
    partition = ask(node, "t0").topics[0].partitions[0]
    assert (partition.error_code, partition.leader_id) == (ErrorCode.NONE, -1), "other than in Metadata"
    assert (partition.eligible_leader_replicas, partition.last_known_elr) == ([1], [1])
