"""10,000 partitions with three replicas: created, with a record in each; memory; all served after a restart."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import partial

from benchmarks.cluster_client import create_replicated_topic, metadata_of, until
from benchmarks.filling import there
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Peer
from benchmarks.raw_client import (
    ACKS_ALL,
    TIMEOUT_SECONDS,
    Connection,
    UnexpectedAnswer,
    one_record_batch,
    produce_version,
)
from benchmarks.rows.restart import LATEST, LIST_OFFSETS_VERSION
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData

PARTITIONS_A_TOPIC = 1_000
TOPICS_A_REQUEST = 5  # Apache Kafka's controller takes at most 10,000 records at once
WAIT_SECONDS = 180.0

CREATED = Metric("cluster_created_seconds", "Create 10,000 partitions with three replicas, a record in each", "s")
CREATED_ANSWER = Metric("cluster_created_answer_seconds", "... of it until the creation is answered", "s")
MANY_MB = Metric("cluster_partitions_mb", "... memory of all nodes", "MB")
MANY_STOP = Metric("cluster_partitions_stop_seconds", "... SIGTERM to gone", "s")
RESTARTED = Metric("cluster_restart_seconds", "Start of the cluster with them until all are served and in sync", "s")


def measure(peer: Peer, scale: Scale) -> Figures:
    topics = [f"many-{number}" for number in range(scale.cluster_partitions // PARTITIONS_A_TOPIC)]
    with peer.home(durable=True) as launch:
        with peer.started(launch) as cluster, Connection(cluster.address) as connection:
            begin = time.perf_counter()
            for first in range(0, len(topics), TOPICS_A_REQUEST):
                create_replicated_topic(
                    connection, *topics[first : first + TOPICS_A_REQUEST], partition_count=PARTITIONS_A_TOPIC
                )
            answered = time.perf_counter()
            for topic in topics:
                _produce_to_all(cluster, connection, topic)
            filled = time.perf_counter()
            time.sleep(scale.rest_seconds)
            resident_mb = cluster.resident_mb()
            stop_seconds = cluster.stop()
        with peer.started(launch, again=True) as cluster, Connection(cluster.address) as connection:
            again = time.perf_counter()
            for topic in topics:
                until(partial(_is_in_sync, connection, topic), f"{topic} in sync", seconds=WAIT_SECONDS)
                until(partial(_is_served, connection, topic), f"{topic} served", seconds=WAIT_SECONDS)
            served_seconds = cluster.start_seconds + time.perf_counter() - again
    return {
        CREATED.key: filled - begin,
        CREATED_ANSWER.key: answered - begin,
        MANY_MB.key: resident_mb,
        MANY_STOP.key: stop_seconds,
        RESTARTED.key: served_seconds,
    }


def _by_leader(connection: Connection, topic: str) -> dict[int, list[int]]:
    """Ports of leaders -> the partitions that they lead."""
    response = metadata_of(connection, topic)
    ports = {broker.node_id: broker.port for broker in response.brokers}
    led: dict[int, list[int]] = defaultdict(list)
    for partition in response.topics[0].partitions:
        if partition.leader_id in ports:
            led[ports[partition.leader_id]].append(partition.partition_index)
    return led


def _produce_to_all(cluster: Broker, connection: Connection, topic: str) -> None:
    batch = one_record_batch()
    left = set(range(PARTITIONS_A_TOPIC))

    def produce() -> bool:
        for port, indexes in _by_leader(connection, topic).items():
            data = [PartitionProduceData(index=index, records=batch) for index in indexes if index in left]
            if not data:
                continue
            request = ProduceRequest(
                acks=ACKS_ALL,
                timeout_ms=TIMEOUT_SECONDS * 1000,
                topic_data=[TopicProduceData(name=topic, partition_data=data)],
            )
            with Connection(("127.0.0.1", port)) as leader:
                response = leader.call(ApiKey.PRODUCE, request, produce_version(cluster.served), ProduceResponse)
            for answer in response.responses[0].partition_responses:
                if there("Produce", answer.error_code):
                    left.discard(answer.index)
        return not left

    until(produce, f"a record in each partition of {topic}", seconds=WAIT_SECONDS)


def _is_in_sync(connection: Connection, topic: str) -> bool:
    partitions = metadata_of(connection, topic).topics[0].partitions
    return len(partitions) == PARTITIONS_A_TOPIC and all(
        each.leader_id >= 0 and len(each.isr_nodes) == len(each.replica_nodes) for each in partitions
    )


def _is_served(connection: Connection, topic: str) -> bool:
    """Whether every leader tells the end of its partitions as it was."""
    told = 0
    for port, indexes in _by_leader(connection, topic).items():
        partitions = [ListOffsetsPartition(partition_index=index, timestamp=LATEST) for index in indexes]
        request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=partitions)])
        with Connection(("127.0.0.1", port)) as leader:
            response = leader.call(ApiKey.LIST_OFFSETS, request, LIST_OFFSETS_VERSION, ListOffsetsResponse)
        for answer in response.topics[0].partitions:
            if there("ListOffsets", answer.error_code):
                if answer.offset != 1:
                    raise UnexpectedAnswer(f"ListOffsets: {answer.offset} instead of 1")
                told += 1
    return told == PARTITIONS_A_TOPIC


CLUSTER_PARTITIONS = LifecycleRow(
    name="cluster_partitions",
    metrics=(CREATED, CREATED_ANSWER, MANY_MB, MANY_STOP, RESTARTED),
    measure=measure,
    time_limit_seconds=500.0,
    rounds_max=1,
)
