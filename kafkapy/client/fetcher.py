"""Records from the leaders of partitions: one request in flight to each leader, whoever answers first is read first."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, ConnectionLost, TryAgain, check
from kafkapy.client.offsets import EARLIEST, LATEST, Partition, leaders_of, list_offsets
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.messages.fetch import (
    AbortedTransaction,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from kafkapy_wire.records import (
    BATCH_HEADER_BYTES,
    BatchHeader,
    ControlRecordType,
    Record,
    TimestampType,
    crc_matches,
    decode_records,
    read_batch_header,
    read_control_record_type,
)

MAX_WAIT_MS = 500
_LOOK_AGAIN_SECONDS = 0.1
_FETCH_BYTES_MAX = 16 * 1024 * 1024
_PARTITION_BYTES_MAX = 1024 * 1024
_FETCH_VERSION_WITH_NAMES_MAX = 12


class Chunk:
    """Records of one partition, in order. `next_offset` is beyond them and beyond what is not shown to consumers."""

    __slots__ = ("next_offset", "partition", "records")

    def __init__(self, partition: Partition, records: list[tuple[Record, TimestampType]], next_offset: int) -> None:
        self.partition = partition
        self.records = records
        self.next_offset = next_offset


class Fetcher:
    """Reads partitions from their `positions` on."""

    def __init__(
        self,
        cluster: Cluster,
        positions: Mapping[Partition, int],
        *,
        read_committed: bool = False,
        reset_to_earliest: bool | None = None,
    ) -> None:
        """`reset_to_earliest` says where to go on when a position is not (or no longer) in the log; None: fail."""
        self.positions = dict(positions)
        self._cluster = cluster
        self._read_committed = read_committed
        self._reset_to_earliest = reset_to_earliest
        self._leaders: dict[int, list[Partition]] = {}
        # Connections of our own: whoever else asks a leader something must not wait for a fetch.
        self._connections: dict[int, Connection] = {}
        self._in_flight: dict[int, dict[Partition, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Other partitions; answers still to come for the old ones are dropped."""
        self.positions = dict(positions)
        self._leaders = {}

    def poll(self, timeout_seconds: float) -> list[Chunk]:
        """What has come, waiting at most `timeout_seconds` for something. Raises Refused, TryAgain, ClientError."""
        if not self.positions:
            select.poll().poll(timeout_seconds * 1_000)
            return []
        self._cluster.retrying(self._ask_leaders)
        leader_ids = {self._connections[leader_id].fileno(): leader_id for leader_id in self._in_flight}
        answers = select.poll()  # select() takes no descriptor above 1023
        for descriptor in leader_ids:
            answers.register(descriptor, select.POLLIN)
        chunks: list[Chunk] = []
        for descriptor, _ in answers.poll(timeout_seconds * 1_000):
            chunks += self._receive(leader_ids[descriptor])
        return chunks

    def _ask_leaders(self) -> None:
        """A fetch to each leader that owes no answer."""
        if not self._leaders:
            self._leaders = leaders_of(self._cluster, self.positions)
        for leader_id, partitions in self._leaders.items():
            if leader_id in self._in_flight:
                continue
            asked = {partition: self.positions[partition] for partition in partitions}
            try:
                self._connection(leader_id).send(
                    self._request(asked),
                    timeout_seconds=self._cluster.timeout_seconds,
                    version_max=_FETCH_VERSION_WITH_NAMES_MAX,
                )
            except ConnectionLost:
                self._leaders = {}
                raise
            self._in_flight[leader_id] = asked

    def _connection(self, leader_id: int) -> Connection:
        connection = self._connections.get(leader_id)
        if connection is None or not connection.is_open:
            connection = self._connections[leader_id] = self._cluster.new_connection(leader_id)
        return connection

    def _request(self, asked: Mapping[Partition, int]) -> FetchRequest:
        topics: dict[str, list[FetchPartition]] = {}
        for (topic, index), offset in asked.items():
            topics.setdefault(topic, []).append(
                FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=_PARTITION_BYTES_MAX)
            )
        return FetchRequest(
            max_wait_ms=MAX_WAIT_MS,
            min_bytes=1,
            max_bytes=_FETCH_BYTES_MAX,
            isolation_level=1 if self._read_committed else 0,
            topics=[FetchTopic(topic=topic, partitions=partitions) for topic, partitions in topics.items()],
        )

    def _receive(self, leader_id: int) -> Iterator[Chunk]:
        asked = self._in_flight.pop(leader_id)
        try:
            answer = self._connections[leader_id].receive(FetchResponse, timeout_seconds=self._cluster.timeout_seconds)
            check(answer.error_code, "fetching")
        except TryAgain:
            self._leaders = {}
            return
        for topic in answer.responses:
            for data in topic.partitions:
                partition = (topic.topic, data.partition_index)
                # Another assignment, or another offset by now: not what is wanted any more.
                if self.positions.get(partition) == asked.get(partition):
                    yield from self._take_partition(partition, data)

    def _take_partition(self, partition: Partition, data: PartitionData) -> Iterator[Chunk]:
        what = f"partition {partition[0]}-{partition[1]}"
        position = self.positions[partition]
        if data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            self._reset(partition, what, position)
            return
        try:
            check(data.error_code, what)
        except TryAgain:
            # The next poll asks for leaders again, and fails when there are none for too long.
            self._leaders = {}
            time.sleep(_LOOK_AGAIN_SECONDS)
            return
        try:
            chunk = read_chunk(partition, position, data, read_committed=self._read_committed)
        except MalformedMessage as error:
            raise ClientError(f"{what}: the batch at offset {position} cannot be read: {error}") from None
        if chunk.next_offset > position:
            self.positions[partition] = chunk.next_offset
            yield chunk

    def _reset(self, partition: Partition, what: str, position: int) -> None:
        if self._reset_to_earliest is None:
            check(ErrorCode.OFFSET_OUT_OF_RANGE, f"{what}, offset {position}")
        timestamp = EARLIEST if self._reset_to_earliest else LATEST
        self.positions.update(list_offsets(self._cluster, {partition: timestamp}))


