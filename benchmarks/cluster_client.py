"""What a client of a cluster asks before the clock runs and after: who leads, and whether all replicas are in sync."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.raw_client import (
    CREATE_TOPICS_VERSION,
    METADATA_VERSION,
    RETRY_SECONDS,
    RETRY_SECONDS_MAX,
    TIMEOUT_SECONDS,
    Address,
    Connection,
    UnexpectedAnswer,
    check_created,
    create_topics,
    create_topics_request,
    metadata_request,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from kafkapy_wire.messages.metadata import MetadataResponse

REPLICAS = 3
DESCRIBE_QUORUM_VERSION = 0


def create_replicated_topic(connection: Connection, *names: str, partition_count: int = 1) -> None:
    """Raises UnexpectedAnswer."""
    create_topics(
        connection,
        create_topics_request(list(names), partition_count=partition_count, replication_factor=REPLICAS),
    )


def create_assigned_topic(connection: Connection, name: str, assignments: Mapping[int, list[int]]) -> None:
    """A topic with these replicas for each partition; the first of them will lead it. Raises UnexpectedAnswer."""
    topic = CreatableTopic(
        name=name,
        num_partitions=-1,
        replication_factor=-1,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=replicas)
            for index, replicas in assignments.items()
        ],
    )
    request = CreateTopicsRequest(topics=[topic], timeout_ms=TIMEOUT_SECONDS * 1000)

    def ask() -> bool:
        created = connection.call(ApiKey.CREATE_TOPICS, request, CREATE_TOPICS_VERSION, CreateTopicsResponse)
        error = created.topics[0].error_code if created.topics else ErrorCode.NONE
        if error == ErrorCode.NOT_CONTROLLER:
            return False  # with short timeouts on a busy machine another one is elected now and then
        if error != ErrorCode.TOPIC_ALREADY_EXISTS:  # and then one that has not answered may have created it
            check_created([name], created)
        return True

    until(ask, f"a controller that creates {name}")


def metadata_of(connection: Connection, *names: str) -> MetadataResponse:
    """Raises UnexpectedAnswer: it lacks one of the topics."""
    response = connection.call(ApiKey.METADATA, metadata_request(list(names)), METADATA_VERSION, MetadataResponse)
    if len(response.topics) != len(names):
        raise UnexpectedAnswer(f"Metadata: {len(names)} topics, answers for {len(response.topics)}")
    return response


def leader_address(connection: Connection, topic: str) -> Address:
    """Where the leader of partition 0 is. Raises UnexpectedAnswer: it has none after TIMEOUT_SECONDS."""
    port = -1

    def ask() -> bool:
        nonlocal port
        response = metadata_of(connection, topic)
        ports = {broker.node_id: broker.port for broker in response.brokers}
        partitions = response.topics[0].partitions
        port = ports.get(partitions[0].leader_id, -1) if partitions else -1
        return port >= 0

    until(ask, f"a leader of {topic}")
    return "127.0.0.1", port


def active_controller(connection: Connection) -> int:
    """The id of the node that leads the quorum. Raises UnexpectedAnswer."""
    partition = DescribeQuorumRequestPartitionData(partition_index=0)
    request = DescribeQuorumRequest(
        topics=[DescribeQuorumRequestTopicData(topic_name="__cluster_metadata", partitions=[partition])]
    )
    response = connection.call(ApiKey.DESCRIBE_QUORUM, request, DESCRIBE_QUORUM_VERSION, DescribeQuorumResponse)
    if response.error_code != ErrorCode.NONE or response.topics[0].partitions[0].error_code != ErrorCode.NONE:
        raise UnexpectedAnswer(f"DescribeQuorum: {response}")
    return response.topics[0].partitions[0].leader_id


def until(
    ask: Callable[[], bool], what: str, *, seconds: float = TIMEOUT_SECONDS, pause_max: float = RETRY_SECONDS_MAX
) -> None:
    """Ask until it is so, with pauses that grow. Raises UnexpectedAnswer: it is not so in time."""
    deadline = time.monotonic() + seconds
    pause_seconds = RETRY_SECONDS
    while not ask():
        if time.monotonic() > deadline:
            raise UnexpectedAnswer(f"not after {seconds:.0f} s: {what}")
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, pause_max)
