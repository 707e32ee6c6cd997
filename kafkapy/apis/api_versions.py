"""ApiVersions (API key 18), versions 0-5: what this broker serves, and which features are finalized.

v1 throttle_time_ms   v3 flexible; client software name (KIP-511), features (KIP-584)   v4 feature minimum 0 (KIP-1022)
v5 the client may name the cluster and node that it expects at this address (KIP-1242)

Errors  UNSUPPORTED_VERSION   the ApiVersions version of the request is not served; the answer is in version 0 and lists
                              the versions that are
        INVALID_REQUEST       client_software_name or _version has characters outside [a-zA-Z0-9-.]; only one of node
                              and cluster is given
        REBOOTSTRAP_REQUIRED  the client expected another cluster or node: it starts again from bootstrap.servers

Produce is announced from version 0 although 3 is the lowest version served: librdkafka below 2.11 takes the lowest
announced version as a sign of whether the broker knows message format v2 (KAFKA-18659). The answer always has response
header version 0. With --as-kafka the answer is that of a broker of that release: see `kafkapy.releases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES, RECEIVER_APIS
from kafkapy_controller.features import KRAFT_VERSION, SUPPORTED_FEATURES
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_controller.image import MetadataImage

NO_NODE = -1
SOFTWARE_NAME_MAX = 100  # characters that are kept for each connection
_SOFTWARE_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")


def handle(request: ApiVersionsRequest, context: NodeContext) -> ApiVersionsResponse:
    announced = _announced(context)
    low, high = announced[ApiKey.API_VERSIONS]
    if not low <= context.api_version <= high:
        own = ApiVersion(api_key=ApiKey.API_VERSIONS, min_version=low, max_version=high)
        return ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=[own])
    if context.api_version >= 3:
        names = request.client_software_name, request.client_software_version
        if not all(map(_is_software_name, names)) or (request.cluster_id is None) != (request.node_id == NO_NODE):
            return ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST)
        expected, here = (request.cluster_id, request.node_id), (context.node.cluster_id, context.node.node_id)
        if request.cluster_id is not None and expected != here:
            return ApiVersionsResponse(error_code=ErrorCode.REBOOTSTRAP_REQUIRED)
        context.client.software_name, context.client.software_version = [name[:SOFTWARE_NAME_MAX] for name in names]
        announced = _announced(context)  # which may depend on the software
    if context.client.authenticator is not None:
        context.client.authenticator.told_versions()
    limits, image = context.api_limits, context.node.metadata.image
    release = None if limits is None else limits.release
    is_kraft = release is None or release.is_kraft
    supported = SUPPORTED_FEATURES if release is None else release.features
    return ApiVersionsResponse(
        api_keys=[ApiVersion(api_key=key, min_version=low, max_version=high) for key, (low, high) in announced.items()],
        supported_features=[
            SupportedFeatureKey(name=name, min_version=low, max_version=high)
            for name, (low, high) in supported.items()
            # Before version 4 clients cannot read a minimum of 0 (KIP-1022), so features with one are left out.
            if low > 0 or context.api_version >= 4
        ],
        finalized_features_epoch=image.offset if release is None or is_kraft else release.finalized_epoch,
        finalized_features=[
            FinalizedFeatureKey(name=name, min_version_level=level, max_version_level=level)
            for name, level in _finalized(image)
            if name in supported
        ],
    )


def _announced(context: NodeContext) -> dict[int, tuple[int, int]]:
    """The lowest and the highest version by API key."""
    served: dict[int, tuple[int, int]] = {
        key: (0 if key is ApiKey.PRODUCE else API_VERSIONS[key].min_version, API_VERSIONS[key].max_version)
        for key in (CONTROLLER_API_MODULES if context.at_controller else API_MODULES)
        if key not in RECEIVER_APIS or context.node.settings.now.receives_client_metrics
    }
    limits = context.api_limits
    return served if limits is None else limits.announced(served)


def _finalized(image: MetadataImage) -> list[tuple[str, int]]:
    """Finalized features, with kraft.version (KIP-853): the quorum keeps it outside the metadata records."""
    levels = (*image.features.items(), (KRAFT_VERSION, image.kraft_version))
    return [(name, level) for name, level in levels if level > 0]


def _is_software_name(name: str) -> bool:
    return bool(name) and set(name) <= _SOFTWARE_NAME_CHARACTERS and name[0] not in "-." and name[-1] not in "-."
