"""Which log directory holds which replica by the metadata, and what becomes of logs that are there without it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy_controller.image import UNASSIGNED_DIRECTORY
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_wire.uuid import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Collection

    from kafkapy_controller.image import MetadataImage, PartitionImage
    from kafkapy_log import LogDirectories, LogStore, TopicPartition
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.partitions")


def assigned_directory(state: PartitionImage, node_id: int) -> Uuid | None:
    """Where the replica of this broker is by the metadata; None: it leaves that to this broker (KIP-858)."""
    for broker_id, directory in zip(state.replicas, state.directories, strict=False):
        if broker_id == node_id:
            return None if directory == UNASSIGNED_DIRECTORY else directory
    return None


def set_strays_aside(
    directories: LogDirectories, image: MetadataImage, expected: Collection[tuple[str, int]], node_id: int
) -> None:
    """Rename the logs that the metadata does not have, or not on this broker. Usually the topic was deleted, or the
    replica moved, while the node was down; but metadata that has lost its last records looks the same, so the logs
    are kept.
    """
    _settle_duplicates(directories, image, node_id)
    for topic, index in directories:
        if topic == CLUSTER_METADATA_TOPIC:
            continue
        known = image.topics.get(topic)
        if known is not None and directories.topic_id(topic, index) in (None, known.topic_id):
            if (topic, index) in expected:
                continue
            stray = directories.set_aside(topic, index)
            logger.warning("the metadata has no replica of %s-%d here: its log is now %s", topic, index, stray)
            continue
        stray = directories.set_aside(topic, index)
        logger.warning("the metadata has no topic for %s-%d: its log is now %s", topic, index, stray)
    for store, each in directories.futures():
        known = image.topics.get(each.topic)
        if known is None or store.topic_id(*each) != known.topic_id or each not in expected:
            stray = store.set_aside(*each)
            logger.warning("the metadata has no replica of %s here: its unfinished copy is now %s", each, stray)
        elif each not in directories:
            _use_copy(directories, store, each, assigned_directory(known.partitions[each.partition], node_id))
    for lost in directories.lost():
        if lost not in expected:
            directories.forget_offsets(lost)


def _use_copy(directories: LogDirectories, store: LogStore, each: TopicPartition, assigned: Uuid | None) -> None:
    """The replica that was being copied is gone. If it is not in a directory that is only offline now, its copy is the
    best there is; one that the metadata knows already is as good.
    """
    if directories.has_offline and assigned not in (None, parse_uuid(store.directory_id)):
        stray = store.set_aside(*each)
        logger.warning("the log directory of %s is offline: its unfinished copy is now %s", each, stray)
        return
    directories.swap(store, each)
    logger.warning("%s is only in %s, to which it was being copied: it is used from there", each, store.directory)


def _settle_duplicates(directories: LogDirectories, image: MetadataImage, node_id: int) -> None:
    """A crash while a replica was moved to another directory may leave it in both, with the same records. The metadata
    knew of the other one before: there it stays.
    """
    for store, each in directories.take_duplicates():
        topic = image.topics.get(each.topic)
        state = topic.partitions[each.partition] if topic and each.partition < len(topic.partitions) else None
        if state is not None and assigned_directory(state, node_id) == parse_uuid(store.directory_id):
            stray = directories.use_duplicate(store, each)
        else:
            stray = store.set_aside(*each)
        logger.warning("%s was in two log directories: the log that is not used is now %s", each, stray)
