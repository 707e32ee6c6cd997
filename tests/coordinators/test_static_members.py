"""Static members (KIP-345): a restarted process takes its former place."""

from __future__ import annotations

import pytest
import trio.testing

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.leave_group import MemberIdentity
from tests.coordinators.group_lab import GROUP, REBALANCE_MS, SESSION_MS, SUBSCRIPTION, GroupLab

STATIC_PAIR = ("one", "two")


async def test_first_join_needs_no_second(lab: GroupLab) -> None:
    joined = (await lab.join(instance_id="one", client_id="client")).answer
    assert joined.error_code == ErrorCode.NONE
    assert joined.member_id.startswith("one-")
    assert joined.members[0].group_instance_id == "one"


@pytest.mark.parametrize("version", [5, 8, 9])
async def test_restarted_follower_keeps_its_assignment_without_a_rebalance(lab: GroupLab, version: int) -> None:
    first, second, generation_id = await lab.stable_pair(instance_ids=STATIC_PAIR)
    joined = (await lab.join(instance_id="two", version=version)).answer
    assert (joined.error_code, joined.generation_id, joined.leader, joined.members) == (0, generation_id, first, [])
    assert joined.member_id != second
    assert not joined.skip_assignment
    synced = (await lab.sync(joined.member_id, generation_id, instance_id="two")).answer
    assert synced.assignment == b"two"
    assert lab.heartbeat(first, generation_id, instance_id="one") == ErrorCode.NONE


async def test_restarted_leader_skips_the_assignment_from_v9(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair(instance_ids=STATIC_PAIR)
    joined = (await lab.join(instance_id="one")).answer
    assert joined.skip_assignment
    assert joined.leader == joined.member_id != first
    assert {member.member_id for member in joined.members} == {joined.member_id, second}
    older = (await lab.join(instance_id="one", version=8)).answer
    assert older.leader == joined.member_id != older.member_id
    assert older.members == []


async def test_former_member_id_is_fenced(lab: GroupLab) -> None:
    _, second, generation_id = await lab.stable_pair(instance_ids=STATIC_PAIR)
    await lab.join(instance_id="two")
    assert lab.heartbeat(second, generation_id, instance_id="two") == ErrorCode.FENCED_INSTANCE_ID
    assert lab.heartbeat(second, generation_id) == ErrorCode.UNKNOWN_MEMBER_ID
    assert (await lab.sync(second, generation_id, instance_id="two")).answer.error_code == 82
    assert (await lab.join(second, instance_id="two")).answer.error_code == ErrorCode.FENCED_INSTANCE_ID
    assert lab.leave(second, instance_id="two") == ErrorCode.FENCED_INSTANCE_ID
    error = await lab.commit(member_id=second, generation_id=generation_id, instance_id="two")
    assert error == ErrorCode.FENCED_INSTANCE_ID


async def test_parked_requests_of_a_replaced_member_are_fenced(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair(instance_ids=STATIC_PAIR)
    changed = (("range", SUBSCRIPTION[:-1] + b"\1"),)
    join = await lab.join(second, instance_id="two", protocols=changed)
    replacement = await lab.join(instance_id="two")
    assert join.answer.error_code == ErrorCode.FENCED_INSTANCE_ID
    await lab.join(first, instance_id="one")
    sync = await lab.sync(replacement.answer.member_id, 3, instance_id="two")
    assert (await lab.join(instance_id="two")).parked  # during the assignment a replacement starts a rebalance
    assert sync.answer.error_code == ErrorCode.FENCED_INSTANCE_ID


async def test_replacement_that_changes_the_selected_protocol_starts_a_rebalance(lab: GroupLab) -> None:
    joined = (await lab.join(instance_id="one", protocols=(("a", b""), ("b", b"")), protocol_type="x")).answer
    await lab.sync(joined.member_id, 1, {joined.member_id: b"all"}, protocol=("x", "a"))
    again = (await lab.join(instance_id="one", protocols=(("b", b""), ("a", b"")), protocol_type="x")).answer
    assert (again.generation_id, again.protocol_name) == (2, "b")


async def test_leaving_by_instance_id_alone(lab: GroupLab) -> None:
    _, second, _ = await lab.stable_pair(instance_ids=STATIC_PAIR)
    assert lab.leave("", instance_id="one") == ErrorCode.NONE
    assert lab.leave("", instance_id="one") == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.leave("") == ErrorCode.UNKNOWN_MEMBER_ID
    assert [member.member_id for member in lab.describe().members] == [second]


async def test_static_member_that_is_late_keeps_its_place_until_its_session_ends(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair(instance_ids=STATIC_PAIR)
    changed = (("range", SUBSCRIPTION[:-1] + b"\1"),)
    join = await lab.join(second, instance_id="two", protocols=changed, rebalance_ms=5_000)
    for _ in range(REBALANCE_MS // 5_000):
        lab.heartbeat(first, generation_id, instance_id="one")
        lab.advance(5_000)
    await trio.testing.wait_all_tasks_blocked()
    assert {member.member_id for member in join.answer.members} == {first, second}
    assert join.answer.leader == second
    lab.advance(SESSION_MS + 1)
    assert first not in {member.member_id for member in lab.describe().members}


async def test_instance_id_with_the_id_of_a_pending_dynamic_member(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    answer = (await lab.join(member_id, instance_id="one")).answer
    assert (answer.error_code, answer.member_id) == (ErrorCode.UNKNOWN_SERVER_ERROR, "")


async def test_one_who_has_left_by_instance_id_is_unknown_to_the_rest_of_the_request(lab: GroupLab) -> None:
    """As in Apache Kafka, which removes one after the other."""
    await lab.stable_pair(instance_ids=STATIC_PAIR)
    identities = [
        MemberIdentity(member_id="", group_instance_id="one"),
        MemberIdentity(member_id="another", group_instance_id="one"),
        MemberIdentity(member_id="another", group_instance_id="two"),
    ]
    answers = lab.groups.classic.leave_group(GROUP, identities).result()
    expected = [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID]
    assert [answer.error_code for answer in answers] == expected


@pytest.mark.parametrize("rebalance_ms", [-(2**31), -1, 0, 2**31 - 1])
async def test_a_phase_that_nobody_joins_comes_round_no_faster_than_a_clock_ticks(
    lab: GroupLab, rebalance_ms: int
) -> None:
    """Clients may send any time-out, and two members that are restarted without coming back left one that span."""
    await lab.stable_pair(instance_ids=STATIC_PAIR)
    for instance_id in STATIC_PAIR:
        await lab.join(instance_id=instance_id, rebalance_ms=rebalance_ms)
    lab.leave("", instance_id="two")
    assert lab.group().rebalance_timeout_ms >= 0
    assert lab.state() == "PreparingRebalance"
    lab.clock.freeze()
    lab.advance(1)
    await trio.testing.wait_all_tasks_blocked()
    moved = [lab.clock.jump() for _ in range(3)]
    assert all(distance is None or distance >= 100 for distance in moved), moved
    await lab.restart()
    assert (await lab.join("")).answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
