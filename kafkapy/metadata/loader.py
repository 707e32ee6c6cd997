"""From committed records to published images: the same at the start, as leader, and as follower.

A node loads the newest snapshot, then the log up to the high watermark, then records as the high watermark passes
them. A leader has replayed its own decisions already: their images and deltas are published when their records are
committed, and the records are not read again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.metadata.broken import BEGIN_ANEW, RESTORE_OR_BEGIN_ANEW, BrokenMetadata, unreadable
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage
from kafkapy_controller.metadata_batches import SnapshotId, read_batches, read_snapshot
from kafkapy_controller.voters import MembershipHistory
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import PartitionLog
    from kafkapy_wire.records import Record

REPLAY_READ_BYTES = 1 << 20


class _Decided(NamedTuple):
    """A decision that is appended and replayed, but not committed yet."""

    image: MetadataImage
    delta: MetadataDelta


class MetadataLoader:
    """Reads the metadata of one node and publishes its committed images.

    `image` is the newest image published. Those of records that are appended and not committed belong to who decides.
    """

    def __init__(self, log: PartitionLog, membership: QuorumMembership, publisher: MetadataPublisher) -> None:
        """`membership` is used until a snapshot or the log has another."""
        self.membership = membership
        self.bootstrap_records: list[MetadataRecord] = []
        """What the snapshot at offset 0 holds: the first leader of the cluster puts it into the log (KIP-1170)."""
        self.image = EMPTY_IMAGE
        self.log = log
        self._publisher = publisher
        self._next_offset = 0
        self._decided: deque[_Decided] = deque()

    def load_snapshot(self, directory: Path) -> None:
        """Take in the newest snapshot, if there is one. The one at offset 0 was there before the cluster began.

        Raises BrokenMetadata: it is damaged, or the log does not go with it; OSError.
        """
        snapshots = sorted(filter(None, (SnapshotId.parse(path.name) for path in directory.iterdir())), reverse=True)
        start, end = self.log.log_start_offset, self.log.log_end_offset
        if snapshots:
            newest = snapshots[0]
            file = directory / newest.file_name
            try:
                self._load_snapshot(file, newest)
            except (MalformedMessage, ValueError, KeyError) as error:
                if end == newest.end_offset == 0:
                    raise unreadable(file, error, BEGIN_ANEW) from error
                before = snapshots[1].end_offset if len(snapshots) > 1 else 0
                if start <= before and newest.end_offset <= end:
                    # The log begins where the snapshot before this one ends, or at offset 0.
                    raise unreadable(file, error, "delete it: the log has all that the file said") from error
                raise unreadable(file, error) from error
        if end < self._next_offset:
            raise BrokenMetadata(
                f"{directory} cannot be read (its log ends at {end}, before its snapshot at {self._next_offset}): "
                f"{RESTORE_OR_BEGIN_ANEW}"
            )
        if start > self._next_offset:
            raise BrokenMetadata(
                f"{directory} cannot be read (its log starts at {start}, and no snapshot says what was before): "
                f"{RESTORE_OR_BEGIN_ANEW}"
            )

    def _load_snapshot(self, file: Path, snapshot: SnapshotId) -> None:
        """Raises MalformedMessage, ValueError, KeyError."""
        delta = MetadataDelta(self.image)
        for batch in read_snapshot(file.read_bytes()):
            self._take_control_records(batch.control_records)
            if not snapshot.end_offset:
                self.bootstrap_records += batch.records
                continue
            for record in batch.records:
                delta.replay(record)
        image = self._at_kraft_version(delta.apply(snapshot.end_offset - 1, snapshot.epoch))
        self._next_offset = snapshot.end_offset
        self._publish(image, delta)

    def membership_history(self) -> MembershipHistory:
        """The voters by offset of the log, whose control records are read from where the snapshot ends on.

        Raises BrokenMetadata: the log cannot be read.
        """
        history = MembershipHistory(self.membership, self._next_offset - 1)
        offset, end_offset = self._next_offset, self.log.log_end_offset
        while offset < end_offset:
            piece = self.log.read(offset, REPLAY_READ_BYTES)
            data = piece.read()
            piece.release()
            try:
                for batch in read_batches(data, offset):
                    for record in batch.control_records:
                        changed = history.latest.replay(record)
                        if changed != history.latest and record.offset >= self._next_offset:
                            history.add(record.offset, changed)
                    offset = batch.last_offset + 1
            except (MalformedMessage, ValueError, KeyError) as error:
                raise unreadable(self._segment_file(), error) from error
        return history

    @property
    def next_offset(self) -> int:
        """Everything below is in `image`."""
        return self._next_offset

    def forget_decided(self) -> None:
        """This node does not lead any more: what it has decided may be truncated, and is read from the log if not."""
        self._decided.clear()

    def decided(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """This node has appended a decision: `delta` leads from its previous image to `image`."""
        assert delta.base is (self._decided[-1].image if self._decided else self.image), "an image was left out"
        assert image.offset >= delta.base.offset, (image.offset, delta.base.offset)
        self._decided.append(_Decided(image, delta))

    def commit(self, high_watermark: int) -> None:
        """Publish everything below `high_watermark`: decisions of this node, otherwise records read from the log.

        Raises BrokenMetadata when the log cannot be read; what was decided here is not read.
        """
        while self._decided and self._decided[0].image.offset < high_watermark:
            decided = self._decided.popleft()
            self._next_offset = decided.image.offset + 1
            self._publish(decided.image, decided.delta)
        # A record of the quorum itself, with the voters, may be committed before the decision behind it.
        while self._next_offset < high_watermark and not self._decided:
            try:
                self._read_piece(high_watermark)
            except (MalformedMessage, ValueError, KeyError) as error:
                raise unreadable(self._segment_file(), error) from error

    def _read_piece(self, end_offset: int) -> None:
        """Replay at most `REPLAY_READ_BYTES` of the log, in whole batches, none of them beyond `end_offset`."""
        piece = self.log.read(self._next_offset, REPLAY_READ_BYTES, up_to_offset=end_offset)
        data = piece.read()
        piece.release()
        delta, epoch, next_offset = MetadataDelta(self.image), self.image.epoch, self._next_offset
        for batch in read_batches(data, next_offset):
            # A read begins at the batch that holds the offset; a snapshot may end within one.
            skip = max(self._next_offset - batch.base_offset, 0)
            self._take_control_records(batch.control_records[skip:])
            for record in batch.records[skip:]:
                delta.replay(record)
            next_offset, epoch = batch.last_offset + 1, batch.epoch
        if next_offset == self._next_offset:
            raise ValueError(f"it has no batch at {next_offset}, although the log ends at {end_offset}")
        image = self._at_kraft_version(delta.apply(next_offset - 1, epoch))
        self._next_offset = next_offset
        self._publish(image, delta)

    def _segment_file(self) -> Path:
        """The file that holds the next record to be read."""
        segments = [path for path in self.log.directory.glob("*.log") if path.stem.isdecimal()]
        return max((path for path in segments if int(path.stem) <= self._next_offset), default=self.log.directory)

    def _at_kraft_version(self, image: MetadataImage) -> MetadataImage:
        """The image with the kraft.version that the control records have."""
        kraft_version = self.membership.kraft_version
        return image if image.kraft_version == kraft_version else image._replace(kraft_version=kraft_version)

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        self._publisher.publish(image, delta)

    def _take_control_records(self, records: Iterable[Record]) -> None:
        for record in records:
            self.membership = self.membership.replay(record)
