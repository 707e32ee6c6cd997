"""What leader, follower and other brokers tell clients whose metadata is older or newer, and where records went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from kafkapy.apis import describe_producers, fetch, list_offsets, offset_for_leader_epoch
from kafkapy.context import Client, RequestContext
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, ReplicaState
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.replication.replication_lab import TOPIC, TOPIC_ID, ReplicationLab, code_of

OLD, CURRENT, NEW = 0, 1, 2
LEADER, FOLLOWER, NOBODY = 2, 1, 4


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ReplicationLab]:
    """Broker 2 leads in leader epoch 1, after broker 1."""
    opened = ReplicationLab(tmp_path)
    opened.run()
    opened.produce(1, b"a")
    opened.run()
    opened.change(leader=LEADER)
    opened.run()
    yield opened
    opened.close()


def told(lab: ReplicationLab, broker_id: int, module: Any, request: Any, version: int) -> Any:
    context = RequestContext(lab[broker_id].broker, Client("PLAINTEXT", "127.0.0.1", 50_000, "127.0.0.1"))
    context.api_version = version

    async def handle() -> Any:
        answer = module.handle(request, context)
        return await answer if hasattr(answer, "__await__") else answer

    return trio.run(handle)


def latest_offset(lab: ReplicationLab, broker_id: int, epoch: int) -> int:
    asked = ListOffsetsPartition(partition_index=0, timestamp=-1, current_leader_epoch=epoch)
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=TOPIC, partitions=[asked])])
    return int(told(lab, broker_id, list_offsets, request, 9).topics[0].partitions[0].error_code)


def end_of_epoch(lab: ReplicationLab, broker_id: int, epoch: int) -> int:
    asked = OffsetForLeaderPartition(partition=0, current_leader_epoch=epoch, leader_epoch=0)
    request = OffsetForLeaderEpochRequest(replica_id=-1, topics=[OffsetForLeaderTopic(topic=TOPIC, partitions=[asked])])
    return int(told(lab, broker_id, offset_for_leader_epoch, request, 4).topics[0].partitions[0].error_code)


def old_consumer(lab: ReplicationLab, broker_id: int, epoch: int) -> int:
    """A fetch of a version that is answered by leaders only."""
    return lab.fetch(broker_id, 0, version=9, epoch=epoch).responses[0].partitions[0].error_code


def replica_fetch(broker_id: int, epoch: int) -> FetchRequest:
    asked = FetchPartition(partition=0, fetch_offset=1, partition_max_bytes=1, current_leader_epoch=epoch)
    topic = FetchTopic(topic=TOPIC, topic_id=TOPIC_ID, partitions=[asked])
    return FetchRequest(topics=[topic], max_bytes=1, replica_id=-1, replica_state=ReplicaState(replica_id=broker_id))


def other_replica(lab: ReplicationLab, broker_id: int, epoch: int) -> int:
    """A fetch of another follower."""
    answer = told(lab, broker_id, fetch, replica_fetch(3, epoch), 16)
    assert isinstance(answer, FetchResponse)
    return answer.responses[0].partitions[0].error_code


@pytest.mark.parametrize("ask", [latest_offset, end_of_epoch, old_consumer, other_replica])
def test_a_follower_looks_at_the_leader_epoch_before_it_says_that_it_does_not_lead(
    ask: Any, lab: ReplicationLab
) -> None:
    codes = [ask(lab, FOLLOWER, epoch) for epoch in (-1, OLD, CURRENT, NEW)]
    assert codes == [
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
    ]


@pytest.mark.parametrize("ask", [latest_offset, end_of_epoch, old_consumer])
def test_a_leader_serves_its_own_epoch_only(ask: Any, lab: ReplicationLab) -> None:
    codes = [ask(lab, LEADER, epoch) for epoch in (-1, OLD, CURRENT, NEW)]
    assert codes == [0, ErrorCode.FENCED_LEADER_EPOCH, 0, ErrorCode.UNKNOWN_LEADER_EPOCH]


def test_followers_are_told_who_leads_and_not_where(lab: ReplicationLab) -> None:
    """Consumers are told both (KIP-951); a broker knows the addresses of the others."""
    answer = told(lab, FOLLOWER, fetch, replica_fetch(3, CURRENT), 16)
    leader = answer.responses[0].partitions[0].current_leader
    assert (leader.leader_id, leader.leader_epoch) == (LEADER, CURRENT)
    assert answer.node_endpoints == []
    consumer = told(lab, FOLLOWER, fetch, replica_fetch(-1, OLD), 16)
    assert [node.node_id for node in consumer.node_endpoints] == [LEADER]


def test_a_follower_describes_the_producers_that_it_knows(lab: ReplicationLab) -> None:
    request = DescribeProducersRequest(topics=[TopicRequest(name=TOPIC, partition_indexes=[0])])
    for broker_id in (LEADER, FOLLOWER):
        assert told(lab, broker_id, describe_producers, request, 0).topics[0].partitions[0].error_code == 0


# -- where records were appended that are refused all the same


def test_a_produce_that_loses_its_leader_is_told_where_its_records_are(lab: ReplicationLab) -> None:
    answer = lab.produce(LEADER, b"b")
    lab.change(leader=3)
    assert code_of(answer) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    response = answer.result()
    assert response is not None
    (refused,) = response.responses[0].partition_responses
    assert (refused.base_offset, refused.log_start_offset, refused.log_append_time_ms) == (1, 0, -1)


def test_a_produce_whose_time_is_up_is_told_where_its_records_are(lab: ReplicationLab) -> None:
    lab.cut = {(1, LEADER), (3, LEADER)}
    lab.forget_requests_to(lab[LEADER])
    answer = lab.produce(LEADER, b"b")
    lab.pass_time(60_000)
    assert code_of(answer) is ErrorCode.REQUEST_TIMED_OUT
    response = answer.result()
    assert response is not None
    (refused,) = response.responses[0].partition_responses
    assert (refused.base_offset, refused.log_start_offset) == (1, 0)


def test_a_produce_with_too_few_replicas_in_sync_is_told_the_log_start(tmp_path: Path) -> None:
    lab = ReplicationLab(tmp_path, topic_settings={"min.insync.replicas": "2"})
    lab.run()
    lab.change(isr=(1,))
    answer = lab.produce(1, b"a")
    assert code_of(answer) is ErrorCode.NOT_ENOUGH_REPLICAS
    response = answer.result()
    assert response is not None
    (refused,) = response.responses[0].partition_responses
    assert (refused.base_offset, refused.log_start_offset) == (-1, 0)
    lab.close()
