"""From committed records to published images: the same at the start, as leader, and as follower.

A node loads the newest snapshot, then the log up to the high watermark, then records as the high watermark passes
them. A follower that was away for long gets a snapshot of its leader while it runs. A leader has replayed its own
decisions already: their images and deltas are published when their records are committed, and the records are not read
again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.metadata.broken import (
    BEGIN_ANEW,
    FETCH_AGAIN,
    RESTORE_OR_BEGIN_ANEW,
    BrokenMetadata,
    log_file,
    reason_of,
    unreadable,
)
from kafkapy.metadata.snapshot_content import read_snapshot_content
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage
from kafkapy_controller.metadata_batches import read_batches
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.metadata.snapshot_content import SnapshotContent
    from kafkapy.metadata.snapshots import SnapshotFiles
    from kafkapy_controller.metadata_batches import SnapshotId
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import PartitionLog
    from kafkapy_wire.records import Record

REPLAY_READ_BYTES = 1 << 20
PIECE_BYTES = 16 * 1024
"""About 200 partitions: a few milliseconds from reading them to the last who follows the metadata."""
RECORDS_PER_STEP = 100


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
        self._first_membership = membership
        self.bootstrap_records: list[MetadataRecord] = []
        """What the snapshot at offset 0 holds: the first leader of the cluster puts it into the log (KIP-1170)."""
        self.image = EMPTY_IMAGE
        self._log = log
        self._publisher = publisher
        self._next_offset = 0
        self._decided: deque[_Decided] = deque()

    def load_snapshot(self, snapshots: SnapshotFiles) -> None:
        """Take in the newest snapshot, if there is one. The one at offset 0 was there before the cluster began.

        Raises BrokenMetadata: it is damaged, or the log begins after it; OSError.
        """
        newest = snapshots.newest
        if newest is not None:
            file = snapshots.path(newest)
            try:
                content = read_snapshot_content(file, newest, self._first_membership)
            except (MalformedMessage, ValueError, KeyError) as error:
                what_to_do = self._what_to_do_without(snapshots.known)
                raise unreadable(file, error, what_to_do) from error
            self.bootstrap_records = content.bootstrap_records
            self._take(content)
        start = self._log.log_start_offset
        if start > self._next_offset:
            raise BrokenMetadata(
                f"{self._log.directory} cannot be read (its log starts at {start}, and no snapshot says what was "
                f"before): {RESTORE_OR_BEGIN_ANEW}"
            )

    def _what_to_do_without(self, snapshots: Sequence[SnapshotId]) -> str:
        """What the user can do when the newest of these is damaged."""
        start, end, newest = self._log.log_start_offset, self._log.log_end_offset, snapshots[-1]
        if end == newest.end_offset == 0:
            return BEGIN_ANEW
        before = snapshots[-2].end_offset if len(snapshots) > 1 else 0
        if start <= before and newest.end_offset <= end:
            # The log begins where the snapshot before this one ends, or at offset 0.
            return "delete it: the log has all that the file said"
        return RESTORE_OR_BEGIN_ANEW

    def read_installed(self, file: Path, snapshot: SnapshotId) -> SnapshotContent:
        """Read a snapshot of the leader, for `install`. Blocks; any thread, while no other image is published.

        Raises BrokenMetadata: it is damaged; OSError.
        """
        try:
            return read_snapshot_content(file, snapshot, self._first_membership, self.image)
        except (MalformedMessage, ValueError, KeyError) as error:
            raise unreadable(file, error, FETCH_AGAIN) from error

    def install(self, content: SnapshotContent) -> None:
        """The snapshot has replaced the log: publish its image, with a delta that tells what has changed."""
        assert not self._decided, "only a follower gets a snapshot"
        self._take(content)

    def _take(self, content: SnapshotContent) -> None:
        assert content.delta.base is self.image, "another image was published meanwhile"
        assert content.snapshot.end_offset >= self._next_offset, (content.snapshot, self._next_offset)
        self.membership = content.membership
        self._next_offset = content.snapshot.end_offset
        self._publish(content.image, content.delta)

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
        """As `load`, in one go: while nobody is served."""
        for _ in self.load(high_watermark, REPLAY_READ_BYTES):
            pass

    def load(self, high_watermark: int, piece_bytes: int = PIECE_BYTES) -> Iterator[None]:
        """Publish everything below `high_watermark`: decisions of this node, otherwise records read from the log.

        Between two steps of the iterator, which take a few milliseconds each, others may have their turns; nothing
        else is committed or installed meanwhile. Raises BrokenMetadata when the log cannot be read; what was decided
        here is not read.
        """
        is_first = True
        while self._decided and self._decided[0].image.offset < high_watermark:
            if not is_first:
                yield
            is_first = False
            decided = self._decided.popleft()
            self._next_offset = decided.image.offset + 1
            self.membership = self.membership._replace(kraft_version=decided.image.kraft_version)
            self._publish(decided.image, decided.delta)
        # A record of the quorum itself, with the voters, may be committed before the decision behind it.
        while self._next_offset < high_watermark and not self._decided:
            if not is_first:
                yield
            is_first = False
            try:
                yield from self._read_piece(high_watermark, piece_bytes)
            except (MalformedMessage, ValueError, KeyError) as error:
                raise unreadable(log_file(self._log.directory, self._next_offset), error) from error

    def _read_piece(self, end_offset: int, piece_bytes: int) -> Iterator[None]:
        """Replay at most `piece_bytes` of the log, but a whole batch, in whole batches, none beyond `end_offset`."""
        piece = self._log.read(self._next_offset, piece_bytes, up_to_offset=end_offset)
        data = piece.read()
        piece.release()
        delta, epoch, next_offset = MetadataDelta(self.image), self.image.epoch, self._next_offset
        for batch in read_batches(data, next_offset):
            # A read begins at the batch that holds the offset; a snapshot may end within one.
            skip = max(self._next_offset - batch.base_offset, 0)
            self._take_control_records(batch.control_records[skip:])
            for offset, record in enumerate(batch.records[skip:], batch.base_offset + skip):
                _replay(delta, record, offset)
                if not offset % RECORDS_PER_STEP:
                    yield
            next_offset, epoch = batch.last_offset + 1, batch.epoch
        if next_offset == self._next_offset:
            raise ValueError(f"it has no batch at {next_offset}, although the log ends at {end_offset}")
        image = self._at_kraft_version(delta.apply(next_offset - 1, epoch))
        self._next_offset = next_offset
        self._publish(image, delta)

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


def _replay(delta: MetadataDelta, record: MetadataRecord, offset: int) -> None:
    """Raises ValueError, with the offset: what the record changes is not there."""
    try:
        delta.replay(record)
    except (MalformedMessage, ValueError, KeyError) as error:
        raise ValueError(f"the {type(record).__name__} at offset {offset}: {reason_of(error)}") from error
