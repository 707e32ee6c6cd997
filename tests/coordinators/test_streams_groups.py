"""Streams groups (KIP-1071): joining, tasks given up before others get them, time-outs, settings, restarts."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.group.group import GroupType
from kafkapy.coordinators.group.streams import identity, requests
from kafkapy.coordinators.group.streams.topology import StreamsStatus
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages import streams_group_heartbeat as messages
from tests.coordinators.group_lab import GROUP
from tests.coordinators.streams_lab import StreamsLab, active, statuses, subtopology, told, topology

NONE = ErrorCode.NONE
DELAYED = StreamsStatus.ASSIGNMENT_DELAYED


@pytest.fixture
def lab() -> StreamsLab:
    lab = StreamsLab()
    for topic in ("in", "log"):
        lab.topic(topic, 4)
    return lab


def tags(*keys: str) -> list[messages.KeyValue]:
    return [messages.KeyValue(key=key, value="x") for key in keys]


def stable_pair(lab: StreamsLab) -> int:
    """Members a and b with two tasks each; their epoch."""
    lab.joins("a")
    lab.joins("b")
    epoch = lab.streams_group().epoch
    lab.beat("a", epoch - 1, active={"0": {0, 1, 2, 3}})
    assert lab.beat("a", epoch - 1, active={"0": {0, 1}}).member_epoch == epoch
    assert active(lab.beat("b", epoch, active={})) == {"0": {2, 3}}
    assert lab.state() == "Stable"
    return epoch


async def test_a_member_gives_up_before_another_gets(lab: StreamsLab) -> None:
    first = lab.joins("a")
    assert (first.member_epoch, active(first)) == (2, {"0": {0, 1, 2, 3}})
    second = lab.joins("b")
    assert (second.member_epoch, active(second)) == (3, {})
    assert lab.state() == "Reconciling"
    assert active(lab.beat("a", 2)) == {"0": {0, 1}}
    assert lab.beat("b", 3, active={}).active_tasks is None, "a has not given up anything yet"
    assert lab.beat("a", 2).member_epoch == 2, "it has not said what it has"
    assert lab.beat("a", 2, active={"0": {0, 1, 2}}).member_epoch == 2
    assert lab.beat("a", 2, active={"0": {0, 1}}).member_epoch == 3
    assert active(lab.beat("b", 3, active={})) == {"0": {2, 3}}
    assert lab.state() == "Stable"
    assert lab.epochs() == (3, 3, {"a": 3, "b": 3})


async def test_what_is_stored_is_what_a_restart_finds(lab: StreamsLab) -> None:
    lab.configure({"streams.num.standby.replicas": "1"})
    endpoint = messages.StreamsGroupHeartbeatRequestEndpoint(host="here", port=80)
    lab.joins("a", instance_id="i", rack_id="r", client_tags=tags("zone"), user_endpoint=endpoint)
    lab.joins("b")
    lab.beat("a", 2, active={"0": {0, 1, 2, 3}}, instance_id="i")
    before = lab.described()
    owners = lab.streams_group().owners
    await lab.restart()
    after = lab.described()
    assert after.topology != before.topology, "partition counts are known again with the next heartbeat"
    after.topology = before.topology
    assert after == before
    again = lab.streams_group().owners
    assert again.active == owners.active
    assert {task: again.standby(task) for task in owners.active} == {
        task: owners.standby(task) for task in owners.active
    }
    assert lab.beat("a", 2, active={"0": {0, 1}}, instance_id="i").member_epoch == 3
    assert active(lab.beat("b", 3, active={})) == {"0": {2, 3}}
    assert lab.described().topology == before.topology


async def test_the_last_member_leaves_an_empty_group_that_can_be_deleted(lab: StreamsLab) -> None:
    lab.joins("a")
    assert lab.groups.delete_group(GROUP).result() is ErrorCode.NON_EMPTY_GROUP
    assert lab.beat("a", -1).member_epoch == -1
    assert lab.state() == "Empty"
    await lab.restart()
    assert lab.state() == "Empty"
    assert lab.groups.type_of(GROUP) is GroupType.STREAMS
    assert lab.groups.delete_group(GROUP).result() is NONE
    assert lab.state() == "none"
    await lab.restart()
    assert lab.state() == "none"


async def test_a_member_that_does_not_beat_is_fenced(lab: StreamsLab) -> None:
    """group.streams.session.timeout.ms, and streams.session.timeout.ms of the group within the broker's bounds,
    group.streams.min.session.timeout.ms to group.streams.max.session.timeout.ms here.
    """
    epoch = lab.joins("a").member_epoch
    lab.joins("b")
    for _ in range(3):
        lab.advance(30_000)
        epoch = lab.beat("a", epoch, active={"0": {0, 1}}).member_epoch
    assert [member.member_id for member in lab.described().members] == ["a"]
    assert lab.beat("b", 3).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    for value, session_ms in (("50000", 50_000), ("1", 45_000), ("999999", 60_000)):
        lab.configure({"streams.session.timeout.ms": value})
        epoch = lab.joins("c").member_epoch
        lab.advance(session_ms - 1)
        assert "c" in lab.epochs()[2]
        assert lab.beat("c", epoch).error_code == NONE
        lab.advance(session_ms)
        assert lab.state() == "Empty"


async def test_intervals_are_the_groups_or_the_brokers(lab: StreamsLab) -> None:
    """group.streams.heartbeat.interval.ms and group.streams.task.offset.interval.ms, and those of the group within
    group.streams.min.heartbeat.interval.ms, group.streams.max.heartbeat.interval.ms and
    group.streams.min.task.offset.interval.ms of the broker; and group.streams.acceptable.recovery.lag, unless the group
    has one.
    """
    first = lab.joins("a")
    assert (first.heartbeat_interval_ms, first.task_offset_interval_ms) == (5_000, 60_000)
    assert first.acceptable_recovery_lag == 10_000
    for value, interval_ms in (("7000", 7_000), ("1", 5_000), ("99999", 15_000)):
        lab.configure({"streams.heartbeat.interval.ms": value})
        assert lab.beat("a", 2).heartbeat_interval_ms == interval_ms
    for value, interval_ms in (("16000", 16_000), ("1", 15_000)):
        lab.configure({"streams.task.offset.interval.ms": value, "streams.acceptable.recovery.lag": value})
        answer = lab.beat("a", 2)
        assert (answer.task_offset_interval_ms, answer.acceptable_recovery_lag) == (interval_ms, int(value))


async def test_a_group_is_not_assigned_more_often_than_its_assignment_interval(lab: StreamsLab) -> None:
    """group.streams.assignment.interval.ms, and streams.assignment.interval.ms within
    group.streams.min.assignment.interval.ms and group.streams.max.assignment.interval.ms of the broker.
    """
    for value, interval_ms in (("2000", 2_000), ("99999", 15_000)):
        lab.configure({"streams.assignment.interval.ms": value})
        lab.joins("a")
        second = lab.joins("b")
        assert statuses(second) == [DELAYED]
        assert lab.state() == "Assigning"
        lab.advance(interval_ms - 1)
        assert lab.beat("b", second.member_epoch, active={}).member_epoch == second.member_epoch
        lab.advance(1)
        assert lab.beat("b", second.member_epoch, active={}).member_epoch == second.member_epoch + 1
        assert lab.state() == "Reconciling"
        for member_id in ("a", "b"):
            lab.beat(member_id, -1)


async def test_the_first_members_are_waited_for(lab: StreamsLab) -> None:
    """group.streams.initial.rebalance.delay.ms, and streams.initial.rebalance.delay.ms of the group."""
    lab.use_settings(group_streams_initial_rebalance_delay_ms=3_000)
    await lab.restart()
    for round_number in (0, 1):
        first = lab.joins("a")
        assert (statuses(first), active(first)) == ([DELAYED], {})
        lab.advance(1_000)
        assert statuses(lab.joins("b")) == [DELAYED]
        lab.advance(1_999)
        assert lab.state() == "Assigning"
        lab.advance(1)
        assert lab.state() == "Reconciling"
        epochs = lab.epochs()[2]
        tasks = [active(lab.beat(member_id, epochs[member_id], active={}))["0"] for member_id in "ab"]
        assert [len(each) for each in tasks] == [2, 2], round_number
        assert set.union(*tasks) == {0, 1, 2, 3}
        for member_id in ("a", "b"):
            lab.beat(member_id, -1)
    lab.configure({"streams.initial.rebalance.delay.ms": "0"})
    assert statuses(lab.joins("a")) == []


async def test_a_member_that_leaves_while_the_first_are_waited_for_gets_nothing(lab: StreamsLab) -> None:
    lab.use_settings(group_streams_initial_rebalance_delay_ms=3_000)
    await lab.restart()
    lab.joins("a")
    lab.beat("a", -1)
    lab.advance(3_000)
    assert lab.state() == "Empty"
    assert lab.streams_group().first_assignment is None


async def test_a_member_has_its_rebalance_timeout_to_give_up_tasks(lab: StreamsLab) -> None:
    lab.joins("a", rebalance_timeout_ms=20_000)
    lab.joins("b")
    lab.beat("a", 2)
    lab.advance(19_999)
    assert lab.beat("a", 2, active={"0": {0, 1, 2, 3}}).error_code == NONE, "a heartbeat gives it no more time"
    lab.advance(1)
    assert lab.beat("a", 2).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert active(lab.beat("b", 3, active={})) == {"0": {0, 1, 2, 3}}


async def test_a_restart_gives_the_whole_rebalance_timeout_again(lab: StreamsLab) -> None:
    lab.joins("a", rebalance_timeout_ms=20_000)
    lab.joins("b")
    lab.beat("a", 2)
    lab.advance(15_000)
    await lab.restart()
    lab.advance(19_999)
    assert lab.beat("a", 2, active={"0": {0, 1}}).member_epoch == 3
    lab.advance(20_000)
    assert set(lab.epochs()[2]) == {"a", "b"}


async def test_standby_tasks_are_as_many_as_the_group_or_the_broker_says(lab: StreamsLab) -> None:
    """group.streams.num.standby.replicas, or of the group; group.streams.max.standby.replicas at most."""
    epoch = stable_pair(lab)
    lab.configure({"streams.num.standby.replicas": "1"})
    after = lab.beat("a", epoch, active={"0": {0, 1}})
    assert (after.member_epoch, told(after.standby_tasks)) == (epoch + 1, {"0": {2, 3}})
    lab.joins("c")
    lab.joins("d")
    lab.configure({"streams.num.standby.replicas": "99"})
    lab.beat("a", epoch + 1, active={"0": {0, 1}}, standby={"0": {2, 3}})
    assert lab.streams_group().metadata.assignment_configs == {"num.standby.replicas": "2"}
    lab.use_settings(group_streams_num_standby_replicas=1)
    lab.configure({})
    await lab.restart()
    lab.beat("a", lab.epochs()[2]["a"], active={"0": {0}})
    assert lab.streams_group().metadata.assignment_configs == {"num.standby.replicas": "1"}


async def test_members_without_the_tags_that_are_wanted_are_told(lab: StreamsLab) -> None:
    """group.streams.rack.aware.assignment.tags, and streams.rack.aware.assignment.tags of the group."""
    lab.use_settings(group_streams_rack_aware_assignment_tags=("zone", "cluster"))
    await lab.restart()
    answer = lab.joins("a", client_tags=tags("zone"))
    assert statuses(answer) == [StreamsStatus.MISSING_CLIENT_TAGS]
    assert "[cluster]" in (answer.status or [])[0].status_detail
    assert statuses(lab.beat("a", 2, version=0)) == [], "an older client does not know this status"
    lab.configure({"streams.rack.aware.assignment.tags": "rack"})
    assert "[rack]" in (lab.beat("a", 2).status or [])[0].status_detail
    assert statuses(lab.beat("a", 3, client_tags=tags("rack"))) == []


async def test_no_more_members_than_group_streams_max_size(lab: StreamsLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never more than a bound of our own."""
    lab.use_settings(group_streams_max_size=2)
    await lab.restart()
    for member_id, code in (("a", NONE), ("b", NONE), ("c", ErrorCode.GROUP_MAX_SIZE_REACHED), ("a", NONE)):
        assert lab.joins(member_id).error_code == code, member_id
    lab.use_settings()
    await lab.restart()
    monkeypatch.setattr(identity, "MEMBERS_MAX", 2)
    assert lab.joins("c").error_code == ErrorCode.GROUP_MAX_SIZE_REACHED


