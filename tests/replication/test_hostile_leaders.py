"""What a leader sends is bytes of a peer: a follower stores nothing that is not valid, and goes on."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.replication.fetcher import PIECE_BATCHES_MAX, Fetcher, Then
from kafkapy.replication.following import Lane
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from kafkapy_wire.uuid import Uuid
from tests.partitions.partition_lab import batch
from tests.replication.replication_lab import BACKOFF_MS, TOPIC, TOPIC_ID, ReplicationLab

SESSION_ID = 7


class Hostile:
    """Broker 2 follows, and the test answers it in place of broker 1."""

    def __init__(self, lab: ReplicationLab) -> None:
        self.lab = lab
        self.follower = lab[2]
        self.fetcher: Fetcher = self.follower.following.fetchers[Lane(1, 0)]
        self.steps: list[Then] = []

    def request(self) -> FetchRequest | ListOffsetsRequest | None:
        return self.fetcher.next_request(self.lab.clock.monotonic_ms())

    def answer(self, answer: FetchResponse | ListOffsetsResponse) -> None:
        request = self.request()
        assert request is not None
        self.take(request, answer)

    def take(self, request: FetchRequest | ListOffsetsRequest, answer: FetchResponse | ListOffsetsResponse) -> None:
        now_ms = self.lab.clock.monotonic_ms()
        self.steps = list(self.fetcher.take(request, answer, now_ms=now_ms, wall_ms=0))

    def send(self, records: bytes) -> None:
        self.answer(response(records=records))

    @property
    def values(self) -> list[bytes | None]:
        return self.follower.values()


def response(*, error_code: int = 0, topic_id: Uuid = TOPIC_ID, **data: object) -> FetchResponse:
    fields: dict[str, object] = {"high_watermark": 100, "log_start_offset": 0, "records": b"", **data}
    partition = PartitionData(partition_index=0, **fields)  # type: ignore[arg-type]
    topic = FetchableTopicResponse(topic_id=topic_id, partitions=[partition])
    return FetchResponse(error_code=error_code, session_id=SESSION_ID, responses=[topic])


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    lab = ReplicationLab(tmp_path, 2)
    yield Hostile(lab)
    lab.close()


def test_whole_batches_are_stored_and_a_cut_one_is_left_out(hostile: Hostile) -> None:
    hostile.send(batch(b"a") + batch(b"b", base_offset=1) + batch(b"c", base_offset=2)[:-3])
    assert hostile.values == [b"a", b"b"]
    assert hostile.follower.partition().high_watermark == 2, "never above what it has"


def test_damaged_records_are_not_stored_and_are_asked_for_again(
    hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = bytearray(batch(b"b", base_offset=1))
    damaged[-2] ^= 1
    hostile.send(bytes(batch(b"a") + damaged))
    assert hostile.values == []
    assert "Record is corrupt" in caplog.text
    assert hostile.request() is None, "it waits for replica.fetch.backoff.ms"
    hostile.lab.clock.advance(BACKOFF_MS)
    hostile.send(batch(b"a"))
    assert hostile.values == [b"a"]


@pytest.mark.parametrize(
    "records",
    [batch(b"a", base_offset=1) + batch(b"b"), batch(b"a", b"b") + batch(b"c", base_offset=1)],
    ids=["going back", "overlapping"],
)
def test_records_out_of_order_give_the_partition_up(
    records: bytes, hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    hostile.send(records)
    assert hostile.values == []
    assert hostile.request() is None
    hostile.lab.clock.advance(10 * BACKOFF_MS)
    assert hostile.request() is None
    assert caplog.text.count("is not fetched from broker 1 any more") == 1
    hostile.lab.change(leader=1)
    hostile.send(batch(b"a", leader_epoch=1))
    assert hostile.values == [b"a"], "until it has another leader epoch"


def test_records_of_a_later_epoch_are_left_out(hostile: Hostile) -> None:
    """A leader that has lost its leadership may send what its successor wrote (KAFKA-18723)."""
    hostile.send(batch(b"a") + batch(b"b", base_offset=1, leader_epoch=1))
    assert hostile.values == [b"a"]


def test_what_was_not_asked_for_is_ignored(hostile: Hostile) -> None:
    hostile.answer(response(records=batch(b"a"), topic_id=Uuid(b"?" * 16)))
    hostile.answer(FetchResponse(session_id=SESSION_ID))
    assert hostile.values == []


def test_an_answer_that_is_overtaken_by_a_new_leader_is_ignored(hostile: Hostile) -> None:
    request = hostile.request()
    assert request is not None
    hostile.lab.change(leader=1)
    hostile.take(request, response(records=batch(b"a")))
    assert hostile.values == []
    hostile.send(batch(b"b"))
    assert hostile.values == [b"b"]


def test_a_divergence_that_changes_nothing_is_not_asked_about_again_at_once(hostile: Hostile) -> None:
    hostile.send(batch(b"a"))
    for epoch, end_offset in ((0, 9_000), (0, 1), (7, 2**62)):
        hostile.answer(response(diverging_epoch=EpochEndOffset(epoch=epoch, end_offset=end_offset)))
        assert hostile.values == [b"a"]
        assert hostile.request() is None
        hostile.lab.clock.advance(BACKOFF_MS)


def test_a_divergence_at_a_negative_offset_truncates_nothing(
    hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    hostile.send(batch(b"a"))
    hostile.answer(response(diverging_epoch=EpochEndOffset(epoch=0, end_offset=-5)))
    assert "Cannot truncate" in caplog.text
    assert hostile.values == [b"a"]
    hostile.lab.clock.advance(BACKOFF_MS)
    assert hostile.request() is not None


@pytest.mark.parametrize("code", [*ErrorCode, 9_999])
def test_every_error_of_a_partition_is_survived(code: int, hostile: Hostile) -> None:
    hostile.answer(response(error_code=0, records=b"") if not code else partition_error(code))
    hostile.lab.change(leader=1)
    hostile.lab.clock.advance(BACKOFF_MS)
    request = hostile.request()
    assert isinstance(request, FetchRequest)
    hostile.take(request, response(records=batch(b"a")))
    assert hostile.values == [b"a"]


def partition_error(code: int) -> FetchResponse:
    answer = response()
    answer.responses[0].partitions[0].error_code = code
    return answer


@pytest.mark.parametrize("code", [*ErrorCode, 9_999])
def test_every_error_of_a_fetch_is_survived(code: int, hostile: Hostile) -> None:
    hostile.answer(response(error_code=code))
    hostile.lab.clock.advance(BACKOFF_MS)
    request = hostile.request()
    assert isinstance(request, FetchRequest)
    if code:
        assert (request.session_epoch, len(request.topics)) == (0, 1), "another session is begun"
    hostile.take(request, response(records=batch(b"a")))
    assert hostile.values == [b"a"]


@pytest.mark.parametrize("offset", [-1, -(2**63), 2**63 - 1, 5])
@pytest.mark.parametrize("code", [0, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 9_999])
def test_any_answer_about_offsets_is_survived(offset: int, code: int, hostile: Hostile) -> None:
    for _ in range(2):
        hostile.answer(partition_error(ErrorCode.OFFSET_OUT_OF_RANGE))
        for _ in range(2):
            request = hostile.request()
            if not isinstance(request, ListOffsetsRequest):
                break
            asked = ListOffsetsPartitionResponse(partition_index=0, error_code=code, offset=offset)
            topics = [
                ListOffsetsTopicResponse(name="others", partitions=[asked]),
                ListOffsetsTopicResponse(name=TOPIC, partitions=[asked, asked]),
            ]
            hostile.take(request, ListOffsetsResponse(topics=topics))
        hostile.lab.change(leader=1)
        hostile.lab.clock.advance(BACKOFF_MS)
    assert hostile.request() is not None


def test_an_answer_without_the_offsets_is_asked_again_later(hostile: Hostile) -> None:
    hostile.answer(partition_error(ErrorCode.OFFSET_OUT_OF_RANGE))
    hostile.answer(ListOffsetsResponse())
    assert hostile.request() is None
    hostile.lab.clock.advance(BACKOFF_MS)
    assert isinstance(hostile.request(), ListOffsetsRequest)


def test_many_small_batches_are_stored_in_turns(hostile: Hostile) -> None:
    count = 3 * PIECE_BATCHES_MAX
    hostile.send(b"".join(batch(b"x", base_offset=offset) for offset in range(count)))
    assert hostile.follower.partition().log.log_end_offset == count
    assert len(hostile.steps) >= 3


def test_a_leader_that_changes_between_two_turns_of_an_answer(hostile: Hostile) -> None:
    """The rest of the answer is the old leader's."""
    request = hostile.request()
    assert request is not None
    records = b"".join(batch(b"x", base_offset=offset) for offset in range(3 * PIECE_BATCHES_MAX))
    steps = hostile.fetcher.take(request, response(records=records), now_ms=0.0, wall_ms=0)
    next(steps)
    hostile.lab.change(leader=1)
    assert list(steps) == [Then.TURN]
    assert hostile.follower.partition().log.log_end_offset == PIECE_BATCHES_MAX


