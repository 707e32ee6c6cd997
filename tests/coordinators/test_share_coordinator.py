"""The share coordinator: epochs, snapshots and updates, what a restart finds, what is pruned.

Expected codes and messages are Apache Kafka 4.4.0's.
"""

from __future__ import annotations

from random import Random

import pytest

from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.coordinators.share.records import SnapshotRecord, UpdateRecord
from kafkapy.coordinators.share.share_state import ShareState
from kafkapy.coordinators.share.state_batches import StateBatch
from kafkapy_controller.delta import MetadataDelta
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import RemoveTopicRecord
from kafkapy_wire.uuid import Uuid
from tests.coordinators.share_lab import ACKNOWLEDGED, ARCHIVED, AVAILABLE, KEY, TOPIC_ID, ShareLab, error_of
from tests.shell.running_node import trio_test

UPDATES = "share_coordinator_snapshot_update_records_per_snapshot"


async def started(**settings: int) -> ShareLab:
    lab = ShareLab(**settings)
    await lab.start()
    return lab


def test_a_key_is_read_as_it_is_written() -> None:
    for group in ("g", "a:b", " x"):
        key = SharePartitionKey(group, TOPIC_ID, 3)
        assert SharePartitionKey.parse(key.text) == key
        assert SharePartitionKey.parse(key.text + "::") == key
    for text in ("", "g", "g:x:0", " " + KEY.text[len("readers") :], KEY.text + "x", KEY.text[:-2]):
        with pytest.raises(ValueError, match=r"uuid|GROUP"):
            SharePartitionKey.parse(text)


@trio_test
async def test_errors_in_order() -> None:
    lab = await started()
    uninitialized = "operation on uninitialized share partition not allowed."
    negative = KEY._replace(partition=-1)
    missing = KEY._replace(partition=9)
    unknown = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
    invalid = ErrorCode.INVALID_REQUEST
    of_partition = (invalid, "The partition id cannot be a negative number.")
    assert error_of(lambda: lab.read(key=negative)) == of_partition
    assert error_of(lambda: lab.write(0, key=negative)) == of_partition
    assert error_of(lambda: lab.initialize(-1, key=negative)) == of_partition
    assert error_of(lambda: lab.summary(negative)) == of_partition
    assert error_of(lambda: lab.read(-1)) == (invalid, "The leader epoch cannot be a negative number.")
    assert error_of(lambda: lab.write(0, leader_epoch=-1, state_epoch=-1))[1] == (
        "The leader epoch cannot be a negative number."
    )
    assert error_of(lambda: lab.write(0, state_epoch=-1)) == (invalid, "The state epoch cannot be a negative number.")
    assert error_of(lambda: lab.initialize(-1)) == (invalid, "The state epoch cannot be a negative number.")
    assert error_of(lambda: lab.read(key=missing)) == (invalid, f"Read {uninitialized}")
    assert error_of(lambda: lab.write(0, key=missing)) == (invalid, f"Write {uninitialized}")
    assert error_of(lambda: lab.initialize(key=missing)) == unknown
    assert error_of(lambda: lab.summary(missing)) == unknown
    assert error_of(lambda: lab.coordinator.delete(missing).result()) == unknown
    lab.initialize(state_epoch=3)
    assert lab.read(5).state_epoch == 3
    fenced = (ErrorCode.FENCED_LEADER_EPOCH, "The leader epoch in the request is older than the epoch on the broker.")
    assert error_of(lambda: lab.read(4)) == fenced
    assert error_of(lambda: lab.write(0, leader_epoch=4, state_epoch=0)) == fenced
    of_state = (
        ErrorCode.FENCED_STATE_EPOCH,
        "The coordinator rejected the request because the state epoch did not match.",
    )
    assert error_of(lambda: lab.write(0, leader_epoch=5, state_epoch=2)) == of_state
    assert error_of(lambda: lab.initialize(2)) == of_state
    assert error_of(lambda: lab.write(0, (5, 4, 0, 1), leader_epoch=5, state_epoch=3))[0] is invalid
    lab.log.led_elsewhere = set(range(lab.log.partition_count))
    lab.coordinator.close()
    assert error_of(lambda: lab.read(5)) == (ErrorCode.NOT_COORDINATOR, None)


@trio_test
async def test_a_writer_in_a_later_epoch_does_not_raise_the_stored_one() -> None:
    """Only reading does, as in Apache Kafka: a leader reads before it writes."""
    lab = await started()
    lab.initialize()
    lab.write(0, leader_epoch=7)
    assert lab.read(3).leader_epoch == 0
    state = lab.summary()
    assert state is not None
    assert state.leader_epoch == 3


