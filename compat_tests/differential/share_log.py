"""What a broker has stored of a share group in `__share_group_state`."""

from __future__ import annotations

from collections.abc import Iterator

from compat_tests.differential.coordinator_log import VERSION_BYTES, stored_records
from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Plain
from kafkapy_wire.codec import decode
from kafkapy_wire.record_formats.share_coordinator import (
    ShareSnapshotKey,
    ShareSnapshotValue,
    ShareUpdateKey,
    ShareUpdateValue,
)

TOPIC = "__share_group_state"
SNAPSHOT = 0


def note_stored(peer: Peer, group: str) -> None:
    """Write down every record of the group, in their order within each share partition."""
    in_order = sorted(_records(peer, group), key=lambda found: found[0])
    peer.note(f"stored of {group}", [record for _, record in in_order])


def _records(peer: Peer, group: str) -> Iterator[tuple[int, Plain]]:
    for header, record in stored_records(peer, TOPIC):
        assert record.key is not None
        kind = int.from_bytes(record.key[:VERSION_BYTES])
        key: ShareSnapshotKey | ShareUpdateKey
        if kind == SNAPSHOT:
            key = decode(ShareSnapshotKey, record.key[VERSION_BYTES:], 0)
        else:
            key = decode(ShareUpdateKey, record.key[VERSION_BYTES:], 0)
        if key.group_id != group:
            continue
        value: Plain = None
        if record.value is not None:
            version = int.from_bytes(record.value[:VERSION_BYTES])
            body = record.value[VERSION_BYTES:]
            stored = (
                decode(ShareSnapshotValue, body, version)
                if kind == SNAPSHOT
                else decode(ShareUpdateValue, body, version)
            )
            value = peer.normaliser.plain(stored, version)
        plain: Plain = {
            "batch": [header.producer_id, header.producer_epoch, header.base_sequence, header.attributes],
            "kind": kind,
            "partition": peer.normaliser.plain(key, 0),
            "value": value,
        }
        yield key.partition, plain
