"""Starts with 1,000 partitions that hold data: after a clean stop, and after SIGKILL.

Two moments count: the first answer of all, and that all partitions are served: each has a leader, tells the end of its
log as it was, and gives its last batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.filling import create_filled_topic, produce_to_all, there
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Peer
from benchmarks.raw_client import (
    FETCH_VERSION,
    METADATA_VERSION,
    RETRY_SECONDS,
    RETRY_SECONDS_MAX,
    TIMEOUT_SECONDS,
    Connection,
    UnexpectedAnswer,
    large_batch,
    metadata_request,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.metadata import MetadataResponse

PARTITION_COUNT = 1_000
RECORDS_A_BATCH, VALUE_BYTES = 16, 1_000
BATCHES_A_PARTITION = 4
LIST_OFFSETS_VERSION = 7
LATEST = -1
TOPIC = "restart"

CLEAN_ANSWER = Metric("restart_clean_answer_seconds", "Start with 1,000 partitions to first answer", "s")
CLEAN_SERVED = Metric("restart_clean_seconds", "Start with 1,000 partitions until all served", "s")
KILLED_ANSWER = Metric("restart_killed_answer_seconds", "Start after SIGKILL to first answer", "s")
KILLED_SERVED = Metric("restart_killed_seconds", "Start after SIGKILL until all served", "s")
STOP = Metric("restart_stop_seconds", "... SIGTERM to gone", "s")


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds from the spawn."""

    answered: float
    served: float


def measure(peer: Peer, _scale: Scale) -> Figures:
    batch = large_batch(RECORDS_A_BATCH, VALUE_BYTES)
    with peer.home(durable=True) as launch:
        with peer.started(launch) as broker, Connection(broker.address) as connection:
            create_filled_topic(broker, connection, TOPIC, PARTITION_COUNT, *[batch] * BATCHES_A_PARTITION)
            stop_seconds = broker.stop()
        with peer.started(launch, again=True) as broker:
            clean = _restart(broker, BATCHES_A_PARTITION)
            with Connection(broker.address) as connection:
                # So that there is something in each that no checkpoint knows.
                produce_to_all(broker, connection, TOPIC, PARTITION_COUNT, batch)
            broker.kill()
        with peer.started(launch, again=True) as broker:
            killed = _restart(broker, BATCHES_A_PARTITION + 1)
    return {
        CLEAN_ANSWER.key: clean.answered,
        CLEAN_SERVED.key: clean.served,
        KILLED_ANSWER.key: killed.answered,
        KILLED_SERVED.key: killed.served,
        STOP.key: stop_seconds,
    }


def _restart(broker: Broker, batch_count: int) -> Restart:
    """For a broker that has just given its first answer."""
    answered = time.perf_counter()
    with Connection(broker.address) as connection:
        _until(lambda: _have_leaders(connection), "a leader")
        end_offset = batch_count * RECORDS_A_BATCH
        _until(lambda: _tell_end(connection, end_offset), f"the end offset {end_offset}")
        _until(lambda: _give_records(connection, end_offset - 1), "its last batch")
    return Restart(broker.start_seconds, broker.start_seconds + time.perf_counter() - answered)


def _until(ask: Callable[[], int], what: str) -> None:
    """Ask until all partitions are fine. Raises UnexpectedAnswer: not after TIMEOUT_SECONDS."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    pause_seconds = RETRY_SECONDS
    while (fine := ask()) < PARTITION_COUNT:
        if time.monotonic() > deadline:
            raise UnexpectedAnswer(f"{fine} of {PARTITION_COUNT} partitions have {what}")
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, RETRY_SECONDS_MAX)


def _have_leaders(connection: Connection) -> int:
    response = connection.call(ApiKey.METADATA, metadata_request([TOPIC]), METADATA_VERSION, MetadataResponse)
    (topic,) = response.topics
    return sum(
        partition.error_code == ErrorCode.NONE and partition.leader_id >= 0 and len(partition.isr_nodes) == 1
        for partition in topic.partitions
    )


def _tell_end(connection: Connection, end_offset: int) -> int:
    partitions = [ListOffsetsPartition(partition_index=index, timestamp=LATEST) for index in range(PARTITION_COUNT)]
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=TOPIC, partitions=partitions)])
    response = connection.call(ApiKey.LIST_OFFSETS, request, LIST_OFFSETS_VERSION, ListOffsetsResponse)
    told = [each.offset for each in response.topics[0].partitions if there("ListOffsets", each.error_code)]
    if any(offset != end_offset for offset in told):
        raise UnexpectedAnswer(f"ListOffsets: {min(told)} to {max(told)} instead of {end_offset}: records are lost")
    return len(told)


def _give_records(connection: Connection, offset: int) -> int:
    partitions = [
        FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=1 << 20)
        for index in range(PARTITION_COUNT)
    ]
    topic = FetchTopic(topic=TOPIC, partitions=partitions)
    request = FetchRequest(max_wait_ms=0, min_bytes=1, max_bytes=1 << 30, session_epoch=-1, topics=[topic])
    response = connection.call(ApiKey.FETCH, request, FETCH_VERSION, FetchResponse)
    return sum(there("Fetch", each.error_code) and bool(each.records) for each in response.responses[0].partitions)


RESTART = LifecycleRow(
    name="restart",
    metrics=(CLEAN_ANSWER, CLEAN_SERVED, KILLED_ANSWER, KILLED_SERVED, STOP),
    measure=measure,
    time_limit_seconds=240.0,
    rounds_max=3,
)
