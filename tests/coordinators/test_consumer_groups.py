"""Consumer groups (KIP-848): joining, revocation before assignment, time-outs, settings, restarts."""

from __future__ import annotations

import pytest

from kafkapy.coordinators.group import topic_metadata
from kafkapy.coordinators.group.consumer import membership, records, requests
from kafkapy.coordinators.group.epochs import LAST_EPOCH
from kafkapy.coordinators.runtime import partition_for
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.records import NewRecord
from kafkapy_wire.records.building import build_batch_and_header
from tests.coordinators.consumer_lab import ConsumerLab
from tests.coordinators.group_lab import GROUP, PARTITION_COUNT

NONE = ErrorCode.NONE


@pytest.fixture
def lab() -> ConsumerLab:
    lab = ConsumerLab()
    lab.clock.freeze()
    lab.topic_ids["t"] = lab.metadata.image.topics["t"].topic_id
    return lab


async def test_a_member_gives_up_before_another_gets(lab: ConsumerLab) -> None:
    lab.topic("events", 4)
    first = lab.joins("a", "events")
    assert (first.member_epoch, lab.assigned(first)) == (2, {"events": {0, 1, 2, 3}})
    second = lab.joins("b", "events")
    assert (second.member_epoch, lab.assigned(second)) == (3, {})
    assert lab.state() == "Reconciling"
    told = lab.beat("a", 2, owned={"events": {0, 1, 2, 3}})
    assert (told.member_epoch, lab.assigned(told)) == (2, {"events": {0, 1}})
    assert lab.beat("b", 3).assignment is None, "a has not given up anything yet"
    assert lab.beat("a", 2).member_epoch == 2, "it has not said what it owns"
    assert lab.beat("a", 2, owned={"events": {0, 1}}).member_epoch == 3
    assert lab.assigned(lab.beat("b", 3)) == {"events": {2, 3}}
    assert lab.state() == "Stable"
    assert lab.epochs() == (3, 3, {"a": 3, "b": 3})


async def test_what_is_stored_is_what_a_restart_finds(lab: ConsumerLab) -> None:
    lab.topic("events", 4)
    lab.joins("a", "events", instance_id="i", rack_id="r", server_assignor="range")
    lab.joins("b", "events")
    lab.beat("a", 2, owned={"events": {0, 1, 2, 3}}, instance_id="i")
    before = lab.described()
    assert {member.member_id for member in before.members} == {"a", "b"}
    owners = dict(lab.consumer_group().owners)
    await lab.restart()
    assert lab.described() == before
    assert lab.consumer_group().owners == owners
    assert lab.beat("a", 2, owned={"events": {0, 1}}, instance_id="i").member_epoch == 3
    assert lab.assigned(lab.beat("b", 3)) == {"events": {2, 3}}


async def test_the_last_member_leaves_an_empty_group_that_can_be_deleted(lab: ConsumerLab) -> None:
    lab.topic("events", 2)
    lab.joins("a", "events")
    assert lab.groups.delete_group(GROUP).result() is ErrorCode.NON_EMPTY_GROUP
    assert lab.beat("a", -1).member_epoch == -1
    assert lab.state() == "Empty"
    await lab.restart()
    assert lab.state() == "Empty"
    assert lab.groups.delete_group(GROUP).result() is NONE
    assert lab.state() == "none"
    await lab.restart()
    assert lab.state() == "none"


async def test_a_member_that_does_not_beat_is_fenced(lab: ConsumerLab) -> None:
    """group.consumer.session.timeout.ms, and consumer.session.timeout.ms of the group within the broker's bounds,
    group.consumer.min.session.timeout.ms to group.consumer.max.session.timeout.ms here.
    """
    lab.topic("events", 2)
    lab.joins("a", "events")
    lab.joins("b", "t")
    epoch = 2
    for _ in range(3):
        lab.advance(30_000)
        epoch = lab.beat("a", epoch).member_epoch
    assert [member.member_id for member in lab.described().members] == ["a"]
    assert lab.beat("b", 3).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    for value, session_ms in (("50000", 50_000), ("1", 45_000), ("999999", 60_000)):
        lab.configure({"consumer.session.timeout.ms": value})
        epoch = lab.joins("c", "t").member_epoch
        lab.advance(session_ms - 1)
        assert "c" in lab.epochs()[2]
        assert lab.beat("c", epoch).error_code == NONE
        lab.advance(session_ms)
        assert lab.state() == "Empty"


async def test_the_interval_of_heartbeats_is_the_groups_or_the_brokers(lab: ConsumerLab) -> None:
    """group.consumer.heartbeat.interval.ms, and consumer.heartbeat.interval.ms within
    group.consumer.min.heartbeat.interval.ms and group.consumer.max.heartbeat.interval.ms of the broker.
    """
    assert lab.joins("a", "t").heartbeat_interval_ms == 5_000
    for value, interval_ms in (("7000", 7_000), ("1", 5_000), ("99999", 15_000)):
        lab.configure({"consumer.heartbeat.interval.ms": value})
        assert lab.beat("a", 2).heartbeat_interval_ms == interval_ms


