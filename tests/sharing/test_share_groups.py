"""Share groups at a node with a clock moved by hand: locks, counts, limits, start offsets, and their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.messages.share_group_describe import ShareGroupDescribeRequest, ShareGroupDescribeResponse
from kafkapy_wire.records import NewRecord, build_batch
from tests.sharing.share_member import (
    ACCEPT,
    GROUP,
    REJECT,
    RELEASE,
    RENEW,
    ShareMember,
    acquired,
    progress,
    set_group,
)
from tests.sharing.share_stage import AT_ONCE, Stage, coordinated, lead_anew, produce, stage
from tests.shell.running_node import connect, produce_request, running_node, trio_test, until_parked

if TYPE_CHECKING:
    from pathlib import Path


ATTRIBUTES_AT, GZIP = 22, 1


@trio_test
async def test_records_are_delivered_accepted_released_and_rejected(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await produce(on.client, 10)
        alice, bob = on.member(), on.member("bob")
        await alice.join("t")
        await bob.join("t")
        assert await alice.acquire() == [(0, 9, 1)]
        await alice.acknowledge([(0, 3, ACCEPT), (4, 5, REJECT), (6, 9, RELEASE)])
        assert [lag for _, lag in (await progress(on.client)).values()] == [4]
        assert await bob.acquire() == [(6, 9, 2)]
        (answer,) = (await bob.acknowledge([(6, 9, ACCEPT)])).responses
        assert answer.partitions[0].error_code == ErrorCode.NONE
        assert [lag for _, lag in (await progress(on.client)).values()] == [0]


@trio_test
async def test_a_lock_ends_after_its_duration_and_may_be_renewed(tmp_path: Path) -> None:
    """share.record.lock.duration.ms of the group, else group.share.record.lock.duration.ms."""
    async with stage(tmp_path, {"group.share.record.lock.duration.ms": "50000"}) as on:
        await produce(on.client, 2)
        alice, bob = on.member(), on.member("bob")
        await alice.join("t")
        assert await alice.acquire() == [(0, 1, 1)]
        on.clock.advance(49_000)
        assert acquired(await bob.fetch()) == []
        on.clock.advance(1_001)
        assert await bob.acquire() == [(0, 1, 2)]
        await set_group(on.client, {"share.record.lock.duration.ms": "20000"})
        on.clock.advance(50_001)
        assert await bob.acquire() == [(0, 1, 3)]
        on.clock.advance(15_000)
        answer = await bob.fetch(acks=[(0, 1, RENEW)], renews=True)
        assert answer.acquisition_lock_timeout_ms == 20_000
        on.clock.advance(15_000)
        assert acquired(await alice.fetch()) == []
        on.clock.advance(5_001)
        assert (await alice.acquire())[0] == (0, 0, 4)  # alone: it may be the one that nobody can process


@pytest.mark.parametrize(("rise", "found"), [(1, []), (2, [(0, 9, 1)])])
def test_a_window_ends_if_another_broker_may_have_led_meanwhile(
    tmp_path: Path, rise: int, found: list[tuple[int, int, int]]
) -> None:
    """Each new leader raises the epoch: who hears late of having lost and got the lead sees a rise by two."""

    @trio_test
    async def run() -> None:
        async with stage(tmp_path) as on:
            await produce(on.client, 10)
            alice, bob = on.member(), on.member("bob")
            await alice.join("t")
            await bob.join("t")
            assert await alice.acquire() == [(0, 9, 1)]
            lead_anew(on, rise)
            assert (found and await bob.acquire()) == found
            assert acquired(await bob.fetch()) == []

    run()


@trio_test
async def test_locks_are_not_renewed_where_that_is_switched_off(tmp_path: Path) -> None:
    async with stage(tmp_path, share_renew_acknowledge_enable="false") as on:
        await produce(on.client, 1)
        alice = on.member()
        await alice.join("t")
        await alice.acquire()
        answer = await alice.fetch(acks=[(0, 0, RENEW)], renews=True)
        (topic,) = answer.responses
        assert topic.partitions[0].acknowledge_error_code == ErrorCode.INVALID_RECORD_STATE


@pytest.mark.parametrize("strict", [(), ("released-share-records",)])
@pytest.mark.parametrize("how", ["released", "session ends"])
def test_a_fetch_that_waits_gets_what_another_member_releases(
    tmp_path: Path, how: str, strict: tuple[str, ...]
) -> None:
    """At once; a strict broker has it wait to its end, as Apache Kafka does."""

    @trio_test
    async def run() -> None:
        async with stage(tmp_path, None, strict) as on, connect(on.node) as other:
            await produce(on.client, 2)
            alice, bob = on.member(), ShareMember(other, on.topic_id, "bob")
            await alice.join("t")
            await bob.join("t")
            assert await alice.acquire() == [(0, 1, 1)]
            found: list[tuple[int, int, int]] = []

            async def fetch() -> None:
                found.extend(acquired(await bob.fetch(wait_ms=10_000)))

            async with trio.open_nursery() as nursery:
                on.clock.freeze()
                nursery.start_soon(fetch)
                await until_parked(on.node)
                if how == "released":
                    await alice.acknowledge([(0, 1, RELEASE)])
                else:
                    await alice.leave_session()
                if strict:
                    assert (await progress(on.client))[0][0] == 0  # one more round of requests
                    assert not found
                    on.clock.advance(10_000)
            assert found == [(0, 1, 2)]

    run()


@pytest.mark.parametrize(
    ("settings", "group", "count"),
    [
        ({"group.share.delivery.count.limit": "3"}, {}, 3),
        ({}, {"share_delivery_count_limit": "4"}, 4),
    ],
)
def test_a_record_is_delivered_at_most_so_often(
    tmp_path: Path, settings: dict[str, str], group: dict[str, str], count: int
) -> None:
    """share.delivery.count.limit of the group, else group.share.delivery.count.limit."""

    @trio_test
    async def run() -> None:
        async with stage(tmp_path, settings, **group) as on:
            await produce(on.client, 1)
            alice = on.member()
            await alice.join("t")
            for number in range(1, count + 1):
                assert await alice.acquire() == [(0, 0, number)]
                await alice.acknowledge([(0, 0, RELEASE)])
            assert acquired(await alice.fetch()) == []
            assert [lag for _, lag in (await progress(on.client)).values()] == [0]

    run()


@pytest.mark.parametrize(
    ("settings", "group", "count"),
    [
        ({"group.share.partition.max.record.locks": "150"}, {}, 150),
        ({}, {"share_partition_max_record_locks": "170"}, 170),
    ],
)
def test_so_many_records_may_be_in_flight(
    tmp_path: Path, settings: dict[str, str], group: dict[str, str], count: int
) -> None:
    """share.partition.max.record.locks of the group, else group.share.partition.max.record.locks."""

    @trio_test
    async def run() -> None:
        async with stage(tmp_path, settings, **group) as on:
            for _ in range(20):
                await produce(on.client, 10)
            alice = on.member()
            await alice.join("t")
            total = 0
            found = await alice.acquire(max_records=5_000)
            while found:
                total += sum(last - first + 1 for first, last, _ in found)
                found = acquired(await alice.fetch(max_records=5_000))
            assert total == count

    run()


@trio_test
async def test_groups_begin_where_they_are_told_to(tmp_path: Path) -> None:
    """share.auto.offset.reset: latest, earliest, or so long ago."""
    async with stage(tmp_path) as on:
        now_ms = on.clock.now_ms()
        for age_ms in (3_600_000, 60_000):
            await on.client.produce("t", b"value", b"value", timestamp=now_ms - age_ms)
        for number, (reset, start) in enumerate({"earliest": 0, "by_duration:PT30M": 2}.items()):
            group = f"begins-{number}"
            await set_group(on.client, {"share.auto.offset.reset": reset}, group)
            member = ShareMember(on.client, on.topic_id, group=group)
            await member.join("t")
            assert (await member.acquire())[0][0] == start
        latest = ShareMember(on.client, on.topic_id, group="latest")
        await latest.join("t")
        found: list[tuple[int, int, int]] = []
        while not found:  # it begins at the end when the state was read
            await produce(on.client, 1)
            found = acquired(await latest.fetch())
        assert found[0][0] > 3


@trio_test
async def test_a_group_that_reads_what_is_committed_waits_for_the_end_of_transactions(tmp_path: Path) -> None:
    """share.isolation.level."""
    async with stage(tmp_path, share_isolation_level="read_committed") as on:
        await on.client.find_coordinator("tx", key_type=1)
        begin = InitProducerIdRequest(transactional_id="tx", transaction_timeout_ms=10_000)
        owner = await on.client.ask(begin, InitProducerIdResponse)
        pid, epoch = owner.producer_id, owner.producer_epoch
        values = [NewRecord(on.clock.now_ms(), None, b"in a transaction")] * 2
        records = build_batch(values, producer_id=pid, producer_epoch=epoch, base_sequence=0, is_transactional=True)
        request = produce_request("t", records)
        request.transactional_id = "tx"
        (answer,) = (await on.client.ask(request, ProduceResponse, 12)).responses[0].partition_responses
        assert answer.error_code == ErrorCode.NONE
        alice = on.member()
        await alice.join("t")
        other = ShareMember(on.client, on.topic_id, group="others")
        await set_group(on.client, {"share.auto.offset.reset": "earliest"}, "others")
        await other.join("t")
        assert await other.acquire() == [(0, 1, 1)]
        for _ in range(3):
            assert acquired(await alice.fetch()) == []
        end = EndTxnRequest(transactional_id="tx", producer_id=pid, producer_epoch=epoch, committed=True)
        await on.client.ask(end, EndTxnResponse)
        assert await alice.acquire() == [(0, 2, 1)]  # with the marker of the commit, as in Apache Kafka


@trio_test
async def test_a_member_that_does_not_beat_is_fenced(tmp_path: Path) -> None:
    """share.session.timeout.ms of the group, else group.share.session.timeout.ms."""
    async with stage(tmp_path, {"group.share.session.timeout.ms": "46000"}) as on:
        alice = on.member()
        await alice.join("t")
        on.clock.advance(45_900)
        assert not (await alice.heartbeat()).error_code
        on.clock.advance(46_001)
        await gone(on, "alice")
        assert (await alice.heartbeat()).error_code == ErrorCode.UNKNOWN_MEMBER_ID
        await set_group(on.client, {"share.session.timeout.ms": "50000"})
        await alice.heartbeat("t", epoch=0)
        on.clock.advance(49_100)
        assert await members(on) == ["alice"]
        on.clock.advance(901)
        await gone(on, "alice")


async def members(on: Stage) -> list[str]:
    answer = await on.client.ask(ShareGroupDescribeRequest(group_ids=[GROUP]), ShareGroupDescribeResponse)
    return [member.member_id for member in answer.groups[0].members]


async def gone(on: Stage, name: str) -> None:
    while name in await members(on):
        pass


@trio_test
async def test_the_interval_of_heartbeats_is_the_groups_or_the_brokers(tmp_path: Path) -> None:
    """share.heartbeat.interval.ms, else group.share.heartbeat.interval.ms."""
    async with stage(tmp_path, {"group.share.heartbeat.interval.ms": "7000"}) as on:
        alice = on.member()
        assert (await alice.heartbeat("t", epoch=0)).heartbeat_interval_ms == 7_000
        await set_group(on.client, {"share.heartbeat.interval.ms": "8000"})
        assert (await alice.heartbeat()).heartbeat_interval_ms == 8_000


@trio_test
async def test_a_group_is_not_assigned_more_often_than_its_assignment_interval(tmp_path: Path) -> None:
    """share.assignment.interval.ms, else group.share.assignment.interval.ms."""
    async with stage(tmp_path, {"group.share.assignment.interval.ms": "8000"}) as on:
        alice = on.member()
        await alice.heartbeat("t", epoch=0)
        for given, interval_ms in ((None, 8_000), ("6000", 6_000)):
            if given is not None:
                await set_group(on.client, {"share.assignment.interval.ms": given})
            before = alice.epoch
            await alice.heartbeat("t", f"another-{interval_ms}")  # the epoch of the group rises
            on.clock.advance(interval_ms - 500)
            await alice.heartbeat()
            assert alice.epoch == before
            on.clock.advance(501)
            await alice.heartbeat()
            assert alice.epoch > before


@trio_test
async def test_no_more_members_than_group_share_max_size(tmp_path: Path) -> None:
    async with stage(tmp_path, {"group.share.max.size": "1"}) as on:
        await on.member().join("t")
        answer = await on.member("bob").heartbeat("t", epoch=0)
        assert answer.error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
        assert answer.error_message == "The share group has reached its maximum capacity of 1 members."


@trio_test
async def test_no_more_sessions_than_group_share_max_share_sessions(tmp_path: Path) -> None:
    async with stage(tmp_path, {"group.share.max.share.sessions": "1"}) as on:
        assert (await on.member().fetch()).error_code == ErrorCode.NONE
        async with connect(on.node) as other:
            bob = ShareMember(other, on.topic_id, "bob")
            assert (await bob.fetch()).error_code == ErrorCode.SHARE_SESSION_LIMIT_REACHED


def test_the_topic_of_the_share_coordinator_has_its_settings(tmp_path: Path) -> None:
    make_the_topic_of_the_share_coordinator(tmp_path)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("__share_group_state-*/*.log"))
    assert stored[ATTRIBUTES_AT] & 7 == GZIP


@trio_test
async def make_the_topic_of_the_share_coordinator(tmp_path: Path) -> None:
    settings = {
        "share.coordinator.state.topic.num.partitions": "3",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.segment.bytes": "2000000",
        "share.coordinator.state.topic.compression.codec": "1",
    }
    async with stage(tmp_path, settings) as on:
        await on.member().join("t")
        request = MetadataRequest(topics=[MetadataRequestTopic(name="__share_group_state")])
        (topic,) = (await on.client.ask(request, MetadataResponse)).topics
        assert (len(topic.partitions), topic.is_internal) == (3, True)
        assert [len(partition.replica_nodes) for partition in topic.partitions] == [1, 1, 1]
        configs = on.node.broker.metadata.image.resource_configs(ConfigResourceType.TOPIC, "__share_group_state")
        assert configs["segment.bytes"] == "2000000"
        assert configs["min.insync.replicas"] == "1"


@trio_test
async def test_what_later_snapshots_repeat_is_pruned_by_the_clock(tmp_path: Path) -> None:
    """share.coordinator.state.topic.prune.interval.ms."""
    settings = {
        "share.coordinator.snapshot.update.records.per.snapshot": "2",
        "share.coordinator.state.topic.prune.interval.ms": "20000",
        "share.coordinator.state.topic.num.partitions": "1",
    }
    async with stage(tmp_path, settings) as on:
        await produce(on.client, 10)
        alice = on.member()
        await alice.join("t")
        await alice.acquire()
        for offset in range(10):
            await alice.acknowledge([(offset, offset, ACCEPT)])
        assert await on.client.offset("__share_group_state", -2) == 0
        on.clock.advance(20_001)
        while await on.client.offset("__share_group_state", -2) == 0:
            await trio.lowlevel.checkpoint()


@trio_test
async def test_initialization_is_begun_anew_after_the_retry_interval(tmp_path: Path) -> None:
    """group.share.initialize.retry.interval.ms, if the share coordinator has never answered."""
    async with stage(tmp_path, {"group.share.initialize.retry.interval.ms": "20000"}) as on:
        alice = on.member()
        states = on.node.broker.sharing.groups.states
        begun: list[int] = []
        states.begin = lambda initialization: begun.append(initialization.state_epoch)  # type: ignore[method-assign]
        await alice.heartbeat("t", epoch=0)
        on.clock.advance(19_000)
        await alice.heartbeat()
        assert begun == [2]
        on.clock.advance(1_001)
        await alice.heartbeat()
        assert begun == [2, 2]


@trio_test
async def test_a_group_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await produce(on.client, 10)
        alice = on.member()
        await alice.join("t")
        assert await alice.acquire() == [(0, 9, 1)]
        await alice.acknowledge([(0, 3, ACCEPT), (5, 6, ACCEPT)])
        topic_id = on.topic_id
    async with running_node(tmp_path, AT_ONCE) as node, connect(node) as client:
        await coordinated(client)
        bob = ShareMember(client, topic_id, "bob")
        await bob.join("t")
        assert await bob.acquire() == [(4, 4, 2), (7, 9, 2)]
        await bob.acknowledge([(4, 4, ACCEPT), (7, 9, ACCEPT)])
        assert [lag for _, lag in (await progress(client)).values()] == [0]


BOUNDED = {
    "delivery.count.limit": ("3", "6", "2", "7"),
    "partition.max.record.locks": ("200", "2000", "199", "2001"),
    "record.lock.duration.ms": ("20000", "40000", "19999", "40001"),
    "session.timeout.ms": ("45000", "50000", "44999", "50001"),
    "heartbeat.interval.ms": ("5000", "9000", "4999", "9001"),
    "assignment.interval.ms": ("500", "9000", "499", "9001"),
}
"""Of groups, between the broker's: group.share.min.delivery.count.limit, group.share.max.delivery.count.limit,
group.share.min.partition.max.record.locks, group.share.max.partition.max.record.locks,
group.share.min.record.lock.duration.ms, group.share.max.record.lock.duration.ms, group.share.min.session.timeout.ms,
group.share.max.session.timeout.ms, group.share.min.heartbeat.interval.ms, group.share.max.heartbeat.interval.ms,
group.share.min.assignment.interval.ms, group.share.max.assignment.interval.ms"""


@trio_test
async def test_settings_of_a_group_stay_between_those_of_the_broker(tmp_path: Path) -> None:
    settings: dict[str, str] = {}
    for name, (least, most, _, _) in BOUNDED.items():
        settings |= {f"group.share.min.{name}": least, f"group.share.max.{name}": most}
    settings["group.share.assignment.interval.ms"] = "1000"
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        for name, (least, most, less, more) in BOUNDED.items():
            for value in (least, most):
                await set_group(client, {f"share.{name}": value})
            for value in (less, more):
                with pytest.raises(AssertionError, match=f"must be in the range {least} to {most} inclusive"):
                    await set_group(client, {f"share.{name}": value})
