"""Coordinators load whatever their topics hold: anyone may have written it, and a disk may have changed it since.

What is skipped is told with topic, partition, offset and reason, and the coordinator works on as if it were not there.
The clocks of the labs have nobody who hears of bugs, so that an exception in a timer's callback ends a test here.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from random import Random

import pytest
import trio.testing

from kafkapy.bugs import Bugs
from kafkapy.coordinators.group.records import CommittedOffset, offset_commit, offset_tombstone
from kafkapy.coordinators.loading import SKIPPED_LINES_MAX
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import partition_for
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.group_coordinator import GroupMetadataKey, GroupMetadataValue, MemberMetadata
from kafkapy_wire.record_formats.transaction_coordinator import (
    PartitionsSchema,
    TransactionLogKey,
    TransactionLogValue,
)
from kafkapy_wire.records import Compression, NewRecord, build_batch
from kafkapy_wire.uuid import ZERO_UUID
from tests.coordinators.group_lab import GROUP, PARTITION_COUNT, SUBSCRIPTION, GroupLab
from tests.coordinators.transaction_lab import ID, TIMEOUT_MS, TransactionLab, error_of

Stored = tuple[bytes | None, bytes | None]

SEEDS = range(50)


# -- records that somebody may have stored


def group_record(members: list[MemberMetadata], *, version: int = 3, **fields: object) -> Stored:
    value = GroupMetadataValue(
        protocol_type="consumer",
        generation=1,
        protocol="range",
        leader=members[0].member_id if members else None,
        current_state_timestamp=1,
        members=members,
    )
    for name, content in fields.items():
        setattr(value, name, content)
    return b"\0\2" + encode(GroupMetadataKey(group=GROUP), 0), version.to_bytes(2, "big") + encode(value, version)


def member(member_id: str, instance_id: str | None = None, **fields: object) -> MemberMetadata:
    described = MemberMetadata(
        member_id=member_id,
        group_instance_id=instance_id,
        client_id="c",
        client_host="/127.0.0.1",
        rebalance_timeout=60_000,
        session_timeout=10_000,
        subscription=SUBSCRIPTION,
        assignment=b"a",
    )
    for name, content in fields.items():
        setattr(described, name, content)
    return described


def committed(offset: int) -> CoordinatorRecord:
    return offset_commit(GROUP, "t", 0, CommittedOffset(offset, -1, "", 1, None, ZERO_UUID))


def transaction_record(**fields: object) -> Stored:
    value = TransactionLogValue(
        producer_id=7,
        producer_epoch=3,
        transaction_timeout_ms=TIMEOUT_MS,
        transaction_status=1,
        transaction_partitions=[PartitionsSchema(topic="t", partition_ids=[0, 1])],
        transaction_last_update_timestamp_ms=1,
        transaction_start_timestamp_ms=1,
    )
    for name, content in fields.items():
        setattr(value, name, content)
    return b"\0\0" + encode(TransactionLogKey(transactional_id=ID), 0), b"\0\1" + encode(value, 1)


REAL_GROUP_RECORDS: list[Stored] = [
    group_record([]),
    group_record([member("a"), member("b", "instance")]),
    group_record([member("a"), member("b", "instance")], version=0),
    group_record([member("b", "instance")], generation=2),
    committed(5),
    offset_tombstone(GROUP, "t", 1),
    (group_record([])[0], None),
    (b"\0\3" + encode(GroupMetadataKey(group="newer"), 0), b"\0\0whatever"),
    (b"\0\5" + encode(GroupMetadataKey(group=GROUP), 0) + b"\0\1m", b"\0\0whatever"),
]
REAL_TRANSACTION_RECORDS: list[Stored] = [
    *(transaction_record(transaction_status=status) for status in range(6)),
    transaction_record(producer_epoch=32_767, next_producer_id=8, client_transaction_version=2, transaction_status=2),
    transaction_record(transaction_status=0, transaction_partitions=None),
    (transaction_record()[0], None),
]


def append(lab: GroupLab | TransactionLab, name: str, records: list[Stored], **fields: int) -> None:
    """What a client has produced into the partition of that group or transactional id."""
    partition = partition_for(name, PARTITION_COUNT)
    batch = build_batch(
        [NewRecord(1, key, value) for key, value in records],
        base_offset=lab.log.end_offsets[partition],
        **fields,  # type: ignore[arg-type]
    )
    lab.log.batches[partition].append(batch)
    lab.log.end_offsets[partition] += len(records)
    lab.log.commit()


def changed(random: Random, record: Stored) -> Stored:
    """The record with something wrong in it."""
    key, value = record
    match random.randrange(8):
        case 0:
            return key, _flipped(random, value)
        case 1:
            return _flipped(random, key), value
        case 2:
            return key, random.randrange(-(2**15), 2**15).to_bytes(2, "big", signed=True) + (value or b"")[2:]
        case 3:
            return random.choice((0, 1, 2, 3, 9, 2**15)).to_bytes(2, "big") + (key or b"")[2:], value
        case 4:
            return key, (value or b"")[: random.randrange(len(value or b"") + 1)]
        case 5:
            return random.choice((None, b"", random.randbytes(random.randrange(40)))), value
        case 6:
            return key, random.choice((None, b"", random.randbytes(random.randrange(40))))
        case _:
            return key, (value or b"") + random.randbytes(3)


def _flipped(random: Random, data: bytes | None) -> bytes | None:
    flipped = bytearray(data or b"")
    for _ in range(random.randint(1, 3) if flipped else 0):
        # High bits and low ones: lengths and counts become huge or negative, names other names.
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return bytes(flipped)


# -- groups


async def live_on(lab: GroupLab) -> None:
    """Everything that clients and timers may do with what was loaded."""
    lab.heartbeat("a", 1)
    await lab.commit(6, member_id="a", generation_id=1)
    await lab.sync("a", 1, {"a": b"x"})
    joins = [await lab.join(member_id) for member_id in ("", "a")]
    joins += [await lab.join(instance_id=name) for name in ("instance", "other")]
    lab.advance(70_000)
    await trio.testing.wait_all_tasks_blocked()
    lab.leave("b", instance_id="instance")
    lab.advance(400_000)
    await trio.testing.wait_all_tasks_blocked()
    for listed in lab.groups.list_groups((), ()).result():
        with suppress(KafkaError):
            lab.describe(listed.group_id)
            lab.groups.delete_group(listed.group_id).result()
    lab.advance(14 * 86_400_000)
    assert not [join for join in joins if join.parked and lab.state() == "none"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_group_coordinator_loads_and_lives_with_any_records(lab: GroupLab, seed: int) -> None:
    random = Random(seed)
    await lab.log.create_topic()
    for _ in range(random.randint(1, 6)):
        record = random.choice(REAL_GROUP_RECORDS)
        append(lab, GROUP, [changed(random, record) if random.random() < 0.7 else record])
    append(lab, "another", [offset_commit("another", "t", 1, CommittedOffset(9, -1, "", 1, None, ZERO_UUID))])
    await lab.restart()
    assert lab.committed(1, group_id="another") == 9
    await live_on(lab)
    await lab.restart()
    await live_on(lab)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_group_coordinator_loads_any_damaged_batch(lab: GroupLab, seed: int) -> None:
    """Also one whose length is wrong: then its partition alone is not served."""
    random = Random(seed)
    await lab.log.create_topic()
    append(
        lab, GROUP, [random.choice(REAL_GROUP_RECORDS) for _ in range(3)], compression=random.choice(list(Compression))
    )
    append(lab, GROUP, [committed(7)])
    other = next(name for name in map(str, range(99)) if partition_for(name, 3) != partition_for(GROUP, 3))
    append(lab, other, [offset_commit(other, "t", 1, CommittedOffset(9, -1, "", 1, None, ZERO_UUID))])
    batches = lab.log.batches[partition_for(GROUP, PARTITION_COUNT)]
    batches[0] = _flipped(random, batches[0]) or b""
    await lab.restart()
    assert lab.committed(1, group_id=other) == 9
    joined = (await lab.join()).answer.error_code
    if joined == ErrorCode.NOT_COORDINATOR:
        with pytest.raises(KafkaError):
            lab.committed()
    else:
        assert joined == ErrorCode.MEMBER_ID_REQUIRED
        assert lab.committed() == 7
    lab.groups.list_groups((), ()).result()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ((None, b"value"), "no key"),
        ((b"\2", b"value"), "1 bytes are no key"),
        ((b"\0\2\0\xffshort", b"\0\3"), "GroupMetadataKey"),
        ((committed(1).key, b"\0\4short"), "OffsetCommitValue"),
        ((committed(1).key, b"\0\x63" + (committed(1).value or b"")[2:]), "OffsetCommitValue has versions"),
        (group_record([member("a"), member("a")]), "two members with one member id"),
        (group_record([member("a", "i"), member("b", "i")]), "two members with one group instance id"),
    ],
)
async def test_a_record_that_no_coordinator_wrote_costs_that_record(
    lab: GroupLab, record: Stored, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    await lab.log.create_topic()
    append(lab, GROUP, [committed(5), record, offset_commit(GROUP, "t", 1, committed_at(8))])
    with caplog.at_level(logging.WARNING):
        await lab.restart()
    assert (lab.committed(0), lab.committed(1)) == (5, 8)
    (line,) = [told.getMessage() for told in caplog.records]
    partition = partition_for(GROUP, PARTITION_COUNT)
    assert line.startswith(f"skipped the record at offset 1 of __consumer_offsets-{partition}")
    assert reason in line


def committed_at(offset: int) -> CommittedOffset:
    return CommittedOffset(offset, -1, "", 1, None, ZERO_UUID)


async def test_a_batch_with_a_flipped_byte_is_not_believed(lab: GroupLab, caplog: pytest.LogCaptureFixture) -> None:
    await lab.log.create_topic()
    append(lab, GROUP, [committed(5)])
    append(lab, GROUP, [committed(7), committed(8)])
    batches = lab.log.batches[partition_for(GROUP, PARTITION_COUNT)]
    batches[1] = batches[1][:-30] + bytes([batches[1][-30] ^ 1]) + batches[1][-29:]
    await lab.restart()
    assert lab.committed() == 5
    (line,) = [told.getMessage() for told in caplog.records]
    assert "offsets 1 to 2" in line
    assert "CRC" in line


async def test_lines_about_skipped_records_are_bounded_in_number_and_length(
    lab: GroupLab, caplog: pytest.LogCaptureFixture
) -> None:
    await lab.log.create_topic()
    append(lab, GROUP, [(b"\0\1" + b"\0\2\n" + bytes(5_000), b"")] * 500)
    await lab.restart()
    lines = [told.getMessage() for told in caplog.records]
    assert len(lines) == SKIPPED_LINES_MAX + 1
    assert "skipped 480 more" in lines[-1]
    assert max(map(len, lines)) < 500
    assert not any("\n" in line for line in lines)


async def test_a_leader_that_is_no_member_is_replaced(lab: GroupLab) -> None:
    await lab.log.create_topic()
    for leader in ("gone", None):
        append(lab, GROUP, [group_record([member("a"), member("b")], leader=leader)])
        await lab.restart()
        assert lab.group().leader == "a"
        lab.leave("b")
        await lab.join("a")
        assert lab.state() == "CompletingRebalance"


async def test_the_last_generation_is_followed_by_another(lab: GroupLab) -> None:
    await lab.log.create_topic()
    append(lab, GROUP, [group_record([member("a")], generation=2**31 - 1)])
    await lab.restart()
    lab.advance(10_001)
    assert lab.state() == "Empty"
    assert lab.group().generation_id == 0


async def test_a_bug_in_replaying_costs_that_partition(lab: GroupLab, monkeypatch: pytest.MonkeyPatch) -> None:
    from kafkapy.coordinators.group.offsets import Offsets

    def fail(*_: object) -> None:
        raise AssertionError("a bug of ours")

    await lab.log.create_topic()
    append(lab, GROUP, [committed(5)])
    lab.clock.bugs = Bugs()
    monkeypatch.setattr(Offsets, "replay", fail)
    await lab.restart()
    (bug,) = lab.clock.bugs.kept
    assert f"in replaying __consumer_offsets-{partition_for(GROUP, PARTITION_COUNT)}, which is not" in bug.where
    assert (await lab.join()).answer.error_code == ErrorCode.NOT_COORDINATOR


# -- transactions


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_transaction_coordinator_loads_and_lives_with_any_records(seed: int) -> None:
    random = Random(seed)
    lab = TransactionLab()
    await lab.log.create_topic()
    for _ in range(random.randint(1, 4)):
        record = random.choice(REAL_TRANSACTION_RECORDS)
        append(lab, ID, [changed(random, record) if random.random() < 0.8 else record])
    for _ in range(2):
        await lab.restart()
        for transactions in await lab.transactions.list(None, frozenset(), -1, None):
            with suppress(KafkaError):  # an id that is stored where it does not belong
                lab.transactions.describe(transactions.transactional_id).result()
        await lab.transactions.abort_timed_out()
        if await error_of(lab.init()) is not ErrorCode.CONCURRENT_TRANSACTIONS:
            producer = await lab.init()
            lab.add(producer, 0)
            await lab.end(producer)
        lab.clock.advance(8 * 86_400_000)
        lab.transactions.remove_expired()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"transaction_status": 6}, "transaction status 6"),
        ({"producer_id": -1}, "producer id -1"),
        ({"producer_epoch": -5}, "epoch -5"),
        ({"next_producer_id": -9}, "producer ids"),
    ],
)
async def test_a_transaction_that_cannot_be_is_skipped(
    fields: dict[str, int], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab = TransactionLab()
    await lab.log.create_topic()
    append(lab, ID, [transaction_record(), transaction_record(**fields)])
    await lab.restart()
    assert lab.state() == "Ongoing"
    (line,) = [told.getMessage() for told in caplog.records]
    assert line.startswith(
        f"skipped the record at offset 1 of __transaction_state-{partition_for(ID, PARTITION_COUNT)}"
    )
    assert reason in line
