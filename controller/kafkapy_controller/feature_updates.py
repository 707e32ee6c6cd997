"""The controller's decision about UpdateFeatures (KIP-584, KIP-778): the finalized levels of features.

A level may rise if every node of the cluster supports it; it may fall if the request allows that (upgrade_type).
metadata.version may fall only if no level in between has added records or fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum

from kafkapy_controller.configs import eligible_leader_records
from kafkapy_controller.decision import Decision
from kafkapy_controller.features import ELR_FEATURE, FEATURE_LEVELS, KRAFT_VERSION, SUPPORTED_FEATURES
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import CONTROLLER_REGISTRATION, METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from kafkapy_wire.record_formats.metadata import FeatureLevelRecord

# Levels of metadata.version that brought records, or fields of records, that a lower level does not have. Found by
# asking Apache Kafka 4.4.0 at each level for a downgrade by one.
LEVELS_WITH_NEW_RECORDS = (8, 11, 13, 14, 15, 17, 23, 30, 32, 33)


class UpgradeType(IntEnum):
    """`upgrade_type` of the request: which changes it allows."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


def decide_update_features(
    image: MetadataImage,
    request: UpdateFeaturesRequest,
    node_id: int,
    voter_ids: Iterable[int] = (),
    min_insync_replicas: int = 1,
    upgrade_refusal: Callable[[], str | None] = lambda: None,
) -> Decision[UpdateFeaturesResponse]:
    """Records of the levels that change: all that the request asks for, or none.

    `node_id` is this controller's, `voter_ids` are those of the quorum. `min_insync_replicas` is what this node was
    started with. `upgrade_refusal` says why the quorum cannot go to kraft.version 1; see `upgrades_quorum`.
    Raises KafkaError INVALID_UPDATE_VERSION for the first level that is not possible.
    """
    updates = {update.feature: update for update in request.feature_updates}
    proposed = {**image.features, **{name: update.max_version_level for name, update in updates.items()}}
    records: list[MetadataRecord] = []
    for update in updates.values():
        name, level = update.feature, update.max_version_level
        current = image.kraft_version if name == KRAFT_VERSION else image.features.get(name, 0)
        _check(image, update, current, proposed, node_id, voter_ids)
        refusal = upgrade_refusal() if name == KRAFT_VERSION and level > current else None
        if refusal is not None:
            raise KafkaError(ErrorCode.INVALID_UPDATE_VERSION, refusal)
        if name != KRAFT_VERSION:  # whose level no FeatureLevelRecord says
            records.append(FeatureLevelRecord(name=name, feature_level=level))
    if ELR_FEATURE in updates and updates[ELR_FEATURE].max_version_level > 0:
        records = [*eligible_leader_records(image, min_insync_replicas), *records]
    results = [  # before version 2
        UpdatableFeatureResult(feature=update.feature, error_message="NONE") for update in request.feature_updates
    ]
    response = UpdateFeaturesResponse(error_message=None, results=results)
    return Decision([] if request.validate_only else records, response)


def upgrades_quorum(image: MetadataImage, request: UpdateFeaturesRequest) -> bool:
    """Whether the list of voters moves from the settings into the metadata log (KIP-853).

    No record of a decision says so: the quorum appends one of its own. `request` was let pass on `image`.
    """
    levels = {update.feature: update.max_version_level for update in request.feature_updates}
    return not request.validate_only and levels.get(KRAFT_VERSION, 0) > image.kraft_version


def _check(
    image: MetadataImage,
    update: FeatureUpdateKey,
    current: int,
    proposed: Mapping[str, int],
    node_id: int,
    voter_ids: Iterable[int],
) -> None:
    """Raises KafkaError INVALID_UPDATE_VERSION: the feature cannot have this level."""
    name, level, upgrade_type = update.feature, update.max_version_level, update.upgrade_type
    if upgrade_type not in UpgradeType.__members__.values():
        raise _invalid(name, level, "The controller does not support the given upgrade type.")
    if level < 0:
        raise _invalid(name, level, "A feature version cannot be less than 0.")
    for reason in _unsupported_by(image, name, level, node_id, voter_ids):
        raise _invalid(name, level, reason)
    if level < current and upgrade_type == UpgradeType.UPGRADE:
        raise _invalid(
            name,
            level,
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe "
            "downgrade.",
        )
    if level > current and upgrade_type != UpgradeType.UPGRADE:
        raise _invalid(name, level, "Can't downgrade to a newer version.")
    if name == METADATA_VERSION:
        _check_metadata_version(level, current, upgrade_type)
    if name == KRAFT_VERSION and level < current:
        raise _invalid(name, level, "Can't downgrade the version of this feature.")
    needed = FEATURE_LEVELS[name][level - 1].metadata_version_min if level and name in FEATURE_LEVELS else 0
    if proposed.get(METADATA_VERSION, 0) < needed:
        reason = f"{name} could not be set to {level} because it depends on {METADATA_VERSION} level {needed}"
        raise _invalid(name, level, reason)


def _check_metadata_version(level: int, current: int, upgrade_type: int) -> None:
    if any(level < changed <= current for changed in LEVELS_WITH_NEW_RECORDS):
        reason = (
            "Unsafe metadata downgrade is not supported in this version."
            if upgrade_type == UpgradeType.UNSAFE_DOWNGRADE
            else "Refusing to perform the requested downgrade because it might delete metadata information."
        )
        raise KafkaError(
            ErrorCode.INVALID_UPDATE_VERSION,
            f"Unsupported metadata.version downgrade from {current} to {level}. {reason}",
        )


def _unsupported_by(
    image: MetadataImage, name: str, level: int, node_id: int, voter_ids: Iterable[int]
) -> Iterator[str]:
    """Why some nodes of the cluster do not support the level: this controller, brokers, then the other controllers."""
    if name not in SUPPORTED_FEATURES and not level:
        yield f"Feature {name} not found."
    nodes = [(f"Local controller {node_id}", SUPPORTED_FEATURES)]
    nodes += [(f"Broker {broker.broker_id}", broker.features) for _, broker in sorted(image.brokers.items())]
    if image.metadata_version >= CONTROLLER_REGISTRATION:
        nodes += [
            (f"Controller {controller.controller_id}", controller.features)
            for _, controller in sorted(image.controllers.items())
            if controller.controller_id != node_id
        ]
    for node, features in nodes:
        low, high = features.get(name, (0, 0))  # a node that does not know a feature can only work without it
        if not low <= level <= high:
            yield f"{node} only supports versions {low}-{high}" if high else f"{node} does not support this feature."
    if image.metadata_version >= CONTROLLER_REGISTRATION:
        for voter_id in voter_ids:
            if voter_id != node_id and voter_id not in image.controllers:
                yield f"controller {voter_id} has not registered, and may not support this feature"


def _invalid(name: str, level: int, reason: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_UPDATE_VERSION, f"Invalid update version {level} for feature {name}. {reason}")
