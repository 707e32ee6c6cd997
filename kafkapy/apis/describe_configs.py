"""DescribeConfigs (API key 32), versions 1-4: settings, where each value comes from, and the defaults behind it.

v1 synonyms, config source (KIP-226)    v3 type and documentation (KIP-569)    v4 flexible

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic
        INVALID_TOPIC_EXCEPTION     no topic could have that name
        INVALID_REQUEST             another broker's id, an empty name where one is needed, an unknown resource type
A broker's loggers are kafkapy's, by their names in Python; `root` is the one above them all.
Differs: nodes that share a process share their loggers. The documentation of a setting is one sentence of kafkapy's
own. If a request names more than 5 resources, one that it names twice is described once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from kafkapy.settings.describe import ConfigSource
from kafkapy.settings.described import Description
from kafkapy.settings.errors import shortened
from kafkapy.turns import Turn
from kafkapy_controller.image import ConfigResourceType
from kafkapy_controller.topic_names import check_topic_name
from kafkapy_wire.codec import EncodedList
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.integer_text import INT32_MAX, parse_integer
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kafkapy.broker import NodeParts
    from kafkapy.context import NodeContext
    from kafkapy.settings import Settings
    from kafkapy.settings.describe import Entry
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.describe_configs import DescribeConfigsResource

DESCRIBED_AT_ONCE_MAX = 5
"""A broker takes five milliseconds, when it is described for the first time."""
UNKNOWN_TYPE_MESSAGE = (
    "This most likely occurs because of a request being malformed by the client library or the message was sent to an "
    "incompatible broker. See the broker logs for more details."
)


def handle(
    request: DescribeConfigsRequest, context: NodeContext
) -> DescribeConfigsResponse | Coroutine[object, object, DescribeConfigsResponse]:
    if len(request.resources) > DESCRIBED_AT_ONCE_MAX:
        return _describe_in_turns(request, context)
    image = context.node.metadata.image
    return DescribeConfigsResponse(
        results=[_described(resource, request, context.node, image) for resource in request.resources]
    )


async def _describe_in_turns(request: DescribeConfigsRequest, context: NodeContext) -> DescribeConfigsResponse:
    image = context.node.metadata.image
    response = DescribeConfigsResponse()
    described: set[object] = set()
    turn = Turn()
    for resource in request.resources:
        key = _key(resource)
        if key not in described:
            described.add(key)
            response.results.append(_described(resource, request, context.node, image))
        if turn.is_over:
            await turn.share()
    return response


def _key(resource: DescribeConfigsResource) -> object:
    keys = resource.configuration_keys
    return resource.resource_type, resource.resource_name, None if keys is None else tuple(keys)


def _described(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, node: NodeParts, image: MetadataImage
) -> DescribeConfigsResult:
    result = DescribeConfigsResult(resource_type=resource.resource_type, resource_name=resource.resource_name)
    try:
        description = _description(resource, node, image)
    except KafkaError as error:
        result.error_code, result.error_message = error.code, error.message
        return result
    form = (request.include_synonyms, request.include_documentation, resource.resource_type)
    configs = description.forms.get(form)
    if configs is None:
        sentence_on = _sentences(resource.resource_type) if request.include_documentation else None
        results = [_result(entry, request, sentence_on) for entry in description.entries]
        configs = description.forms[form] = EncodedList(DescribeConfigsResponse, results)
    result.configs = cast("EncodedList[DescribeConfigsResourceResult]", configs)
    return result


def _sentences(resource_type: int) -> Callable[[str], str]:
    """The documentation of each setting of such a resource, by the setting's name."""
    from kafkapy.settings import documentation

    match resource_type:
        case ConfigResourceType.TOPIC:
            return documentation.of_topic
        case ConfigResourceType.GROUP:
            return documentation.of_group
        case ConfigResourceType.CLIENT_METRICS:
            return documentation.of_client_metrics
        case _:
            return documentation.of_broker


def _description(resource: DescribeConfigsResource, node: NodeParts, image: MetadataImage) -> Description:
    name, wanted = resource.resource_name, resource.configuration_keys
    own = image.resource_configs(resource.resource_type, name)
    settings, described = node.settings.now, node.settings.described
    match resource.resource_type:
        case ConfigResourceType.TOPIC:
            check_topic_name(name)
            if name not in image.topics:
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "")
            return described.topic(settings, own, wanted)
        case ConfigResourceType.BROKER if not name:
            return described.default_broker(settings, wanted)
        case ConfigResourceType.BROKER:
            _check_broker_id(name, settings, " or empty string,")
            return described.broker(settings, wanted)
        case ConfigResourceType.BROKER_LOGGER:
            if not name:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Broker id must not be empty")
            _check_broker_id(name, settings, "")
            from kafkapy.apis.broker_loggers import describe_loggers

            return Description(describe_loggers(node.loggers, wanted))
        case ConfigResourceType.CLIENT_METRICS:
            if not name:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Client metrics subscription name must not be empty")
            return described.client_metrics(settings, own, wanted)
        case ConfigResourceType.GROUP:
            if not name:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Group name must not be empty")
            return described.group(settings, own, wanted)
        case _:
            raise KafkaError(ErrorCode.INVALID_REQUEST, UNKNOWN_TYPE_MESSAGE)


def _check_broker_id(name: str, settings: Settings, alternative: str) -> None:
    broker_id = parse_integer(name, -INT32_MAX - 1, INT32_MAX)
    if broker_id is None:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Broker id must be an integer, but it is: {shortened(name)}")
    if broker_id != settings.node.node_id:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            f"Unexpected broker id, expected {settings.node.node_id}{alternative} but received {name}",
        )


def _result(
    entry: Entry, request: DescribeConfigsRequest, sentence_on: Callable[[str], str] | None
) -> DescribeConfigsResourceResult:
    synonyms = []
    if request.include_synonyms:
        synonyms = [
            DescribeConfigsSynonym(name=synonym.name, value=synonym.value, source=synonym.source)
            for synonym in entry.synonyms
        ]
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=entry.is_sensitive,
        synonyms=synonyms,
        config_type=entry.config_type,
        documentation=_documentation(entry, sentence_on),
    )


def _documentation(entry: Entry, sentence_on: Callable[[str], str] | None) -> str | None:
    if entry.source == ConfigSource.DYNAMIC_BROKER_LOGGER:
        return ""  # asked for or not, as in Apache Kafka
    # Nobody knows what a setting of unknown type is.
    return sentence_on(entry.name) if sentence_on is not None and entry.config_type else None


def error_response(request: DescribeConfigsRequest, error: KafkaError) -> DescribeConfigsResponse:
    return DescribeConfigsResponse(
        results=[
            DescribeConfigsResult(
                error_code=error.code,
                error_message=error.message,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
            for resource in request.resources
        ]
    )
