"""A share group of one member: how fast it consumes, and how long one acknowledgement takes.

It consumes as Kafka's share consumer does: each ShareFetch accepts what the one before has brought, 500 records at a
time or what the batch has. Then batches of one record are fetched, and each is accepted by a ShareAcknowledge.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from benchmarks.group_client import (
    SETTINGS,
    ShareMembers,
    closing,
    ready_group_topic,
    wait_until,
)
from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow, percentile
from benchmarks.peers import Broker
from benchmarks.raw_client import (
    Connection,
    UnexpectedAnswer,
    large_batch,
    one_record_batch,
    produce_request,
    produce_version,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.messages.share_acknowledge import AcknowledgementBatch as Acknowledged
from kafkapy_wire.messages.share_acknowledge import (
    AcknowledgePartition,
    AcknowledgeTopic,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
)
from kafkapy_wire.messages.share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ShareFetchRequest,
    ShareFetchResponse,
)
from kafkapy_wire.uuid import Uuid

RECORDS_OF_A_BATCH: Final = 500
VALUE_BYTES: Final = 100
BATCHES_FOR_EACH: Final = 8
"""Of records to consume, for each batch of the `batches` row."""
ACCEPT: Final = 1
GROUP_RESOURCE: Final = 32
VERSION: Final = 2
Ranges = list[tuple[int, int]]

RATE = Metric("share_records_per_second", "Records of a share group", "1/s", Better.HIGHER)
CPU = Metric("share_record_cpu_us", "... broker CPU for each", "µs")
ACK_P50 = Metric("share_acknowledge_p50_ms", "ShareAcknowledge, p50", "ms")
ACK_P99 = Metric("share_acknowledge_p99_ms", "... p99", "ms")


class Consumer:
    """One member's share session about partition 0."""

    def __init__(self, connection: Connection, group: str, member_id: str, topic_id: Uuid) -> None:
        self._connection = connection
        self._group = group
        self._member_id = member_id
        self._topic_id = topic_id
        self._epoch = -1

    def fetch(self, accepted: Ranges = []) -> Ranges:  # noqa: B006 - not changed
        """The offsets of what is acquired. Raises UnexpectedAnswer."""
        self._epoch += 1
        batches = [
            AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=[ACCEPT])
            for first, last in accepted
        ]
        wanted = [FetchPartition(partition_index=0, acknowledgement_batches=batches)]
        request = ShareFetchRequest(
            group_id=self._group,
            member_id=self._member_id,
            share_session_epoch=self._epoch,
            max_wait_ms=500,
            min_bytes=1,
            max_bytes=50 << 20,
            max_records=500,
            batch_size=500,
            topics=[FetchTopic(topic_id=self._topic_id, partitions=wanted)] if accepted or not self._epoch else [],
        )
        answer = self._connection.call(ApiKey.SHARE_FETCH, request, VERSION, ShareFetchResponse)
        parts = [part for topic in answer.responses for part in topic.partitions]
        _refuse(
            [answer.error_code, *(code for part in parts for code in (part.error_code, part.acknowledge_error_code))]
        )
        return [(each.first_offset, each.last_offset) for part in parts for each in part.acquired_records]

    def acknowledge(self, first_offset: int, last_offset: int) -> None:
        """Raises UnexpectedAnswer."""
        self._epoch += 1
        batch = Acknowledged(first_offset=first_offset, last_offset=last_offset, acknowledge_types=[ACCEPT])
        part = AcknowledgePartition(partition_index=0, acknowledgement_batches=[batch])
        request = ShareAcknowledgeRequest(
            group_id=self._group,
            member_id=self._member_id,
            share_session_epoch=self._epoch,
            topics=[AcknowledgeTopic(topic_id=self._topic_id, partitions=[part])],
        )
        answer = self._connection.call(ApiKey.SHARE_ACKNOWLEDGE, request, VERSION, ShareAcknowledgeResponse)
        _refuse([answer.error_code, *(part.error_code for topic in answer.responses for part in topic.partitions)])


def _refuse(codes: list[int]) -> None:
    if any(codes):
        raise UnexpectedAnswer(f"a share session: errors {codes}")


def _begin_at_the_beginning(connection: Connection, group: str) -> None:
    config = AlterableConfig(name="share.auto.offset.reset", value="earliest")
    resource = AlterConfigsResource(resource_type=GROUP_RESOURCE, resource_name=group, configs=[config])
    request = IncrementalAlterConfigsRequest(resources=[resource])
    answer = connection.call(ApiKey.INCREMENTAL_ALTER_CONFIGS, request, 1, IncrementalAlterConfigsResponse)
    _refuse([each.error_code for each in answer.responses])


def _fill(broker: Broker, connection: Connection, topic: str, batches: list[bytes]) -> None:
    for batch in batches:
        request, version = produce_request([topic], batch), produce_version(broker.served)
        answer = connection.call(ApiKey.PRODUCE, request, version, ProduceResponse)
        _refuse([part.error_code for each in answer.responses for part in each.partition_responses])


def measure(broker: Broker, scale: Scale, name: str) -> Figures:
    record_count = scale.batch_count * BATCHES_FOR_EACH * RECORDS_OF_A_BATCH
    samples_ms: list[float] = []
    with Connection(broker.address) as connection:
        topic_id = ready_group_topic(connection, name, 1)
        _begin_at_the_beginning(connection, name)
        batch = large_batch(RECORDS_OF_A_BATCH, VALUE_BYTES)
        _fill(broker, connection, name, [batch] * (record_count // RECORDS_OF_A_BATCH))
        members = ShareMembers(broker, name, name, topic_id, 1)
        with closing(members):
            members.add(1)
            members.join()
            consumer = Consumer(connection, name, members.members[0].member_id, topic_id)
            acquired: Ranges = []
            wait_until(_comes(consumer, acquired), "the first records of the share group")
            cpu_seconds, begin, count = broker.cpu_seconds(), time.perf_counter(), 0
            while count < record_count:
                count += sum(last - first + 1 for first, last in acquired)
                acquired[:] = consumer.fetch(acquired)
            seconds, cpu_seconds = time.perf_counter() - begin, broker.cpu_seconds() - cpu_seconds
            for _ in range(scale.delivery_samples):
                _fill(broker, connection, name, [one_record_batch()])
                wait_until(_comes(consumer, acquired), "one record")
                for first, last in acquired:
                    sent = time.perf_counter()
                    consumer.acknowledge(first, last)
                    samples_ms.append((time.perf_counter() - sent) * 1e3)
    return {
        RATE.key: record_count / seconds,
        CPU.key: cpu_seconds * 1e6 / record_count,
        ACK_P50.key: percentile(samples_ms, 50),
        ACK_P99.key: percentile(samples_ms, 99),
    }


def _comes(consumer: Consumer, acquired: Ranges) -> Iterator[bool]:
    """Fetches until something is acquired, which is put into `acquired`."""
    while True:
        acquired[:] = consumer.fetch()
        yield bool(acquired)


def warm_up(broker: Broker, scale: Scale, name: str) -> None:
    for number in range(3):
        measure(broker, scale, f"{name}-{number}")


SHARING = SteadyRow(
    name="sharing",
    metrics=(RATE, CPU, ACK_P50, ACK_P99),
    requires=frozenset({ApiKey.SHARE_FETCH, ApiKey.SHARE_ACKNOWLEDGE, ApiKey.SHARE_GROUP_HEARTBEAT}),
    warm_up=warm_up,
    measure=measure,
    time_limit_seconds=120.0,
    settings=SETTINGS,
)
