"""From committed records to published images: the same at the start, as leader, and as follower.

A node takes in the newest snapshot, then the log up to the high watermark, then whatever the high watermark passes.
What it has decided itself, as leader, it has replayed already: that image and delta are published when their records
are committed, and need not be read again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage
from kafkapy_controller.metadata_batches import SnapshotId, read_batches, read_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import PartitionLog
    from kafkapy_wire.records import Record

REPLAY_READ_BYTES = 1 << 20


class _Decided(NamedTuple):
    """What is appended and replayed here, and waits to be committed."""

    image: MetadataImage
    delta: MetadataDelta


class MetadataLoader:
    """Reads the metadata of one node and publishes what is committed of it.

    `image` is the newest image published. Those of records that are appended and not committed belong to who decides.
    """

    def __init__(self, log: PartitionLog, membership: QuorumMembership, publisher: MetadataPublisher) -> None:
        """`membership` holds until a snapshot or the log says otherwise."""
        self.membership = membership
        self.image = EMPTY_IMAGE
        self._log = log
        self._publisher = publisher
        self._next_offset = 0
        self._decided: deque[_Decided] = deque()

    def load_snapshot(self, directory: Path) -> None:
        """Take in the newest snapshot, if there is one. The one at offset 0 only names the voters.

        Raises MalformedMessage, KeyError: not a snapshot; ValueError: the log does not go with it; OSError.
        """
        newest = max(filter(None, (SnapshotId.parse(path.name) for path in directory.iterdir())), default=None)
        if newest is not None:
            delta = MetadataDelta(self.image)
            for batch in read_snapshot((directory / newest.file_name).read_bytes()):
                self._take_control_records(batch.control_records)
                for record in batch.records:
                    delta.replay(record)
            self._next_offset = newest.end_offset
            self._publish(delta.apply(newest.end_offset - 1, newest.epoch), delta)
        if self._log.log_end_offset < self._next_offset:
            raise ValueError(f"its log ends at {self._log.log_end_offset}, before its snapshot at {self._next_offset}")
        if self._log.log_start_offset > self._next_offset:
            raise ValueError(f"its log starts at {self._log.log_start_offset}, and no snapshot says what was before")

    def decided(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """This node has appended what leads to `image`: `delta`, from the image that it decided before this one."""
        assert delta.base is (self._decided[-1].image if self._decided else self.image), "an image was left out"
        assert image.offset >= delta.base.offset, (image.offset, delta.base.offset)
        self._decided.append(_Decided(image, delta))

    def commit(self, high_watermark: int) -> None:
        """Publish everything below `high_watermark`: what was decided here, otherwise what the log holds.

        Raises as `load_snapshot` when the log cannot be read; what was decided here is not read.
        """
        while self._decided and self._decided[0].image.offset < high_watermark:
            decided = self._decided.popleft()
            self._next_offset = decided.image.offset + 1
            self._publish(decided.image, decided.delta)
        while self._next_offset < high_watermark:
            assert not self._decided, "a decision ends within what is committed"
            self._read_piece(high_watermark)

    def _read_piece(self, end_offset: int) -> None:
        """Replay at most `REPLAY_READ_BYTES` of the log, in whole batches, none of them beyond `end_offset`."""
        piece = self._log.read(self._next_offset, REPLAY_READ_BYTES, up_to_offset=end_offset)
        data = piece.read()
        piece.release()
        delta, epoch, next_offset = MetadataDelta(self.image), self.image.epoch, self._next_offset
        for batch in read_batches(data):
            # A read begins at the batch that holds the offset; a snapshot may end within one.
            skip = max(self._next_offset - batch.base_offset, 0)
            self._take_control_records(batch.control_records[skip:])
            for record in batch.records[skip:]:
                delta.replay(record)
            next_offset, epoch = batch.last_offset + 1, batch.epoch
        if next_offset == self._next_offset:
            raise ValueError(f"its log has no batch at {next_offset}, although it is committed up to {end_offset}")
        self._next_offset = next_offset
        self._publish(delta.apply(next_offset - 1, epoch), delta)

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        self._publisher.publish(image, delta)

    def _take_control_records(self, records: Iterable[Record]) -> None:
        for record in records:
            self.membership = self.membership.replay(record)
