"""Which settings hold for a topic, and which of them its logs follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.settings.log_settings import log_settings
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResourceType

if TYPE_CHECKING:
    from kafkapy.settings import TopicSettings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_log import LogSettings, TopicPartition


class TopicSettingsSource:
    """The settings of every topic: the topic's own values in the metadata over the broker's settings.

    Before the metadata is read, every topic has the broker's settings: logs are recovered that early.
    """

    def __init__(self, settings: CurrentSettings) -> None:
        self._settings = settings
        self._image = EMPTY_IMAGE

    def use(self, image: MetadataImage) -> None:
        """Use this image from now on."""
        self._image = image

    @property
    def replica_lag_time_max_ms(self) -> int:
        return self._settings.now.replication.replica_lag_time_max_ms

    def of_topic(self, topic: str) -> TopicSettings:
        overrides = self._image.resource_configs(ConfigResourceType.TOPIC, topic)
        return self._settings.now.topic_defaults.resolve(overrides)

    def of_logs(self, settings: TopicSettings) -> LogSettings:
        """The settings for the logs of a topic with these settings."""
        now = self._settings.now
        return log_settings(
            settings,
            producer_id_expiration_ms=now.transactions.producer_id_expiration_ms,
            retention_from_last_write=now.log.kafkapy_retention_from_last_write,
        )

    def of_log(self, topic_partition: TopicPartition) -> LogSettings:
        return self.of_logs(self.of_topic(topic_partition.topic))
