"""What a broker has stored of a transactional id in `__transaction_state`."""

from __future__ import annotations

from collections.abc import Iterator

from compat_tests.differential.coordinator_log import VERSION_BYTES, stored_records
from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Plain
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.transaction_coordinator import TransactionLogKey, TransactionLogValue

TOPIC = "__transaction_state"


def note_stored(peer: Peer, transactional_id: str) -> None:
    """Write down every record of the transactional id, in their order."""
    peer.note(f"stored of {transactional_id}", list(_records(peer, transactional_id)))


def _records(peer: Peer, transactional_id: str) -> Iterator[Plain]:
    for header, record in stored_records(peer, TOPIC):
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
