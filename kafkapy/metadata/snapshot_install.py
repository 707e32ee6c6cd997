"""A snapshot of the leader takes the place of this node's log: in a worker thread first, then in one step.

1. `receive`, for each part, in a worker thread: store it. After the last one, read the whole file and give it its name.
2. `install`, on the event loop: cut the log, publish the image. What it returns is the next step of the quorum.
A crash between the two is completed by the next start (`quorum_start.align_log`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.raft.quorum import SnapshotInstalled

if TYPE_CHECKING:
    from kafkapy.metadata.loader import MetadataLoader
    from kafkapy.metadata.snapshot_content import SnapshotContent
    from kafkapy.metadata.snapshots import SnapshotFiles
    from kafkapy_controller.raft.core import SnapshotPart
    from kafkapy_log import PartitionLog


def receive(part: SnapshotPart, snapshots: SnapshotFiles, loader: MetadataLoader) -> SnapshotContent | None:
    """Store a part; if it is the last one, what the snapshot says, for `install`. Blocks; any thread.

    Nothing else may be published by the loader until `install`. Raises StorageError: the download must begin again
    (`SnapshotNotStored`); BrokenMetadata: the snapshot cannot be read, and the node must stop.
    """
    snapshots.store_part(part)
    if not part.is_last:
        return None
    content = loader.read_installed(snapshots.part_path(part.snapshot), part.snapshot)
    snapshots.finish(part.snapshot)
    return content


def install(
    content: SnapshotContent, snapshots: SnapshotFiles, log: PartitionLog, loader: MetadataLoader, now_ms: int
) -> SnapshotInstalled:
    """Replace the log by the snapshot and publish its image. Raises StorageError: then the log has failed."""
    log.truncate_fully_and_start_at(content.snapshot.end_offset, now_ms=now_ms)
    snapshots.add(content.snapshot)
    for path in snapshots.forget_before(content.snapshot):
        path.unlink(missing_ok=True)
    loader.install(content)
    return SnapshotInstalled(content.snapshot, content.membership)
