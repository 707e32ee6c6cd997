"""What the handlers of the offset APIs add to the coordinator: topics by name and id, versions, order of answers."""

from __future__ import annotations

import pytest

from kafkapy.apis import offset_commit, offset_delete, offset_fetch
from kafkapy_wire.codec import encode
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from kafkapy_wire.uuid import ZERO_UUID, Uuid
from tests.apis.group_context import TOPIC_ID, UNKNOWN_ID, answer, make_context, make_lab
from tests.coordinators.group_lab import GroupLab

Errors = list[tuple[str, list[tuple[int, int]]]]


def commit(lab: GroupLab, version: int, *topics: tuple[str, list[int]], generation_id: int = -1) -> Errors:
    """(topic or hex id, [(partition, error)]) of each topic in the answer."""
    by_id = version >= 10
    request = OffsetCommitRequest(
        group_id="g",
        generation_id_or_member_epoch=generation_id,
        topics=[
            OffsetCommitRequestTopic(
                name="" if by_id else name,
                topic_id=_id(name) if by_id else ZERO_UUID,
                partitions=[OffsetCommitRequestPartition(partition_index=i, committed_offset=5) for i in partitions],
            )
            for name, partitions in topics
        ],
    )
    response = answer(offset_commit.handle, request, make_context(version, lab))
    encode(response, version)
    return [
        (
            topic.topic_id.decode()[:1] if by_id else topic.name,
            [(partition.partition_index, partition.error_code) for partition in topic.partitions],
        )
        for topic in response.topics
    ]


def _id(name: str) -> Uuid:
    return {"t": TOPIC_ID, "?": UNKNOWN_ID}[name]


@pytest.mark.parametrize(("version", "unknown_topic"), [(2, 3), (9, 3), (10, 100)])
def test_commit_for_what_exists_and_what_does_not(version: int, unknown_topic: int) -> None:
    lab = make_lab()
    assert commit(lab, version, ("?", [0]), ("t", [0, 7, 1, -1])) == [
        ("?", [(0, unknown_topic)]),
        ("t", [(7, 3), (-1, 3), (0, 0), (1, 0)]),
    ]
    assert (lab.committed(0, group_id="g"), lab.committed(1, group_id="g")) == (5, 5)


def test_commit_for_nothing_that_exists_asks_no_group() -> None:
    assert commit(make_lab(), 9, ("?", [0]), generation_id=7) == [("?", [(0, 3)])]


def test_refusal_of_the_group_concerns_what_exists() -> None:
    assert commit(make_lab(), 9, ("?", [0]), ("t", [0]), generation_id=7) == [("?", [(0, 3)]), ("t", [(0, 69)])]


def test_topic_named_twice_is_answered_twice() -> None:
    assert commit(make_lab(), 9, ("t", [0]), ("t", [1])) == [("t", [(0, 0)]), ("t", [(1, 0)])]


def fetch(
    lab: GroupLab, version: int, topics: list[tuple[str, list[int]]] | None, *, ready: bool = True
) -> OffsetFetchResponse:
    request = OffsetFetchRequest(group_id="g")
    group = OffsetFetchRequestGroup(group_id="g")
    if topics is None:
        request.topics = group.topics = None
    else:
        request.topics = [OffsetFetchRequestTopic(name=name, partition_indexes=parts) for name, parts in topics]
        group.topics = [
            OffsetFetchRequestTopics(
                name=name, topic_id=_id(name) if version >= 10 else ZERO_UUID, partition_indexes=parts
            )
            for name, parts in topics
        ]
    request.groups = [group]
    response = answer(offset_fetch.handle, request, make_context(version, lab), ready=ready)
    encode(response, version)
    return response


@pytest.mark.parametrize("version", range(1, 8))
def test_fetch_of_one_group(version: int) -> None:
    lab = make_lab()
    commit(lab, 9, ("t", [0]))
    response = fetch(lab, version, [("?", [0]), ("t", [1, 0])])
    assert [
        (topic.name, [(p.partition_index, p.committed_offset, p.metadata, p.error_code) for p in topic.partitions])
        for topic in response.topics
    ] == [("?", [(0, -1, "", 0)]), ("t", [(1, -1, "", 0), (0, 5, "", 0)])]
    if version > 1:
        assert [topic.name for topic in fetch(lab, version, None).topics] == ["t"]


def test_fetch_by_topic_id() -> None:
    lab = make_lab()
    commit(lab, 9, ("t", [0]))
    (group,) = fetch(lab, 10, [("?", [0]), ("t", [0])]).groups
    assert [
        (topic.topic_id, [(p.committed_offset, p.error_code) for p in topic.partitions]) for topic in group.topics
    ] == [(TOPIC_ID, [(5, 0)]), (UNKNOWN_ID, [(-1, 100)])]
    (group,) = fetch(lab, 10, None).groups
    assert [topic.topic_id for topic in group.topics] == [TOPIC_ID]


@pytest.mark.parametrize("version", [1, 2, 8])
def test_fetch_while_loading(version: int) -> None:
    lab = make_lab()
    commit(lab, 9, ("t", [0]))
    lab.groups = lab._coordinator()
    response = fetch(lab, version, [("t", [0])], ready=False)
    if version == 8:
        assert (response.groups[0].error_code, response.groups[0].topics) == (14, [])
    else:
        assert response.error_code == 14
        assert [p.error_code for topic in response.topics for p in topic.partitions] == ([14] if version == 1 else [])


def delete(lab: GroupLab, group_id: str, *topics: tuple[str, list[int]]) -> tuple[int, Errors]:
    request = OffsetDeleteRequest(
        group_id=group_id,
        topics=[
            OffsetDeleteRequestTopic(
                name=name, partitions=[OffsetDeleteRequestPartition(partition_index=index) for index in partitions]
            )
            for name, partitions in topics
        ],
    )
    response = answer(offset_delete.handle, request, make_context(0, lab))
    encode(response, 0)
    return response.error_code, [
        (topic.name, [(partition.partition_index, partition.error_code) for partition in topic.partitions])
        for topic in response.topics
    ]


def test_delete_offsets() -> None:
    lab = make_lab()
    commit(lab, 9, ("t", [0]))
    answer = delete(lab, "g", ("t", [0, 5]), ("?", [0]))
    assert answer == (0, [("t", [(5, 3), (0, 0)]), ("?", [(0, 3)])])
    assert lab.committed(group_id="g") == -1


def test_delete_asks_the_group_first() -> None:
    assert delete(make_lab(), "nobody", ("?", [0])) == (69, [])
    assert delete(make_lab(), "", ("t", [0])) == (24, [])
