"""UpdateFeatures (API key 57), versions 0-2: raises or lowers finalized levels of features (KIP-584, KIP-778).

v1 upgrade_type, validate_only   v2 one error for the whole request (KIP-1022)

Errors  INVALID_UPDATE_VERSION  a level that a node does not support, or that needs a level of another feature; a lower
                                level, unless upgrade_type allows it; a metadata.version that would lose records
        KAFKA_STORAGE_ERROR     the metadata log cannot be written
All levels change, or none. Of a feature named twice the last level counts.
Differs: of several features that cannot change the first one is named; Apache Kafka names one by a hash table's order.
kraft.version from 0 to 1 moves the list of voters from the settings into the metadata log (KIP-853). Every voter must
have said to the present leader that it supports that, which it does a few seconds after an election.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.turns import Turn
from kafkapy_controller.features import SUPPORTED_FEATURES
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.update_features import FeatureUpdateKey

UPDATES_AT_ONCE_MAX: Final = 100
FAILED = "The update failed for all features since the following feature had an error: "


def handle(
    request: UpdateFeaturesRequest, context: NodeContext
) -> Pending[UpdateFeaturesResponse] | Coroutine[object, object, Pending[UpdateFeaturesResponse]]:
    if len(request.feature_updates) > UPDATES_AT_ONCE_MAX:
        return _update_many(request, context)
    return context.node.controller.update_features(request)


async def _update_many(request: UpdateFeaturesRequest, context: NodeContext) -> Pending[UpdateFeaturesResponse]:
    """There are fewer features: each one's last update decides, and the first of a feature that is not known."""
    turn = Turn()
    decisive: dict[str, FeatureUpdateKey] = {}
    for update in request.feature_updates:
        decisive[update.feature] = update
        if update.feature not in SUPPORTED_FEATURES:
            break
        await turn.share()
    return context.node.controller.update_features(
        UpdateFeaturesRequest(
            timeout_ms=request.timeout_ms,
            feature_updates=list(decisive.values()),
            validate_only=request.validate_only,
        )
    )


def error_response(_request: UpdateFeaturesRequest, error: KafkaError) -> UpdateFeaturesResponse:
    about_features = error.code not in (ErrorCode.NOT_CONTROLLER, ErrorCode.REQUEST_TIMED_OUT)
    return UpdateFeaturesResponse(
        error_code=error.code,
        error_message=f"{FAILED}{error.message}" if about_features else error.message,
    )
