"""Classic groups become consumer groups and the other way round, online, with members of both protocols (KIP-848)."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.group.embedded_protocol import read_assignment, write_assignment
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.consumer_protocol_subscription import ConsumerProtocolSubscription, TopicPartition
from kafkapy_wire.messages.join_group import JoinGroupResponse
from tests.coordinators.consumer_lab import ConsumerLab
from tests.coordinators.group_lab import REBALANCE_MS

NONE = ErrorCode.NONE
TOPIC = "events"


@pytest.fixture
def lab() -> ConsumerLab:
    lab = ConsumerLab()
    lab.topic(TOPIC, 4)
    return lab


def says(*owned: int) -> tuple[tuple[str, bytes], ...]:
    """The protocols of a consumer that reads `TOPIC` and owns these partitions."""
    partitions = [TopicPartition(topic=TOPIC, partitions=[*owned])] if owned else []
    subscription = ConsumerProtocolSubscription(topics=[TOPIC], user_data=None, owned_partitions=partitions)
    return (("range", b"\0\1" + encode(subscription, 1)),)


async def classic_member(lab: ConsumerLab) -> str:
    """A classic group of one member that owns all partitions; its id. The generation is 1."""
    member_id = await lab.new_member_id(protocols=says())
    await lab.join(member_id, protocols=says())
    await lab.sync(member_id, 1, {member_id: write_assignment(1, {TOPIC: range(4)})})
    assert lab.state() == "Stable"
    return member_id


async def rejoin(lab: ConsumerLab, member_id: str, *owned: int) -> JoinGroupResponse:
    return (await lab.join(member_id, protocols=says(*owned))).answer


async def assigned(lab: ConsumerLab, member_id: str, generation_id: int) -> dict[str, list[int]]:
    answer = (await lab.sync(member_id, generation_id)).answer
    assert answer.error_code == NONE, answer
    return read_assignment(answer.assignment).partitions


async def test_a_running_group_moves_to_the_new_protocol_and_back(lab: ConsumerLab) -> None:
    classic = await classic_member(lab)
    assert lab.joins("new", TOPIC).member_epoch == 2
    assert lab.state() == "Reconciling"
    for _ in range(2):  # a restart finds the same group
        assert [member.member_type for member in lab.described().members] == [0, 1]
        assert lab.heartbeat(classic, 1) == ErrorCode.REBALANCE_IN_PROGRESS
        await lab.restart()
    first = await rejoin(lab, classic, 0, 1, 2, 3)
    assert first.generation_id == 1, "it must give up two, and stays in its generation"
    assert await assigned(lab, classic, 1) == {TOPIC: [0, 1]}
    assert lab.beat("new", 2).assignment is None
    assert (await rejoin(lab, classic, 0, 1)).generation_id == 2
    assert lab.heartbeat(classic, 2) == NONE
    assert lab.assigned(lab.beat("new", 2)) == {TOPIC: {2, 3}}
    assert await lab.commit(7, topic=TOPIC, member_id=classic, generation_id=2) is NONE
    assert lab.state() == "Stable"
    lab.beat("new", -1)
    assert lab.state() == "PreparingRebalance"
    assert lab.describe().members[0].member_id == classic
    assert lab.heartbeat(classic, 2) == ErrorCode.REBALANCE_IN_PROGRESS
    assert (await rejoin(lab, classic, 0, 1)).generation_id == 3
    assert lab.committed(topic=TOPIC) == 7


async def test_members_that_wait_are_told_to_join_again(lab: ConsumerLab) -> None:
    leader = await classic_member(lab)
    second = await lab.new_member_id(protocols=says())
    waiting = await lab.join(second, protocols=says())
    assert waiting.parked
    assert lab.joins("new", TOPIC).error_code == NONE
    assert waiting.answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert {member.member_id for member in lab.described().members} == {leader, second, "new"}


async def test_the_policy_decides_which_way_groups_may_go(lab: ConsumerLab) -> None:
    """group.consumer.migration.policy."""
    for policy, upgrades, downgrades in (
        ("disabled", False, False),
        ("upgrade", True, False),
        ("downgrade", False, True),
        ("bidirectional", True, True),
    ):
        other = ConsumerLab(group_consumer_migration_policy=policy)
        async with other.running():
            other.topic(TOPIC, 4)
            await classic_member(other)
            answer = other.joins("new", TOPIC)
            assert (answer.error_code == NONE) is upgrades
            if not upgrades:
                assert answer.error_message == (
                    "Cannot upgrade classic group readers to consumer group because online upgrade is disabled."
                )
        other = ConsumerLab(group_consumer_migration_policy=policy)
        async with other.running():
            other.topic(TOPIC, 4)
            other.joins("new", TOPIC)
            joined = (await other.join("old", protocols=says())).answer
            if policy == "disabled":
                assert joined.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
                continue
            assert joined.error_code == NONE
            other.beat("new", -1)
            types = [group.group_type for group in other.groups.list_groups((), ()).result()]
            assert types == ["classic" if downgrades else "consumer"]
    assert lab.state() == "none"


async def test_a_static_member_changes_its_protocol(lab: ConsumerLab) -> None:
    lab.joins("new", TOPIC, instance_id="i")
    back = (await lab.join(protocols=says(), instance_id="i")).answer
    assert back.error_code == NONE
    assert lab.describe().members[0].group_instance_id == "i"
    assert lab.state() == "Stable"
    await lab.restart()
    answer = (await lab.sync(back.member_id, back.generation_id, instance_id="i")).answer
    assert read_assignment(answer.assignment).partitions == {TOPIC: [0, 1, 2, 3]}
    forth = lab.joins("new again", TOPIC, instance_id="i")
    assert lab.assigned(forth) == {TOPIC: {0, 1, 2, 3}}
    assert lab.heartbeat(back.member_id, back.generation_id, instance_id="i") == ErrorCode.FENCED_INSTANCE_ID


@pytest.mark.parametrize("what", ["session", "join", "sync"])
async def test_a_classic_member_that_does_not_come_in_time_is_fenced(lab: ConsumerLab, what: str) -> None:
    lab.joins("new", TOPIC)
    joined = (await lab.join("old", protocols=says(), rebalance_ms=REBALANCE_MS)).answer
    generation_id = joined.generation_id
    if what != "sync":
        await assigned(lab, "old", generation_id)
    if what == "join":
        lab.beat("new", 2, owned={TOPIC: {0, 1}})
        assert lab.heartbeat("old", generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    elapsed_ms = 0
    while lab.described().members and "old" in lab.epochs()[2]:
        if what != "session":
            lab.heartbeat("old", generation_id)
        lab.beat("new", lab.epochs()[2]["new"], owned={TOPIC: {0, 1}})
        lab.advance(1_000)
        elapsed_ms += 1_000
    assert elapsed_ms == (10_000 if what == "session" else REBALANCE_MS)


async def test_what_cannot_be_upgraded_says_why(lab: ConsumerLab) -> None:
    member_id = await lab.new_member_id(protocol_type="connect")
    await lab.join(member_id, protocol_type="connect")
    answer = lab.joins("new", TOPIC)
    assert answer.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert answer.error_message is not None
    assert answer.error_message.endswith("because the group does not use the consumer embedded protocol.")
    assert lab.state() == "PreparingRebalance" or lab.state() == "CompletingRebalance"


async def test_nonsense_in_the_embedded_protocol_is_refused(lab: ConsumerLab) -> None:
    member_id = await lab.new_member_id(protocols=(("range", b"\0\1\xff\xff\xff\xff"),))
    await lab.join(member_id, protocols=(("range", b"\0\1\xff\xff\xff\xff"),))
    assert lab.joins("new", TOPIC).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    lab.leave(member_id)
    assert lab.joins("new", TOPIC).error_code == NONE
    for metadata in (b"", b"\0", b"\xff\xff", b"\0\1\x7f\xff\xff\xff"):
        joined = (await lab.join("old", protocols=(("range", metadata),))).answer
        assert joined.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert set(lab.epochs()[2]) == {"new"}