async def test_without_streams_in_the_protocols_or_in_the_features_there_are_no_streams_groups(lab: StreamsLab) -> None:
    """group.coordinator.rebalance.protocols, and streams.version 0."""
    image = lab.metadata.image
    lab.metadata.image = image._replace(features={"streams.version": 0})
    assert lab.joins("a").error_code == ErrorCode.UNSUPPORTED_VERSION
    lab.metadata.image = image
    assert lab.joins("a").error_code == NONE
    lab.use_settings(group_coordinator_rebalance_protocols=("classic", "consumer"))
    await lab.restart()
    assert lab.beat("a", 2).error_code == ErrorCode.UNSUPPORTED_VERSION
    assert lab.state() == "Empty", "its records are kept"
    lab.use_settings()
    await lab.restart()
    assert lab.beat("a", 2).error_code == NONE


async def test_a_static_member_is_back_with_its_tasks(lab: StreamsLab) -> None:
    lab.joins("a", instance_id="i")
    epoch = lab.joins("b").member_epoch
    lab.beat("a", epoch - 1, active={"0": {0, 1, 2, 3}}, instance_id="i")
    lab.beat("a", epoch - 1, active={"0": {0, 1}}, instance_id="i")
    assert active(lab.beat("b", epoch, active={})) == {"0": {2, 3}}
    assert lab.beat("a", -2, instance_id="i").member_epoch == -2
    assert lab.beat("b", epoch, active={"0": {2, 3}}).active_tasks is None, "its tasks wait for it"
    assert lab.joins("other", instance_id="i", process_id="process-of-a").member_epoch == epoch
    assert lab.epochs() == (epoch, epoch, {"b": epoch, "other": epoch})
    assert lab.beat("a", epoch, instance_id="i").error_code == ErrorCode.FENCED_INSTANCE_ID
    assert lab.joins("a", instance_id="i").error_code == ErrorCode.UNRELEASED_INSTANCE_ID
    await lab.restart()
    assert lab.state() == "Stable"
    lab.beat("other", -2, instance_id="i")
    lab.advance(40_000)
    assert lab.beat("b", epoch, active={"0": {2, 3}}).error_code == NONE
    lab.advance(5_000)
    assert active(lab.beat("b", epoch, active={"0": {2, 3}})) == {"0": {0, 1, 2, 3}}, "its session has ended"


