"""A new topic's settings, as CreateTopics checks and answers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kafkapy_wire.messages.create_topics import CreatableTopicConfigs

from kafkapy.settings.describe import describe_topic

if TYPE_CHECKING:
    from kafkapy.settings.broker import Settings


def created_topic_configs(settings: Settings, overrides: Mapping[str, str]) -> list[CreatableTopicConfigs]:
    """Every setting of a topic with those own values, for CreateTopics v5+ (KIP-525).

    `kafkapy.settings.alter.check_topic` says whether it may have them.
    """
    return [
        CreatableTopicConfigs(
            name=entry.name,
            value=entry.value,
            read_only=entry.read_only,
            config_source=entry.source,
            is_sensitive=entry.is_sensitive,
        )
        for entry in describe_topic(settings, overrides)
    ]
