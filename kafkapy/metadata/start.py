"""From a data directory to the controller that leads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.controller import QuorumController
from kafkapy.metadata.formatting import format_directory, read_bootstrap
from kafkapy.metadata.loader import MetadataLoader
from kafkapy.metadata.metadata_log import METADATA_DIRECTORY, QUORUM_STATE_FILE, MetadataLog
from kafkapy_controller.quorum_state import QuorumState, decode_quorum_state
from kafkapy_controller.raft.quorum import Quorum
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_log import LogSettings
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.uuid import ONE_UUID

if TYPE_CHECKING:
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.voters import QuorumMembership
    from kafkapy_log import LogStore

METADATA_TOPIC_ID = ONE_UUID


class BrokenMetadata(Exception):
    """The metadata directory is not one that this node can start from. The message says what to do."""


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
) -> tuple[QuorumController, MetadataLog]:
    """Read what is there, become leader of a new epoch, bootstrap what is new, publish the image. Blocks.

    `membership` is for a new directory; one that has a snapshot or log with voters in it keeps those.
    Raises BrokenMetadata; KafkaError KAFKA_STORAGE_ERROR; OSError.
    """
    directory = store.directory / METADATA_DIRECTORY
    now_ms = clock.now_ms()
    is_new = (CLUSTER_METADATA_TOPIC, 0) not in store
    log_settings = _log_settings(settings.now)
    log = store.create(CLUSTER_METADATA_TOPIC, 0, METADATA_TOPIC_ID, now_ms=now_ms, settings=log_settings)
    log.update_settings(log_settings)  # a store that had to recover has opened it with others
    if is_new:
        format_directory(directory, membership, now_ms)
    loader = MetadataLoader(log, membership, publisher)
    try:
        loader.load_snapshot(directory)
        loader.commit(log.log_end_offset)  # nobody else votes: what this node has, the quorum has
        state_file = directory / QUORUM_STATE_FILE
        state = decode_quorum_state(state_file.read_text()) if state_file.exists() else QuorumState()
        quorum = Quorum(
            node_id, state, loader.membership, log_end_offset=log.log_end_offset, last_epoch=log.latest_leader_epoch
        )
        bootstrap = read_bootstrap(directory)
    except (MalformedMessage, ValueError, KeyError) as error:
        raise BrokenMetadata(
            f"{directory} cannot be read ({error}): restore it from a copy, or start with an empty directory"
        ) from error
    metadata_log = MetadataLog(directory, log, quorum, loader, clock, fsync=fsync)
    controller = QuorumController(metadata_log, loader, settings, random)
    controller.lead(bootstrap)
    return controller, metadata_log


def _log_settings(settings: Settings) -> LogSettings:
    return LogSettings(
        segment_bytes=settings.node.metadata_log_segment_bytes,
        segment_ms=settings.node.metadata_log_segment_ms,
        retention_bytes=-1,
        retention_ms=-1,
        delete=False,
    )