async def test_all_are_told_to_shut_down_until_nobody_is_left(lab: StreamsLab) -> None:
    epoch = stable_pair(lab)
    lab.beat("a", epoch, shutdown_application=True)
    assert statuses(lab.beat("b", epoch)) == [StreamsStatus.SHUTDOWN_APPLICATION]
    lab.beat("a", -1)
    assert statuses(lab.beat("b", epoch)) == [StreamsStatus.SHUTDOWN_APPLICATION]
    lab.beat("b", -1)
    assert statuses(lab.joins("a")) == []


async def test_topics_that_come_and_go_are_noticed_with_the_next_heartbeat(lab: StreamsLab) -> None:
    lab.topology = topology(subtopology("0", "in"))
    lab.delete_topic("in")
    first = lab.joins("a")
    assert statuses(first) == [StreamsStatus.MISSING_SOURCE_TOPICS]
    assert lab.state() == "NotReady"
    lab.topic("in", 2)
    assert active(lab.beat("a", 2, active={})) == {"0": {0, 1}}
    lab.topic("in", 3)
    assert active(lab.beat("a", 3, active={"0": {0, 1}})) == {"0": {0, 1, 2}}
    lab.topic("elsewhere", 1)
    assert lab.beat("a", 4, active={"0": {0, 1, 2}}).member_epoch == 4
    lab.delete_topic("in")
    assert statuses(lab.beat("a", 4)) == [StreamsStatus.MISSING_SOURCE_TOPICS]
    assert lab.state() == "NotReady"


