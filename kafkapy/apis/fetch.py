"""Fetch (API key 1), versions 4-18: record batches from given offsets, waiting until there are enough of them.

v4 last stable offset (KIP-98)   v5 log start offset          v7 sessions (KIP-227)       v9 leader epoch (KIP-320)
v11 rack (KIP-392)               v12 flexible, divergence     v13 topic ids (KIP-516)     v16 node endpoints (KIP-951)

Sizes (KIP-74): the first non-empty partition sends one batch whole even when it is larger than the limits, so that a
consumer always advances; after that, `max_bytes` and each `partition_max_bytes` hold. An answer waits until `min_bytes`
are there or `max_wait_ms` has passed, unless a partition has an error.

Errors  per response   FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR
        per partition  OFFSET_OUT_OF_RANGE          outside [log start offset, log end offset]
                       UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID
                       FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH   the client's leader epoch is older, newer
                       KAFKA_STORAGE_ERROR          the disk failed

Not done: followers' fetches (a single node has no followers); throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.partitions.opening import OPENED_AT_ONCE_MAX, open_in_turns, to_be_opened
from kafkapy_log import FileSlice
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import RequestContext
    from kafkapy.fetching.sessions import FetchedPartition, FetchKey, FetchPlan
    from kafkapy.partitions.manager import Partition
    from kafkapy.partitions.opening import Named

READ_COMMITTED = 1

# Records shorter than this are copied into the answer: one copy is cheaper than the two system calls more that a file
# range costs. Measured with the benchmark's rows for produce-to-consumer latency and for batches out.
FILE_RANGE_BYTES_MIN = 32_768


def handle(request: FetchRequest, context: RequestContext) -> FetchResponse | Coroutine[object, object, FetchResponse]:
    broker = context.broker
    plan = broker.fetch_sessions.begin(request, context.api_version, broker.clock.monotonic_ms())
    if plan.error:
        return FetchResponse(error_code=plan.error)
    reading = Reading(request, plan, context)
    if len(plan.partitions) > OPENED_AT_ONCE_MAX and (
        closed := to_be_opened(reading.named_partitions(), broker.partitions)
    ):
        return _open_and_read(closed, reading, request, context)
    reading.read()
    if request.max_wait_ms <= 0 or not plan.partitions or reading.satisfied:
        return reading.response()
    return _wait(reading, request.max_wait_ms, context)


async def _open_and_read(
    closed: list[Named], reading: Reading, request: FetchRequest, context: RequestContext
) -> FetchResponse:
    await open_in_turns(closed, context.broker.partitions)
    reading.read()
    if request.max_wait_ms <= 0 or reading.satisfied:
        return reading.response()
    return await _wait(reading, request.max_wait_ms, context)


async def _wait(reading: Reading, max_wait_ms: int, context: RequestContext) -> FetchResponse:
    """Read again whenever one of the partitions has news, until it is enough or the time is up."""
    clock = context.broker.clock
    deadline_ms = clock.monotonic_ms() + max_wait_ms
    try:
        while True:
            news = trio.Event()
            watched = reading.found_partitions
            for partition in watched:
                partition.waiters.add(news)
            try:
                in_time = await clock.wait(news, deadline_ms - clock.monotonic_ms())
            finally:
                for partition in watched:
                    partition.waiters.discard(news)
            reading.read()
            if not in_time or reading.satisfied:
                return reading.response()
    except BaseException:
        reading.release()
        raise


class Reading:
    """The partitions of one fetch as they stood when `read()` was called last."""

    __slots__ = ("_context", "_plan", "_request", "found_partitions", "readable_bytes", "results", "urgent")

    def __init__(self, request: FetchRequest, plan: FetchPlan, context: RequestContext) -> None:
        self._request = request
        self._plan = plan
        self._context = context
        self.results: list[tuple[FetchKey, PartitionData]] = []
        self.found_partitions: list[Partition] = []
        self.readable_bytes = 0
        self.urgent = False  # an error or a divergence: answered at once

    @property
    def satisfied(self) -> bool:
        return self.urgent or self.readable_bytes >= self._request.min_bytes

    def named_partitions(self) -> list[Named]:
        """All of them, by name or id as the request has them."""
        return [
            (wanted.topic_id if self._is_by_id(wanted) else wanted.topic_name, wanted.index)
            for wanted in self._plan.partitions.values()
        ]

    def read(self) -> None:
        """(Re)read every partition, from its fetch offset, within the sizes of the request."""
        self.release()
        self.found_partitions = []
        self.readable_bytes = 0
        self.urgent = False
        limit = min(self._request.max_bytes, self._context.broker.settings.now.replication.fetch_max_bytes)
        for key, wanted in self._plan.partitions.items():
            data = self._read_partition(wanted, limit - self.readable_bytes)
            if data.error_code or data.diverging_epoch.epoch != -1:
                self.urgent = True
            self.results.append((key, data))

    def _read_partition(self, wanted: FetchedPartition, room: int) -> PartitionData:
        data = PartitionData(partition_index=wanted.index, high_watermark=-1, records=b"")
        try:
            partition = self._find(wanted)
            data.aborted_transactions = None  # an empty list, not null, where nobody knows the partition: as in Kafka
            if max(self._request.replica_id, self._request.replica_state.replica_id) >= 0:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)  # it claims to be a follower, and there is none
            # A negative epoch other than -1 is one that other APIs refuse; a fetch takes any for none.
            partition.check_leader_epoch(max(wanted.current_leader_epoch, -1))
            self.found_partitions.append(partition)
            self._fill(data, partition, wanted, room)
        except KafkaError as error:
            data.error_code = error.code
            if error.code is ErrorCode.KAFKA_STORAGE_ERROR:
                self._context.broker.disk.unreadable(error)
        return data

    def _find(self, wanted: FetchedPartition) -> Partition:
        partitions = self._context.broker.partitions
        if self._is_by_id(wanted):
            return partitions.by_id(wanted.topic_id, wanted.index)
        return partitions.by_name(wanted.topic_name, wanted.index)

    def _is_by_id(self, wanted: FetchedPartition) -> bool:
        return wanted.topic_id != ZERO_UUID or self._context.api_version >= 13

    def _fill(self, data: PartitionData, partition: Partition, wanted: FetchedPartition, room: int) -> None:
        log = partition.log
        offset = wanted.fetch_offset
        committed_only = self._request.isolation_level == READ_COMMITTED
        data.high_watermark = partition.high_watermark
        data.last_stable_offset = partition.last_stable_offset
        data.log_start_offset = log.log_start_offset
        if wanted.last_fetched_epoch >= 0:
            epoch, end_offset = log.end_offset_for_epoch(wanted.last_fetched_epoch)
            if epoch < 0:
                raise _out_of_range(data)  # an epoch that was never led
            if end_offset < offset or epoch < wanted.last_fetched_epoch:
                data.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end_offset)
                return
        readable_end = data.last_stable_offset if committed_only else data.high_watermark
        if committed_only:
            data.aborted_transactions = []
        if not log.log_start_offset <= offset <= log.log_end_offset:
            raise _out_of_range(data)
        if offset >= readable_end:
            return
        first = not self.readable_bytes
        if room <= 0 and not first:
            return
        piece = log.read(offset, min(wanted.max_bytes, room), up_to_offset=readable_end, min_one_batch=first)
        if not piece.length:
            return
        self.readable_bytes += piece.length
        if committed_only:
            data.aborted_transactions = [
                AbortedTransaction(producer_id=aborted.producer_id, first_offset=aborted.first_offset)
                for aborted in log.aborted_transactions(offset, piece.next_offset)
            ]
        if piece.length < FILE_RANGE_BYTES_MIN:
            try:
                data.records = piece.read()
            except OSError as error:
                raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"{partition}: {error}") from error
            finally:
                piece.release()
        else:
            data.records = piece

    def response(self) -> FetchResponse:
        response = FetchResponse(session_id=self._plan.session_id)
        told = self._plan.answer(self.results)
        topic: FetchableTopicResponse | None = None
        for (name, _), data in told:
            if topic is None or name != (topic.topic or topic.topic_id):
                topic = (
                    FetchableTopicResponse(topic=name)
                    if isinstance(name, str)
                    else FetchableTopicResponse(topic_id=name)
                )
                response.responses.append(topic)
            topic.partitions.append(data)
        self.results = []
        return response

    def release(self) -> None:
        """Let go of the file ranges that will not be sent."""
        for _, data in self.results:
            if isinstance(data.records, FileSlice):
                data.records.release()
        self.results = []


def _out_of_range(data: PartitionData) -> KafkaError:
    """The answer says nothing else about the partition then."""
    data.high_watermark = data.last_stable_offset = data.log_start_offset = -1
    data.aborted_transactions = None
    return KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)


def error_response(request: FetchRequest, error: KafkaError) -> FetchResponse:
    """For the request as a whole, and for each partition: before version 7 there is only that."""
    topics = []
    for topic in request.topics:
        answers = [
            PartitionData(partition_index=wanted.partition, error_code=error.code, high_watermark=-1, records=b"")
            for wanted in topic.partitions
        ]
        topics.append(FetchableTopicResponse(topic=topic.topic, topic_id=topic.topic_id, partitions=answers))
    return FetchResponse(error_code=error.code, responses=topics)
