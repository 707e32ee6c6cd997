"""Memory of a broker that has opened a log, read here and there in it and written to it: of 10 GB and of 10 MB."""

from __future__ import annotations

import random
import time

from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Peer
from benchmarks.prepared import PreparedProduces
from benchmarks.raw_client import (
    Connection,
    FetchAnswer,
    FetchFrame,
    UnexpectedAnswer,
    large_batch,
    now_ms,
    one_record_batch,
    ready_topic,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

SMALL_LOG_MB = 10
RECORDS_A_BATCH, VALUE_BYTES = 16, 1_000  # a full batch of Kafka's producer: batch.size is 16,384
IN_FLIGHT = 5
BATCHES_AT_ONCE = 200
READ_COUNT = 200
FETCH_BYTES = 1 << 20
PRODUCE_COUNT = 1_000
LIST_OFFSETS_VERSION = 7
TOPIC = "big-log"

BIG_MB = Metric("big_log_mb", "Memory with a log of 10 GB", "MB")
SMALL_MB = Metric("small_log_mb", "Memory with a log of 10 MB", "MB")
BIG_START = Metric("big_log_start_seconds", "Start with a log of 10 GB, first answer", "s")


def measure(peer: Peer, scale: Scale) -> Figures:
    small_mb, _ = _reopen(peer, scale, SMALL_LOG_MB)
    big_mb, start_seconds = _reopen(peer, scale, scale.big_log_mb)
    return {BIG_MB.key: big_mb, SMALL_MB.key: small_mb, BIG_START.key: start_seconds}


def _reopen(peer: Peer, scale: Scale, log_mb: int) -> tuple[float, float]:
    """Resident memory and seconds to the first answer of a broker started with such a log."""
    with peer.home(durable=True) as launch:
        with peer.started(launch) as broker:
            end_offset, timestamps = _fill(broker, log_mb)
        with peer.started(launch, again=True) as broker:
            _use(broker, end_offset, timestamps)
            time.sleep(scale.rest_seconds)
            return broker.resident_mb(), broker.start_seconds


def _fill(broker: Broker, log_mb: int) -> tuple[int, range]:
    """Produce it; its end offset and the timestamps in it."""
    batch = large_batch(RECORDS_A_BATCH, VALUE_BYTES)
    with Connection(broker.address) as connection:
        ready_topic(connection, TOPIC, broker.served)
        requests = PreparedProduces(TOPIC, [batch] * BATCHES_AT_ONCE, broker.served)
        begin = end = now_ms()  # ten minutes ahead in the end: within message.timestamp.after.max.ms
        end_offset = 1
        while (end_offset - 1) // RECORDS_A_BATCH * len(batch) < log_mb * 1e6:
            end = requests.stamp_timestamps(end)
            requests.send(connection, in_flight=IN_FLIGHT)
            end_offset += requests.count * RECORDS_A_BATCH
    return end_offset, range(begin, end)


def _use(broker: Broker, end_offset: int, timestamps: range) -> None:
    """Look up offsets by time, fetch there, and produce."""
    dice = random.Random(1)
    fetch = FetchFrame(TOPIC, max_bytes=FETCH_BYTES, max_wait_ms=0)
    answer = FetchAnswer(TOPIC)
    with Connection(broker.address) as connection:
        for _ in range(READ_COUNT):
            offset = _offset_at(connection, dice.choice(timestamps))
            if not 0 < offset < end_offset:
                raise UnexpectedAnswer(f"ListOffsets: {offset}, the log has {end_offset}")
            connection.socket.sendall(fetch.at(offset))
            if not answer.records_bytes(bytearray(connection.receive_bytes())):
                raise UnexpectedAnswer(f"Fetch at {offset}: no records")
        requests = PreparedProduces(TOPIC, [one_record_batch()] * PRODUCE_COUNT, broker.served)
        requests.send(connection, in_flight=IN_FLIGHT)


def _offset_at(connection: Connection, timestamp: int) -> int:
    partition = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=TOPIC, partitions=[partition])])
    response = connection.call(ApiKey.LIST_OFFSETS, request, LIST_OFFSETS_VERSION, ListOffsetsResponse)
    found = response.topics[0].partitions[0]
    if found.error_code != ErrorCode.NONE:
        raise UnexpectedAnswer(f"ListOffsets at {timestamp}: error {found.error_code}")
    return found.offset


BIG_LOG = LifecycleRow(
    name="big_log",
    metrics=(BIG_MB, SMALL_MB, BIG_START),
    measure=measure,
    time_limit_seconds=900.0,  # a slow disk takes its time for 10 GB
    rounds_max=1,
)
