"""1,000 connections that are all open: each sends one record, all answers are awaited, several times over."""

from __future__ import annotations

import contextlib
import selectors
import time

from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow
from benchmarks.peers import Broker
from benchmarks.raw_client import (
    TIMEOUT_SECONDS,
    Connection,
    ProduceAnswer,
    UnexpectedAnswer,
    one_record_batch,
    produce_frame,
    produce_version,
    ready_topic,
)
from benchmarks.rows.pipeline import produce_pipelined
from kafkapy_wire.api_keys import ApiKey

CONNECTION_COUNT = 1_000
CONNECTIONS_RATE = Metric(
    "connections_per_second", f"{CONNECTION_COUNT:,} connections, one record each", "req/s", Better.HIGHER
)
CONNECTIONS_CPU = Metric("connections_cpu_us", "... broker CPU for each", "µs")

_BUFFER_BYTES = 1 << 12


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    produce_pipelined(broker, f"{topic}-pipelined", scale.warm_up_requests)
    measure(broker, scale, topic)


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        connections = [stack.enter_context(Connection(broker.address)) for _ in range(CONNECTION_COUNT)]
        ready_topic(connections[0], topic, broker.served)
        frame = produce_frame(topic, one_record_batch(), broker.served)
        answer = ProduceAnswer(topic, produce_version(broker.served))
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.socket.sendall(frame)  # each connection's first request, not measured
            connection.receive(buffer)
        cpu_begin = broker.cpu_seconds()
        begin = time.perf_counter()
        for _ in range(scale.connection_sweeps):
            _sweep(connections, selector, frame, answer, buffer)
        seconds = time.perf_counter() - begin
        cpu_seconds = broker.cpu_seconds() - cpu_begin
    request_count = scale.connection_sweeps * CONNECTION_COUNT
    return {CONNECTIONS_RATE.key: request_count / seconds, CONNECTIONS_CPU.key: cpu_seconds / request_count * 1e6}


def _sweep(
    connections: list[Connection],
    selector: selectors.BaseSelector,
    frame: bytearray,
    answer: ProduceAnswer,
    buffer: memoryview,
) -> None:
    for connection in connections:
        connection.socket.send(frame)
    waiting = len(connections)
    while waiting:
        ready = selector.select(TIMEOUT_SECONDS)
        if not ready:
            raise UnexpectedAnswer(f"{waiting} of {len(connections)} connections got no answer")
        for key, _ in ready:
            connection = key.data
            connection.receive(buffer)
            answer.base_offset(buffer, 0, 0)
            waiting -= 1


CONNECTIONS = SteadyRow(
    name="connections",
    metrics=(CONNECTIONS_RATE, CONNECTIONS_CPU),
    requires=frozenset({ApiKey.PRODUCE}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=120.0,
)
