"""Blocks of producer ids for the brokers (AllocateProducerIds, KIP-730)."""

from __future__ import annotations

from typing import NamedTuple

from kafkapy_controller.broker_transitions import check_broker_epoch
from kafkapy_controller.decision import Decision
from kafkapy_controller.image import MetadataImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import ProducerIdsRecord

PRODUCER_ID_BLOCK_LENGTH = 1_000
PRODUCER_ID_MAX = (1 << 63) - 1


class ProducerIdBlock(NamedTuple):
    """The ids `[first_id, first_id + length)`. Ids that a broker has not used when it stops are never used."""

    first_id: int
    length: int


def decide_allocate_producer_ids(image: MetadataImage, broker_id: int, broker_epoch: int) -> Decision[ProducerIdBlock]:
    """The next block. Raises KafkaError: STALE_BROKER_EPOCH; UNKNOWN_SERVER_ERROR, all ids are given away."""
    check_broker_epoch(image, broker_id, broker_epoch)
    block = ProducerIdBlock(image.next_producer_id, PRODUCER_ID_BLOCK_LENGTH)
    if block.first_id > PRODUCER_ID_MAX - block.length:
        raise KafkaError(
            ErrorCode.UNKNOWN_SERVER_ERROR,
            "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit",
        )
    record = ProducerIdsRecord(
        broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=block.first_id + block.length
    )
    return Decision([record], block)
