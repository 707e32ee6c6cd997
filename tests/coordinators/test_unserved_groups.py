"""Groups of the newer protocols that Apache Kafka has left in `__consumer_offsets`: seen, kept, taken over."""

from __future__ import annotations

import logging

import pytest

from kafkapy.coordinators.group.classic.records import group_tombstone
from kafkapy.coordinators.group.records import CommittedOffset, offset_commit
from kafkapy.coordinators.group.share.records import group_epoch as share_group_epoch
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import partition_for
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message
from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestPartition, OffsetDeleteRequestTopic
from kafkapy_wire.record_formats.group_coordinator import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
    StreamsGroupMetadataKey,
)
from kafkapy_wire.records import NewRecord
from kafkapy_wire.records.building import build_batch_and_header
from kafkapy_wire.uuid import ZERO_UUID
from tests.coordinators.group_lab import GROUP, PARTITION_COUNT, GroupLab

# In the order in which Apache Kafka 4.3.1 stores a consumer group with one member.
KEYS: dict[int, Message] = {
    5: ConsumerGroupMemberMetadataKey(group_id=GROUP, member_id="m"),
    16: ConsumerGroupRegularExpressionKey(group_id=GROUP, regular_expression="t.*"),
    3: ConsumerGroupMetadataKey(group_id=GROUP),
    7: ConsumerGroupTargetAssignmentMemberKey(group_id=GROUP, member_id="m"),
    6: ConsumerGroupTargetAssignmentMetadataKey(group_id=GROUP),
    8: ConsumerGroupCurrentMemberAssignmentKey(group_id=GROUP, member_id="m"),
}
VALUE = b"\0\0what only later versions read"


def key(record_type: int, message: Message) -> bytes:
    return record_type.to_bytes(2, "big") + encode(message, 0)


def stored(*types: int) -> list[CoordinatorRecord]:
    return [CoordinatorRecord(key(record_type, KEYS[record_type]), VALUE) for record_type in types or KEYS]


def committed(offset: int) -> CoordinatorRecord:
    return offset_commit(GROUP, "t", 0, CommittedOffset(offset, -1, "", 1, None, ZERO_UUID))


async def loaded(lab: GroupLab, *records: CoordinatorRecord) -> None:
    """A coordinator that serves classic groups only, and finds these records of Apache Kafka's."""
    lab.use_settings(group_coordinator_rebalance_protocols=("classic",))
    await lab.log.create_topic()
    batch = build_batch_and_header([NewRecord(1, record.key, record.value) for record in records])
    lab.log.append(partition_for(GROUP, PARTITION_COUNT), batch)
    await lab.restart()


def listed(lab: GroupLab, *, states: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    return [
        (group.group_id, group.group_type, group.group_state)
        for group in lab.groups.list_groups(states, types).result()
    ]


def refusal_of_describe(lab: GroupLab) -> str | None:
    with pytest.raises(KafkaError) as refused:
        lab.describe()
    assert refused.value.code is ErrorCode.GROUP_ID_NOT_FOUND
    return refused.value.message


@pytest.mark.parametrize("offsets_first", [True, False])
async def test_a_consumer_group_is_listed_as_one_and_keeps_its_offsets(lab: GroupLab, *, offsets_first: bool) -> None:
    records = [committed(7), *stored()] if offsets_first else [*stored(), committed(7)]
    await loaded(lab, *records)
    assert listed(lab) == [(GROUP, "consumer", "Empty")]
    assert listed(lab, types=("Consumer",), states=("empty",)) == [(GROUP, "consumer", "Empty")]
    assert listed(lab, types=("classic",)) == listed(lab, states=("Stable",)) == []
    assert refusal_of_describe(lab) == f"Group {GROUP} is not a classic group."
    assert lab.committed() == 7
    assert await lab.commit(9) is ErrorCode.NONE
    assert lab.committed() == 9
    assert listed(lab) == [(GROUP, "consumer", "Empty")]
    assert lab.heartbeat("m", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    joined = (await lab.join("m")).answer
    assert joined.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert listed(lab) == [(GROUP, "consumer", "Empty")], "who comes with a member id does not make it another group"
    await lab.restart()
    assert listed(lab) == [(GROUP, "consumer", "Empty")]
    assert lab.committed() == 9


async def test_the_first_classic_member_makes_it_a_classic_group(lab: GroupLab) -> None:
    await loaded(lab, *stored(), committed(7))
    before = len(lab.log.records())
    await lab.stable_member()
    tombstones = [record.key for record in lab.log.records()[before:] if record.value is None]
    # Assignments before their member, members before their group: Apache Kafka refuses to load another order.
    assert tombstones == [key(record_type, KEYS[record_type]) for record_type in (8, 7, 6, 5, 16, 3)]
    for _ in range(2):
        assert listed(lab) == [(GROUP, "classic", "Stable")]
        assert lab.committed() == 7
        assert [member.client_id for member in lab.describe().members] == ["client"]
        await lab.restart()


async def test_a_share_group_is_none_for_consumers(lab: GroupLab) -> None:
    await loaded(lab, share_group_epoch(GROUP, 3, 0))
    joined = (await lab.join()).answer
    assert joined.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert listed(lab) == [(GROUP, "share", "Empty")]


async def test_a_streams_group_may_become_classic(lab: GroupLab) -> None:
    await loaded(lab, CoordinatorRecord(key(17, StreamsGroupMetadataKey(group_id=GROUP)), VALUE))
    assert listed(lab) == [(GROUP, "streams", "Empty")]
    await lab.stable_member()
    assert listed(lab) == [(GROUP, "classic", "Stable")]


async def test_what_apache_kafka_has_converted_is_what_it_has_become(lab: GroupLab) -> None:
    tombstones = [CoordinatorRecord(record.key, None) for record in stored(8, 7, 6, 5, 16, 3)]
    await loaded(lab, group_tombstone(GROUP), *stored(), committed(7), *tombstones)
    assert listed(lab) == [(GROUP, "classic", "Empty")]
    assert lab.committed() == 7


async def test_deleting_it_leaves_nothing(lab: GroupLab) -> None:
    await loaded(lab, *stored(), committed(7))
    partitions = [OffsetDeleteRequestPartition(partition_index=0)]
    answer = lab.groups.delete_offsets(GROUP, [OffsetDeleteRequestTopic(name="t", partitions=partitions)]).result()
    assert answer[0].partitions[0].error_code == ErrorCode.NONE
    assert await lab.commit(8) is ErrorCode.NONE
    assert lab.groups.delete_group(GROUP).result() is ErrorCode.NONE
    for _ in range(2):
        assert listed(lab) == []
        assert lab.committed() == -1
        assert lab.groups.delete_group(GROUP).result() is ErrorCode.GROUP_ID_NOT_FOUND
        await lab.restart()


async def test_loading_tells_once_of_what_it_does_not_know(lab: GroupLab, caplog: pytest.LogCaptureFixture) -> None:
    strange = [CoordinatorRecord(b"\0\x63" + bytes([number]), b"\0\0") for number in range(40)]
    with caplog.at_level(logging.WARNING):
        await loaded(lab, *stored(), *strange, CoordinatorRecord(b"\0\x64", b"\0\0"))
    assert caplog.messages == [
        "skipped 40 records of type 99, which is unknown, in __consumer_offsets",
        "skipped 1 records of type 100, which is unknown, in __consumer_offsets",
        "1 stored groups of type consumer cannot be joined: they are not served yet",
    ]
