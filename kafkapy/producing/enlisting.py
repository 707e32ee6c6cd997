"""The transactional part of a produce: may these batches be stored? (KIP-98, KIP-890)

All partitions of a request that have a transactional batch are enlisted together, before any batch is appended, so that
the transaction coordinator stores one record for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.transaction.enlisting import Enlisted, Enlisting
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.pending import Pending, settled
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records.validation import only_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.coordinators.transaction.enlisting import Outcome, PartitionEnlister
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.produce import ProduceRequest, TopicProduceData

LAST_VERSION_WITHOUT_ABORTABLE = 10
LAST_VERSION_WITHOUT_ADDING = 11

SEVERAL_PRODUCERS = "Transactional records contained more than one producer ID"

_ATTRIBUTES_AT = 22  # the lower byte of a batch's attributes
_TRANSACTIONAL_BIT = 0x10

_RETRIABLE = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.NOT_COORDINATOR,
    }
)


class NotEnlisted(KafkaError):
    """The batch's partition is not in its producer's transaction. `shown` is the message for the client, if any."""

    def __init__(self, code: ErrorCode, shown: str | None = None) -> None:
        super().__init__(code, shown)
        self.shown = shown


def has_transactional_batch(request: ProduceRequest) -> bool:
    """Whether a request has a transactional batch: looks at one byte of each batch, as every request is checked."""
    for topic in request.topic_data:
        for data in topic.partition_data:
            records = data.records
            if records is not None and len(records) > _ATTRIBUTES_AT and records[_ATTRIBUTES_AT] & _TRANSACTIONAL_BIT:
                return True
    return False


def enlist(
    request: ProduceRequest,
    version: int,
    enlister: PartitionEnlister,
    find: Callable[[TopicProduceData, int], Partition],
) -> Pending[dict[Partition, Enlisted | NotEnlisted]]:
    """Ask the transaction coordinator about each partition that has a transactional batch.

    Raises NotEnlisted for the whole request: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, there is no transactional id;
    INVALID_PRODUCER_ID_MAPPING, the batches are of several producers.
    """
    transactional_id = request.transactional_id
    if transactional_id is None:
        raise NotEnlisted(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    producers: set[ProducerIdAndEpoch] = set()
    partitions: list[Partition] = []
    for topic in request.topic_data:
        for data in topic.partition_data:
            try:
                header, _ = only_batch(data.records or b"", version)
                if header.is_transactional and header.producer_id >= 0:
                    producers.add(ProducerIdAndEpoch(header.producer_id, header.producer_epoch))
                    partitions.append(find(topic, data.index))
            except KafkaError:
                continue  # the append raises this error again
    if len(producers) > 1:
        raise NotEnlisted(ErrorCode.INVALID_PRODUCER_ID_MAPPING, SEVERAL_PRODUCERS)
    if not partitions:
        return settled({})
    (producer,) = producers

    def ask() -> Pending[Outcome]:
        return enlister.enlist(transactional_id, producer, partitions, _enlisting(version))

    def answer(outcome: Outcome) -> dict[Partition, Enlisted | NotEnlisted]:
        return {
            partition: said if isinstance(said, Enlisted) else _as_seen_by_producers(said, version)
            for partition, said in outcome.items()
        }

    return enlister.again_while_ending(ask).map(answer)


def _enlisting(version: int) -> Enlisting:
    if version <= LAST_VERSION_WITHOUT_ABORTABLE:
        return Enlisting.CHECK_FOR_OLD_CLIENT
    return Enlisting.CHECK if version <= LAST_VERSION_WITHOUT_ADDING else Enlisting.ADD


def _as_seen_by_producers(error: KafkaError, version: int) -> NotEnlisted:
    """Replace errors that older clients do not retry by one that they retry."""
    code = error.code
    if code is ErrorCode.INVALID_TXN_STATE:
        return NotEnlisted(code, error.message)
    if code in _RETRIABLE or (code is ErrorCode.CONCURRENT_TRANSACTIONS and version <= LAST_VERSION_WITHOUT_ADDING):
        return NotEnlisted(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"Unable to verify the partition has been added to the transaction. Underlying error: {code.name}",
        )
    return NotEnlisted(code)
