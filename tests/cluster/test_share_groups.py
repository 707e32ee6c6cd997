"""A share group in a cluster of three whose brokers are killed: leaders, group and share coordinators move."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
import trio

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from kafkapy_wire.records import NewRecord, build_batch
from tests.cluster.bounds import cluster_test
from tests.cluster.test_cluster import FAST, cluster
from tests.cluster.test_coordinators import MOVES, TOPIC, ask, coordinator, create_topic, leader_of
from tests.sharing.share_member import ACCEPT, GROUP, RELEASE, ShareMember, set_group
from tests.shell.running_node import connect

if TYPE_CHECKING:
    from pathlib import Path

    from kafkapy.cluster import Cluster

SETTINGS = FAST | {
    "offsets.topic.num.partitions": "3",
    "offsets.topic.replication.factor": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "group.share.assignment.interval.ms": "0",
    "group.share.max.delivery.count.limit": "25",
}
PARTITIONS, BATCHES, RECORDS = 3, 4, 5
RETRIED = {*MOVES, ErrorCode.FENCED_STATE_EPOCH, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_SERVER_ERROR}


async def produce(made: Cluster, index: int) -> None:
    records = build_batch([NewRecord(made.nodes[1].clock.now_ms(), None, b"value")] * RECORDS)
    partition = PartitionProduceData(index=index, records=records)
    topic = TopicProduceData(name=TOPIC, partition_data=[partition])
    request = ProduceRequest(acks=-1, timeout_ms=5_000, topic_data=[topic])
    code = ErrorCode.NOT_LEADER_OR_FOLLOWER
    while code is not ErrorCode.NONE:
        leader = leader_of(made, index)
        if leader is not None:
            async with connect(made.nodes[leader]) as client:
                answer = await client.ask(request, ProduceResponse, 12)
            code = ErrorCode(answer.responses[0].partition_responses[0].error_code)
        await trio.sleep(0.01)


async def join(made: Cluster) -> None:
    """Until every partition has a state and is assigned."""
    assigned: list[int] = []
    epoch = 0
    while len(assigned) < PARTITIONS:
        request = ShareGroupHeartbeatRequest(
            group_id=GROUP, member_id="member", member_epoch=epoch, subscribed_topic_names=[TOPIC]
        )
        answer = await ask(made, GROUP, request, ShareGroupHeartbeatResponse, lambda a: a.error_code)
        assert answer.error_code == ErrorCode.NONE, answer
        epoch = answer.member_epoch
        if answer.assignment is not None:
            assigned = [index for topic in answer.assignment.topic_partitions for index in topic.partitions]
        await trio.sleep(0.01)


async def share(made: Cluster, index: int, rng: Random, accepted: set[int], unsure: set[int]) -> None:
    """A member fetches once, accepts some records, releases others, and forgets the rest: its session ends.

    What is refused while a coordinator moves may have been stored all the same.
    """
    leader = leader_of(made, index)
    if leader is None:
        return
    topic_id = made.nodes[leader].parts.metadata.image.topics[TOPIC].topic_id
    async with connect(made.nodes[leader]) as client:
        member = ShareMember(client, topic_id, f"member-{rng.randrange(1_000_000)}")
        # Long enough for the state to be read at another broker: the last session of a group takes it along.
        response = await member.fetch([index], max_records=rng.randint(1, 9), wait_ms=300)
        assert response.error_code == ErrorCode.NONE, response
        for topic in response.responses:
            for partition in topic.partitions:
                assert not partition.error_code or partition.error_code in RETRIED, partition
                for records in partition.acquired_records:
                    for offset in range(records.first_offset, records.last_offset + 1):
                        assert offset not in accepted, f"{offset} was accepted and comes again"
                        kind = rng.choice((ACCEPT, ACCEPT, RELEASE, None))
                        if kind is None:
                            continue
                        (answer,) = (await member.acknowledge([(offset, offset, kind)], index)).responses
                        code = answer.partitions[0].error_code
                        assert not code or code in RETRIED, answer
                        if kind == ACCEPT:
                            (unsure if code else accepted).add(offset)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_accepted_comes_again_and_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    @cluster_test
    async def run() -> None:
        rng = Random(seed)
        async with cluster(tmp_path, settings=SETTINGS) as made:
            await create_topic(made, PARTITIONS)
            async with connect(made.nodes[1]) as client:
                await set_group(client, {"share.auto.offset.reset": "earliest", "share.delivery.count.limit": "25"})
            await join(made)
            for index in range(PARTITIONS):
                for _ in range(BATCHES):
                    await produce(made, index)
            accepted: list[set[int]] = [set() for _ in range(PARTITIONS)]
            unsure: list[set[int]] = [set() for _ in range(PARTITIONS)]
            for victim in (await coordinator(made, GROUP), leader_of(made, 0) or 1):
                for index in range(PARTITIONS):
                    for _ in range(3):
                        await share(made, index, rng, accepted[index], unsure[index])
                await made.kill(victim)
                for index in range(PARTITIONS):
                    await share(made, index, rng, accepted[index], unsure[index])
                await made.start(victim)
            everything = {*range(BATCHES * RECORDS)}
            while any(accepted[index] | unsure[index] != everything for index in range(PARTITIONS)):
                for index in range(PARTITIONS):
                    if accepted[index] | unsure[index] == everything:
                        continue  # there is nothing, and the fetch would wait
                    await share(made, index, rng, accepted[index], unsure[index])
                await trio.sleep(0.01)
            await join(made)

    run()
