"""Records to the leaders of a topic's partitions: batched, in order, idempotent where the broker knows how."""

from __future__ import annotations

import random

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, Refused, TryAgain, check
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from kafkapy_wire.partitioner import partition_for_key
from kafkapy_wire.records import Compression, NewRecord, build_batch

BATCH_BYTES = 512 * 1024
"""Records of a partition are sent when they are this many; half of what `max.message.bytes` allows by default."""

ACKS_ALL = -1

_PRODUCE_VERSION_WITH_NAMES_MAX = 12
_RECORD_OVERHEAD_BYTES = 32
_SEQUENCES = 2**31
_TRANSACTION_TIMEOUT_MS = 60_000  # without a transactional id nobody looks at it, but 0 is refused


class Producer:
    """Sends to one topic. What `add` took is certain to be sent only after `flush`."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        acks: int = ACKS_ALL,
        compression: Compression = Compression.NONE,
        partition: int | None = None,
    ) -> None:
        """With `partition` all records go there. Raises Refused: no such topic or partition."""
        self.sent_count = 0
        self.last_position: tuple[int, int] | None = None
        """(partition, offset) of the last record that was acknowledged with an offset."""
        self._cluster = cluster
        self._topic = topic
        self._acks = acks
        self._compression = compression
        self._leaders = self._find_leaders(create=True)
        if partition is not None and partition not in self._leaders:
            raise self._no_partition(partition)
        self._fixed_partition = partition
        self._sticky_partition = random.randrange(len(self._leaders))
        self._batches: dict[int, list[NewRecord]] = {}
        self._batch_bytes: dict[int, int] = {}
        self._sequences: dict[int, int] = {}
        self._producer_id, self._producer_epoch = self._init_producer_id() if acks == ACKS_ALL else (-1, -1)

    @property
    def unsent_count(self) -> int:
        """Records that were added and not acknowledged."""
        return sum(map(len, self._batches.values()))

    def add(self, record: NewRecord, partition: int | None = None) -> None:
        """Take a record; sends when its partition has a full batch.

        Raises ClientError: the topic has no such partition; else as `flush`.
        """
        if partition is None:
            partition = self._choose_partition(record.key)
        elif partition not in self._leaders:
            raise self._no_partition(partition)
        size = _RECORD_OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
        size += sum(_RECORD_OVERHEAD_BYTES + len(name) + len(value or b"") for name, value in record.headers)
        if self._batch_bytes.get(partition, 0) + size > BATCH_BYTES:
            self.flush()
        self._batches.setdefault(partition, []).append(record)
        self._batch_bytes[partition] = self._batch_bytes.get(partition, 0) + size

    def flush(self) -> None:
        """Send all that was added. Raises Refused, TryAgain: what could not be sent stays, in order."""
        if self._batches:
            self._cluster.retrying(self._send_batches)
        # Records without a key stay together in a batch and take turns between batches (KIP-480).
        self._sticky_partition = (self._sticky_partition + 1) % len(self._leaders)

    def _no_partition(self, partition: int) -> ClientError:
        last = len(self._leaders) - 1
        return ClientError(f"topic {self._topic!r} has no partition {partition}: they are numbered 0 to {last}")

    def _choose_partition(self, key: bytes | None) -> int:
        if self._fixed_partition is not None:
            return self._fixed_partition
        if key is not None:
            return partition_for_key(key, len(self._leaders))
        return self._sticky_partition

    def _find_leaders(self, *, create: bool = False) -> dict[int, int]:
        topic = self._cluster.topic(self._topic, create=create)
        return {partition.partition_index: partition.leader_id for partition in topic.partitions}

    def _init_producer_id(self) -> tuple[int, int]:
        """(producer id, epoch): sequences let a broker drop what comes twice after a lost answer (KIP-98)."""
        if not self._cluster.supports(ApiKey.INIT_PRODUCER_ID):
            return -1, -1

        def attempt() -> tuple[int, int]:
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS)
            answer = self._cluster.ask_once(self._cluster.any_broker(), request, InitProducerIdResponse)
            check(answer.error_code, "a producer id")
            return answer.producer_id, answer.producer_epoch

        return self._cluster.retrying(attempt)

    def _send_batches(self) -> None:
        """One attempt at all batches, one request to each leader. Raises TryAgain: some are left."""
        left: TryAgain | None = None
        by_leader: dict[int, list[int]] = {}
        for partition in self._batches:
            by_leader.setdefault(self._leaders[partition], []).append(partition)
        for leader_id, partitions in by_leader.items():
            try:
                self._send_to(self._cluster.broker(leader_id), partitions)
            except TryAgain as error:
                left = error
        if left is not None:
            if left.refresh_metadata:
                self._leaders = self._find_leaders()
            raise left

    def _send_to(self, connection: Connection, partitions: list[int]) -> None:
        request = ProduceRequest(
            acks=self._acks,
            timeout_ms=max(1, int(self._cluster.timeout_seconds * 900)),
            topic_data=[
                TopicProduceData(
                    name=self._topic,
                    partition_data=[
                        PartitionProduceData(index=partition, records=self._build_batch(partition))
                        for partition in partitions
                    ],
                )
            ],
        )
        timeout_seconds = self._cluster.timeout_seconds
        connection.send(
            request,
            timeout_seconds=timeout_seconds,
            version_max=_PRODUCE_VERSION_WITH_NAMES_MAX,
            answered=self._acks != 0,
        )
        if self._acks == 0:
            for partition in partitions:
                self._batch_done(partition)
            return
        with self._cluster.doing(f"waiting for {connection.address} to acknowledge"):
            answer = connection.receive(ProduceResponse, timeout_seconds=timeout_seconds)
        left: TryAgain | None = None
        for partition_answer in answer.responses[0].partition_responses:
            try:
                self._take_answer(partition_answer)
            except TryAgain as error:
                left = error
        if left is not None:
            raise left

    def _build_batch(self, partition: int) -> bytes:
        is_idempotent = self._producer_id >= 0
        return build_batch(
            self._batches[partition],
            compression=self._compression,
            producer_id=self._producer_id,
            producer_epoch=self._producer_epoch,
            base_sequence=self._sequences.get(partition, 0) if is_idempotent else -1,
        )

    def _take_answer(self, answer: PartitionProduceResponse) -> None:
        partition = answer.index
        records = self._batches[partition]
        if answer.error_code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER:  # an earlier attempt had come through
            self._batch_done(partition)
            return
        if answer.error_code == ErrorCode.MESSAGE_TOO_LARGE and len(records) > 1:
            self._send_in_halves(partition)
            return
        if answer.error_code == ErrorCode.MESSAGE_TOO_LARGE:
            size = len(records[0].value or b"")
            raise Refused(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a record of {size} bytes is larger than the topic takes: raise it with `kafkapy configs set "
                f"--topic {self._topic} max.message.bytes=N`",
            )
        check(answer.error_code, f"partition {self._topic}-{partition}", answer.error_message)
        self.last_position = (partition, answer.base_offset + len(records) - 1)
        self._batch_done(partition)

    def _send_in_halves(self, partition: int) -> None:
        """The topic's `max.message.bytes` is smaller than our batch, which need not mean that any record is."""
        records = self._batches[partition]
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            self._batches[partition] = half
            self._send_to(self._cluster.broker(self._leaders[partition]), [partition])

    def _batch_done(self, partition: int) -> None:
        count = len(self._batches.pop(partition))
        self._batch_bytes.pop(partition, None)
        self._sequences[partition] = (self._sequences.get(partition, 0) + count) % _SEQUENCES
        self.sent_count += count
