"""Large batches in and out: 1 MB each, 1,000 records of 1 kB, five requests in flight; then all of it read back."""

from __future__ import annotations

import struct
import time

from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow, Throughput
from benchmarks.peers import Broker
from benchmarks.raw_client import (
    LENGTH_BYTES,
    REQUEST_CORRELATION_ID_AT,
    Connection,
    FetchAnswer,
    FetchFrame,
    ProduceAnswer,
    UnexpectedAnswer,
    large_batch,
    produce_frame,
    produce_version,
    ready_topic,
)
from kafkapy_wire.api_keys import ApiKey

RECORD_COUNT = 1_000
VALUE_BYTES = 1_000
IN_FLIGHT = 5  # the default of Kafka's own producer
WARM_UP_ROUNDS = 10
FETCH_BYTES = 16 << 20
_BUFFER_BYTES = 1 << 20  # fits a cache: a consumer that keeps up reads into warm memory

IN_RATE = Metric("batches_in_mb_per_second", "1 MB batches in", "MB/s", Better.HIGHER)
IN_CPU = Metric("batches_in_cpu_seconds_per_gb", "... broker CPU", "s/GB")
OUT_RATE = Metric("batches_out_mb_per_second", "1 MB batches out", "MB/s", Better.HIGHER)
OUT_CPU = Metric("batches_out_cpu_seconds_per_gb", "... broker CPU", "s/GB")


def produce_batches(broker: Broker, connection: Connection, topic: str, batch: bytes, batch_count: int) -> Throughput:
    """Produce the same batch `batch_count` times, IN_FLIGHT requests under way."""
    frame = produce_frame(topic, batch, broker.served)
    answer = ProduceAnswer(topic, produce_version(broker.served))
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    connection.socket.sendall(frame)
    answer_bytes = connection.receive(buffer)
    answered = pending_bytes = 0
    cpu_begin = broker.cpu_seconds()
    begin = time.perf_counter()
    for number in range(batch_count + IN_FLIGHT):
        if number < batch_count:
            struct.pack_into(">i", frame, REQUEST_CORRELATION_ID_AT, number)
            connection.socket.sendall(frame)
        while answered <= number - IN_FLIGHT and answered < batch_count:
            pending_bytes += connection.receive_some(buffer[pending_bytes:])
            position = 0
            while pending_bytes - position >= answer_bytes:
                answer.base_offset(buffer, position, answered)
                answered += 1
                position += answer_bytes
            pending_bytes -= position
            buffer[:pending_bytes] = buffer[position : position + pending_bytes]
    seconds = time.perf_counter() - begin
    return Throughput(len(batch) * batch_count, seconds, broker.cpu_seconds() - cpu_begin)


def fetch_batches(
    broker: Broker, connection: Connection, topic: str, *, offsets: range, batch_bytes: int, passes: int
) -> Throughput:
    """Read `offsets` `passes` times over. All batches are alike, so the bytes of an answer tell its last offset."""
    fetch = FetchFrame(topic, max_bytes=FETCH_BYTES, max_wait_ms=500)
    answer = FetchAnswer(topic)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    size_bytes = 0
    cpu_begin = broker.cpu_seconds()
    begin = time.perf_counter()
    for _ in range(passes):
        offset = offsets.start
        while offset < offsets.stop:
            connection.socket.sendall(fetch.at(offset))
            records_bytes = _receive_batches(connection, answer, buffer)
            batches = records_bytes // batch_bytes  # the last one may be cut off: it is fetched again
            if not batches:
                raise UnexpectedAnswer(f"Fetch at {offset}: {records_bytes} bytes are no batch of {batch_bytes}")
            offset += batches * RECORD_COUNT
            size_bytes += batches * batch_bytes
    seconds = time.perf_counter() - begin
    return Throughput(size_bytes, seconds, broker.cpu_seconds() - cpu_begin)


def _receive_batches(connection: Connection, answer: FetchAnswer, buffer: memoryview) -> int:
    """One whole answer, its batches copied out of the socket and overwritten; how many bytes of batches it had."""
    received = 0
    frame_bytes = answer.head_bytes
    while received < min(answer.head_bytes, frame_bytes):  # an answer that brings only an error is shorter
        received += connection.receive_some(buffer[received:])
        if received >= LENGTH_BYTES:
            frame_bytes = int.from_bytes(buffer[:LENGTH_BYTES], "big") + LENGTH_BYTES
    records_bytes = answer.records_bytes(buffer)
    rest = frame_bytes - received
    while rest:
        rest -= connection.receive_some(buffer[: min(rest, _BUFFER_BYTES)])
    return records_bytes


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    for number in range(WARM_UP_ROUNDS):
        measure(broker, scale, f"{topic}-{number}")


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    batch = large_batch(RECORD_COUNT, VALUE_BYTES)
    with Connection(broker.address) as connection:
        ready_topic(connection, topic, broker.served)
        first_offset = 1  # ready_topic has produced one record; produce_batches produces one batch more than it counts
        produced = produce_batches(broker, connection, topic, batch, scale.batch_count)
        offsets = range(first_offset, first_offset + RECORD_COUNT * (scale.batch_count + 1))
        fetched = fetch_batches(
            broker, connection, topic, offsets=offsets, batch_bytes=len(batch), passes=scale.read_passes
        )
    return {
        IN_RATE.key: produced.mb_per_second,
        IN_CPU.key: produced.cpu_seconds_per_gb,
        OUT_RATE.key: fetched.mb_per_second,
        OUT_CPU.key: fetched.cpu_seconds_per_gb,
    }


BATCHES = SteadyRow(
    name="batches",
    metrics=(IN_RATE, IN_CPU, OUT_RATE, OUT_CPU),
    requires=frozenset({ApiKey.PRODUCE, ApiKey.FETCH}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=180.0,
)