async def test_a_group_is_not_assigned_more_often_than_its_assignment_interval(lab: ConsumerLab) -> None:
    """group.consumer.assignment.interval.ms, and consumer.assignment.interval.ms within
    group.consumer.min.assignment.interval.ms and group.consumer.max.assignment.interval.ms of the broker.
    """
    lab.topic("events", 2)
    for value, interval_ms in (("2000", 2_000), ("99999", 15_000)):
        lab.configure({"consumer.assignment.interval.ms": value})
        assert lab.assigned(lab.joins("a", "events")) == {"events": {0, 1}}
        epoch = lab.joins("b", "events").member_epoch
        assert lab.state() == "Assigning"
        lab.advance(interval_ms - 1)
        assert lab.beat("b", epoch).member_epoch == epoch
        lab.advance(1)
        assert lab.beat("b", epoch).member_epoch == epoch + 1
        assert lab.state() == "Reconciling"
        for member_id in ("a", "b"):
            lab.beat(member_id, -1)


async def test_a_member_has_its_rebalance_timeout_to_give_up_partitions(lab: ConsumerLab) -> None:
    lab.topic("events", 2)
    lab.joins("a", "events", rebalance_timeout_ms=20_000)
    lab.joins("b", "events")
    lab.beat("a", 2, owned={"events": {0, 1}})
    lab.advance(19_999)
    assert lab.beat("a", 2, owned={"events": {0, 1}}).error_code == NONE, "a heartbeat gives it no more time"
    lab.advance(1)
    assert lab.beat("a", 2, owned={"events": {0, 1}}).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert lab.assigned(lab.beat("b", 3)) == {"events": {0, 1}}


async def test_a_restart_gives_the_whole_rebalance_timeout_again(lab: ConsumerLab) -> None:
    lab.topic("events", 2)
    lab.joins("a", "events", rebalance_timeout_ms=20_000)
    lab.joins("b", "events")
    lab.beat("a", 2, owned={"events": {0, 1}})
    lab.advance(15_000)
    await lab.restart()
    lab.advance(19_999)
    assert set(lab.epochs()[2]) == {"a", "b"}
    lab.advance(1)
    assert set(lab.epochs()[2]) == {"b"}


async def test_no_more_members_than_group_consumer_max_size(lab: ConsumerLab) -> None:
    lab.use_settings(group_consumer_max_size=2, group_consumer_assignment_interval_ms=0)
    await lab.restart()
    for member_id in ("a", "b"):
        assert lab.joins(member_id, "t", instance_id=member_id).error_code == NONE
    assert lab.joins("c", "t").error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert lab.beat("a", 2, instance_id="a").error_code == NONE
    lab.beat("a", -2, instance_id="a")
    assert lab.joins("d", "t", instance_id="a").error_code == NONE, "it comes back in its own place"


async def test_the_first_of_group_consumer_assignors_is_the_default(lab: ConsumerLab) -> None:
    lab.use_settings(group_consumer_assignors=("range",), group_consumer_assignment_interval_ms=0)
    await lab.restart()
    lab.topic("one", 3)
    lab.topic("two", 3)
    lab.joins("a", "one", "two")
    lab.joins("b", "one", "two")
    assert lab.described().assignor_name == "range"
    lab.beat("a", 2, owned={"one": {0, 1}, "two": {0, 1}})
    assert lab.assigned(lab.beat("b", 3)) == {"one": {2}, "two": {2}}
    assert lab.joins("c", "one", server_assignor="uniform").error_code == ErrorCode.UNSUPPORTED_ASSIGNOR


async def test_topics_are_noticed_with_the_next_heartbeat(lab: ConsumerLab) -> None:
    lab.topic("events", 1)
    lab.joins("a", "events", "more")
    lab.topic("more", 2)
    assert lab.assigned(lab.beat("a", 2)) == {"events": {0}, "more": {0, 1}}
    lab.topic("events", 2)
    assert lab.assigned(lab.beat("a", 3)) == {"events": {0, 1}, "more": {0, 1}}
    lab.delete_topic("more")
    assert lab.assigned(lab.beat("a", 4, owned={"events": {0, 1}})) == {"events": {0, 1}}
    epoch = lab.epochs()[0]
    lab.topic("another", 2)
    assert lab.beat("a", 5).assignment is None
    assert lab.epochs()[0] == epoch, "nobody reads it"


