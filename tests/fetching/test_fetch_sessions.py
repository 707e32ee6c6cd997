"""Incremental fetch sessions (KIP-227), without sockets or logs."""

from __future__ import annotations

import random

import pytest

from kafkapy.fetching.fetch_key import FetchKey
from kafkapy.fetching.sessions import FINAL_EPOCH, INITIAL_EPOCH, FetchPlan, FetchSessionCache, FollowerId
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, PartitionData

VERSION = 12
TOPIC_IDS = 13


def cache(slots: int = 10, eviction_ms: int = 1_000) -> FetchSessionCache:
    return FetchSessionCache(slots=slots, eviction_ms=eviction_ms, rng=random.Random(1))


def request(
    *partitions: int, session_id: int = 0, epoch: int = INITIAL_EPOCH, forget: tuple[int, ...] = ()
) -> FetchRequest:
    wanted = [FetchPartition(partition=index, fetch_offset=5, partition_max_bytes=100) for index in partitions]
    return FetchRequest(
        session_id=session_id,
        session_epoch=epoch,
        topics=[FetchTopic(topic="t", partitions=wanted)] if wanted else [],
        forgotten_topics_data=[ForgottenTopic(topic="t", partitions=list(forget))] if forget else [],
    )


def key(index: int) -> FetchKey:
    return FetchKey(("t", index))


def results(plan: FetchPlan, **changes: PartitionData) -> list[tuple[FetchKey, PartitionData]]:
    """An uneventful answer for each partition, except those named `p0`, `p1`, ..."""
    return [
        (k, changes.get(f"p{k[1]}") or PartitionData(partition_index=k[1], high_watermark=7, log_start_offset=0))
        for k in plan.partitions
    ]


def open_session(sessions: FetchSessionCache, *partitions: int) -> int:
    plan = sessions.begin(request(*partitions), VERSION, 0)
    assert len(plan.answer(results(plan))) == len(partitions), "a full answer mentions every partition"
    assert plan.session_id
    return plan.session_id


def told(plan: FetchPlan, **changes: PartitionData) -> list[int]:
    return [k[1] for k, _ in plan.answer(results(plan, **changes))]


def test_a_quiet_incremental_fetch_mentions_nothing() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1, 2)
    plan = sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0)
    assert [k[1] for k in plan.partitions] == [0, 1, 2]
    assert told(plan) == []


def test_news_are_records_errors_and_moved_offsets() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1, 2, 3)
    plan = sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0)
    news = told(
        plan,
        p0=PartitionData(partition_index=0, high_watermark=7, log_start_offset=0, records=b"batch"),
        p1=PartitionData(partition_index=1, high_watermark=8, log_start_offset=0),
        p2=PartitionData(partition_index=2, error_code=ErrorCode.OFFSET_OUT_OF_RANGE, high_watermark=-1),
    )
    assert news == [0, 1, 2]


def test_what_had_records_is_read_last_the_next_time() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1, 2)
    plan = sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0)
    told(plan, p0=PartitionData(partition_index=0, high_watermark=7, log_start_offset=0, records=b"batch"))
    plan = sessions.begin(request(session_id=session_id, epoch=2), VERSION, 0)
    assert [k[1] for k in plan.partitions] == [1, 2, 0]


def test_recovery_from_an_error_is_news() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    plan = sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0)
    assert told(plan, p0=PartitionData(partition_index=0, error_code=ErrorCode.KAFKA_STORAGE_ERROR)) == [0]
    plan = sessions.begin(request(session_id=session_id, epoch=2), VERSION, 0)
    assert told(plan) == [0]


def test_partitions_are_added_updated_and_forgotten() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1)
    changed = request(2, 0, session_id=session_id, epoch=1, forget=(1,))
    changed.topics[0].partitions[1].fetch_offset = 99
    plan = sessions.begin(changed, VERSION, 0)
    assert [k[1] for k in plan.partitions] == [0, 2]
    assert plan.partitions[key(0)].fetch_offset == 99


def test_a_session_may_begin_with_nothing() -> None:
    sessions = cache()
    session_id = open_session(sessions)
    plan = sessions.begin(request(3, session_id=session_id, epoch=1), VERSION, 0)
    assert (plan.session_id, told(plan)) == (session_id, [3])


