"""IncrementalAlterConfigs (API key 44), versions 0-1: changes some settings of a resource (KIP-339).

v1 flexible

Levels of loggers (KIP-412) are changed at the node that is asked, and hold until it ends.
If one resource fails, the others are changed all the same. Of one resource all operations are carried out, or none.

Errors  INVALID_REQUEST             a name or resource twice, a null value, the id of no node, a setting of a broker
                                    that is not dynamic or cannot have this value, an unknown resource type
        INVALID_CONFIG              a value that a topic, group or subscription cannot have; APPEND or SUBTRACT of a
                                    setting that is not a list; a logger or a level that does not exist
        UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_TOPIC_EXCEPTION     no topic could have that name
        UNKNOWN_SERVER_ERROR        an unknown operation (as Apache Kafka 4.4.0)
        UNSUPPORTED_VERSION         an unknown resource type, asked at a controller
Not done: `listeners` and `listener.security.protocol.map` of a broker, which binds its sockets when
it starts; both are refused. alter.config.policy.class.name, a Java class, which cannot be run: a node does not start
with it.
Differs: a broker's `advertised.listeners` can be changed, since a container's port is often known only after its start
(--strict advertised-listeners). A value after which no client could connect, not even to undo it (max.connections=0),
is refused. A setting that has no effect here (docs/settings.md) is stored, with one line in the log. The settings of a
broker can be changed at every broker of the cluster; Apache Kafka's brokers take their own only (--strict
settings-of-other-brokers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from kafkapy.errors import without_frames
from kafkapy.metadata.altering import OPERATIONS_MAX, TWICE, ResourceChange, alter_configs, refused_at_controller
from kafkapy.metadata.store_changes import refused_stores
from kafkapy.settings.alter import OperationOn
from kafkapy.turns import Turn, drained, each_in_turns
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.incremental_alter_configs import AlterConfigsResource

    Alter: TypeAlias = Callable[
        [IncrementalAlterConfigsRequest, NodeContext], Awaitable[IncrementalAlterConfigsResponse]
    ]


async def handle(request: IncrementalAlterConfigsRequest, context: NodeContext) -> IncrementalAlterConfigsResponse:
    return await _altered(request, context, _alter)


async def forwarded(
    request: IncrementalAlterConfigsRequest, context: NodeContext, forward: Alter
) -> IncrementalAlterConfigsResponse:
    """The answer if the active controller is elsewhere, to which `forward` sends a request."""
    return await _altered(request, context, forward)


async def _altered(
    request: IncrementalAlterConfigsRequest, context: NodeContext, alter: Alter
) -> IncrementalAlterConfigsResponse:
    """Levels of loggers are changed here, whatever `alter` does with the rest."""
    turn = Turn()
    often: Counter[str] = Counter()
    loggers, rest = [], []
    for resource in request.resources:
        if resource.resource_type == ConfigResourceType.BROKER_LOGGER:
            often[resource.resource_name] += 1
            loggers.append(resource)
        else:
            rest.append(resource)
        if turn.is_over:
            await turn.share()
    if not loggers:
        return await alter(request, context)
    if context.is_asked_as_controller:
        often.clear()
    response = IncrementalAlterConfigsResponse()
    for resource in loggers:
        response.responses.append(_alter_loggers(resource, context, often, validate_only=request.validate_only))
        if turn.is_over:
            await turn.share()
    if rest:
        others = IncrementalAlterConfigsRequest(resources=rest, validate_only=request.validate_only)
        response.responses += (await alter(others, context)).responses
    return response


def _alter_loggers(
    resource: AlterConfigsResource, context: NodeContext, often: Counter[str], *, validate_only: bool
) -> AlterConfigsResourceResponse:
    from kafkapy.apis.broker_loggers import alter_loggers

    node = context.node
    try:
        if often[resource.resource_name] > 1:
            raise TWICE
        operations = _operations(resource)
        alter_loggers(node.loggers, node.node_id, resource.resource_name, operations, validate_only=validate_only)
    except KafkaError as error:
        return _response(resource, without_frames(error))
    return _response(resource, None)


async def _alter(request: IncrementalAlterConfigsRequest, context: NodeContext) -> IncrementalAlterConfigsResponse:
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
    return IncrementalAlterConfigsResponse(responses=await each_in_turns(lambda one: _response(*one), drained(altered)))


def _change(resource: AlterConfigsResource) -> ResourceChange:
    return ResourceChange(resource.resource_type, resource.resource_name, _operations(resource), replaces=False)


def _operations(resource: AlterConfigsResource) -> list[OperationOn]:
    return [
        OperationOn(config.name, config.config_operation, config.value)
        for config in resource.configs[: OPERATIONS_MAX + 1]
    ]


def _response(resource: AlterConfigsResource, error: KafkaError | None) -> AlterConfigsResourceResponse:
    return AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )


def error_response(request: IncrementalAlterConfigsRequest, error: KafkaError) -> IncrementalAlterConfigsResponse:
    return IncrementalAlterConfigsResponse(responses=[_response(resource, error) for resource in request.resources])