async def test_another_coordinator_does_not_assign_anew_what_has_not_changed(lab: StreamsLab) -> None:
    epoch = stable_pair(lab)
    await lab.restart()
    assert lab.beat("a", epoch, active={"0": {0, 1}}).member_epoch == epoch
    assert lab.epochs()[0] == epoch
    assert lab.described().topology is not None


async def test_two_threads_of_a_process_never_have_one_task_in_two_roles(lab: StreamsLab) -> None:
    """They share a state directory. A standby task waits until the other thread has given the active one up."""
    lab.configure({"streams.num.standby.replicas": "1"})
    lab.joins("a", process_id="p")
    lab.joins("b", process_id="p")
    lab.joins("c", process_id="q")
    epoch = lab.epochs()[0]
    owned = {"a": {"0": {0, 1, 2, 3}}, "b": {}, "c": {}}
    standby: dict[str, dict[str, set[int]]] = {"a": {}, "b": {}, "c": {}}
    for _ in range(6):
        for member_id in "abc":
            answer = lab.beat(
                member_id, lab.epochs()[2][member_id], active=owned[member_id], standby=standby[member_id]
            )
            if answer.active_tasks is not None:
                owned[member_id] = told(answer.active_tasks)
                standby[member_id] = told(answer.standby_tasks)
            here = [
                task
                for member in ("a", "b")
                for tasks in (owned[member], standby[member])
                for task in tasks.get("0", set())
            ]
            if member_id == "c":
                assert len(here) == len(set(here)), (owned, standby)
    assert lab.epochs() == (epoch, epoch, dict.fromkeys("abc", epoch))
    assert lab.state() == "Stable"


