"""Transactions of one record each: one producer after the other, and several producers at once.

A producer sends Produce, awaits it, sends EndTxn, awaits it, and begins the next transaction. With transaction version
2 (KIP-890, the default of both brokers) Produce itself adds the partition; the older flow asks AddPartitionsToTxn
before. EndTxn is answered when the decision is stored. The markers are written after that, and a producer that comes
too early is told CONCURRENT_TRANSACTIONS or kept waiting: that is within the time of the transaction that it begins.
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import struct
import time
from collections.abc import Generator
from dataclasses import dataclass

from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow, percentile
from benchmarks.peers import Broker
from benchmarks.prepared import stamp_producer
from benchmarks.raw_client import (
    ACKS_ALL,
    LENGTH_BYTES,
    TIMEOUT_SECONDS,
    Connection,
    UnexpectedAnswer,
    init_producer_id,
    now_ms,
    ready_topic,
    request_frame,
)
from benchmarks.rows.pipeline import produce_pipelined
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch

PRODUCER_COUNT = 10
# What Kafka's own producer waits: 20 ms for the first partition of a transaction, else its retry.backoff.ms.
ADD_RETRY_SECONDS = 0.02
RETRY_SECONDS = 0.1
ADD_PARTITIONS_VERSION = 3  # later ones are for brokers

RATE = Metric("transactions_per_second", "Transactions of one producer", "tx/s", Better.HIGHER)
P50 = Metric("transactions_p50_ms", "Transaction of one producer, p50", "ms")
P99 = Metric("transactions_p99_ms", "Transaction of one producer, p99", "ms")
MANY_RATE = Metric("transactions_many_per_second", f"Transactions of {PRODUCER_COUNT} producers", "tx/s", Better.HIGHER)
MANY_P99 = Metric("transactions_many_p99_ms", "... p99", "ms")
MANY_CPU = Metric("transactions_many_cpu_us", "... broker CPU for each", "µs")
OLD_RATE = Metric("transactions_old_per_second", "Transactions of one producer, older flow", "tx/s", Better.HIGHER)
OLD_P99 = Metric("transactions_old_p99_ms", "... p99", "ms")


@dataclass(frozen=True, slots=True)
class Flow:
    """How a client of a transaction version goes about it."""

    adds_partitions: bool
    produce_version: int
    end_version: int


CURRENT = Flow(adds_partitions=False, produce_version=12, end_version=5)
OLDER = Flow(adds_partitions=True, produce_version=11, end_version=4)

Step = bytearray | float  # a request to send, or seconds to wait

_MARKER = 0x0123_4567_89AB_CDEF
_PRODUCER = struct.Struct(">qh")
_INT16 = struct.Struct(">h")
_BUFFER_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class Run:
    samples_ms: list[float]  # of each transaction
    seconds: float
    cpu_seconds: float  # of the broker

    @property
    def per_second(self) -> float:
        return len(self.samples_ms) / self.seconds


class TransactionalProducer:
    """One connection with a transactional id and a topic of its own."""

    def __init__(self, broker: Broker, connection: Connection, topic: str, flow: Flow) -> None:
        self.connection = connection
        self._flow = flow
        ready_topic(connection, topic, broker.served)
        self._producer_id, self._producer_epoch = init_producer_id(connection, topic)
        self._base_sequence = 0

        record = NewRecord(timestamp=now_ms(), key=None, value=bytes(100))
        batch = build_batch([record], producer_id=0, producer_epoch=0, base_sequence=0, is_transactional=True)
        data = [TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=batch)])]
        produce = ProduceRequest(
            transactional_id=topic, acks=ACKS_ALL, timeout_ms=TIMEOUT_SECONDS * 1000, topic_data=data
        )
        self._produce = request_frame(ApiKey.PRODUCE, produce, flow.produce_version)
        batch_at = self._produce.index(batch)
        self._batch = memoryview(self._produce)[batch_at : batch_at + len(batch)]
        end = EndTxnRequest(transactional_id=topic, producer_id=_MARKER, producer_epoch=0, committed=True)
        self._end = request_frame(ApiKey.END_TXN, end, flow.end_version)
        add = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=topic,
            v3_and_below_producer_id=self._producer_id,
            v3_and_below_producer_epoch=self._producer_epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic, partitions=[0])],
        )
        self._add = request_frame(ApiKey.ADD_PARTITIONS_TO_TXN, add, ADD_PARTITIONS_VERSION)
        self._end_producer_at = self._end.index(_MARKER.to_bytes(8, "big"))
        # Where the errors are. Length, correlation id, tags, then: count, name, count, partition | throttle time and
        # the same | throttle time.
        self._produce_error_at = 9 + 1 + 1 + len(topic) + 1 + 4
        self._add_error_at = 9 + 4 + 1 + 1 + len(topic) + 1 + 4
        self._end_error_at = 9 + 4

    def transactions(self, count: int, samples_ms: list[float]) -> Generator[Step, memoryview, None]:
        """So many one after the other; appends the milliseconds of each. Is sent the answer to each request."""
        for _ in range(count):
            begin = time.perf_counter_ns()
            yield from self._transaction()
            samples_ms.append((time.perf_counter_ns() - begin) / 1e6)

    def _transaction(self) -> Generator[Step, memoryview, None]:
        if self._flow.adds_partitions:
            yield from _insist(self._add, self._add_error_at, ADD_RETRY_SECONDS)
        stamp_producer(self._batch, self._producer_id, self._producer_epoch, self._base_sequence)
        yield from _insist(self._produce, self._produce_error_at, RETRY_SECONDS)
        _PRODUCER.pack_into(self._end, self._end_producer_at, self._producer_id, self._producer_epoch)
        answer = yield from _insist(self._end, self._end_error_at, RETRY_SECONDS)
        if self._flow is CURRENT:
            # KIP-890: the next transaction has another epoch, and sequences begin anew with it.
            self._producer_id, self._producer_epoch = _PRODUCER.unpack_from(answer, self._end_error_at + 2)
            self._base_sequence = 0
        else:
            self._base_sequence += 1


def _insist(frame: bytearray, error_at: int, retry_seconds: float) -> Generator[Step, memoryview, memoryview]:
    """The answer without an error; again while the transaction before is being ended. Raises UnexpectedAnswer."""
    while True:
        answer = yield frame
        (error,) = _INT16.unpack_from(answer, error_at)
        if not error:
            return answer
        if error != ErrorCode.CONCURRENT_TRANSACTIONS:
            raise UnexpectedAnswer(f"{ApiKey(_INT16.unpack_from(frame, LENGTH_BYTES)[0]).name}: error {error}")
        yield retry_seconds


def run_producers(producers: list[TransactionalProducer], transaction_count: int) -> list[float]:
    """`transaction_count` transactions of each, all producers at once; the milliseconds of each transaction."""
    samples_ms: list[float] = []
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    pauses: list[tuple[float, int]] = []  # until when, and whose: the descriptor
    with selectors.DefaultSelector() as selector:
        steps = {}
        for producer in producers:
            selector.register(producer.connection.socket, selectors.EVENT_READ, producer)
            steps[producer.connection.socket.fileno()] = producer.transactions(transaction_count, samples_ms)

        def advance(producer: TransactionalProducer, answer: memoryview | None) -> None:
            descriptor = producer.connection.socket.fileno()
            try:
                step = next(steps[descriptor]) if answer is None else steps[descriptor].send(answer)
            except StopIteration:
                del steps[descriptor]
                return
            if isinstance(step, float):
                heapq.heappush(pauses, (time.monotonic() + step, descriptor))
            else:
                producer.connection.socket.sendall(step)

        for producer in producers:
            advance(producer, None)
        while steps:
            timeout = max(0.0, pauses[0][0] - time.monotonic()) if pauses else TIMEOUT_SECONDS
            ready = selector.select(timeout)
            if not ready and not pauses:
                raise UnexpectedAnswer(f"{len(steps)} producers got no answer")
            for key, _ in ready:
                key.data.connection.receive(buffer)
                advance(key.data, buffer)
            while pauses and pauses[0][0] <= time.monotonic():
                advance(selector.get_key(heapq.heappop(pauses)[1]).data, None)
    return samples_ms


def _run(broker: Broker, topic: str, producer_count: int, flow: Flow, transaction_count: int) -> Run:
    with contextlib.ExitStack() as stack:
        producers = [
            TransactionalProducer(broker, stack.enter_context(Connection(broker.address)), f"{topic}-{number}", flow)
            for number in range(producer_count)
        ]
        run_producers(producers, 1)  # the first of each is not measured
        cpu_begin = broker.cpu_seconds()
        begin = time.perf_counter()
        samples_ms = run_producers(producers, transaction_count)
        return Run(samples_ms, time.perf_counter() - begin, broker.cpu_seconds() - cpu_begin)


def warm_up(broker: Broker, scale: Scale, topic: str) -> None:
    produce_pipelined(broker, f"{topic}-pipelined", scale.warm_up_requests // 2)
    for name, flow in (("current", CURRENT), ("older", OLDER)):
        _run(broker, f"{topic}-{name}", PRODUCER_COUNT, flow, scale.transactions)


def measure(broker: Broker, scale: Scale, topic: str) -> Figures:
    one = _run(broker, f"{topic}-one", 1, CURRENT, scale.transactions)
    older = _run(broker, f"{topic}-older", 1, OLDER, scale.transactions)
    many = _run(broker, f"{topic}-many", PRODUCER_COUNT, CURRENT, scale.transactions)
    return {
        RATE.key: one.per_second,
        P50.key: percentile(one.samples_ms, 50),
        P99.key: percentile(one.samples_ms, 99),
        OLD_RATE.key: older.per_second,
        OLD_P99.key: percentile(older.samples_ms, 99),
        MANY_RATE.key: many.per_second,
        MANY_P99.key: percentile(many.samples_ms, 99),
        MANY_CPU.key: many.cpu_seconds / len(many.samples_ms) * 1e6,
    }


TRANSACTIONS = SteadyRow(
    name="transactions",
    metrics=(RATE, P50, P99, OLD_RATE, OLD_P99, MANY_RATE, MANY_P99, MANY_CPU),
    requires=frozenset({ApiKey.PRODUCE, ApiKey.INIT_PRODUCER_ID, ApiKey.ADD_PARTITIONS_TO_TXN, ApiKey.END_TXN}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=180.0,
)
