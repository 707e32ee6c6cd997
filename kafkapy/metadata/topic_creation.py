"""The settings of a node that decisions about topics depend on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.settings.alter import check_topic
from kafkapy.settings.describe import describe_topic
from kafkapy_controller.topics import TopicCreation
from kafkapy_wire.codec import EncodedList
from kafkapy_wire.messages.create_topics import CreatableTopicConfigs, CreateTopicsResponse
from kafkapy_wire.uuid import random_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from kafkapy.settings import Settings

DESCRIBED_TOPICS_MAX = 100


def topic_creation(settings: Settings, random: Random) -> TopicCreation:
    """The settings for new topics. Callers keep it as long as the settings do not change."""
    kept: dict[tuple[tuple[str, str], ...], EncodedList[CreatableTopicConfigs]] = {}

    def describe(configs: Mapping[str, str]) -> list[CreatableTopicConfigs]:
        """Checked and described. Most topics are made without settings of their own, or many with the same: what came
        of it is worth keeping, 33 entries and their bytes.
        """
        key = tuple(sorted(configs.items()))
        entries = kept.get(key)
        if entries is None:
            check_topic(settings, configs)
            if len(kept) >= DESCRIBED_TOPICS_MAX:
                kept.clear()
            entries = kept[key] = EncodedList(
                CreateTopicsResponse,
                [
                    CreatableTopicConfigs(
                        name=entry.name,
                        value=entry.value,
                        read_only=entry.read_only,
                        config_source=entry.source,
                        is_sensitive=entry.is_sensitive,
                    )
                    for entry in describe_topic(settings, configs)
                ],
            )
        return entries

    return TopicCreation(
        default_partition_count=settings.topics.num_partitions,
        default_replication_factor=settings.topics.default_replication_factor,
        describe_configs=describe,
        new_topic_id=partial(random_uuid, random),
        random=random,
    )