@pytest.mark.parametrize("step", range(4))
def test_a_partition_that_goes_between_any_two_turns_of_an_answer(step: int, tmp_path: Path) -> None:
    """Its topic is deleted: after the last piece, too, nothing is asked about it any more."""
    lab = ReplicationLab(tmp_path, 2, partition_count=2)
    hostile = Hostile(lab)
    request = hostile.request()
    assert request is not None
    records = b"".join(batch(b"x", base_offset=offset) for offset in range(3 * PIECE_BATCHES_MAX))
    steps = hostile.fetcher.take(request, response(records=records), now_ms=0.0, wall_ms=0)
    for _ in range(step):
        assert next(steps) is Then.TURN
    hostile.fetcher.remove((TOPIC_ID, 0))
    list(steps)
    asked = hostile.request()
    assert isinstance(asked, FetchRequest)
    assert all(partition.partition == 1 for topic in asked.topics for partition in topic.partitions)
    lab.close()


@pytest.mark.parametrize("leader", [1, 2])
def test_a_leader_that_changes_while_a_checkpoint_is_written(leader: int, hostile: Hostile) -> None:
    """The log has begun anew, within a batch of the old leader: what the new one has there nobody knows."""
    hostile.follower.partition().start_over_at(2, now_ms=0)
    request = hostile.request()
    assert isinstance(request, FetchRequest)
    assert request.topics[0].partitions[0].fetch_offset == 2
    steps = hostile.fetcher.take(request, response(records=batch(b"a", b"b", b"c")), now_ms=0.0, wall_ms=0)
    assert next(steps) is Then.CHECKPOINT
    hostile.lab.change(leader=leader)
    assert list(steps) == [Then.TURN]
    assert hostile.values == []


