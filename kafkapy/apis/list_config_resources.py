"""ListConfigResources (API key 74), versions 0-1: the resources that can have settings (KIP-714, KIP-1142).

v0 client metrics subscriptions only    v1 every type, or those that the request names

All topics and brokers are listed; a group or a subscription is listed only if some setting of it was changed.
Errors  UNSUPPORTED_VERSION  a type that this version of Kafka does not know
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage


def handle(request: ListConfigResourcesRequest, context: RequestContext) -> ListConfigResourcesResponse:
    image = context.broker.metadata.image
    wanted: Iterable[int] = dict.fromkeys(request.resource_types)
    if context.api_version == 0:
        wanted = (ConfigResourceType.CLIENT_METRICS,)
    elif not request.resource_types:
        wanted = ConfigResourceType
    known = {int(resource_type) for resource_type in ConfigResourceType}
    if not known.issuperset(wanted):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=resource_type)
            for resource_type in wanted
            for name in _names(resource_type, image)
        ]
    )


def _names(resource_type: int, image: MetadataImage) -> Iterable[str]:
    match resource_type:
        case ConfigResourceType.TOPIC:
            return image.topics
        case ConfigResourceType.BROKER | ConfigResourceType.BROKER_LOGGER:
            return map(str, sorted(image.brokers))
        case _:
            return [name for own_type, name in image.configs if own_type == resource_type]
