"""Consumers read from followers, in their own rack (KIP-392), and are told who leads (KIP-951)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from kafkapy.apis import delete_records, list_offsets
from kafkapy.context import Client, RequestContext
from kafkapy.fetching.rack_selector import RACK_AWARE_SELECTOR
from kafkapy.pending import Pending
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.replication.replication_lab import LAG_MS, TOPIC, TOPIC_ID, ReplicationLab, code_of

RACKS = ("a", "b", "c")


@pytest.fixture
def racks(tmp_path: Path) -> Iterator[ReplicationLab]:
    """Three brokers in racks a, b and c, that send consumers to their own; broker 1 leads."""
    lab = ReplicationLab(tmp_path, racks=RACKS, given={"replica.selector.class": RACK_AWARE_SELECTOR})
    lab.run()
    lab.produce(1, b"a")
    lab.run()
    yield lab
    lab.close()


def only(response: FetchResponse) -> PartitionData:
    (topic,) = response.responses
    (data,) = topic.partitions
    return data


def test_a_consumer_is_sent_to_the_replica_in_its_rack(racks: ReplicationLab) -> None:
    for rack, replica in (("a", -1), ("b", 2), ("c", 3), ("d", -1), ("", -1)):
        data = only(racks.fetch(1, 0, rack=rack))
        assert (data.preferred_read_replica, bool(data.records)) == (replica, replica < 0), rack
        assert (data.high_watermark, data.error_code) == (1, 0)


def test_a_consumer_is_not_sent_to_who_has_not_what_it_wants(racks: ReplicationLab) -> None:
    racks.cut = {(2, 1), (3, 1)}
    racks.forget_requests_to(racks[1])
    racks.produce(1, b"b", acks=1)
    assert only(racks.fetch(1, 2, rack="b")).preferred_read_replica == -1, "it does not have the record before"
    assert only(racks.fetch(1, 1, rack="b")).preferred_read_replica == 2
    racks.pass_time(LAG_MS + 1)
    racks[1].partition().shrink_isr(now_ms=racks.clock.now_ms())
    racks.run()
    assert only(racks.fetch(1, 0, rack="b")).preferred_read_replica == -1, "it is not in sync"


def test_without_a_selector_the_leader_serves_everybody(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, racks=RACKS)
    lab.run()
    lab.produce(1, b"a")
    lab.run()
    assert only(lab.fetch(1, 0, rack="b")).preferred_read_replica == -1
    lab.close()


def test_followers_serve_what_they_know_to_be_committed(racks: ReplicationLab) -> None:
    racks.produce(1, b"b")
    data = only(racks.fetch(2, 1, rack="b"))
    assert (data.error_code, data.high_watermark, data.records) == (0, 1, b"")
    racks.run()
    data = only(racks.fetch(2, 1, rack="b"))
    assert (data.high_watermark, bool(data.records)) == (2, True)
    assert only(racks.fetch(2, 3)).error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_a_risen_high_watermark_is_sent_to_followers_at_once_where_consumers_read_there(racks: ReplicationLab) -> None:
    """And wakes the consumer that waits at the follower."""
    asked = FetchPartition(partition=0, fetch_offset=1, partition_max_bytes=1_000)
    topic = FetchTopic(topic=TOPIC, topic_id=TOPIC_ID, partitions=[asked])
    waiting = racks[2].handle(FetchRequest(topics=[topic], min_bytes=1, max_wait_ms=60_000, max_bytes=1_000), 12)
    assert isinstance(waiting, Pending)
    assert not waiting.settled
    racks.produce(1, b"b")
    racks.run()
    assert [racks[broker_id].partition().high_watermark for broker_id in (1, 2, 3)] == [2, 2, 2]
    assert waiting.settled
    assert only(waiting.result()).high_watermark == 2


@pytest.mark.parametrize("version", [4, 10])
def test_old_consumers_read_from_the_leader_only(version: int, racks: ReplicationLab) -> None:
    assert only(racks.fetch(2, 0, version=version)).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert only(racks.fetch(1, 0, version=version)).error_code == ErrorCode.NONE


def test_who_asks_with_an_old_leader_epoch_is_told_who_leads(racks: ReplicationLab) -> None:
    racks.change(leader=2)
    response = racks.fetch(1, 0, epoch=0, version=16)
    data = only(response)
    assert data.error_code == ErrorCode.FENCED_LEADER_EPOCH
    assert (data.current_leader.leader_id, data.current_leader.leader_epoch) == (2, 1)
    assert [(node.node_id, node.host, node.port, node.rack) for node in response.node_endpoints] == [
        (2, "host-2", 9_092, "b")
    ]
    assert only(racks.fetch(1, 0, epoch=0, version=15)).current_leader.leader_id == -1
    assert only(racks.fetch(1, 0, epoch=2, version=16)).error_code == ErrorCode.UNKNOWN_LEADER_EPOCH


@pytest.mark.parametrize("acks", [1, -1])
def test_a_produce_to_who_does_not_lead_is_told_who_does(acks: int, racks: ReplicationLab) -> None:
    answer = racks.produce(2, b"b", acks=acks)
    assert code_of(answer) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    response = answer.result()
    assert response is not None
    (refused,) = response.responses[0].partition_responses
    assert (refused.current_leader.leader_id, refused.current_leader.leader_epoch) == (1, 0)
    assert [(node.node_id, node.host) for node in response.node_endpoints] == [(1, "host-1")]


def test_a_produce_that_loses_its_leader_is_told_the_next_one(racks: ReplicationLab) -> None:
    answer = racks.produce(1, b"b")
    racks.change(leader=3)
    assert code_of(answer) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    response = answer.result()
    assert response is not None
    assert [node.node_id for node in response.node_endpoints] == [3]


# -- other requests


def offsets(
    lab: ReplicationLab, broker_id: int, timestamp: int, *, replica_id: int = -1, version: int = 9
) -> ListOffsetsPartitionResponse:
    asked = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = ListOffsetsRequest(replica_id=replica_id, topics=[ListOffsetsTopic(name=TOPIC, partitions=[asked])])
    context = RequestContext(lab[broker_id].broker, Client("PLAINTEXT", "", 0, ""))
    context.api_version = version
    response = trio.run(list_offsets.handle, request, context)
    return response.topics[0].partitions[0]


def test_followers_and_debuggers_are_told_of_all_records_consumers_of_the_committed_ones(racks: ReplicationLab) -> None:
    racks.produce(1, b"b")
    assert [offsets(racks, 1, -1, replica_id=replica_id).offset for replica_id in (-1, 2, -2)] == [1, 2, 2]
    assert offsets(racks, 2, -1).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert offsets(racks, 2, -1, replica_id=-2).offset == 1, "only for debugging"


def test_a_new_leader_tells_no_latest_offset_before_it_knows_what_is_committed(racks: ReplicationLab) -> None:
    """It would go back (KIP-207)."""
    racks.produce(1, b"b", b"c")
    racks.run()
    racks[3].crash()
    racks[3].start()
    partition = racks[3].partition()
    partition.committed.restart(1)
    racks.change(leader=3, to=[3])
    assert offsets(racks, 3, -1).error_code == ErrorCode.OFFSET_NOT_AVAILABLE
    assert offsets(racks, 3, -1, version=4).error_code == ErrorCode.LEADER_NOT_AVAILABLE
    assert offsets(racks, 3, -2).error_code == ErrorCode.NONE
    racks.publish()
    racks.pass_time(100)
    assert offsets(racks, 3, -1).offset == 3


def test_deleted_records_are_gone_from_all_replicas_when_it_is_answered(racks: ReplicationLab) -> None:
    racks.produce(1, b"b")
    racks.run()
    response = delete(racks, lambda: racks.pass_time(500))
    assert response.topics[0].partitions[0].error_code == ErrorCode.NONE
    assert response.topics[0].partitions[0].low_watermark == 1
    assert [racks[broker_id].partition().log.log_start_offset for broker_id in (1, 2, 3)] == [1, 1, 1]


def test_a_deletion_that_the_retention_of_a_follower_has_made_before_is_answered(racks: ReplicationLab) -> None:
    racks.run()
    racks[2].partition().delete_records_before(1, now_ms=0)
    response = delete(racks, lambda: racks.pass_time(500))
    assert response.topics[0].partitions[0].error_code == ErrorCode.NONE
    assert response.topics[0].partitions[0].low_watermark == 1


def test_a_deletion_that_a_live_follower_does_not_make_times_out(racks: ReplicationLab) -> None:
    racks.cut = {(2, 1)}
    racks.forget_requests_to(racks[1])
    response = delete(racks, lambda: racks.pass_time(5_000))
    assert response.topics[0].partitions[0].error_code == ErrorCode.REQUEST_TIMED_OUT


def test_a_deletion_does_not_wait_for_a_broker_that_is_down(racks: ReplicationLab) -> None:
    racks[2].crash()
    racks.register(2, fenced=True)
    racks.publish()
    response = delete(racks, lambda: racks.pass_time(500))
    assert response.topics[0].partitions[0].error_code == ErrorCode.NONE


def test_a_deletion_whose_leader_moves_is_refused(racks: ReplicationLab) -> None:
    response = delete(racks, lambda: racks.change(leader=2))
    assert response.topics[0].partitions[0].error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


def delete(lab: ReplicationLab, meanwhile: Any) -> DeleteRecordsResponse:
    """The answer to a DeleteRecords before offset 1 at broker 1, with something happening while it waits."""
    asked = DeleteRecordsPartition(partition_index=0, offset=1)
    topic = DeleteRecordsTopic(name=TOPIC, partitions=[asked])
    request = DeleteRecordsRequest(topics=[topic], timeout_ms=4_000)
    context = RequestContext(lab[1].broker, Client("PLAINTEXT", "", 0, ""))
    answers: list[DeleteRecordsResponse] = []

    async def ask() -> None:
        answers.append(await delete_records.handle(request, context))

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                meanwhile()

    trio.run(main)
    return answers[0]
