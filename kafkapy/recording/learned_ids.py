"""Ids that a broker gives out, from recorded answers to those of another run, and requests with these in their place.

Topic ids, member ids, generations, producer ids and epochs, fetch sessions: a request that repeats a recorded one must
have the ids that this broker has given.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.message import Struct
from kafkapy_wire.records import split_batches
from kafkapy_wire.records.batch import batch_crc
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkapy_wire.message import Field, Message

TOPIC, MEMBER, GENERATION, PRODUCER, EPOCH, SESSION = "topic", "member", "generation", "producer", "epoch", "session"

_BY_NAME: Final = {
    "topic_id": TOPIC,
    "member_id": MEMBER,
    "leader": MEMBER,
    "generation_id": GENERATION,
    "generation_id_or_member_epoch": GENERATION,
    "member_epoch": GENERATION,
    "producer_id": PRODUCER,
    "v3_and_below_producer_id": PRODUCER,
    "producer_epoch": EPOCH,
    "v3_and_below_producer_epoch": EPOCH,
    "session_id": SESSION,
}
_NOT_GIVEN_OUT: Final = frozenset({"", ZERO_UUID, None})
_CRC: Final = struct.Struct(">I")
_PRODUCER: Final = struct.Struct(">qh")
_CRC_AT, _PRODUCER_AT = 17, 43
"""In the header of a record batch."""


class LearnedIds:
    """By kind and recorded id the id of this run."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, object], object] = {}

    def __call__(self, kind: str, recorded: object) -> object:
        """The recorded id itself if nothing else was learned."""
        return self._ids.get((kind, recorded), recorded)

    def learn(self, kind: str, recorded: object, replayed: object) -> None:
        """The first answer that has an id decides."""
        self._ids.setdefault((kind, recorded), replayed)

    def learn_from(self, recorded: Struct, replayed: Struct, group: str) -> None:
        """From two structs of answers that stand for each other; without those inside. `group` has asked."""
        found = list(ids_of(recorded))
        producer_id = next((value for _, kind, value in found if kind == PRODUCER), None)
        for field, kind, value in found:
            other = getattr(replayed, field.name)
            if kind == GENERATION:
                self.learn(kind, (group, value), other)
            elif kind == EPOCH:
                self.learn(kind, (producer_id, value), other)
            else:
                self.learn(kind, value, other)

    def put_into(self, message: Message) -> bool:
        """Write the ids of this run into a recorded request. Returns whether anything changed."""
        return self._put_into(message, str(getattr(message, "group_id", "")))

    def _put_into(self, one: Struct, group: str) -> bool:
        changed = False
        found = list(ids_of(one))  # before any of them changes: an epoch goes with the recorded producer id
        producer_id = next((value for _, kind, value in found if kind == PRODUCER), None)
        for field, kind, value in found:
            key = {GENERATION: (group, value), EPOCH: (producer_id, value)}.get(kind, value)
            new = self._ids.get((kind, key), value)
            if new != value:
                setattr(one, field.name, new)
                changed = True
        for field in one.__fields__:
            below: Any = getattr(one, field.name)
            if isinstance(below, Struct):
                changed |= self._put_into(below, group)
            elif isinstance(below, list):
                for element in below:
                    if not isinstance(element, Struct):
                        break
                    changed |= self._put_into(element, group)
            elif field.kind == "records" and below:
                records = self._in_batches(bytearray(below))
                if records != below:
                    setattr(one, field.name, records)
                    changed = True
        return changed

    def _in_batches(self, records: bytearray) -> bytearray:
        """With the producer ids and epochs of this run in the batches' headers, and the checksums to it."""
        position = 0
        try:
            for header, batch in split_batches(bytes(records)):
                producer_id = self(PRODUCER, header.producer_id)
                epoch = self(EPOCH, (header.producer_id, header.producer_epoch))
                if not isinstance(epoch, int):
                    epoch = header.producer_epoch  # none was learned
                if (producer_id, epoch) != (header.producer_id, header.producer_epoch):
                    _PRODUCER.pack_into(records, position + _PRODUCER_AT, producer_id, epoch)
                    crc = batch_crc(records[position : position + len(batch)])
                    _CRC.pack_into(records, position + _CRC_AT, crc)
                position += len(batch)
        except MalformedMessage:
            pass  # sent as it was
        return records


def ids_of(one: Struct) -> Iterator[tuple[Field, str, Any]]:
    """Fields with ids that a broker has given out, and their kinds and values."""
    for field in one.__fields__:
        kind = _BY_NAME.get(field.name)
        if kind is None:
            continue
        value = getattr(one, field.name)
        is_number = isinstance(value, int)
        if kind in (TOPIC, MEMBER) and (is_number or isinstance(value, list)):
            continue  # a leader's broker id
        if value not in _NOT_GIVEN_OUT and not (is_number and value < 0) and not (kind == SESSION and value == 0):
            yield field, kind, value