CHUNK_RECORDS_MAX = 100_000
"""Two kilobytes may hold a million records, which take 200 MB: the others come with the next chunk."""


def read_chunk(partition: Partition, position: int, data: PartitionData, *, read_committed: bool) -> Chunk:
    """Raises MalformedMessage."""
    records: list[tuple[Record, TimestampType]] = []
    next_offset = position
    is_visible = _committed_filter(data.aborted_transactions or []) if read_committed else _is_data
    for header, batch in _whole_batches(data.records):
        if header.last_offset < position:
            continue
        if not crc_matches(batch):
            raise MalformedMessage("its CRC does not match")
        if is_visible(header, batch):
            for record in decode_records(batch):
                if record.offset < position:
                    continue
                if len(records) >= CHUNK_RECORDS_MAX:
                    return Chunk(partition, records, record.offset)
                records.append((record, header.timestamp_type))
        next_offset = header.next_offset
    return Chunk(partition, records, next_offset)


def read_acquired(partition: Partition, records: object, ranges: Sequence[tuple[int, int]]) -> Chunk:
    """The records within these ranges of offsets, ends included, which are in order. Raises MalformedMessage."""
    found: list[tuple[Record, TimestampType]] = []
    left = list(reversed(ranges))
    for header, batch in _whole_batches(records):
        if not crc_matches(batch):
            raise MalformedMessage("its CRC does not match")
        if header.is_control:
            continue
        for record in decode_records(batch):
            while left and left[-1][1] < record.offset:
                left.pop()
            if left and left[-1][0] <= record.offset:
                found.append((record, header.timestamp_type))
    return Chunk(partition, found, ranges[-1][1] + 1)


def _whole_batches(records: object) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Batches up to the first that is cut off: a broker sends ranges of its files, not numbers of batches."""
    assert records is None or isinstance(records, bytes | memoryview), records
    view = memoryview(records or b"")
    position = 0
    while len(view) - position >= BATCH_HEADER_BYTES:
        header = read_batch_header(view, position)
        end = position + header.size_bytes
        if end > len(view):
            return
        yield header, view[position:end]
        position = end


def _is_data(header: BatchHeader, _batch: memoryview) -> bool:
    return not header.is_control


def _committed_filter(aborted: list[AbortedTransaction]) -> Callable[[BatchHeader, memoryview], bool]:
    """Whether a batch is data of no aborted transaction; batches must be asked about in their order.

    The broker tells where each aborted transaction began (KIP-98); its end is the ABORT marker in the log.
    """
    to_begin = sorted(aborted, key=lambda transaction: transaction.first_offset, reverse=True)
    aborted_producers: set[int] = set()

    def is_visible(header: BatchHeader, batch: memoryview) -> bool:
        while to_begin and to_begin[-1].first_offset <= header.last_offset:
            aborted_producers.add(to_begin.pop().producer_id)
        if header.is_control:
            for record in decode_records(batch):
                if read_control_record_type(record.key) is ControlRecordType.ABORT:
                    aborted_producers.discard(header.producer_id)
            return False
        return not (header.is_transactional and header.producer_id in aborted_producers)

    return is_visible
