"""Records that change settings of topics, brokers, groups and client-metrics subscriptions."""

from __future__ import annotations

from collections.abc import Mapping

from kafkapy_controller.features import ELR_FEATURE
from kafkapy_controller.image import ConfigResource, ConfigResourceType, MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_wire.record_formats.metadata import ClearElrRecord, ConfigRecord

MIN_INSYNC_REPLICAS = "min.insync.replicas"


def eligible_leader_records(image: MetadataImage, min_insync_replicas: int) -> list[MetadataRecord]:
    """What must change when eligible leader replicas (KIP-966) are switched on.

    They depend on min.insync.replicas, which must then be the same on all nodes: the cluster's default gets a value,
    `min_insync_replicas` if it has none, and no broker has one of its own.
    """
    records: list[MetadataRecord] = []
    broker, cluster_default = int(ConfigResourceType.BROKER), ""
    if MIN_INSYNC_REPLICAS not in image.resource_configs(broker, cluster_default):
        records.append(
            ConfigRecord(
                resource_type=broker,
                resource_name=cluster_default,
                name=MIN_INSYNC_REPLICAS,
                value=str(min_insync_replicas),
            )
        )
    return records + [
        ConfigRecord(resource_type=broker, resource_name=name, name=MIN_INSYNC_REPLICAS, value=None)
        for (resource_type, name), values in sorted(image.configs.items())
        if resource_type == broker and name and MIN_INSYNC_REPLICAS in values
    ]


def config_records(
    image: MetadataImage, resource: ConfigResource, values: Mapping[str, str | None]
) -> list[MetadataRecord]:
    """Records for the settings of `resource` that change; None deletes a setting.

    The values are valid: the shell, which knows the settings, has checked them against `image`.
    """
    resource_type, resource_name = resource
    present = image.configs.get((int(resource_type), resource_name), {})
    changed = {name: value for name, value in values.items() if present.get(name) != value}
    records: list[MetadataRecord] = [
        ConfigRecord(resource_type=resource_type, resource_name=resource_name, name=name, value=value)
        for name, value in changed.items()
    ]
    if MIN_INSYNC_REPLICAS in changed and image.features.get(ELR_FEATURE, 0):
        # The eligible leader replicas (KIP-966) depend on the old minimum.
        if resource_type == ConfigResourceType.TOPIC:
            records.append(ClearElrRecord(topic_name=resource_name))
        elif resource_type == ConfigResourceType.BROKER and not resource_name:
            records.append(ClearElrRecord(topic_name=""))
    return records
