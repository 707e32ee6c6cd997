"""AlterConfigs (API key 33), versions 0-2: gives a resource a new set of values; what is not named goes.

v2 flexible    superseded by IncrementalAlterConfigs (KIP-339)

Errors  as IncrementalAlterConfigs; a resource type of which loggers are one is unknown here.
Differs: a resource named twice is answered (Apache Kafka 4.4.0 lets such a request lie).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.metadata.altering import ResourceChange
from kafkapy.settings.alter import Operation, OperationOn
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.errors import KafkaError


async def handle(request: AlterConfigsRequest, context: RequestContext) -> AlterConfigsResponse:
    asked = [
        ResourceChange(
            resource.resource_type,
            resource.resource_name,
            [OperationOn(config.name, Operation.SET, config.value) for config in resource.configs],
            replaces=True,
        )
        for resource in request.resources
    ]
    errors = await context.broker.controller.alter_configs(asked, validate_only=request.validate_only).wait()
    return AlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=ErrorCode.NONE if error is None else error.code,
                error_message=None if error is None else error.message,
                resource_type=resource.resource_type,
                resource_name=resource.name,
            )
            for resource, error in zip(asked, errors, strict=True)
        ]
    )


def error_response(request: AlterConfigsRequest, error: KafkaError) -> AlterConfigsResponse:
    return AlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=error.code,
                error_message=error.message,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
            for resource in request.resources
        ]
    )
