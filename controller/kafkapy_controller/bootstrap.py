"""The first records of a cluster: what `kafka-storage format` and the first leader of Apache Kafka 4.3.1 write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kafkapy_controller.configs import ELR_FEATURE, MIN_INSYNC_REPLICAS
from kafkapy_controller.decision import Decision
from kafkapy_controller.image import METADATA_VERSION, ConfigResourceType
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_wire.record_formats.metadata import (
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
)

LATEST_METADATA_VERSION = 30
"""4.3-IV0."""
OLDEST_METADATA_VERSION = 7
"""3.3-IV3: the oldest that Apache Kafka 4 reads."""

BOOTSTRAP_FEATURES: Mapping[str, int] = {
    METADATA_VERSION: LATEST_METADATA_VERSION,
    ELR_FEATURE: 1,
    "group.version": 1,
    "share.version": 1,
    "streams.version": 1,
    "transaction.version": 2,
}
"""Levels that a newly formatted cluster begins with."""

SUPPORTED_FEATURES: Mapping[str, tuple[int, int]] = {
    "group.version": (0, 1),
    "kraft.version": (0, 1),
    METADATA_VERSION: (OLDEST_METADATA_VERSION, LATEST_METADATA_VERSION),
    "share.version": (0, 1),
    "streams.version": (0, 1),
    "transaction.version": (0, 2),
    ELR_FEATURE: (0, 1),
}
"""Lowest and highest level that a node of this release can work with: nodes register with them."""


def feature_records(levels: Mapping[str, int] = BOOTSTRAP_FEATURES) -> list[MetadataRecord]:
    """What `bootstrap.checkpoint` holds."""
    return [FeatureLevelRecord(name=name, feature_level=level) for name, level in levels.items()]


def decide_bootstrap(bootstrap_records: Iterable[MetadataRecord], min_insync_replicas: int) -> Decision[None]:
    """The first metadata transaction. It also sets the cluster's min.insync.replicas.

    With eligible leader replicas (KIP-966) that setting must be the same on all controllers, so that it moves from
    the file of the first one into the log; from then on the file's value has no effect.
    """
    records: list[MetadataRecord] = [BeginTransactionRecord(name="Bootstrap records"), *bootstrap_records]
    if any(isinstance(r, FeatureLevelRecord) and r.name == ELR_FEATURE and r.feature_level for r in records):
        records.append(
            ConfigRecord(
                resource_type=ConfigResourceType.BROKER,
                resource_name="",
                name=MIN_INSYNC_REPLICAS,
                value=str(min_insync_replicas),
            )
        )
    records.append(EndTransactionRecord())
    return Decision(records, None)
