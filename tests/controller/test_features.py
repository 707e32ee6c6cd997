"""Levels of metadata.version and of the other features: names, defaults, what cannot be together."""

from __future__ import annotations

import pytest

from kafkapy_controller.bootstrap import decide_bootstrap, feature_records, features_in
from kafkapy_controller.features import FeatureError, features_of_new_cluster, unsupported
from kafkapy_controller.metadata_version import LEVEL_NAMES, level_name, parse_release_version
from kafkapy_wire.record_formats import metadata as m


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("3.3", 7),
        ("3.3-IV3", 7),
        ("3.9", 21),
        ("3.9.1", 21),
        ("4.0.2", 25),
        ("4.4-IV0", 31),
        ("4.4", 33),
        ("4.4.0", 33),
        ("4.4-IV1.9", 32),
    ],
)
def test_a_release_names_its_last_level(text: str, level: int) -> None:
    assert parse_release_version(text) == level


@pytest.mark.parametrize("text", ["", "3.2", "3.3-IV0", "4.5", "4.5-IV0", "4", "latest"])
def test_a_level_that_no_cluster_can_have_is_refused_with_the_levels_there_are(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^Unknown metadata.version '.*'. Supported metadata.version are: 3.3-IV3, .*2$"
    ):
        parse_release_version(text)


def test_a_new_cluster_begins_with_the_features_of_its_release() -> None:
    assert features_of_new_cluster({}, voters_in_log=True) == {
        "metadata.version": 33,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "kraft.version": 1,
        "share.version": 2,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert features_of_new_cluster({}, parse_release_version("3.9"), voters_in_log=False) == {
        "metadata.version": 21,
        "eligible.leader.replicas.version": 0,
        "group.version": 0,
        "kraft.version": 0,
        "share.version": 0,
        "streams.version": 0,
        "transaction.version": 0,
    }


def test_a_feature_may_have_another_level() -> None:
    assert features_of_new_cluster({"transaction.version": 1}, 33, voters_in_log=True)["transaction.version"] == 1
    assert features_of_new_cluster({"metadata.version": 25}, voters_in_log=True)["metadata.version"] == 25


@pytest.mark.parametrize(
    ("asked", "metadata_version", "says"),
    [
        ({"nonsense": 1}, None, "Unsupported feature: nonsense. Supported features are: eligible.leader.replicas.ver"),
        ({"metadata.version": 33}, 33, "Use --release-version instead of --feature metadata.version=X to avoid ambig"),
        ({"metadata.version": 6}, None, "No MetadataVersion with feature level 6. Valid feature levels are from 7 to "),
        ({"group.version": 2}, None, "No feature:group.version with feature level 2"),
        ({"group.version": -1}, None, "No feature:group.version with feature level -1"),
        ({"kraft.version": 0}, None, "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of t"),
        (
            {"eligible.leader.replicas.version": 1},
            22,
            "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_kafkas_words(
    asked: dict[str, int], metadata_version: int | None, says: str
) -> None:
    with pytest.raises(FeatureError) as refused:
        features_of_new_cluster(asked, metadata_version, voters_in_log=True)
    assert str(refused.value).startswith(says)


def test_the_voters_in_the_settings_need_kraft_version_0() -> None:
    with pytest.raises(
        FeatureError, match=r"^Cannot set kraft\.version to 1 unless controller.quorum.voters is empty and "
    ):
        features_of_new_cluster({"kraft.version": 1}, voters_in_log=False)


@pytest.mark.parametrize("level", LEVEL_NAMES, ids=level_name)
def test_a_cluster_begins_in_a_transaction_where_its_level_has_them(level: int) -> None:
    features = features_of_new_cluster({}, level, voters_in_log=True)
    records = decide_bootstrap(feature_records(features), min_insync_replicas=1).records
    assert isinstance(records[0], m.BeginTransactionRecord) == (level >= 13)
    assert isinstance(records[-1], m.EndTransactionRecord) == (level >= 13)
    levels = {r.name: r.feature_level for r in records if isinstance(r, m.FeatureLevelRecord)}
    assert levels == {name: number for name, number in features.items() if number and name != "kraft.version"}
    assert any(isinstance(record, m.ConfigRecord) for record in records) == (level >= 26)


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (
            {"metadata.version": 34},
            "its metadata.version is at level 34, and this release reads levels 7 (3.3-IV3) to 33",
        ),
        (
            {"metadata.version": 6},
            "its metadata.version is at level 6, and this release reads levels 7 (3.3-IV3) to 33",
        ),
        (
            {"metadata.version": 33, "group.version": 2},
            "its group.version is at level 2, and this release knows levels ",
        ),
        (
            {"metadata.version": 33, "unheard.of": 1},
            "its unheard.of is at level 1, and this release knows levels 0 to 0",
        ),
    ],
)
def test_a_cluster_beyond_this_release_is_not_begun(features: dict[str, int], reason: str) -> None:
    assert (unsupported(features) or "").startswith(reason)
    with pytest.raises(ValueError, match="this release"):
        features_in([m.FeatureLevelRecord(name=name, feature_level=level) for name, level in features.items()])


def test_a_cluster_without_a_metadata_version_is_not_begun() -> None:
    with pytest.raises(ValueError, match=r"it holds no level of metadata\.version"):
        decide_bootstrap([m.FeatureLevelRecord(name="group.version", feature_level=1)], min_insync_replicas=1)
