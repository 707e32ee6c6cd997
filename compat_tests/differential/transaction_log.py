"""What a broker has stored of a transactional id in `__transaction_state`."""

from __future__ import annotations

from collections.abc import Iterator

from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Plain
from kafkapy_wire.codec import decode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.record_formats.transaction_coordinator import TransactionLogKey, TransactionLogValue
from kafkapy_wire.records import decode_records, split_batches

TOPIC = "__transaction_state"
PARTITION_COUNT = 4  # transaction.state.log.num.partitions of the brokers that are compared
LAST_VERSION_WITH_TOPIC_NAMES = 12
VERSION_BYTES = 2  # keys and values begin with the version of their schema


def note_stored(peer: Peer, transactional_id: str) -> None:
    """Write down every record of the transactional id, in their order."""
    peer.note(f"stored of {transactional_id}", list(_records(peer, transactional_id)))


def _records(peer: Peer, transactional_id: str) -> Iterator[Plain]:
    partitions = [
        FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=10_000_000)
        for index in range(PARTITION_COUNT)
    ]
    request = FetchRequest(max_wait_ms=0, topics=[FetchTopic(topic=TOPIC, partitions=partitions)])
    (topic,) = peer.quietly(request, LAST_VERSION_WITH_TOPIC_NAMES).responses
    for partition in topic.partitions:
        for header, batch in split_batches(partition.records or b""):
            for record in decode_records(batch):
                assert record.key is not None
                key = decode(TransactionLogKey, record.key[VERSION_BYTES:], 0)
                if key.transactional_id == transactional_id:
                    yield {
                        "batch": [header.producer_id, header.producer_epoch, header.base_sequence, header.attributes],
                        "key version": int.from_bytes(record.key[:VERSION_BYTES]),
                        "value": _value(peer, record.value),
                    }


def _value(peer: Peer, value: bytes | None) -> Plain:
    if value is None:
        return None
    version = int.from_bytes(value[:VERSION_BYTES])
    state = decode(TransactionLogValue, value[VERSION_BYTES:], version)
    for topic in state.transaction_partitions or ():
        topic.partition_ids.sort()  # a set of Java's has its own order
    plain = peer.normaliser.plain(state, version)
    return {"version": version, "state": plain}
