"""Committed offsets: who may commit, what is fetched, what is deleted and what expires."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.group.classic.group import CONSUMER_PROTOCOL_TYPE
from kafkapy.coordinators.group.records import CommittedOffset, offset_commit
from kafkapy.coordinators.runtime import partition_for
from kafkapy_controller.delta import MetadataDelta
from kafkapy_log import build_marker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestPartition, OffsetDeleteRequestTopic
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequestTopics
from kafkapy_wire.record_formats.metadata import PartitionRecord, RemoveTopicRecord, TopicRecord
from kafkapy_wire.records import ControlRecordType, NewRecord
from kafkapy_wire.records.building import build_batch_and_header
from kafkapy_wire.uuid import ZERO_UUID, Uuid
from tests.controller.clusters import replayed
from tests.coordinators.group_lab import GROUP, PARTITION_COUNT, SESSION_MS, GroupLab

MINUTE_MS = 60_000
WEEK_MS = 7 * 24 * 60 * MINUTE_MS
TOPIC_ID = Uuid(b"t" * 16)
OTHER_ID = Uuid(b"o" * 16)


def delete(lab: GroupLab, topic: str = "t", partition: int = 0, group_id: str = GROUP) -> ErrorCode:
    asked = OffsetDeleteRequestTopic(name=topic, partitions=[OffsetDeleteRequestPartition(partition_index=partition)])
    try:
        return ErrorCode(lab.groups.delete_offsets(group_id, [asked]).result()[0].partitions[0].error_code)
    except KafkaError as error:
        return error.code


async def test_simple_consumer_commits_to_a_fresh_node(lab: GroupLab) -> None:
    assert await lab.commit(7) == ErrorCode.NONE
    assert lab.committed() == 7
    assert lab.committed(1) == -1
    described = lab.describe()
    assert (described.group_state, described.protocol_type) == ("Empty", "")


async def test_simple_consumer_may_name_a_member_while_the_group_is_empty(lab: GroupLab) -> None:
    assert await lab.commit(member_id="anybody") == ErrorCode.NONE


@pytest.mark.parametrize(("version", "error"), [(9, 69), (10, 69), (8, 22), (2, 22)])
async def test_generation_of_a_group_that_does_not_exist(lab: GroupLab, version: int, error: int) -> None:
    assert await lab.commit(generation_id=3, member_id="m", version=version) == error


async def test_members_commit_and_others_may_not(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    assert await lab.commit(member_id=member_id, generation_id=generation_id) == ErrorCode.NONE
    assert await lab.commit(member_id=member_id, generation_id=generation_id - 1) == ErrorCode.ILLEGAL_GENERATION
    assert await lab.commit(member_id=member_id) == ErrorCode.ILLEGAL_GENERATION
    assert await lab.commit(member_id="other", generation_id=generation_id) == ErrorCode.UNKNOWN_MEMBER_ID
    assert await lab.commit() == ErrorCode.UNKNOWN_MEMBER_ID
    error = await lab.commit(member_id=member_id, generation_id=generation_id, instance_id="i")
    assert error == ErrorCode.UNKNOWN_MEMBER_ID


async def test_commit_during_a_rebalance(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    await lab.join(member_id)
    assert await lab.commit(member_id=member_id, generation_id=1) == ErrorCode.REBALANCE_IN_PROGRESS
    await lab.sync(member_id, 1, {})
    await lab.join(await lab.new_member_id())
    assert lab.state() == "PreparingRebalance"
    assert await lab.commit(member_id=member_id, generation_id=1) == ErrorCode.NONE


@pytest.mark.parametrize(
    ("metadata", "error"),
    [("x" * 4_096, 0), ("x" * 4_097, 12), ("é" * 4_096, 0), ("😀" * 2_048, 0), ("😀" * 2_048 + "x", 12), (None, 0)],
)
async def test_metadata_size_is_counted_as_java_counts(lab: GroupLab, metadata: str | None, error: int) -> None:
    assert await lab.commit(metadata=metadata) == error


async def test_what_was_committed_comes_back_whole(lab: GroupLab) -> None:
    await lab.commit(9, leader_epoch=4, metadata="note")
    (topic,) = lab.groups.fetch_offsets(GROUP, None, require_stable=True).result()
    (partition,) = topic.partitions
    assert (topic.name, partition.partition_index, partition.committed_offset) == ("t", 0, 9)
    assert (partition.committed_leader_epoch, partition.metadata, partition.error_code) == (4, "note", 0)


async def test_unknown_group_has_no_offsets(lab: GroupLab) -> None:
    assert lab.groups.fetch_offsets("nobody", None, require_stable=False).result() == []
    assert lab.committed(group_id="nobody") == -1


async def test_offset_of_an_earlier_topic_of_that_name_is_not_fetched(lab: GroupLab) -> None:
    lab.add_topic("t", 2, TOPIC_ID)
    await lab.commit(5)
    for topic_id, offset in ((TOPIC_ID, 5), (ZERO_UUID, 5), (OTHER_ID, -1)):
        asked = OffsetFetchRequestTopics(name="t", topic_id=topic_id, partition_indexes=[0])
        (topic,) = lab.groups.fetch_offsets(GROUP, [asked], require_stable=False).result()
        assert topic.partitions[0].committed_offset == offset


# -- deleting


async def test_delete_offsets_of_a_topic_nobody_reads(lab: GroupLab) -> None:
    await lab.commit(5)
    assert delete(lab) == ErrorCode.NONE
    assert lab.committed() == -1
    assert delete(lab) == ErrorCode.NONE
    assert lab.log.records()[-1].value is None


async def test_delete_offsets_of_a_subscribed_topic(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    lab.add_topic("u", 1)
    await lab.commit(5, member_id=member_id, generation_id=generation_id)
    await lab.commit(6, member_id=member_id, generation_id=generation_id, topic="u")
    assert delete(lab) == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    assert delete(lab, "u") == ErrorCode.NONE
    assert (lab.committed(), lab.committed(topic="u")) == (5, -1)


async def test_delete_offsets_refusals(lab: GroupLab) -> None:
    assert delete(lab) == ErrorCode.GROUP_ID_NOT_FOUND
    assert delete(lab, group_id="") == ErrorCode.INVALID_GROUP_ID
    member_id = await lab.new_member_id(protocol_type="connect")
    await lab.join(member_id, protocol_type="connect")
    assert delete(lab) == ErrorCode.NON_EMPTY_GROUP


async def test_unreadable_subscription_counts_as_everything(lab: GroupLab) -> None:
    protocols = (("range", b"\0"),)
    member_id = await lab.new_member_id(protocols=protocols)
    await lab.join(member_id, protocols=protocols)
    await lab.sync(member_id, 1, {})
    assert delete(lab) == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC


async def test_delete_group(lab: GroupLab) -> None:
    assert lab.groups.delete_group(GROUP).result() == ErrorCode.GROUP_ID_NOT_FOUND
    await lab.commit(5)
    member_id, _ = await lab.stable_member()
    assert lab.groups.delete_group(GROUP).result() == ErrorCode.NON_EMPTY_GROUP
    lab.leave(member_id)
    pending = await lab.new_member_id()
    assert lab.groups.delete_group(GROUP).result() == ErrorCode.NONE
    assert lab.state() == "none"
    assert lab.committed() == -1
    assert (await lab.join(pending)).answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    await lab.restart()
    assert lab.groups.list_groups((), ()).result() == []


async def test_offsets_of_a_deleted_topic_are_dropped(lab: GroupLab) -> None:
    lab.add_topic("u", 1)
    await lab.commit(5)
    await lab.commit(6, topic="u")
    image = lab.metadata.image._replace(topics={}, topics_by_id={})
    topic = TopicRecord(name="t", topic_id=TOPIC_ID)
    partition = PartitionRecord(topic_id=TOPIC_ID, partition_id=0, replicas=[1], isr=[1], leader=1)
    delta = MetadataDelta(replayed(image, [topic, partition], 1))
    delta.replay(RemoveTopicRecord(topic_id=TOPIC_ID))
    lab.groups.follow_metadata(image, delta)
    assert (lab.committed(), lab.committed(topic="u")) == (-1, 6)


async def test_topic_deleted_or_made_again_while_the_node_was_down(lab: GroupLab) -> None:
    lab.add_topic("t", 2, TOPIC_ID)
    lab.add_topic("u", 1)
    lab.add_topic("v", 1)
    await lab.commit(5)
    await lab.commit(6, topic="u")
    await lab.commit(7, topic="v")
    lab.add_topic("t", 2, OTHER_ID)
    topics = dict(lab.metadata.image.topics)
    del topics["v"]
    lab.metadata.image = lab.metadata.image._replace(topics=topics)
    await lab.restart()
    assert (lab.committed(), lab.committed(topic="u"), lab.committed(topic="v")) == (-1, 6, -1)


# -- expiry (KIP-211)


async def expired(lab: GroupLab, milliseconds: int) -> bool:
    """Whether the offset of t-0 is gone after that time. Checked every ten minutes, as by default."""
    await lab.groups.load()
    lab.advance(milliseconds)
    return lab.committed() == -1


async def test_simple_offsets_expire_a_week_after_the_commit(lab: GroupLab) -> None:
    await lab.commit(5)
    assert not await expired(lab, WEEK_MS - 11 * MINUTE_MS)
    assert await expired(lab, 21 * MINUTE_MS)
    assert lab.state() == "none"


async def test_retention_time_of_the_commit_wins(lab: GroupLab) -> None:
    await lab.commit(5, retention_ms=MINUTE_MS)
    assert await expired(lab, 11 * MINUTE_MS)


async def test_offsets_of_a_living_group_stay(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member(session_ms=1_800_000)
    await lab.commit(5, member_id=member_id, generation_id=generation_id)
    lab.use_settings(offsets_retention_minutes=1)
    await lab.restart()
    assert lab.group().protocol_type == CONSUMER_PROTOCOL_TYPE
    assert not await expired(lab, 21 * MINUTE_MS)


async def test_offsets_of_an_emptied_group_count_from_its_last_member(lab: GroupLab) -> None:
    lab.use_settings(offsets_retention_minutes=30)
    member_id, generation_id = await lab.stable_member()
    await lab.commit(5, member_id=member_id, generation_id=generation_id)
    for _ in range(29 * MINUTE_MS // 5_000):
        lab.advance(5_000)
        assert lab.heartbeat(member_id, generation_id) == ErrorCode.NONE
    lab.advance(SESSION_MS + 1)
    assert lab.state() == "Empty"
    assert not await expired(lab, 20 * MINUTE_MS)
    assert await expired(lab, 21 * MINUTE_MS)
    assert lab.state() == "none"


# -- transactions (KIP-98), as another broker may have written them


@pytest.mark.parametrize(("committed", "offset"), [(True, 8), (False, 5)])
async def test_transactional_offsets_count_once_their_marker_says_so(
    lab: GroupLab, committed: bool, offset: int
) -> None:
    await lab.commit(5)
    partition = partition_for(GROUP, PARTITION_COUNT)
    record = offset_commit(GROUP, "t", 0, CommittedOffset(8, -1, "", 1, None, ZERO_UUID))
    batch = build_batch_and_header(
        [NewRecord(1, record.key, record.value)],
        producer_id=77,
        producer_epoch=0,
        base_sequence=0,
        is_transactional=True,
    )
    lab.log.append(partition, batch)
    await lab.restart()
    asked = [OffsetFetchRequestTopics(name="t", partition_indexes=[0])]
    (topic,) = lab.groups.fetch_offsets(GROUP, asked, require_stable=True).result()
    assert topic.partitions[0].error_code == ErrorCode.UNSTABLE_OFFSET_COMMIT
    assert lab.committed() == 5
    marker_type = ControlRecordType.COMMIT if committed else ControlRecordType.ABORT
    marker = build_marker(marker_type, producer_id=77, producer_epoch=0, coordinator_epoch=0, timestamp=2)
    lab.log.append(partition, marker)
    await lab.restart()
    assert lab.committed() == offset
    (topic,) = lab.groups.fetch_offsets(GROUP, asked, require_stable=True).result()
    assert topic.partitions[0].error_code == ErrorCode.NONE
