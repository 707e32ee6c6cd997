"""The first records of a cluster: what `kafka-storage format` and the first leader of Apache Kafka 4.4.0 write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kafkapy_controller.configs import MIN_INSYNC_REPLICAS
from kafkapy_controller.decision import Decision
from kafkapy_controller.features import ELR_FEATURE, KRAFT_VERSION, features_of_new_cluster, unsupported
from kafkapy_controller.image import ConfigResourceType
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import METADATA_TRANSACTIONS, METADATA_VERSION
from kafkapy_wire.record_formats.metadata import (
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
)


def feature_records(levels: Mapping[str, int] | None = None) -> list[MetadataRecord]:
    """The records of `bootstrap.checkpoint`: metadata.version first, no feature at level 0, never kraft.version.

    `levels` None: those of a cluster that begins with this release.
    """
    if levels is None:
        levels = features_of_new_cluster({}, voters_in_log=True)
    others = sorted(name for name, level in levels.items() if level and name not in (METADATA_VERSION, KRAFT_VERSION))
    return [FeatureLevelRecord(name=name, feature_level=levels[name]) for name in (METADATA_VERSION, *others)]


def features_in(bootstrap_records: Iterable[MetadataRecord]) -> dict[str, int]:
    """The features that a cluster begins with. Raises ValueError: this release does not support them."""
    features = {r.name: r.feature_level for r in bootstrap_records if isinstance(r, FeatureLevelRecord)}
    if METADATA_VERSION not in features:
        raise ValueError(f"it holds no level of {METADATA_VERSION}")
    if (reason := unsupported(features)) is not None:
        raise ValueError(reason)
    return features


def decide_bootstrap(bootstrap_records: Sequence[MetadataRecord], min_insync_replicas: int) -> Decision[None]:
    """The first records, in a metadata transaction if the level of metadata.version has these.

    They also set the cluster's min.insync.replicas: with eligible leader replicas (KIP-966) that setting must be the
    same on all controllers, so that it moves from the file of the first one into the log; from then on the file's
    value has no effect.
    """
    features = features_in(bootstrap_records)
    records: list[MetadataRecord] = list(bootstrap_records)
    if features.get(ELR_FEATURE, 0):
        records.append(
            ConfigRecord(
                resource_type=ConfigResourceType.BROKER,
                resource_name="",
                name=MIN_INSYNC_REPLICAS,
                value=str(min_insync_replicas),
            )
        )
    if features[METADATA_VERSION] >= METADATA_TRANSACTIONS:
        records = [BeginTransactionRecord(name="Bootstrap records"), *records, EndTransactionRecord()]
    return Decision(records, None)
