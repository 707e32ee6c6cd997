"""DescribeConfigs and both APIs that alter settings: each resource is allowed or refused for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import (
    CLUSTER_REFUSED,
    GROUP_REFUSED,
    TOPIC_REFUSED,
    Parts,
    Served,
    answer_in_part,
    with_fields,
)
from kafkapy.metadata.altering import named_twice
from kafkapy.security.access import REFUSED, is_allowed
from kafkapy_controller.acl import CLUSTER_NAME, AclOperation, ResourceType
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.context import NodeContext

_MESSAGES: dict[ResourceType, str | None] = {
    ResourceType.TOPIC: TOPIC_REFUSED,
    ResourceType.GROUP: GROUP_REFUSED,
    ResourceType.CLUSTER: CLUSTER_REFUSED,
}

_WITHOUT_MESSAGE = (ConfigResourceType.BROKER, ConfigResourceType.BROKER_LOGGER)


def describe_configs(served: Served, request: Any, context: NodeContext) -> Any:
    parts = Parts("resources", "results")
    return _in_part(served, request, context, AclOperation.DESCRIBE_CONFIGS, parts, has_loggers=True)


def alter_configs(served: Served, request: Any, context: NodeContext) -> Any:
    parts = Parts("resources", "responses")
    return _in_part(served, request, context, AclOperation.ALTER_CONFIGS, parts, has_loggers=False)


def alter_configs_incrementally(served: Served, request: Any, context: NodeContext) -> Any:
    """Loggers, too. Those of a controller need CLUSTER_ACTION, as in Apache Kafka."""
    parts = Parts("resources", "responses")
    return _in_part(served, request, context, AclOperation.ALTER_CONFIGS, parts, has_loggers=True)


def _in_part(
    served: Served, request: Any, context: NodeContext, operation: AclOperation, parts: Parts, *, has_loggers: bool
) -> Any:
    allowed: list[Any] = []
    refused: dict[tuple[ErrorCode, str | None], list[Any]] = {}
    alters = operation is AclOperation.ALTER_CONFIGS
    twice = named_twice(request.resources) if alters and context.is_asked_as_controller else ()
    for resource in request.resources:
        resource_type, name = _resource(resource, has_loggers=has_loggers)
        is_logger = resource.resource_type == ConfigResourceType.BROKER_LOGGER
        needed = AclOperation.CLUSTER_ACTION if alters and is_logger and context.at_controller else operation
        if (
            resource_type is None
            or (resource.resource_type, resource.resource_name) in twice
            or is_allowed(context, needed, resource_type, name)
        ):
            allowed.append(resource)
        else:
            message = _MESSAGES[resource_type]
            if alters and resource.resource_type in _WITHOUT_MESSAGE and not context.at_controller:
                message = None  # of all others Apache Kafka says it
            refused.setdefault((REFUSED[resource_type], message), []).append(resource)
    if not refused:
        return served.handle(request, context)
    refusals = [
        served.error_response(with_fields(request, resources=resources), KafkaError(*error))
        for error, resources in refused.items()
    ]
    refusal = refusals[0]
    for other in refusals[1:]:
        setattr(refusal, parts.answered, getattr(refusal, parts.answered) + getattr(other, parts.answered))
    return answer_in_part(served, with_fields(request, resources=allowed), context, parts, refusal)


def _resource(resource: Any, *, has_loggers: bool) -> tuple[ResourceType | None, str]:
    """What is to be allowed. None: the handler refuses the resource, whose type is not known."""
    match resource.resource_type:
        case ConfigResourceType.TOPIC:
            return ResourceType.TOPIC, resource.resource_name
        case ConfigResourceType.GROUP:
            return ResourceType.GROUP, resource.resource_name
        case ConfigResourceType.BROKER | ConfigResourceType.CLIENT_METRICS:
            return ResourceType.CLUSTER, CLUSTER_NAME
        case ConfigResourceType.BROKER_LOGGER if has_loggers:
            return ResourceType.CLUSTER, CLUSTER_NAME
    return None, ""
