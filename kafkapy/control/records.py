"""Records as plain values: stored as a producer with acks=all does, and read from where they are led."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, check
from kafkapy.control.topics import ensure_topic
from kafkapy.control.values import Isolation, NewRecord, Record, Stored
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.partitioner import partition_for_key
from kafkapy_wire.records import (
    NewRecord as EncodedRecord,
)
from kafkapy_wire.records import (
    build_batch,
    decode_records,
    read_control_record_type,
    split_batches,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.records import BatchHeader

READ_BYTES = 1 << 20
TIMEOUT_MS = 10_000
NOT_STORED_YET = (
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_ID,
)


async def produce(nodes: ControlledNodes, topic: str, records: Sequence[NewRecord]) -> list[Stored]:
    """Store records and return where, in their order. A topic that does not exist is made.

    Records without partition and key go round the partitions, beginning with 0. Raises LookupError: a record names a
    partition that is not there, and none is stored; KafkaError.
    """
    await ensure_topic(nodes, topic)
    image = nodes.topic(topic)
    for record in records:
        if record.partition is not None:
            nodes.check_partition(topic, record.partition)
    by_partition: dict[int, list[int]] = {}
    for number, record in enumerate(records):
        by_partition.setdefault(_partition_of(record, number, len(image.partitions)), []).append(number)
    stored: dict[int, Stored] = {}
    for index, numbers in by_partition.items():
        now_ms = nodes.clocks.now_ms()
        batch = build_batch([_encoded(records[number], now_ms) for number in numbers])
        request = ProduceRequest(
            acks=-1,
            timeout_ms=TIMEOUT_MS,
            topic_data=[
                TopicProduceData(
                    topic_id=image.topic_id, partition_data=[PartitionProduceData(index=index, records=batch)]
                )
            ],
        )
        base_offset = await _store(nodes, topic, index, request)
        for place, number in enumerate(numbers):
            stored[number] = Stored(topic=topic, partition=index, offset=base_offset + place)
    return [stored[number] for number in range(len(records))]


async def _store(nodes: ControlledNodes, topic: str, index: int, request: ProduceRequest) -> int:
    """The offset of the first record. As a producer does, it tries again while there is no leader, or too few in sync.

    Raises KafkaError.
    """
    refusal = KafkaError(ErrorCode.LEADER_NOT_AVAILABLE)
    with trio.move_on_after(TIMEOUT_MS / 1_000):
        while True:
            try:
                node = nodes.broker(nodes.topic(topic).partitions[index].leader)
                refusal = _not_replicated(nodes, topic, index)  # the request has no answer until it is
                answer = (await nodes.ask(node, request, ProduceResponse)).responses[0].partition_responses[0]
                check(answer.error_code, answer.error_message)
                return answer.base_offset
            except LookupError as error:
                refusal = KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, str(error.args[0]))
            except KafkaError as error:
                if error.code is ErrorCode.REQUEST_TIMED_OUT:
                    break
                if error.code not in NOT_STORED_YET:
                    raise
                refusal = error
            await trio.sleep(LOOK_AGAIN_SECONDS)
    if refusal.code is ErrorCode.REQUEST_TIMED_OUT:
        raise _not_replicated(nodes, topic, index)  # with the ISR as it is now
    raise refusal


def _not_replicated(nodes: ControlledNodes, topic: str, index: int) -> KafkaError:
    partition = nodes.check_partition(topic, index)
    return KafkaError(
        ErrorCode.REQUEST_TIMED_OUT,
        f"the records are appended to {topic}-{index}, but were not replicated within {TIMEOUT_MS / 1_000:g} s: a "
        f"broker of the ISR ({', '.join(map(str, partition.isr))}) does not fetch them from the leader, broker "
        f"{partition.leader}. Consumers get them once it does, or has left the ISR",
    )


async def read_records(
    nodes: ControlledNodes,
    topic: str,
    partition: int | None = None,
    isolation: Isolation = "read_committed",
    control: bool = False,
) -> list[Record]:
    """All records of a topic or of one of its partitions, by partition and offset: what a consumer gets that begins at
    the earliest offset, with `control` the markers of transactions, too.

    Raises LookupError: there is no such topic; KafkaError.
    """
    indexes = range(len(nodes.topic(topic).partitions)) if partition is None else (partition,)
    found: list[Record] = []
    turn = Turn()
    for index in indexes:
        led = nodes.leader(topic, index)
        for header, batch in read_batches(led, isolation):
            found += _decoded(led, header, batch, control=control)
            await turn.share()
    return found


def count_records(nodes: ControlledNodes, topic: str, isolation: Isolation = "read_committed") -> int:
    """How many offsets of a topic a consumer may read now, without looking into batches; 0 if there is no topic."""
    image = nodes.image.topics.get(topic)
    if image is None:
        return 0
    led = [nodes.leader(topic, index) for index in range(len(image.partitions))]
    return sum(_end(each, isolation) - each.log.log_start_offset for each in led)


def _end(led: Partition, isolation: Isolation) -> int:
    return led.last_stable_offset if isolation == "read_committed" else led.high_watermark


def _partition_of(record: NewRecord, number: int, count: int) -> int:
    if record.partition is not None:
        return record.partition
    return number % count if record.key is None else partition_for_key(record.key, count)


def _encoded(record: NewRecord, now_ms: int) -> EncodedRecord:
    timestamp_ms = now_ms if record.timestamp_ms is None else record.timestamp_ms
    return EncodedRecord(timestamp_ms, record.key, record.value, record.headers)


def read_batches(
    led: Partition, isolation: Isolation, start: int | None = None, end_before: int | None = None
) -> Iterator[tuple[BatchHeader, memoryview]]:
    """The batches that a consumer gets, each as it is wanted: the log may change between them.

    From the one with `start` on, or the log's start; up to the one that holds the offset before `end_before`.
    """
    committed_only = isolation == "read_committed"
    offset = led.log.log_start_offset if start is None else start
    while (offset := max(offset, led.log.log_start_offset)) < (end := _end(led, isolation)):
        if end_before is not None and offset >= end_before:
            return
        data = led.log.read(offset, READ_BYTES, up_to_offset=end).read()
        if not data:
            return
        aborted = led.log.aborted_transactions(offset, end) if committed_only else []
        for header, batch in split_batches(data):
            offset = header.next_offset
            is_aborted = header.is_transactional and any(
                each.producer_id == header.producer_id and each.first_offset <= header.base_offset < each.last_offset
                for each in aborted
            )
            if not is_aborted:
                yield header, batch


def _decoded(led: Partition, header: BatchHeader, batch: memoryview, *, control: bool) -> list[Record]:
    if header.is_control and not control:
        return []
    start = led.log.log_start_offset
    return [
        Record(
            topic=led.topic,
            partition=led.index,
            offset=record.offset,
            timestamp_ms=record.timestamp,
            key=None if header.is_control else record.key,
            value=None if header.is_control else record.value,
            headers=record.headers,
            control=read_control_record_type(record.key).name if header.is_control else None,
            producer_id=header.producer_id,
            is_transactional=header.is_transactional,
        )
        for record in decode_records(batch)
        if record.offset >= start
    ]
