"""What is in the log is what there is: loading, and a random walk that compares the living state with the log."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkapy.coordinators.group.classic.state import ClassicGroupState
from kafkapy.coordinators.serving import LOAD_TURN_RECORDS_MAX
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.join_group import JoinGroupResponse
from kafkapy_wire.messages.sync_group import SyncGroupResponse
from tests.coordinators.group_lab import GROUP, SUBSCRIPTION, Asked, GroupLab

AT_REST = (ClassicGroupState.STABLE, ClassicGroupState.EMPTY)
Durable = tuple[object, ...]


def durable(lab: GroupLab) -> Durable:
    """All that must survive a restart."""
    groups = [
        (
            group.group_id,
            group.state,
            group.generation_id,
            group.protocol_type,
            group.protocol_name,
            group.leader,
            group.subscribed_topics,
            {
                member.member_id: (
                    member.group_instance_id,
                    member.client_id,
                    member.client_host,
                    member.session_timeout_ms,
                    member.rebalance_timeout_ms,
                    member.metadata(group.protocol_name),
                    member.assignment,
                )
                for member in group.members.values()
            },
        )
        for _, shard in lab.groups._runtime.loaded_shards()
        for group in shard.classic._groups()
    ]
    offsets = {
        group.group_id: shard.offsets.committed.of_group(group.group_id)
        for _, shard in lab.groups._runtime.loaded_shards()
        for group in shard.groups
    }
    return sorted(groups, key=lambda group: group[0]), offsets


async def reloaded(lab: GroupLab) -> GroupLab:
    """Another node that loads the same log."""
    other = GroupLab()
    other.log.batches, other.log.end_offsets = [list(part) for part in lab.log.batches], list(lab.log.end_offsets)
    other.metadata = lab.metadata
    await other.restart()
    return other


async def test_a_stable_group_goes_on_after_a_restart(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair()
    await lab.commit(5, member_id=first, generation_id=generation_id)
    before = durable(lab)
    await lab.restart()
    assert durable(lab) == before
    assert lab.heartbeat(first, generation_id) == ErrorCode.NONE
    assert (await lab.sync(second, generation_id)).answer.assignment == b"two"
    assert lab.committed() == 5


async def test_members_that_do_not_come_back_lose_their_sessions(lab: GroupLab) -> None:
    await lab.stable_pair()
    await lab.restart()
    lab.advance(10_001)
    assert lab.state() == "Empty"


async def test_restart_during_a_rebalance_returns_to_the_last_stable_generation(lab: GroupLab) -> None:
    first, second, generation_id = await lab.stable_pair()
    await lab.join(first)
    await lab.join(second)
    await lab.restart()
    assert lab.state() == "Stable"
    assert lab.heartbeat(second, generation_id) == ErrorCode.NONE
    assert lab.heartbeat(second, generation_id + 1) == ErrorCode.ILLEGAL_GENERATION


async def test_requests_during_loading_are_told_to_come_again(lab: GroupLab) -> None:
    member_id, generation_id = await lab.stable_member()
    for _ in range(LOAD_TURN_RECORDS_MAX + 1):
        await lab.commit(5, member_id=member_id, generation_id=generation_id)
    lab.groups = lab._coordinator()
    assert lab.nursery is not None
    lab.nursery.start_soon(lab.groups.load)
    loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert lab.heartbeat(member_id, generation_id) == loading
    assert await lab.commit() == loading
    with pytest.raises(KafkaError) as refused:
        lab.groups.list_groups((), ()).result()
    assert refused.value.code is loading
    await trio.testing.wait_all_tasks_blocked()
    assert lab.heartbeat(member_id, generation_id) == ErrorCode.NONE


async def test_first_requests_of_many_clients_create_the_topic_once(lab: GroupLab) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lab.groups.when_ready(GROUP).wait)
            nursery.start_soon(lab.commit)
    assert lab.log.creations == 1


# -- a random walk

CLIENTS = 4
clients = st.integers(0, CLIENTS - 1)
operations = st.one_of(
    st.tuples(st.just("join"), clients),
    st.tuples(st.just("join changed"), clients),
    st.tuples(st.just("sync"), clients),
    st.tuples(st.just("heartbeat"), clients),
    st.tuples(st.just("leave"), clients),
    st.tuples(st.just("forget"), clients),
    st.tuples(st.just("commit"), clients),
    st.tuples(st.just("advance"), st.sampled_from([1, 100, 3_000, 9_999, 10_001, 60_001])),
    st.tuples(st.just("delete"), st.just(0)),
    st.tuples(st.just("refuse appends"), st.sampled_from([0, 1])),
)


class Client:
    """A client that does what it is told, in any order; even numbers are static members."""

    def __init__(self, number: int) -> None:
        self.instance_id = f"static-{number}" if number % 2 == 0 else None
        self.member_id = ""
        self.generation_id = -1
        self.is_leader = False
        self.others: list[str] = []
        self.join: Asked[JoinGroupResponse] | None = None
        self.sync: Asked[SyncGroupResponse] | None = None

    def hear(self) -> None:
        """Take in what was answered since."""
        if self.join is not None and not self.join.parked:
            answer, self.join = self.join.answer, None
            if answer.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
                self.member_id = answer.member_id
            elif answer.error_code != ErrorCode.REBALANCE_IN_PROGRESS:
                self.member_id = ""
            if answer.error_code == ErrorCode.NONE:
                self.generation_id = answer.generation_id
                self.is_leader = answer.leader == answer.member_id
                self.others = [member.member_id for member in answer.members]
                assert self.is_leader or not self.others
        if self.sync is not None and not self.sync.parked:
            self.sync = None


async def perform(lab: GroupLab, who: list[Client], operation: tuple[str, int]) -> None:
    verb, value = operation
    client = who[value] if value < len(who) else who[0]
    busy = client.join is not None or client.sync is not None
    match verb:
        case "advance":
            lab.advance(value)
        case "delete":
            with suppress(KafkaError):  # its log takes no records
                lab.groups.delete_group(GROUP).result()
        case "refuse appends":
            lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR if value else None
        case "join" | "join changed" if not busy:
            metadata = SUBSCRIPTION if verb == "join" else SUBSCRIPTION + b"changed"
            protocols = (("range", metadata), ("sticky", metadata))
            client.join = await lab.join(client.member_id, instance_id=client.instance_id, protocols=protocols)
        case "sync" if not busy:
            assignments = {member_id: member_id.encode() for member_id in client.others}
            client.sync = await lab.sync(
                client.member_id, client.generation_id, assignments, instance_id=client.instance_id
            )
        case "heartbeat":
            lab.heartbeat(client.member_id, client.generation_id, instance_id=client.instance_id)
        case "leave":
            lab.leave(client.member_id, instance_id=client.instance_id)
        case "forget" if not busy:
            client.member_id = ""
        case "commit":
            await lab.commit(value, member_id=client.member_id, generation_id=client.generation_id)
    await trio.testing.wait_all_tasks_blocked()
    for other in who:
        other.hear()


def check_group(lab: GroupLab) -> None:
    if lab.state() == "none":
        return
    group = lab.group()
    members = group.members
    assert group.awaiting_join_count == sum(member.join is not None for member in members.values())
    assert (group.leader in members) if members else (group.leader is None)
    assert group.static_members == {m.group_instance_id: m.member_id for m in members.values() if m.is_static}
    assert not group.pending_joins.keys() & members.keys()
    assert group.pending_syncs.keys() <= members.keys()
    assert (group.state is ClassicGroupState.EMPTY) <= (not members)
    assert group.state is not ClassicGroupState.DEAD
    counts: dict[str, int] = {}
    for member in members.values():
        for name, _ in member.protocols:
            counts[name] = counts.get(name, 0) + 1
        assert (member.sync is None) or group.state is ClassicGroupState.COMPLETING_REBALANCE
        assert (member.join is None) or group.state is ClassicGroupState.PREPARING_REBALANCE
        assert member.session is not None
    assert group.supporters == counts


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(operations, max_size=40))
def test_a_random_walk_keeps_the_group_whole_and_the_log_true(walk: list[tuple[str, int]]) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            lab = GroupLab()
            lab.start(nursery)
            who = [Client(number) for number in range(CLIENTS)]
            for operation in walk:
                await perform(lab, who, operation)
                check_group(lab)
                if lab.state() != "none" and lab.group().state in AT_REST:
                    assert durable(await reloaded(lab)) == durable(lab)
            lab.log.refuse_appends_with = None
            # Every wait has an end: nobody comes back, so sessions, rebalances and first joins run out.
            for _ in range(12):
                lab.advance(60_001)
                await trio.testing.wait_all_tasks_blocked()
            for client in who:
                client.hear()
                assert client.join is None
                assert client.sync is None
            assert lab.state() in ("none", "Empty")
            nursery.cancel_scope.cancel()

    trio.run(run)
