"""Finalized levels of features: up as far as all nodes go, down where nothing is lost, all together or none."""

from __future__ import annotations

import pytest

from kafkapy_controller.feature_updates import LEVELS_WITH_NEW_RECORDS, decide_update_features, upgrades_quorum
from kafkapy_controller.features import ELR_FEATURE, SUPPORTED_FEATURES
from kafkapy_controller.image import ConfigResourceType, MetadataImage
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from kafkapy_wire.record_formats.metadata import FeatureLevelRecord

from .clusters import apply, cluster

UP, SAFELY_DOWN, DOWN = 1, 2, 3
LOWEST, HIGHEST = SUPPORTED_FEATURES[METADATA_VERSION]


def at_level(level: int) -> MetadataImage:
    return apply(cluster(), [FeatureLevelRecord(name=METADATA_VERSION, feature_level=level)])


def asked(*updates: tuple[str, int, int], validate_only: bool = False) -> UpdateFeaturesRequest:
    keys = [
        FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=upgrade_type)
        for name, level, upgrade_type in updates
    ]
    return UpdateFeaturesRequest(feature_updates=keys, validate_only=validate_only)


def updated(image: MetadataImage, *updates: tuple[str, int, int], validate_only: bool = False) -> MetadataImage:
    """Raises KafkaError."""
    request = asked(*updates, validate_only=validate_only)
    return apply(image, decide_update_features(image, request, 1).records)


def refusal(image: MetadataImage, *updates: tuple[str, int, int]) -> str:
    with pytest.raises(KafkaError) as refused:
        updated(image, *updates)
    assert refused.value.code is ErrorCode.INVALID_UPDATE_VERSION
    return str(refused.value.message)


def test_the_metadata_version_rises_in_one_step_or_in_many() -> None:
    assert updated(at_level(LOWEST), (METADATA_VERSION, HIGHEST, UP)).metadata_version == HIGHEST
    image = at_level(LOWEST)
    for level in range(LOWEST + 1, HIGHEST + 1):
        image = updated(image, (METADATA_VERSION, level, UP))
    assert image.metadata_version == HIGHEST


@pytest.mark.parametrize("level", range(LOWEST + 1, HIGHEST + 1))
def test_the_metadata_version_falls_where_no_records_are_lost(level: int) -> None:
    step = (METADATA_VERSION, level - 1, SAFELY_DOWN)
    if level in LEVELS_WITH_NEW_RECORDS:
        assert "might delete metadata information" in refusal(at_level(level), step)
        assert "is not supported" in refusal(at_level(level), (METADATA_VERSION, level - 1, DOWN))
    else:
        assert updated(at_level(level), step).metadata_version == level - 1
    assert "without setting the upgrade type" in refusal(at_level(level), (METADATA_VERSION, level - 1, UP))


def test_the_same_level_changes_nothing() -> None:
    image = cluster()
    for name, level in image.features.items():
        assert updated(image, (name, level, UP)) is not None
        assert updated(image, (name, level, SAFELY_DOWN)).features == image.features


def test_eligible_leaders_are_switched_on_with_their_minimum() -> None:
    image = cluster()
    image = image._replace(features={name: level for name, level in image.features.items() if name != ELR_FEATURE})
    request = UpdateFeaturesRequest(feature_updates=[FeatureUpdateKey(feature=ELR_FEATURE, max_version_level=1)])
    after = apply(image, decide_update_features(image, request, 1, (1,), 2).records)
    assert after.features[ELR_FEATURE] == 1
    assert after.resource_configs(ConfigResourceType.BROKER, "") == {"min.insync.replicas": "2"}


def test_a_voter_that_has_not_registered_holds_the_others_back() -> None:
    request = UpdateFeaturesRequest(feature_updates=[FeatureUpdateKey(feature="group.version", max_version_level=1)])
    with pytest.raises(KafkaError) as refused:
        decide_update_features(cluster(), request, 1, (1, 2))
    assert refused.value.message is not None
    assert "controller 2 has not registered, and may not support this feature" in refused.value.message


def test_levels_that_nobody_supports() -> None:
    image = cluster()
    assert "Local controller 1 only supports versions 0-1" in refusal(image, ("group.version", 9, UP))
    assert "does not support this feature" in refusal(image, ("no.such.feature", 1, UP))
    assert "cannot be less than 0" in refusal(image, ("group.version", -1, SAFELY_DOWN))
    assert "Can't downgrade to a newer version" in refusal(
        updated(image, ("group.version", 0, DOWN)), ("group.version", 1, DOWN)
    )


def test_an_older_broker_holds_the_others_back() -> None:
    image = cluster([1, 2])
    older = image.brokers[2]._replace(features={**SUPPORTED_FEATURES, "group.version": (0, 0)})
    image = image._replace(brokers={**image.brokers, 2: older}, features={METADATA_VERSION: HIGHEST})
    assert "Broker 2 does not support this feature." in refusal(image, ("group.version", 1, UP))


def test_a_feature_named_twice_is_answered_twice_and_its_last_level_counts() -> None:
    keys = [FeatureUpdateKey(feature="group.version", max_version_level=level, upgrade_type=UP) for level in (9, 1)]
    request = UpdateFeaturesRequest(feature_updates=keys)
    results = decide_update_features(at_level(HIGHEST), request, 1).response.results
    assert [(result.feature, result.error_code) for result in results] == [("group.version", 0)] * 2


def test_one_refusal_refuses_all() -> None:
    image = updated(cluster(), ("group.version", 0, DOWN), ("streams.version", 0, DOWN))
    assert not {"group.version", "streams.version"} & image.features.keys()
    refusal(image, ("group.version", 1, UP), ("streams.version", 9, UP))
    assert updated(image, ("group.version", 1, UP), validate_only=True).features == image.features


def test_eligible_leader_replicas_need_a_metadata_version() -> None:
    elr = "eligible.leader.replicas.version"
    low = updated(at_level(22), (elr, 0, DOWN))
    assert f"{elr} could not be set to 1 because it depends on metadata.version level 23" in refusal(low, (elr, 1, UP))
    both = updated(low, (elr, 1, UP), (METADATA_VERSION, 23, UP))
    assert (both.features[elr], both.metadata_version) == (1, 23)


def test_the_kraft_version_is_the_quorums() -> None:
    image = cluster()._replace(kraft_version=1)
    assert updated(image, ("kraft.version", 1, UP)).features == image.features
    assert "Can't downgrade the version of this feature." in refusal(image, ("kraft.version", 0, DOWN))
    static = image._replace(kraft_version=0)
    assert decide_update_features(static, asked(("kraft.version", 1, UP)), 1).records == []
    with pytest.raises(KafkaError, match="not all"):
        decide_update_features(static, asked(("kraft.version", 1, UP)), 1, upgrade_refusal=lambda: "not all")
    assert upgrades_quorum(static, asked(("kraft.version", 1, UP)))
    assert not upgrades_quorum(static, asked(("kraft.version", 1, UP), validate_only=True))
    assert not upgrades_quorum(image, asked(("kraft.version", 1, UP)))
