"""A snapshot file read whole, in bounded memory: the image that it stands for, and who votes.

Nothing of a snapshot is believed before all of it was read: batches follow each other and match their CRC, the footer
is the last, and the records make an image.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage
from kafkapy_controller.metadata_batches import (
    MetadataBatch,
    SnapshotId,
    check_footer,
    check_header,
    read_batches,
    whole_batches_end,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.voters import QuorumMembership

READ_BYTES: Final = 1 << 20


class SnapshotContent(NamedTuple):
    """What a snapshot says."""

    snapshot: SnapshotId
    image: MetadataImage
    """At the end of the snapshot, with the kraft.version of `membership`."""
    delta: MetadataDelta
    """From the image before, to `image`."""
    membership: QuorumMembership
    bootstrap_records: list[MetadataRecord]
    """Of the snapshot at offset 0: what the cluster begins with. They are not in `image`."""


def read_snapshot_content(
    file: Path, snapshot: SnapshotId, membership: QuorumMembership, before: MetadataImage = EMPTY_IMAGE
) -> SnapshotContent:
    """Read the file of a snapshot. Blocks; any thread.

    `membership` is that of the settings, for a snapshot at kraft.version 0, which names no voters. `before` is the
    image of a running node: the delta then has what has changed since.
    Raises MalformedMessage, ValueError, KeyError: the file is damaged or makes no sense; OSError.
    """
    delta = MetadataDelta()
    bootstrap_records: list[MetadataRecord] = []
    for batch in _batches(file):
        for record in batch.control_records:
            membership = membership.replay(record)
        if not snapshot.end_offset:
            bootstrap_records += batch.records
            continue
        for metadata_record in batch.records:
            delta.replay(metadata_record)
    image = delta.apply(snapshot.end_offset - 1, snapshot.epoch)
    if image.open_transaction is not None:
        raise ValueError("a metadata transaction is open at its end")
    if before is not EMPTY_IMAGE:
        delta, image = _changes(before, image)
    if image.kraft_version != membership.kraft_version:
        image = image._replace(kraft_version=membership.kraft_version)
    return SnapshotContent(snapshot, image, delta, membership, bootstrap_records)


def _changes(before: MetadataImage, image: MetadataImage) -> tuple[MetadataDelta, MetadataImage]:
    """The delta from `before` to `image`, and `image` with all that has not changed shared with `before`."""
    from kafkapy_controller.image_difference import difference

    delta = MetadataDelta(before)
    for record in difference(before, image):
        delta.replay(record)
    return delta, delta.apply(image.offset, image.epoch)


def _batches(file: Path) -> Iterator[MetadataBatch]:
    """All batches of the file, READ_BYTES of it at a time. Raises MalformedMessage; OSError."""
    batch: MetadataBatch | None = None
    next_offset = 0
    for data in _whole_batches(file):
        for batch in read_batches(data, next_offset):
            if not batch.base_offset:
                check_header(batch)
            yield batch
            next_offset = batch.last_offset + 1
    check_footer(batch)


def _whole_batches(file: Path) -> Iterator[bytes]:
    """The bytes of the file in pieces of whole batches. Memory: READ_BYTES, or one batch if that is larger."""
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size, position, wanted = os.fstat(fd).st_size, 0, READ_BYTES
        while position < size:
            data = os.pread(fd, wanted, position)
            end, needed = whole_batches_end(data)
            if end:
                yield data[:end]
                position, wanted = position + end, READ_BYTES
            elif not needed or needed > size - position:
                yield data  # a torn end, which the reader of the batches names
                return
            else:
                wanted = needed
    finally:
        os.close(fd)
