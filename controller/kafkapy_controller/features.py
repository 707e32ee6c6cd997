"""The features of a cluster (KIP-584, KIP-1022): their levels, and those of a new cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kafkapy_controller.metadata_version import (
    ELIGIBLE_LEADER_REPLICAS,
    LATEST_METADATA_VERSION,
    LEVEL_NAMES,
    METADATA_VERSION,
    OLDEST_METADATA_VERSION,
    UNSTABLE_LEVEL_NAMES,
    level_name,
)

KRAFT_VERSION = "kraft.version"
"""The quorum's own feature: a control record says its level, no FeatureLevelRecord (KIP-853)."""
ELR_FEATURE = "eligible.leader.replicas.version"


class FeatureLevel(NamedTuple):
    """One level of a feature above 0."""

    default_from: int
    """A cluster that begins at this metadata.version, or a later one, begins with this level, if there is no higher."""
    metadata_version_min: int = OLDEST_METADATA_VERSION
    """The feature cannot have the level below this metadata.version."""


# Index 0 is level 1. Level 0 (the feature is off) is always possible.
FEATURE_LEVELS: Mapping[str, tuple[FeatureLevel, ...]] = {
    ELR_FEATURE: (FeatureLevel(26, ELIGIBLE_LEADER_REPLICAS),),
    "group.version": (FeatureLevel(22),),
    KRAFT_VERSION: (FeatureLevel(21),),
    "share.version": (FeatureLevel(28), FeatureLevel(31)),
    "streams.version": (FeatureLevel(29),),
    "transaction.version": (FeatureLevel(24), FeatureLevel(24)),
}

SUPPORTED_FEATURES: Mapping[str, tuple[int, int]] = {
    METADATA_VERSION: (OLDEST_METADATA_VERSION, LATEST_METADATA_VERSION),
    **{name: (0, len(levels)) for name, levels in FEATURE_LEVELS.items()},
}
"""Lowest and highest level that a node of this release can work with: nodes register with them."""


class FeatureError(ValueError):
    """A combination of features that no cluster can have. The message is Apache Kafka's."""


def features_of_new_cluster(
    asked: Mapping[str, int], metadata_version: int | None = None, *, voters_in_log: bool
) -> dict[str, int]:
    """The level of every feature, kraft.version and those at 0 included, by name.

    `asked` comes from `--feature`, `metadata_version` from `--release-version`; levels that neither gives are the
    default. `voters_in_log`: the quorum's voters are not in the settings.
    Raises FeatureError.
    """
    metadata_version = _metadata_version(asked, metadata_version)
    for name in asked:
        if name not in SUPPORTED_FEATURES:
            known = ", ".join(sorted(FEATURE_LEVELS))
            raise FeatureError(f"Unsupported feature: {name}. Supported features are: {known}")
    levels = {name: default_level(name, metadata_version) for name in FEATURE_LEVELS}
    levels |= asked
    levels[METADATA_VERSION] = metadata_version
    levels[KRAFT_VERSION] = _kraft_version(asked.get(KRAFT_VERSION), voters_in_log=voters_in_log)
    for name, level in sorted(levels.items()):
        _check_level(name, level, metadata_version)
    return dict(sorted(levels.items()))


def default_level(name: str, metadata_version: int) -> int:
    """The level of a feature in a cluster that begins at this metadata.version."""
    return sum(level.default_from <= metadata_version for level in FEATURE_LEVELS[name])


def unsupported(features: Mapping[str, int]) -> str | None:
    """Why this release cannot work on a cluster with these finalized features, for the middle of a sentence."""
    for name, level in features.items():
        low, high = SUPPORTED_FEATURES.get(name, (0, 0))
        if level and not low <= level <= high:
            if name == METADATA_VERSION:
                return (
                    f"its {name} is at level {level}, and this release reads levels {low} ({level_name(low)}) to "
                    f"{high} ({level_name(high)})"
                )
            return f"its {name} is at level {level}, and this release knows levels {low} to {high}"
    return None


def _metadata_version(asked: Mapping[str, int], metadata_version: int | None) -> int:
    level = asked.get(METADATA_VERSION)
    if level is None:
        return LATEST_METADATA_VERSION if metadata_version is None else metadata_version
    if metadata_version is not None:
        raise FeatureError(f"Use --release-version instead of --feature {METADATA_VERSION}=X to avoid ambiguity.")
    if level in UNSTABLE_LEVEL_NAMES:
        raise FeatureError(f"{METADATA_VERSION} {UNSTABLE_LEVEL_NAMES[level]} is not yet stable.")
    if level not in LEVEL_NAMES:
        raise FeatureError(
            f"No MetadataVersion with feature level {level}. Valid feature levels are from {OLDEST_METADATA_VERSION} "
            f"to {max(UNSTABLE_LEVEL_NAMES)}."
        )
    return level


def _kraft_version(asked: int | None, *, voters_in_log: bool) -> int:
    if asked is None:
        return int(voters_in_log)
    if asked == 0 and voters_in_log:
        raise FeatureError(
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, "
            "--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing "
            "the --feature flag for kraft.version."
        )
    if asked and not voters_in_log:
        raise FeatureError(
            f"Cannot set kraft.version to {asked} unless controller.quorum.voters is empty and one of the flags "
            "--standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers "
            "support, try using one of --standalone, --initial-controllers, or --no-initial-controllers and removing "
            "controller.quorum.voters."
        )
    return asked


def _check_level(name: str, level: int, metadata_version: int) -> None:
    if name == METADATA_VERSION or level == 0:
        return
    levels = FEATURE_LEVELS[name]
    if not 0 <= level <= len(levels):
        raise FeatureError(f"No feature:{name} with feature level {level}")
    needed = levels[level - 1].metadata_version_min
    if metadata_version < needed:
        raise FeatureError(
            f"{name} could not be set to {level} because it depends on {METADATA_VERSION} level {needed}"
        )