async def test_a_refused_append_changes_nothing(lab: ConsumerLab) -> None:
    lab.topic("events", 2)
    lab.joins("a", "events")
    before, owners = lab.described(), dict(lab.consumer_group().owners)
    lab.topic("events", 3)
    lab.log.refuse_appends_with = ErrorCode.KAFKA_STORAGE_ERROR
    assert lab.beat("a", 2).error_code == ErrorCode.NOT_COORDINATOR
    assert lab.joins("b", "events").error_code == ErrorCode.NOT_COORDINATOR
    lab.advance(60_000)
    assert (lab.described(), lab.consumer_group().owners) == (before, owners)
    lab.log.refuse_appends_with = None
    lab.advance(1_000)
    assert lab.state() == "Empty", "the session's end comes again"


async def test_a_broker_that_stops_coordinating_fences_nobody(lab: ConsumerLab) -> None:
    lab.joins("a", "t")
    records = len(lab.log.records())
    lab.groups.close()
    lab.advance(100_000)
    assert len(lab.log.records()) == records


async def test_offsets_of_topics_that_members_read_stay(lab: ConsumerLab) -> None:
    lab.topic("events", 1)
    lab.topic("other", 1)
    lab.joins("a", "events")
    for topic in ("events", "other"):
        assert await lab.commit(3, topic=topic, member_id="a", generation_id=2) is NONE
    for _ in range(200):
        lab.advance(30_000)
        lab.beat("a", 2)
    lab.clock.advance(0)
    lab.groups._expire_offsets()
    assert lab.committed(topic="events") == 3
    for _ in range(10_080 * 2):
        lab.advance(30_000)
        lab.beat("a", 2)
    assert (lab.committed(topic="events"), lab.committed(topic="other")) == (3, -1)
    lab.beat("a", -1)
    lab.advance(10_080 * 60_000 + 600_000)
    assert lab.state() == "none", "neither members nor offsets are left"


async def test_what_a_hostile_member_may_cost_is_bounded(lab: ConsumerLab, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"topic-{n}" for n in range(requests.SUBSCRIBED_TOPICS_MAX + 1)]
    assert lab.joins("a", *many).error_code == ErrorCode.INVALID_REQUEST
    assert lab.joins("a", *["x" * 30_000] * 90).error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    assert lab.state() == "none"
    monkeypatch.setattr(membership, "MEMBERS_MAX", 3)
    codes = [lab.joins(f"member-{n}", "t").error_code for n in range(4)]
    assert codes == [NONE, NONE, NONE, ErrorCode.GROUP_MAX_SIZE_REACHED]
    lab.advance(45_000)
    assert lab.state() == "Empty", "who never beats is gone after a session"
    monkeypatch.setattr(topic_metadata, "TOPICS_MAX", 5)
    monkeypatch.setattr(membership, "NAMES_MAX", 7)
    codes = [lab.joins(name, *topics).error_code for name, topics in (("a", "1234"), ("b", "56"), ("b", "125"))]
    assert codes == [NONE, ErrorCode.INVALID_REQUEST, NONE]
    codes = [lab.joins(name, *topics).error_code for name, topics in (("c", "1"), ("a", "23"), ("c", "1"))]
    assert codes == [ErrorCode.INVALID_REQUEST, NONE, NONE], "each member's names are counted while it has them"


async def test_where_the_protocol_is_off_it_is_refused(lab: ConsumerLab) -> None:
    lab.joins("a", "t")
    features = lab.metadata.image.features
    lab.metadata.image = lab.metadata.image._replace(features={"group.version": 0})
    assert lab.beat("a", 2).error_code == ErrorCode.UNSUPPORTED_VERSION
    lab.metadata.image = lab.metadata.image._replace(features=features)
    assert lab.beat("a", 2).error_code == NONE
    lab.use_settings(group_coordinator_rebalance_protocols=("classic",))
    await lab.restart()
    assert lab.beat("a", 2).error_code == ErrorCode.UNSUPPORTED_VERSION
    assert lab.state() == "Empty", "it is kept, as a group that is not served"
    lab.use_settings()
    await lab.restart()
    assert lab.beat("a", 2).error_code == NONE


async def test_a_group_in_its_last_epoch_can_be_left_and_deleted(lab: ConsumerLab) -> None:
    """No group gets there by itself, but somebody may have written the record."""
    lab.topic("events", 2)
    written = [records.group_epoch(GROUP, LAST_EPOCH, 0), records.target_epoch(GROUP, LAST_EPOCH, 0)]
    batch = build_batch_and_header([NewRecord(1, record.key, record.value) for record in written])
    lab.log.append(partition_for(GROUP, PARTITION_COUNT), batch)
    await lab.restart()
    for member_id in "ab":
        assert lab.joins(member_id, "events").member_epoch == LAST_EPOCH
    assert lab.beat("a", -1).error_code == NONE
    lab.advance(45_000)
    assert lab.state() == "Empty"
    assert lab.groups.delete_group(GROUP).result() is NONE
