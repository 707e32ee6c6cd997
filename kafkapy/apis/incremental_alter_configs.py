"""IncrementalAlterConfigs (API key 44), versions 0-1: changes some settings of a resource (KIP-339).

v1 flexible

If one resource fails, the others are changed all the same. Of one resource all operations are carried out, or none.

Errors  INVALID_REQUEST             a name or resource twice, a null value, the id of no node, a setting of a broker
                                    that is not dynamic or cannot have this value, an unknown resource type
        INVALID_CONFIG              a value that a topic, group or subscription cannot have; APPEND or SUBTRACT of a
                                    setting that is not a list
        UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_TOPIC_EXCEPTION     no topic could have that name
        UNKNOWN_SERVER_ERROR        an unknown operation (as Apache Kafka 4.4.0)
Not done: a broker's loggers; `listeners` and `listener.security.protocol.map` of a broker, which binds its sockets when
it starts. Both are refused.
Differs: a broker's `advertised.listeners` can be changed, since a container's port is often known only after its start
(--strict advertised-listeners). A value after which no client could connect, not even to undo it (max.connections=0),
is refused. A setting that has no effect here (docs/settings.md) is stored, with one line in the log. The settings of a
broker can be changed at every broker of the cluster; Apache Kafka's brokers take their own only (--strict
settings-of-other-brokers).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kafkapy.metadata.altering import OPERATIONS_MAX, ResourceChange, alter_configs
from kafkapy.metadata.store_changes import refused_stores
from kafkapy.settings.alter import OperationOn
from kafkapy.turns import each_in_turns
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.incremental_alter_configs import AlterConfigsResource


async def handle(request: IncrementalAlterConfigsRequest, context: NodeContext) -> IncrementalAlterConfigsResponse:
    altered = await alter_configs(
        context.node.controller,
        request.resources,
        _change,
        validate_only=request.validate_only,
        refused=partial(refused_stores, context.node.settings.now, context.node.metadata.image),
    )
    return IncrementalAlterConfigsResponse(responses=await each_in_turns(lambda one: _response(*one), altered))


def _change(resource: AlterConfigsResource) -> ResourceChange:
    operations = [
        OperationOn(config.name, config.config_operation, config.value)
        for config in resource.configs[: OPERATIONS_MAX + 1]
    ]
    return ResourceChange(resource.resource_type, resource.resource_name, operations, replaces=False)


def _response(resource: AlterConfigsResource, error: KafkaError | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


def error_response(request: IncrementalAlterConfigsRequest, error: KafkaError) -> IncrementalAlterConfigsResponse:
    return IncrementalAlterConfigsResponse(responses=[_response(resource, error) for resource in request.resources])
