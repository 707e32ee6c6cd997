"""What `kafka-storage format` leaves in a new directory, and what is read of it when the cluster begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.bootstrap import feature_records
from kafkapy_controller.metadata_batches import SnapshotId, build_snapshot, read_snapshot
from kafkapy_log.durable_files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.voters import QuorumMembership

BOOTSTRAP_FILE = "bootstrap.checkpoint"


def format_directory(metadata_directory: Path, membership: QuorumMembership, now_ms: int) -> None:
    """Write the features that the cluster begins with, and who votes. Raises OSError."""
    bootstrap_file = metadata_directory.parent / BOOTSTRAP_FILE
    if not bootstrap_file.exists():
        replace_file(bootstrap_file, build_snapshot(feature_records(), None, 0, now_ms=now_ms), fsync=False)
    if membership.kraft_version > 0:
        snapshot = build_snapshot([], membership, 0, now_ms=now_ms, last_contained_ms=now_ms)
        replace_file(metadata_directory / SnapshotId(0, 0).file_name, snapshot, fsync=False)


def read_bootstrap(metadata_directory: Path) -> list[MetadataRecord]:
    """The features that the cluster begins with: as it was formatted, or this release's. Raises MalformedMessage."""
    file = metadata_directory.parent / BOOTSTRAP_FILE
    if not file.exists():
        return feature_records()
    return [record for batch in read_snapshot(file.read_bytes()) for record in batch.records]
