"""From a data directory to the controller that leads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.broken import BrokenMetadata, unreadable
from kafkapy.metadata.controller import QuorumController
from kafkapy.metadata.formatting import (
    bootstrap_records,
    format_directory,
    is_formatted,
    warn_of_damaged_bootstrap,
)
from kafkapy.metadata.loader import MetadataLoader
from kafkapy.metadata.metadata_log import METADATA_DIRECTORY, QUORUM_STATE_FILE, MetadataLog
from kafkapy.metadata.quorum_start import align_log, quorum_start
from kafkapy.metadata.snapshot_generator import SnapshotGenerator
from kafkapy.metadata.snapshots import SnapshotFiles
from kafkapy_controller.features import unsupported
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_controller.quorum_state import QuorumState, decode_quorum_state
from kafkapy_controller.raft.quorum import Quorum, QuorumTimeouts, SnapshotStored
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID
from kafkapy_controller.voters import ReplicaKey
from kafkapy_log import LogSettings
from kafkapy_log.durable_files import read_file
from kafkapy_wire.errors import MalformedMessage

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.metadata.quorum_start import QuorumStart
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import LogStore

QUORUM_STATE_BYTES_MAX = 1 << 20


def start_controller(
    store: LogStore,
    node_id: int,
    membership: QuorumMembership,
    settings: CurrentSettings,
    publisher: MetadataPublisher,
    clock: Clock,
    *,
    random: Random,
    fsync: bool = False,
) -> tuple[QuorumController, MetadataLog, SnapshotGenerator]:
    """Load the metadata, become leader of a new epoch, bootstrap a new cluster, publish the image. Blocks.

    `membership` is for a new directory. One that is formatted keeps what it says: the voters in its snapshot or log,
    otherwise kraft.version 0, with the voters in the settings.
    Raises BrokenMetadata; KafkaError KAFKA_STORAGE_ERROR; OSError.
    """
    directory = store.directory / METADATA_DIRECTORY
    now_ms = clock.now_ms()
    log_settings = _log_settings(settings.now)
    log = store.create(CLUSTER_METADATA_TOPIC, 0, METADATA_TOPIC_ID, now_ms=now_ms, settings=log_settings)
    log.update_settings(log_settings)  # a store that had to recover has opened it with others
    if not log.log_end_offset and not is_formatted(directory):
        format_directory(directory, membership, now_ms)
    snapshots = SnapshotFiles(directory, fsync=fsync)
    snapshots.load()
    loader = MetadataLoader(log, membership._replace(kraft_version=0), publisher)
    loader.load_snapshot(snapshots)
    align_log(log, snapshots, now_ms)
    begin = quorum_start(log, snapshots, loader.membership)
    loader.commit(log.log_end_offset)  # there is one voter, so every record of this node's log is committed
    _check_features(directory, loader.image)
    state = _read_quorum_state(directory / QUORUM_STATE_FILE)
    quorum = _quorum(directory, node_id, state, begin, random)
    begins = not loader.image.metadata_version
    bootstrap = bootstrap_records(directory, loader.bootstrap_records) if begins else ()
    if not begins or loader.bootstrap_records:
        warn_of_damaged_bootstrap(directory)
    metadata_log = MetadataLog(directory, log, quorum, loader, clock, fsync=fsync)
    controller = QuorumController(metadata_log, loader, settings, random)

    def stored(event: SnapshotStored) -> None:
        quorum.step(event, clock.now_ms())  # one voter has nothing to do then

    generator = SnapshotGenerator(
        snapshots,
        log,
        publisher,
        settings.now,
        clock,
        membership_at=lambda offset: quorum.members.at(offset),
        stored=stored,
    )
    controller.lead(bootstrap)
    return controller, metadata_log, generator


def _quorum(
    directory: Path,
    node_id: int,
    state: QuorumState,
    begin: QuorumStart,
    random: Random,
) -> Quorum:
    """Raises BrokenMetadata: this node is not the only voter."""
    membership = begin.members.latest
    if membership.voter_ids != [node_id]:
        reason = f"node {node_id} cannot lead alone: the quorum's voters are {membership.voter_ids}"
        raise unreadable(directory, ValueError(reason))
    me = ReplicaKey(node_id, membership.voters[0].directory_id)
    quorum = Quorum(
        me,
        state,
        begin.members,
        begin.epochs,
        timeouts=QuorumTimeouts(),
        random=random,
        snapshot=begin.snapshot,
    )
    quorum.log_start_offset = begin.log_start_offset
    quorum.log_start_epoch = begin.log_start_epoch
    return quorum


def _check_features(directory: Path, image: MetadataImage) -> None:
    """Raises BrokenMetadata: the cluster is at levels of its features that this release does not know."""
    reason = unsupported(image.features)
    if not image.metadata_version and (image.features or image.topics or image.brokers or image.configs):
        # Apache Kafka before 3.3 did not write it, and 4.0 no longer reads such a log.
        reason = f"its log says no level of {METADATA_VERSION}"
    if reason is not None:
        raise BrokenMetadata(
            f"cannot work on the cluster in {directory} ({reason}): use a release of Apache Kafka that reads it, or "
            "name another directory"
        )


def _read_quorum_state(file: Path) -> QuorumState:
    """The quorum-state file of the last run. Raises BrokenMetadata, OSError."""
    try:
        content = read_file(file)
        if len(content) > QUORUM_STATE_BYTES_MAX:
            raise MalformedMessage(f"{len(content)} bytes are more than quorum-state can have")
        return decode_quorum_state(content.decode())
    except FileNotFoundError:
        return QuorumState()
    except (MalformedMessage, ValueError) as error:
        # A vote must be remembered only with several voters. The epoch of a single voter is in its log.
        raise unreadable(
            file, error, "delete it: this node votes alone, and its log says what the file said"
        ) from error


def _log_settings(settings: Settings) -> LogSettings:
    node = settings.node
    return LogSettings(
        segment_bytes=node.internal_metadata_log_segment_bytes or node.metadata_log_segment_bytes,
        segment_ms=node.metadata_log_segment_ms,
        file_delete_delay_ms=node.internal_metadata_delete_delay_millis,
        retention_bytes=-1,
        retention_ms=-1,
        delete=False,
    )
