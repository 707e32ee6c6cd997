"""AlterConfigs (API key 33), versions 0-2: replaces all settings of a resource; one that is not named gets its default.

v2 flexible    superseded by IncrementalAlterConfigs (KIP-339)

Errors  as IncrementalAlterConfigs; the resource type of loggers (8) is INVALID_REQUEST
        UNSUPPORTED_VERSION  an unknown resource type, asked at a controller
Differs: a request that names a resource twice is answered; Apache Kafka 4.4.0 never answers it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.metadata.altering import OPERATIONS_MAX, ResourceChange, alter_configs, refused_at_controller
from kafkapy.metadata.store_changes import refused_stores
from kafkapy.settings.alter import Operation, OperationOn
from kafkapy.turns import drained, each_in_turns
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.alter_configs import AlterConfigsResource


async def handle(request: AlterConfigsRequest, context: NodeContext) -> AlterConfigsResponse:
    resources = request.resources
    refused: list[tuple[AlterConfigsResource, KafkaError | None]] = []
    if context.is_asked_as_controller:
        resources, refused = refused_at_controller(resources)
    altered = await alter_configs(
        context.node.controller,
        resources,
        _change,
        validate_only=request.validate_only,
        refused=partial(refused_stores, context.node.settings.now, context.node.metadata.image),
    )
    altered += refused
    return AlterConfigsResponse(responses=await each_in_turns(lambda one: _response(*one), drained(altered)))


def _change(resource: AlterConfigsResource) -> ResourceChange:
    operations = [
        OperationOn(config.name, Operation.SET, config.value) for config in resource.configs[: OPERATIONS_MAX + 1]
    ]
    return ResourceChange(resource.resource_type, resource.resource_name, operations, replaces=True)


def _response(resource: AlterConfigsResource, error: KafkaError | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


def error_response(request: AlterConfigsRequest, error: KafkaError) -> AlterConfigsResponse:
    return AlterConfigsResponse(responses=[_response(resource, error) for resource in request.resources])