@trio_test
async def test_state_survives_a_restart_at_every_step() -> None:
    lab = await started(**{UPDATES: 3})
    random = Random(7)
    lab.initialize(start_offset=10)
    lab.read(1)
    start = 10
    for step in range(40):
        first = start + random.randrange(8)
        batch = (first, first + random.randrange(4), random.choice((AVAILABLE, ACKNOWLEDGED, ARCHIVED)), step // 10 + 1)
        start += random.randrange(3)
        lab.write(start, batch, leader_epoch=1, complete=random.randrange(3))
        before = lab.summary()
        await lab.restart()
        assert lab.summary() == before
    kinds = [type(record) for record in lab.stored()]
    assert kinds[:6] == [SnapshotRecord, UpdateRecord, UpdateRecord, UpdateRecord, SnapshotRecord, UpdateRecord]
    epochs = [
        record.state.snapshot_epoch for record in lab.stored() if isinstance(record, SnapshotRecord) and record.state
    ]
    assert epochs == list(range(len(epochs)))


@trio_test
async def test_the_start_offset_never_falls() -> None:
    lab = await started()
    lab.initialize(start_offset=5)
    lab.write(8, complete=1)
    lab.write(6, (6, 9, ACKNOWLEDGED, 1), complete=4)
    state = lab.summary()
    assert state is not None
    assert (state.start_offset, state.delivery_complete_count) == (8, 1)
    assert state.batches == (StateBatch(8, 9, ACKNOWLEDGED, 1),)
    lab.write(8, complete=0)
    state = lab.summary()
    assert state is not None
    assert state.delivery_complete_count == 1, "the higher count holds where the start offset is the same"


@trio_test
async def test_initializing_again_begins_anew() -> None:
    lab = await started()
    lab.initialize(start_offset=5)
    lab.read(4)
    lab.write(7, (7, 8, ACKNOWLEDGED, 1), leader_epoch=4)
    lab.initialize(1, -1)
    now_ms = lab.clock.now_ms()
    assert lab.summary() == ShareState(1, 1, 0, -1, -1, (), now_ms, now_ms)
    assert error_of(lambda: lab.read(3))[0] is ErrorCode.FENCED_LEADER_EPOCH
    lab.coordinator.delete(KEY).result()
    assert lab.summary() is None
    lab.initialize()
    assert lab.read(0).state_epoch == 0, "nothing is remembered of what was deleted"


@trio_test
async def test_deleted_topics_are_forgotten() -> None:
    lab = await started()
    other = KEY._replace(topic_id=Uuid(b"u" * 16))
    lab.initialize()
    delta = MetadataDelta(lab.metadata.image)
    delta.replay(RemoveTopicRecord(topic_id=TOPIC_ID))
    image = delta.apply(1, 0)
    lab.coordinator.follow_metadata(image, delta)
    assert lab.summary() is None
    lab.metadata.image = image
    assert error_of(lambda: lab.initialize(key=other))[0] is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    await lab.restart()
    stored = lab.stored()
    assert [record.state is None for record in stored if isinstance(record, SnapshotRecord)] == [False, True]


@trio_test
async def test_what_later_snapshots_repeat_is_pruned() -> None:
    lab = await started(**{UPDATES: 2, "share_coordinator_cold_partition_snapshot_interval_ms": 1_000})
    keys = [KEY._replace(partition=index) for index in range(4)]
    for key in keys:
        lab.initialize(key=key)
        lab.read(1, key)
    for step in range(20):
        for key in keys[1:]:
            lab.write(step, (step, step, ACKNOWLEDGED, 1), leader_epoch=1, key=key)
    before = [lab.summary(key) for key in keys]
    await lab.coordinator.prune()
    await lab.restart()
    assert [lab.summary(key) for key in keys] == before
    count = sum(len(lab.stored(key)) for key in keys)
    lab.clock.advance(1_000)
    await lab.coordinator.make_snapshots()
    await lab.coordinator.prune()
    assert sum(len(lab.stored(key)) for key in keys) < count, "the quiet partition has held up its neighbours"
    await lab.restart()
    after = [lab.summary(key) for key in keys]
    assert [state and state[1:6] for state in after] == [state and state[1:6] for state in before]
    stored = len(lab.stored(KEY))
    await lab.coordinator.make_snapshots()
    assert len(lab.stored(KEY)) == stored, "no second snapshot of what has not changed"


@trio_test
async def test_nothing_uncommitted_is_pruned_or_answered() -> None:
    lab = await started(**{UPDATES: 0})
    lab.initialize()
    lab.log.commits_at_once = False
    asked = lab.coordinator.read(KEY, 3)
    assert not asked.settled
    await lab.coordinator.prune()
    assert not lab.log.starts
    lab.log.commit()
    assert asked.result().leader_epoch == 0
    await lab.coordinator.prune()
    assert lab.log.starts, "the first snapshot is needless now"


@trio_test
async def test_what_is_not_committed_in_time_is_answered() -> None:
    lab = await started(share_coordinator_write_timeout_ms=700)
    lab.log.commits_at_once = False
    asked = lab.coordinator.initialize(KEY, 0, 0)
    lab.clock.advance(699)
    assert not asked.settled
    lab.clock.advance(1)
    with pytest.raises(KafkaError) as refused:
        asked.result()
    assert refused.value.code is ErrorCode.COORDINATOR_NOT_AVAILABLE