async def test_a_topology_of_too_many_names_and_a_member_of_too_many_offsets_are_refused(
    lab: StreamsLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "NAMES_MAX", 5)
    many = topology(*(subtopology(str(number), "in") for number in range(3)))
    assert lab.joins("a", topology=many).error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY
    assert lab.state() == "none"
    assert lab.joins("a").error_code == NONE
    monkeypatch.setattr(requests, "TASK_OFFSETS_MAX", 2)
    offsets = [messages.TaskOffset(subtopology_id="0", partition=number) for number in range(3)]
    assert lab.beat("a", 2, task_end_offsets=offsets).error_code == ErrorCode.INVALID_REQUEST
    assert lab.beat("a", 2, task_offsets=offsets[:2]).error_code == NONE
    assert len(lab.described().members[0].task_offsets) == 2


async def test_a_repartition_topic_of_a_billion_partitions_is_refused(lab: StreamsLab) -> None:
    huge = topology(
        subtopology("0", "in", sinks=["between"]),
        subtopology("1", repartitions={"between": 1_000_000_000}),
    )
    assert lab.joins("a", topology=huge).error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY
    assert lab.state() == "none"


async def test_an_append_that_is_refused_changes_nothing(lab: StreamsLab) -> None:
    lab.joins("a")
    before = lab.described()
    lab.log.refuse_appends_with = ErrorCode.NOT_ENOUGH_REPLICAS
    offsets = [messages.TaskOffset(subtopology_id="0", partition=1)]
    assert lab.joins("b", task_offsets=offsets).error_code != NONE
    assert lab.beat("a", 2, client_tags=tags("x"), task_offsets=offsets, shutdown_application=True).error_code != NONE
    lab.log.refuse_appends_with = None
    assert lab.described() == before
    assert statuses(lab.beat("a", 2)) == []


async def test_a_new_group_remembers_nothing_that_is_in_memory_only(lab: StreamsLab) -> None:
    """As in Apache Kafka: offsets and a shutdown that the first heartbeat of a group tells are lost."""
    offsets = [messages.TaskOffset(subtopology_id="0", partition=1)]
    answer = lab.joins("a", task_offsets=offsets, shutdown_application=True)
    assert statuses(answer) == [StreamsStatus.SHUTDOWN_APPLICATION]
    assert statuses(lab.beat("a", 2)) == []
    assert lab.described().members[0].task_offsets == []
