"""Produce requests that are all there before the clock runs: nothing but sending them and checking answers is left."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from benchmarks.raw_client import (
    LENGTH_BYTES,
    REQUEST_CORRELATION_ID_AT,
    Connection,
    ProduceAnswer,
    produce_frame,
    produce_version,
)
from kafkapy_wire.records.batch import CRC, CRC_POSITION, batch_crc

# Where a batch says who produced it (producer id, epoch, base sequence) and when (base and largest timestamp).
_PRODUCER = struct.Struct(">qhi")
_PRODUCER_AT = 43
_TIMESTAMPS = struct.Struct(">qq")
_TIMESTAMPS_AT = 27
_INT32 = struct.Struct(">i")
_BUFFER_BYTES = 1 << 16


def stamp_producer(batch: memoryview, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
    """Write into a batch who produced it, with its checksum."""
    _PRODUCER.pack_into(batch, _PRODUCER_AT, producer_id, producer_epoch, base_sequence)
    _stamp_crc(batch)


def _stamp_crc(batch: memoryview) -> None:
    CRC.pack_into(batch, CRC_POSITION, batch_crc(batch))


class PreparedProduces:
    """One produce request for each of `batches`, all of one size; their correlation ids are 0, 1, 2, ..."""

    def __init__(self, topic: str, batches: Sequence[bytes], served: dict[int, range]) -> None:
        first = produce_frame(topic, batches[0], served)
        self._batch_at = first.index(batches[0])
        self._batch_bytes = len(batches[0])
        if any(len(batch) != self._batch_bytes for batch in batches):
            raise ValueError("batches of one size are needed")
        head, tail = first[: self._batch_at], first[self._batch_at + self._batch_bytes :]
        self._frames = bytearray().join(part for batch in batches for part in (head, batch, tail))
        self._frame_bytes = len(first)
        self._answer = ProduceAnswer(topic, produce_version(served))
        self.count = len(batches)
        for number in range(self.count):
            _INT32.pack_into(self._frames, number * self._frame_bytes + REQUEST_CORRELATION_ID_AT, number)

    @property
    def records_bytes(self) -> int:
        """Bytes of all batches together."""
        return self.count * self._batch_bytes

    def stamp_producer(self, producer_id: int, producer_epoch: int, first_sequence: int, records_a_batch: int) -> int:
        """Make them the next batches of an idempotent producer; the sequence that comes after them."""
        sequence = first_sequence
        for position in self._batch_positions():
            stamp_producer(self._batch(position), producer_id, producer_epoch, sequence)
            sequence += records_a_batch
        return sequence

    def stamp_timestamps(self, first_timestamp: int) -> int:
        """One millisecond a batch, so that each is a step in the time index; the timestamp that comes after them."""
        timestamp = first_timestamp
        for position in self._batch_positions():
            batch = self._batch(position)
            _TIMESTAMPS.pack_into(batch, _TIMESTAMPS_AT, timestamp, timestamp)
            _stamp_crc(batch)
            timestamp += 1
        return timestamp

    def _batch_positions(self) -> range:
        return range(self._batch_at, len(self._frames), self._frame_bytes)

    def _batch(self, position: int) -> memoryview:
        return memoryview(self._frames)[position : position + self._batch_bytes]

    def send(self, connection: Connection, *, in_flight: int) -> None:
        """Produce them in their order, at most so many without an answer. Raises UnexpectedAnswer."""
        frames = memoryview(self._frames)
        size, count = self._frame_bytes, self.count
        buffer = bytearray(_BUFFER_BYTES)
        answers = memoryview(buffer)
        base_offset = self._answer.base_offset
        send, receive_into = connection.socket.sendall, connection.socket.recv_into
        sent = answered = pending_bytes = 0
        while answered < count:
            room = min(in_flight - (sent - answered), count - sent)
            if room:
                send(frames[sent * size : (sent + room) * size])
                sent += room
            received = receive_into(answers[pending_bytes:])
            if not received:
                raise ConnectionError("the broker closed the connection")
            pending_bytes += received
            position = 0
            while pending_bytes - position > LENGTH_BYTES:
                end = position + LENGTH_BYTES + _INT32.unpack_from(buffer, position)[0]
                if end > pending_bytes:
                    break
                base_offset(buffer, position, answered)
                answered += 1
                position = end
            pending_bytes -= position
            buffer[:pending_bytes] = buffer[position : position + pending_bytes]
