"""What `kafkapy features` asks and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse

UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the cluster: what the asked broker supports, and which level holds. 0: it is off."""

    name: str
    min_level: int
    max_level: int
    finalized_level: int


def describe_features(cluster: Cluster) -> tuple[list[Feature], int | None]:
    """By name, and the epoch of the finalized levels; None: the broker has none."""
    request = ApiVersionsRequest(client_software_name="kafkapy-cli", client_software_version="1")
    answer = cluster.ask(request, ApiVersionsResponse)
    finalized = {each.name: each.max_version_level for each in answer.finalized_features}
    features = [
        Feature(each.name, each.min_version, each.max_version, finalized.get(each.name, 0))
        for each in answer.supported_features
    ]
    epoch = answer.finalized_features_epoch
    return sorted(features, key=lambda feature: feature.name), epoch if epoch >= 0 else None


def update_features(cluster: Cluster, levels: Mapping[str, int], upgrade_type: int, *, validate_only: bool) -> None:
    """All of them, or none. Raises Refused."""
    request = UpdateFeaturesRequest(
        feature_updates=[
            FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=upgrade_type)
            for name, level in levels.items()
        ],
        validate_only=validate_only,
    )

    def attempt() -> None:
        answer = cluster.ask_once(cluster.for_administration(), request, UpdateFeaturesResponse)
        check(answer.error_code, "the features", answer.error_message)
        for result in answer.results:
            check(result.error_code, f"feature {result.feature!r}", result.error_message)

    cluster.retrying(attempt)