def test_a_session_without_partitions_ends() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    plan = sessions.begin(request(session_id=session_id, epoch=1, forget=(0,)), VERSION, 0)
    assert (plan.session_id, plan.error) == (0, ErrorCode.NONE)
    assert len(sessions) == 0


def test_an_unknown_session_and_a_wrong_epoch_are_refused() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    assert sessions.begin(request(session_id=999, epoch=1), VERSION, 0).error == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    wrong = sessions.begin(request(session_id=session_id, epoch=2), VERSION, 0)
    assert wrong.error == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0).error == ErrorCode.NONE


def test_a_session_does_not_change_between_names_and_topic_ids() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    plan = sessions.begin(request(session_id=session_id, epoch=1), TOPIC_IDS, 0)
    assert plan.error == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_the_final_epoch_closes_the_session_and_opens_none() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    plan = sessions.begin(request(0, session_id=session_id, epoch=FINAL_EPOCH), VERSION, 0)
    assert plan.session_id == 0
    assert len(sessions) == 0


def test_a_full_cache_gives_no_session_until_one_is_stale() -> None:
    sessions = cache(slots=1, eviction_ms=1_000)
    open_session(sessions, 0)
    assert sessions.begin(request(1), VERSION, 500).session_id == 0
    assert sessions.begin(request(1), VERSION, 2_000).session_id != 0
    assert len(sessions) == 1


def test_a_follower_has_one_session_for_each_of_its_fetchers() -> None:
    sessions = cache()
    fetchers = [FollowerId(2, "broker-2-fetcher-0"), FollowerId(2, "broker-2-fetcher-1"), FollowerId(3, None)]
    for _ in range(3):
        for follower in fetchers:
            assert sessions.begin(request(0, 1), VERSION, 0, follower=follower).session_id
    assert len(sessions) == 3


def test_a_session_that_a_follower_has_closed_is_not_that_of_its_next_one() -> None:
    sessions = cache()
    follower = FollowerId(2, None)
    first = sessions.begin(request(0), VERSION, 0, follower=follower).session_id
    sessions.begin(request(0, session_id=first, epoch=FINAL_EPOCH), VERSION, 0, follower=follower)
    assert len(sessions) == 0
    second = sessions.begin(request(0), VERSION, 0, follower=follower).session_id
    assert not sessions.begin(request(session_id=second, epoch=1), VERSION, 0, follower=follower).error


def test_a_follower_makes_all_the_room_that_its_partitions_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkapy.fetching.sessions.PARTITIONS_MAX", 6)
    sessions = cache()
    for index in range(6):
        open_session(sessions, index)
    assert sessions.begin(request(0, 1, 2, 3), VERSION, 0).session_id == 0
    assert sessions.begin(request(0, 1, 2, 3), VERSION, 0, follower=FollowerId(2, None)).session_id
    assert len(sessions) == 3


def test_a_session_does_not_grow_beyond_what_all_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkapy.fetching.sessions.PARTITIONS_MAX", 6)
    sessions = cache()
    small, large = open_session(sessions, 0), open_session(sessions, 1, 2, 3, 4, 5)
    grown = sessions.begin(request(1, session_id=small, epoch=1), VERSION, 0)
    assert grown.error is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert not sessions.begin(request(session_id=large, epoch=1), VERSION, 0).error


def test_epochs_wrap_to_one() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    plan = sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0)
    assert plan.session is not None
    plan.session.epoch = 0x7FFF_FFFF
    assert not sessions.begin(request(session_id=session_id, epoch=0x7FFF_FFFF), VERSION, 0).error
    assert not sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0).error


def test_a_partition_forgotten_while_its_fetch_waited_does_no_harm() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1)
    parked = sessions.begin(request(session_id=session_id, epoch=1), VERSION, 0)
    answers = results(parked)
    sessions.begin(request(session_id=session_id, epoch=2, forget=(0,)), VERSION, 0)
    answers[0][1].records = b"batch"
    assert [k[1] for k, _ in parked.answer(answers)] == []