@pytest.mark.parametrize("seed", range(30))
def test_random_bytes_are_survived(seed: int, hostile: Hostile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    rng = random.Random(seed)
    for _ in range(20):
        good = batch(b"a", base_offset=hostile.follower.partition().log.log_end_offset)
        records = bytearray(good * rng.randrange(3))
        for _ in range(rng.randrange(4)):
            if records:
                records[rng.randrange(len(records))] = rng.randrange(256)
        records += rng.randbytes(rng.randrange(100))
        request = hostile.request()
        if isinstance(request, FetchRequest):
            hostile.take(request, response(records=bytes(records), high_watermark=rng.randint(-5, 2**62)))
        hostile.lab.change(leader=1)
        hostile.lab.clock.advance(BACKOFF_MS)
    log = hostile.follower.partition().log
    assert all(value == b"a" for value in hostile.values)
    assert not log.has_failed


def test_a_leader_that_refuses_every_fetch_costs_one_line(hostile: Hostile, caplog: pytest.LogCaptureFixture) -> None:
    """As long as it is for the same reason: an ACL may forbid it for weeks, for thousands of partitions."""
    caplog.set_level(logging.INFO, "kafkapy.replication")
    refused = ErrorCode.TOPIC_AUTHORIZATION_FAILED
    for code in (refused, refused, refused, 0, refused, ErrorCode.UNKNOWN_SERVER_ERROR, refused):
        hostile.answer(response(error_code=0) if not code else refusal(code))
        hostile.lab.clock.advance(BACKOFF_MS)
    names = [record.getMessage().rpartition(" ")[2] for record in caplog.records]
    assert names == [refused.name, refused.name, "UNKNOWN_SERVER_ERROR", refused.name]


def refusal(code: int) -> FetchResponse:
    answer = response()
    answer.responses[0].partitions[0].error_code = code
    return answer
