"""Blocks of producer ids for the brokers (AllocateProducerIds, KIP-730)."""

from __future__ import annotations

from typing import NamedTuple

from kafkapy_controller.decision import Decision
from kafkapy_controller.image import MetadataImage
from kafkapy_wire.record_formats.metadata import ProducerIdsRecord

PRODUCER_ID_BLOCK_LENGTH = 1_000


class ProducerIdBlock(NamedTuple):
    """The ids `[first_id, first_id + length)`. Ids that a broker has not used when it stops are never used."""

    first_id: int
    length: int


def decide_allocate_producer_ids(image: MetadataImage, broker_id: int, broker_epoch: int) -> Decision[ProducerIdBlock]:
    block = ProducerIdBlock(image.next_producer_id, PRODUCER_ID_BLOCK_LENGTH)
    record = ProducerIdsRecord(
        broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=block.first_id + block.length
    )
    return Decision([record], block)
