"""Requests for the active controller as a strict broker answers them: what it does before and after that decides.

With --strict settings-of-other-brokers it refuses what AlterConfigs and IncrementalAlterConfigs want of another broker,
and has the rest of the request done. With --strict created-topics it does not know at first what CreateTopics has made.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from kafkapy.metadata.altering import OPERATIONS_MAX
from kafkapy.settings.alter import Operation
from kafkapy.turns import Turn
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from kafkapy.apis.served import Api
    from kafkapy.broker import Broker
    from kafkapy.strictness import Strictness
    from kafkapy_wire.messages.alter_configs import AlterConfigsRequest, AlterConfigsResource
    from kafkapy_wire.messages.incremental_alter_configs import AlterConfigsResource as IncrementalResource
    from kafkapy_wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest

    Request: TypeAlias = AlterConfigsRequest | IncrementalAlterConfigsRequest
    Resource: TypeAlias = AlterConfigsResource | IncrementalResource
    Response: TypeAlias = Any  # of the same API

_MESSAGES: Mapping[int, str] = {
    ConfigResourceType.BROKER: "Unexpected broker id, expected {}, but received {}",
    ConfigResourceType.BROKER_LOGGER: "Unexpected node id. Expected {}, but received {}",
}


async def answer_strictly(
    api: Api, handle: Callable[[Any], Awaitable[Any]], request: Any, broker: Broker, strictness: Strictness
) -> Any:
    """The answer to a CreateTopics, AlterConfigs or IncrementalAlterConfigs. Raises KafkaError."""
    if api.key is not ApiKey.CREATE_TOPICS:
        if not strictness.settings_of_other_brokers:
            return await handle(request)
        return await _alter_own_settings(request, broker.node_id, handle, api.error_response)
    answer = await handle(request)
    if broker.new_topics is not None:
        broker.new_topics.note(request, answer)
    return answer


async def _alter_own_settings(
    request: Request,
    node_id: int,
    alter: Callable[[Request], Awaitable[Response]],
    refuse: Callable[[Any, KafkaError], Response],
) -> Response:
    """The answer to a request of which `alter` gets only what a broker of this id takes. `refuse`: the answer to a
    request of which all resources have the same error.
    """
    request_class: Any = type(request)
    turn = Turn()
    often = Counter[tuple[int, str]]()
    for resource in request.resources:
        often[resource.resource_type, resource.resource_name] += 1
        await turn.share()
    taken: list[Any] = []
    refused: list[Any] = []
    for resource in request.resources:
        is_alone = often[resource.resource_type, resource.resource_name] == 1
        error = _why_refused(resource, node_id) if is_alone else None
        if error is None:
            taken.append(resource)
            refused.append(None)
        else:
            refused.append(refuse(request_class(resources=[resource]), error).responses[0])
        await turn.share()
    if len(taken) == len(refused):
        return await alter(request)
    answer = await alter(request_class(resources=taken, validate_only=request.validate_only))
    answered: Iterator[Any] = iter(answer.responses)
    answer.responses = [next(answered) if response is None else response for response in refused]
    return answer


def _why_refused(resource: Resource, node_id: int) -> KafkaError | None:
    message = _MESSAGES.get(resource.resource_type)
    named = parse_integer(resource.resource_name, -INT32_MAX - 1, INT32_MAX)
    if message is None or named is None or named == node_id or _is_refused_before(resource):
        return None
    return KafkaError(ErrorCode.INVALID_REQUEST, message.format(node_id, resource.resource_name))


def _is_refused_before(resource: Resource) -> bool:
    """Whether something is wrong with it that Apache Kafka looks for first."""
    names: set[str] = set()
    for config in resource.configs[:OPERATIONS_MAX]:
        operation = getattr(config, "config_operation", Operation.SET)
        if config.name in names or (config.value is None and operation != Operation.DELETE):
            return True
        names.add(config.name)
    return len(resource.configs) > OPERATIONS_MAX
