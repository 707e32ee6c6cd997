"""One-record produce requests, 50 in flight on one connection: rate, and CPU time of the broker for each."""

from __future__ import annotations

import struct
import time

from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow
from benchmarks.peers import Broker
from benchmarks.raw_client import (
    REQUEST_CORRELATION_ID_AT,
    Connection,
    ProduceAnswer,
    one_record_batch,
    produce_frame,
    produce_version,
    ready_topic,
)
from kafkapy_wire.api_keys import ApiKey

IN_FLIGHT = 50
PIPELINED_RATE = Metric("pipelined_per_second", f"One-record produces, {IN_FLIGHT} in flight", "req/s", Better.HIGHER)
PIPELINED_CPU = Metric("pipelined_cpu_us", "... broker CPU for each", "µs")

_BUFFER_BYTES = 1 << 16


def produce_pipelined(broker: Broker, topic: str, request_count: int) -> tuple[float, float]:
    """Seconds, and CPU seconds of the broker, for `request_count` requests to a new topic, each answer checked."""
    with Connection(broker.address) as connection:
        ready_topic(connection, topic, broker.served)
        frame = produce_frame(topic, one_record_batch(), broker.served)
        version = produce_version(broker.served)
        answer = ProduceAnswer(topic, version)
        answer_bytes = _answer_bytes(connection, frame)
        # IN_FLIGHT requests side by side; those of one refill leave in one call, as a client's own buffering does.
        ring = bytearray(frame * IN_FLIGHT)
        requests = memoryview(ring)
        patch = struct.Struct(">i").pack_into
        size = len(frame)
        buffer = bytearray(_BUFFER_BYTES)
        answers = memoryview(buffer)
        base_offset = answer.base_offset
        send, receive_into = connection.socket.sendall, connection.socket.recv_into

        sent = answered = pending_bytes = 0
        cpu_begin = broker.cpu_seconds()
        begin = time.perf_counter()
        while answered < request_count:
            count = min(IN_FLIGHT - (sent - answered), request_count - sent)
            for slot in range(count):
                patch(ring, slot * size + REQUEST_CORRELATION_ID_AT, sent + slot)
            if count:
                send(requests[: count * size])
                sent += count
            received = receive_into(answers[pending_bytes:])
            if not received:
                raise ConnectionError("the broker closed the connection")
            pending_bytes += received
            position = 0
            while pending_bytes - position >= answer_bytes:
                base_offset(buffer, position, answered)
                answered += 1
                position += answer_bytes
            pending_bytes -= position
            buffer[:pending_bytes] = buffer[position : position + pending_bytes]
        seconds = time.perf_counter() - begin
        return seconds, broker.cpu_seconds() - cpu_begin


def _answer_bytes(connection: Connection, frame: bytearray) -> int:
    """The size of each answer to `frame`, which is the same for all that bring no error."""
    connection.socket.sendall(frame)
    return len(connection.receive_bytes())


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    produce_pipelined(broker, topic, scale.warm_up_requests)


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    seconds, cpu_seconds = produce_pipelined(broker, topic, scale.pipelined_requests)
    return {
        PIPELINED_RATE.key: scale.pipelined_requests / seconds,
        PIPELINED_CPU.key: cpu_seconds / scale.pipelined_requests * 1e6,
    }


PIPELINE = SteadyRow(
    name="pipeline",
    metrics=(PIPELINED_RATE, PIPELINED_CPU),
    requires=frozenset({ApiKey.PRODUCE}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=120.0,
)
