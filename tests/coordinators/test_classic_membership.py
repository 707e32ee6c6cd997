"""JoinGroup, SyncGroup, Heartbeat, LeaveGroup of dynamic members, as Apache Kafka 4.4.0 answers them."""

from __future__ import annotations

import re

import pytest
import trio.testing

from kafkapy_wire.errors import ErrorCode
from tests.coordinators.group_lab import REBALANCE_MS, SESSION_MS, SUBSCRIPTION, GroupLab


async def test_first_join_asks_to_come_back_with_a_member_id(lab: GroupLab) -> None:
    answer = (await lab.join(client_id="reader")).answer
    assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert re.fullmatch(r"reader-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.member_id)
    assert (answer.generation_id, answer.protocol_name, answer.leader, answer.members) == (-1, None, "", [])
    assert lab.state() == "Empty"
    assert lab.log.creations == 1


async def test_before_v4_the_first_join_is_enough(lab: GroupLab) -> None:
    answer = (await lab.join(version=3)).answer
    assert (answer.error_code, answer.generation_id) == (ErrorCode.NONE, 1)


async def test_single_member_leads_and_becomes_stable(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    joined = (await lab.join(member_id)).answer
    assert (joined.error_code, joined.generation_id, joined.protocol_type, joined.protocol_name) == (
        ErrorCode.NONE,
        1,
        "consumer",
        "range",
    )
    assert joined.leader == joined.member_id == member_id
    assert [(member.member_id, member.metadata) for member in joined.members] == [(member_id, SUBSCRIPTION)]
    assert not joined.skip_assignment
    assert lab.state() == "CompletingRebalance"
    synced = (await lab.sync(member_id, 1, {member_id: b"mine", "somebody else": b"lost"})).answer
    assert (synced.protocol_type, synced.protocol_name, synced.assignment) == ("consumer", "range", b"mine")
    assert lab.state() == "Stable"


async def test_second_member_makes_the_first_join_again(lab: GroupLab) -> None:
    first, generation_id = await lab.stable_member()
    second = await lab.new_member_id()
    assert lab.heartbeat(first, generation_id) == ErrorCode.NONE
    second_join = await lab.join(second)
    assert second_join.parked
    assert lab.heartbeat(first, generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    first_join = await lab.join(first)
    assert first_join.answer.generation_id == second_join.answer.generation_id == generation_id + 1
    assert {member.member_id for member in first_join.answer.members} == {first, second}
    assert second_join.answer.leader == first
    assert second_join.answer.members == []


async def test_follower_waits_for_the_leaders_assignment(lab: GroupLab) -> None:
    _, second, generation_id = await lab.stable_pair()
    assert [member.member_assignment for member in lab.describe().members] == [b"one", b"two"]
    assert (await lab.sync(second, generation_id)).answer.assignment == b"two"


async def test_members_left_out_of_the_assignment_get_an_empty_one(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    await lab.join(member_id)
    assert (await lab.sync(member_id, 1, {})).answer.assignment == b""


async def test_a_join_during_the_assignment_sends_parked_syncs_back(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    await lab.join(first)
    await lab.join(second)
    sync = await lab.sync(second, 3)
    assert sync.parked
    third = await lab.new_member_id()
    await lab.join(third)
    assert sync.answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert lab.state() == "PreparingRebalance"


async def test_unchanged_follower_that_joins_again_hears_of_the_current_generation(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair()
    again = (await lab.join(second)).answer
    assert (again.error_code, again.generation_id, again.leader, again.members) == (0, generation_id, first, [])
    assert lab.state() == "Stable"


async def test_leader_that_joins_again_starts_a_rebalance(lab: GroupLab) -> None:
    first, _, _ = await lab.stable_pair()
    assert (await lab.join(first)).parked
    assert lab.state() == "PreparingRebalance"


async def test_follower_with_other_metadata_starts_a_rebalance(lab: GroupLab) -> None:
    _, second, _ = await lab.stable_pair()
    assert (await lab.join(second, protocols=(("range", SUBSCRIPTION[:-1] + b"\1"),))).parked
    assert lab.state() == "PreparingRebalance"


async def test_joining_again_while_the_leader_assigns_repeats_the_answer(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    first = (await lab.join(member_id)).answer
    assert (await lab.join(member_id)).answer == first


async def test_a_join_superseded_on_another_connection_is_answered(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    superseded = await lab.join(first)
    latest = await lab.join(first)
    assert superseded.answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    await lab.join(second)
    assert latest.answer.error_code == ErrorCode.NONE


# -- protocols


async def test_protocol_with_the_most_votes_among_those_all_support(lab: GroupLab) -> None:
    first = await lab.new_member_id()
    await lab.join(first, protocols=(("a", b""), ("b", b""), ("c", b"")), protocol_type="custom")
    others = []
    for _ in range(2):
        member_id = await lab.new_member_id(protocols=(("b", b""), ("a", b"")), protocol_type="custom")
        others.append(await lab.join(member_id, protocols=(("b", b""), ("a", b"")), protocol_type="custom"))
        await lab.join(first, protocols=(("a", b""), ("b", b""), ("c", b"")), protocol_type="custom")
    assert others[0].answer.protocol_name == "a"  # one vote each: the first voter's choice
    await lab.join(others[0].answer.member_id, protocols=(("b", b""), ("a", b"")), protocol_type="custom")
    assert others[1].answer.protocol_name == "b"


@pytest.mark.parametrize(
    ("protocol_type", "protocols"),
    [("connect", (("range", b""),)), ("consumer", (("sticky", b""),)), ("consumer", ()), ("", (("range", b""),))],
)
async def test_inconsistent_protocols_are_refused(
    lab: GroupLab, protocol_type: str, protocols: tuple[tuple[str, bytes], ...]
) -> None:
    await lab.stable_member()
    answer = (await lab.join(protocol_type=protocol_type, protocols=protocols)).answer
    assert (answer.error_code, answer.member_id) == (ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "")
    assert lab.state() == "Stable"


async def test_even_a_refused_join_creates_the_group(lab: GroupLab) -> None:
    assert (await lab.join(protocols=())).answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert lab.state() == "Empty"
    assert len(lab.log.records()) == 1


async def test_sync_with_another_protocol_is_refused(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    for protocol in (("consumer", "sticky"), ("connect", "range")):
        answer = (await lab.sync(member_id, generation_id, protocol=protocol)).answer
        assert answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert (await lab.sync(member_id, generation_id, protocol=(None, None))).answer.error_code == ErrorCode.NONE


# -- refusals


@pytest.mark.parametrize(("session_ms", "error"), [(5_999, 26), (6_000, 79), (1_800_000, 79), (1_800_001, 26)])
async def test_session_timeout_bounds(lab: GroupLab, session_ms: int, error: int) -> None:
    assert (await lab.join(session_ms=session_ms)).answer.error_code == error


async def test_empty_group_id(lab: GroupLab) -> None:
    assert (await lab.join(group_id="")).answer.error_code == ErrorCode.INVALID_GROUP_ID
    assert (await lab.sync("m", 1, group_id="")).answer.error_code == ErrorCode.INVALID_GROUP_ID
    assert lab.heartbeat("m", 1, group_id="") == ErrorCode.INVALID_GROUP_ID
    assert lab.leave("m", group_id="") == ErrorCode.INVALID_GROUP_ID


async def test_unknown_group_and_member(lab: GroupLab) -> None:
    answer = (await lab.join("stranger")).answer
    assert (answer.error_code, answer.member_id) == (ErrorCode.UNKNOWN_MEMBER_ID, "stranger")
    assert (await lab.sync("stranger", 1)).answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.heartbeat("stranger", 1) == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.leave("stranger") == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.state() == "none"


async def test_group_max_size(lab: GroupLab) -> None:
    lab.use_settings(group_max_size=2)
    first, second, _ = await lab.stable_pair()
    answer = (await lab.join()).answer
    assert (answer.error_code, answer.member_id) == (ErrorCode.GROUP_MAX_SIZE_REACHED, "")
    assert {member.member_id for member in lab.describe().members} == {first, second}


async def test_megabytes_of_metadata_are_refused(lab: GroupLab) -> None:
    answer = (await lab.join(protocols=(("range", b"x" * (5 << 20)), ("sticky", b"x" * (5 << 20))))).answer
    assert answer.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert lab.state() == "none"


async def test_loaded_group_above_group_max_size_shrinks(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair()
    lab.use_settings(group_max_size=1)
    await lab.restart()
    assert lab.heartbeat(first, generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    assert (await lab.join(second)).parked
    assert (await lab.join(first)).answer.error_code == ErrorCode.GROUP_MAX_SIZE_REACHED


# -- time


async def test_session_expiry_starts_a_rebalance_without_the_member(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair()
    lab.advance(SESSION_MS - 100)
    assert lab.heartbeat(second, generation_id) == ErrorCode.NONE
    lab.advance(200)
    assert lab.heartbeat(first, generation_id) == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.heartbeat(second, generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    joined = (await lab.join(second)).answer
    assert joined.leader == second


async def test_last_member_lost_leaves_the_group_empty(lab: GroupLab) -> None:
    await lab.stable_member()
    lab.advance(SESSION_MS + 1)
    described = lab.describe()
    assert (described.group_state, described.protocol_type, described.members) == ("Empty", "consumer", [])


async def test_a_commit_counts_as_a_heartbeat(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    lab.advance(SESSION_MS - 100)
    assert await lab.commit(member_id=member_id, generation_id=generation_id) == ErrorCode.NONE
    lab.advance(SESSION_MS - 100)
    assert lab.heartbeat(member_id, generation_id) == ErrorCode.NONE


async def test_rebalance_timeout_drops_who_has_not_joined(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    join = await lab.join(second, protocols=(("range", SUBSCRIPTION[:-1] + b"\1"),))
    for _ in range(REBALANCE_MS // 5_000):
        assert join.parked
        assert lab.heartbeat(first, 2) == ErrorCode.REBALANCE_IN_PROGRESS
        lab.advance(5_000)
    await trio.testing.wait_all_tasks_blocked()
    assert join.answer.leader == second
    assert lab.heartbeat(first, 3) == ErrorCode.UNKNOWN_MEMBER_ID


async def test_parked_join_keeps_the_session(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    join = await lab.join(first)
    for _ in range(4):
        assert lab.heartbeat(second, 2) == ErrorCode.REBALANCE_IN_PROGRESS
        lab.advance(SESSION_MS - 100)
    assert join.parked
    await lab.join(second)
    assert join.answer.error_code == ErrorCode.NONE
    assert lab.heartbeat(first, 3) == ErrorCode.NONE


async def test_member_that_never_syncs_is_dropped(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    await lab.join(first)
    await lab.join(second)
    await lab.sync(first, 3, {})
    assert lab.state() == "Stable"
    for _ in range(REBALANCE_MS // 5_000):
        assert lab.heartbeat(first, 3) == ErrorCode.NONE
        assert lab.heartbeat(second, 3) == ErrorCode.NONE
        lab.advance(5_000)
    assert lab.heartbeat(first, 3) == ErrorCode.REBALANCE_IN_PROGRESS
    assert lab.heartbeat(second, 3) == ErrorCode.UNKNOWN_MEMBER_ID


async def test_pending_member_expires(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    lab.advance(SESSION_MS + 1)
    assert (await lab.join(member_id)).answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID


async def test_a_rebalance_waits_for_pending_members(lab: GroupLab) -> None:
    first, _ = await lab.stable_member()
    await lab.new_member_id()
    join = await lab.join(first)
    assert join.parked
    lab.advance(SESSION_MS + 1)
    await trio.testing.wait_all_tasks_blocked()
    assert join.answer.error_code == ErrorCode.NONE


async def test_first_join_that_stays_parked_expires(lab: GroupLab) -> None:
    first, _ = await lab.stable_member(rebalance_ms=1_800_000)
    second = await lab.new_member_id()
    join = await lab.join(second)
    for _ in range(5 * 60 // 5 + 1):
        lab.heartbeat(first, 1)
        lab.advance(5_000)
    await trio.testing.wait_all_tasks_blocked()
    assert (join.answer.error_code, join.answer.member_id) == (ErrorCode.UNKNOWN_MEMBER_ID, "")


async def test_initial_rebalance_delay_is_extended_by_new_members(lab: GroupLab) -> None:
    lab.use_settings(group_initial_rebalance_delay_ms=3_000)
    first = await lab.join(version=3)
    assert lab.state() == "PreparingRebalance"
    lab.advance(2_000)
    second = await lab.join(version=3)
    lab.advance(2_000)
    assert first.parked
    lab.advance(3_000)
    await trio.testing.wait_all_tasks_blocked()
    assert first.answer.generation_id == second.answer.generation_id == 1
    assert len(first.answer.members) == 2


# -- leaving


async def test_leaving_starts_a_rebalance_and_the_last_one_empties_the_group(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair()
    assert lab.leave(first) == ErrorCode.NONE
    assert lab.leave(first) == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.heartbeat(second, generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    assert lab.leave(second) == ErrorCode.NONE
    assert lab.state() == "Empty"
    assert lab.describe().protocol_type == "consumer"


async def test_leaving_completes_a_rebalance_that_waited_for_the_member(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    join = await lab.join(first)
    lab.leave(second)
    await trio.testing.wait_all_tasks_blocked()
    assert [member.member_id for member in join.answer.members] == [first]


async def test_parked_requests_of_a_member_that_was_made_to_leave_are_answered(lab: GroupLab) -> None:
    first, second, _ = await lab.stable_pair()
    join = await lab.join(first)
    lab.leave(first)
    await trio.testing.wait_all_tasks_blocked()
    assert join.answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    first = await lab.new_member_id()
    await lab.join(first)
    await lab.join(second)
    sync = await lab.sync(first, 3)
    assert sync.parked
    lab.leave(first)
    await trio.testing.wait_all_tasks_blocked()
    assert sync.answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID


async def test_pending_member_may_leave(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    assert lab.leave(member_id) == ErrorCode.NONE
    assert (await lab.join(member_id)).answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID


# -- the log fails


async def test_a_log_that_refuses_the_assignment_leaves_the_group_without_it(lab: GroupLab) -> None:
    member_id = await lab.new_member_id()
    await lab.join(member_id)
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    assert (await lab.sync(member_id, 1, {member_id: b"x"})).answer.error_code == ErrorCode.NOT_COORDINATOR
    assert lab.state() == "CompletingRebalance"
    lab.log.refuse_appends_with = None
    assert (await lab.sync(member_id, 1, {member_id: b"x"})).answer.assignment == b"x"


async def test_closing_answers_parked_requests(lab: GroupLab) -> None:
    first, _, _ = await lab.stable_pair()
    join = await lab.join(first)
    lab.groups.close()
    await trio.testing.wait_all_tasks_blocked()
    assert join.answer.error_code == ErrorCode.NOT_COORDINATOR
