"""From a data directory to the log and the controller of this node in the quorum."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
from kafkapy_controller.raft.quorum import Quorum, QuorumTimeouts
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID
from kafkapy_controller.voters import ReplicaKey
from kafkapy_log import LogSettings
from kafkapy_log.durable_files import read_file
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.uuid import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.metadata.quorum_start import QuorumStart
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.voters import QuorumMembership, VoterEndpoint
    from kafkapy_log import LogStore
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

QUORUM_STATE_BYTES_MAX = 1 << 20


class QuorumMember(NamedTuple):
    """What this node is in the quorum."""

    membership: QuorumMembership
    """For a new directory. One that is formatted keeps what it says: the voters in its snapshot or log, otherwise
    kraft.version 0, with the voters in the settings."""
    may_vote: bool = True
    """Whether it is a controller."""
    endpoints: tuple[VoterEndpoint, ...] = ()
    """Where it serves other controllers."""
    bootstrap_count: int = 0
    """How many controller.quorum.bootstrap.servers there are."""
    timeouts: QuorumTimeouts = QuorumTimeouts()
    auto_join: bool = False
    """Whether it becomes a voter by itself."""
    credentials: Sequence[UserScramCredentialRecord] = ()
    """Of SCRAM users, for a new directory."""


def open_metadata(
    store: LogStore,
    node_id: int,
    member: QuorumMember,
    settings: CurrentSettings,
    publisher: MetadataPublisher,
    clock: Clock,
    *,
    random: Random,
    fsync: bool = False,
    features: Mapping[str, int] | None = None,
) -> tuple[QuorumController, MetadataLog, SnapshotGenerator]:
    """Load the metadata that is known to be committed, and publish its image. Blocks.

    `MetadataLog.start` begins to take part in the quorum: a node that votes alone then leads a new epoch, bootstraps a
    new cluster, and publishes the image of its whole log. `features`: those of a cluster that begins here; None: this
    release's.
    Raises BrokenMetadata; KafkaError KAFKA_STORAGE_ERROR; OSError.
    """
    directory = store.directory / METADATA_DIRECTORY
    now_ms = clock.now_ms()
    log_settings = _log_settings(settings.now)
    log = store.create(CLUSTER_METADATA_TOPIC, 0, METADATA_TOPIC_ID, now_ms=now_ms, settings=log_settings)
    log.update_settings(log_settings)  # a store that had to recover has opened it with others
    membership = member.membership
    if not log.log_end_offset and not is_formatted(directory) and member.may_vote:
        format_directory(directory, membership, now_ms, features=features, credentials=member.credentials)
    snapshots = SnapshotFiles(directory, fsync=fsync)
    snapshots.load()
    loader = MetadataLoader(log, membership._replace(kraft_version=0), publisher)
    loader.load_snapshot(snapshots)
    align_log(log, snapshots, now_ms)
    begin = quorum_start(log, snapshots, loader.membership)
    votes_alone = begin.members.latest.voter_ids == [node_id] and member.may_vote
    if votes_alone:
        loader.commit(log.log_end_offset)  # every record of this node's log is committed
    _check_features(directory, loader.image)
    state = _read_quorum_state(directory / QUORUM_STATE_FILE, votes_alone=votes_alone)
    # Of an only voter the log says which directory it votes with, whatever has become of meta.properties.
    directory_id = begin.members.latest.voters[0].directory_id if votes_alone else parse_uuid(store.directory_id)
    quorum = _quorum(ReplicaKey(node_id, directory_id), member, state, begin, random)
    begins = not loader.image.metadata_version
    bootstrap = bootstrap_records(directory, loader.bootstrap_records) if begins else ()
    if not begins or loader.bootstrap_records:
        warn_of_damaged_bootstrap(directory)
    metadata_log = MetadataLog(directory, log, quorum, loader, snapshots, clock, fsync=fsync)
    generator = SnapshotGenerator(
        snapshots,
        log,
        publisher,
        settings.now,
        clock,
        membership_at=lambda offset: quorum.members.at(offset),
        stored=metadata_log.step,
    )
    return QuorumController(metadata_log, loader, settings, random, bootstrap), metadata_log, generator


def _quorum(me: ReplicaKey, member: QuorumMember, state: QuorumState, begin: QuorumStart, random: Random) -> Quorum:
    quorum = Quorum(
        me,
        state,
        begin.members,
        begin.epochs,
        timeouts=member.timeouts,
        random=random,
        endpoints=member.endpoints,
        bootstrap_count=member.bootstrap_count,
        snapshot=begin.snapshot,
        may_vote=member.may_vote,
        auto_join=member.auto_join,
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


def _read_quorum_state(file: Path, *, votes_alone: bool) -> QuorumState:
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
        if votes_alone:
            advice = "delete it: this node votes alone, and its log says what the file said"
        else:
            advice = "format the directory anew: a node that has forgotten its vote must not vote in the same quorum"
        raise unreadable(file, error, advice) from error


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
