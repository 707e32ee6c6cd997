"""The files of `kafka-storage format`: written into a new directory, read when the cluster begins.

```
meta.properties                               which cluster and node the directory belongs to
__cluster_metadata-0/0...0-0...0.checkpoint   what the cluster begins with: its features, credentials of users, and who
                                              votes (kraft.version 1); controllers have it
bootstrap.checkpoint                          the features, as Apache Kafka before 4.4 wrote them: read, not written
```
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from kafkapy.metadata.broken import BEGIN_ANEW, unreadable
from kafkapy.metadata.metadata_log import METADATA_DIRECTORY
from kafkapy_controller.bootstrap import feature_records, features_in
from kafkapy_controller.metadata_batches import SnapshotId, build_snapshot, read_snapshot
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_log.durable_files import read_file, replace_file
from kafkapy_log.identity import check_cluster_id, lock_directory, read_identity, write_identity
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log.identity import Identity
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

logger = logging.getLogger("kafkapy.controller")

BOOTSTRAP_FILE = "bootstrap.checkpoint"
FIRST_SNAPSHOT = SnapshotId(0, 0)


class FormatError(Exception):
    """The directory cannot be formatted with these options; nothing was written. The message is for the user."""


def format_data_directory(
    directory: Path,
    identity: Identity,
    membership: QuorumMembership,
    features: Mapping[str, int],
    now_ms: int,
    *,
    credentials: Sequence[UserScramCredentialRecord] = (),
    has_metadata: bool = True,
) -> None:
    """Format a data directory. meta.properties, by which a broker recognises it, is written last.

    Without `has_metadata` that is all of it: the metadata is in another directory of the node, or of a controller.
    Raises FormatError, StoreError: it is formatted, in use, or holds data; OSError.
    """
    check_cluster_id(identity.cluster_id)
    directory.mkdir(parents=True, exist_ok=True)
    lock = lock_directory(directory)
    try:
        if read_identity(directory) is not None:
            raise FormatError(
                f"Log directory {directory} is already formatted. Use --ignore-formatted to ignore this directory and "
                "format the others."
            )
        metadata_directory = directory / METADATA_DIRECTORY
        if any(metadata_directory.glob("*.log")):
            raise FormatError(f"{metadata_directory} holds the metadata of a cluster: format an empty directory")
        if has_metadata:
            format_directory(
                metadata_directory, membership, now_ms, features=features, credentials=credentials, fsync=True
            )
        write_identity(directory, identity, fsync=True)
    finally:
        os.close(lock)


def is_formatted(metadata_directory: Path) -> bool:
    """Whether the directory has bootstrap records."""
    files = (metadata_directory / FIRST_SNAPSHOT.file_name, metadata_directory.parent / BOOTSTRAP_FILE)
    return any(file.exists() for file in files)


def format_directory(
    metadata_directory: Path,
    membership: QuorumMembership,
    now_ms: int,
    *,
    features: Mapping[str, int] | None = None,
    credentials: Sequence[UserScramCredentialRecord] = (),
    fsync: bool = False,
) -> None:
    """Write who votes, the features (None: this release's) and the credentials that the cluster begins with.

    Raises OSError.
    """
    metadata_directory.mkdir(exist_ok=True)
    records = [*feature_records(features), *credentials]
    voters = membership if membership.kraft_version > 0 else None
    level = features_in(records)[METADATA_VERSION]
    snapshot = build_snapshot(records, voters, level, now_ms=now_ms, last_contained_ms=now_ms)
    replace_file(metadata_directory / FIRST_SNAPSHOT.file_name, snapshot, fsync=fsync)


def bootstrap_records(metadata_directory: Path, in_snapshot: Sequence[MetadataRecord]) -> Sequence[MetadataRecord]:
    """What a new cluster begins with: `in_snapshot`, the records of the snapshot at offset 0; without any what is in
    bootstrap.checkpoint; without such a file this release's features.

    Raises BrokenMetadata: the file is damaged, or the features are not such as this release can work with.
    """
    file = metadata_directory / FIRST_SNAPSHOT.file_name if in_snapshot else metadata_directory.parent / BOOTSTRAP_FILE
    try:
        records = in_snapshot or _records_in(file)
        features_in(records)
    except FileNotFoundError:
        return feature_records()
    except (MalformedMessage, ValueError) as error:
        raise unreadable(file, error, BEGIN_ANEW) from error
    return records


def warn_of_damaged_bootstrap(metadata_directory: Path) -> None:
    """Warn of a damaged bootstrap.checkpoint: nobody needs it any more, but Apache Kafka does not start with it."""
    file = metadata_directory.parent / BOOTSTRAP_FILE
    try:
        features_in(_records_in(file))
    except FileNotFoundError:
        return
    except (MalformedMessage, ValueError) as error:
        logger.warning(
            "%s cannot be read (%s): kafkapy does not need it any more, but Apache Kafka would not start with it; "
            "delete it",
            file,
            error,
        )


def _records_in(file: Path) -> list[MetadataRecord]:
    """Raises FileNotFoundError, MalformedMessage."""
    return [record for batch in read_snapshot(read_file(file)) for record in batch.records]
