"""Records of `__share_group_state` in Kafka's format: two bytes of type before a key, of version before a value.

A snapshot has the whole state of a share partition, an update what has changed since; a snapshot without a value
deletes it. Keys have version 0 and are not flexible, values are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kafkapy.coordinators.framing import framed_record, unframed
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.share.share_partition_key import SharePartitionKey
from kafkapy.coordinators.share.share_state import ShareState, ShareStateUpdate
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats.share_coordinator import (
    ShareSnapshotKey,
    ShareSnapshotValue,
    ShareSnapshotValueStateBatch,
    ShareUpdateKey,
    ShareUpdateValue,
    ShareUpdateValueStateBatch,
)

SHARE_SNAPSHOT: Final = 0
SHARE_UPDATE: Final = 1


class SnapshotRecord(NamedTuple):
    key: SharePartitionKey
    state: ShareState | None
    """None: a tombstone."""


class UpdateRecord(NamedTuple):
    key: SharePartitionKey
    leader_epoch: int
    snapshot_epoch: int
    update: ShareStateUpdate


def snapshot_record(key: SharePartitionKey, state: ShareState) -> CoordinatorRecord:
    value = ShareSnapshotValue(
        snapshot_epoch=state.snapshot_epoch,
        state_epoch=state.state_epoch,
        leader_epoch=state.leader_epoch,
        start_offset=state.start_offset,
        delivery_complete_count=state.delivery_complete_count,
        create_timestamp=state.created_ms,
        write_timestamp=state.written_ms,
        state_batches=[
            ShareSnapshotValueStateBatch(
                first_offset=first, last_offset=last, delivery_state=delivery_state, delivery_count=count
            )
            for first, last, delivery_state, count in state.batches
        ],
    )
    return framed_record(SHARE_SNAPSHOT, _snapshot_key(key), value)


def update_record(
    key: SharePartitionKey, update: ShareStateUpdate, *, snapshot_epoch: int, leader_epoch: int
) -> CoordinatorRecord:
    value = ShareUpdateValue(
        snapshot_epoch=snapshot_epoch,
        leader_epoch=leader_epoch,
        start_offset=update.start_offset,
        delivery_complete_count=update.delivery_complete_count,
        state_batches=[
            ShareUpdateValueStateBatch(
                first_offset=first, last_offset=last, delivery_state=delivery_state, delivery_count=count
            )
            for first, last, delivery_state, count in update.batches
        ],
    )
    update_key = ShareUpdateKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition)
    return framed_record(SHARE_UPDATE, update_key, value)


def tombstone(key: SharePartitionKey) -> CoordinatorRecord:
    return framed_record(SHARE_SNAPSHOT, _snapshot_key(key), None)


def read_record(record: CoordinatorRecord) -> SnapshotRecord | UpdateRecord | None:
    """The content of a record; None if its type is of a later Kafka.

    Raises MalformedMessage, UnsupportedVersion: no coordinator can have written it, or a later one has.
    """
    record_type, key = unframed(record.key)
    if record_type == SHARE_SNAPSHOT:
        return _read_snapshot(key, record.value)
    if record_type == SHARE_UPDATE:
        return _read_update(key, record.value)
    return None


def record_type(record: CoordinatorRecord) -> int:
    return unframed(record.key)[0]


def _read_snapshot(key: memoryview, value: bytes | None) -> SnapshotRecord:
    named = decode(ShareSnapshotKey, key, 0)
    share_partition = SharePartitionKey(named.group_id, named.topic_id, named.partition)
    if value is None:
        return SnapshotRecord(share_partition, None)
    version, body = unframed(value)
    stored = decode(ShareSnapshotValue, body, version)
    state = ShareState(
        stored.snapshot_epoch,
        stored.state_epoch,
        stored.leader_epoch,
        stored.start_offset,
        stored.delivery_complete_count,
        _batches(stored.state_batches),
        stored.create_timestamp,
        stored.write_timestamp,
    )
    return SnapshotRecord(share_partition, state)


def _read_update(key: memoryview, value: bytes | None) -> UpdateRecord:
    named = decode(ShareUpdateKey, key, 0)
    if value is None:
        raise MalformedMessage("an update without a value")
    version, body = unframed(value)
    stored = decode(ShareUpdateValue, body, version)
    update = ShareStateUpdate(stored.start_offset, stored.delivery_complete_count, _batches(stored.state_batches))
    return UpdateRecord(
        SharePartitionKey(named.group_id, named.topic_id, named.partition),
        stored.leader_epoch,
        stored.snapshot_epoch,
        update,
    )


def _batches(stored: list[ShareSnapshotValueStateBatch] | list[ShareUpdateValueStateBatch]) -> tuple[StateBatch, ...]:
    batches = tuple(
        [StateBatch(each.first_offset, each.last_offset, each.delivery_state, each.delivery_count) for each in stored]
    )
    for batch in batches:
        if not 0 <= batch.first_offset <= batch.last_offset:
            raise MalformedMessage(f"a state batch of the offsets {batch.first_offset} to {batch.last_offset}")
    return batches


def _snapshot_key(key: SharePartitionKey) -> ShareSnapshotKey:
    return ShareSnapshotKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition)
