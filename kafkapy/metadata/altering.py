"""What AlterConfigs and IncrementalAlterConfigs share: resources without an error change, the others do not.

A request may be wrong in several ways, so the checks have Apache Kafka's order: first those of the broker
(`_check_at_broker`), then those of the controller (`_decide_changes`). Both use the image of all appended records, so
APPEND sees the newest value of a list, and a topic that is being deleted does not exist.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from kafkapy.errors import without_frames
from kafkapy.settings.alter import (
    Changes,
    Operation,
    OperationOn,
    applied,
    check_broker,
    check_group,
    check_min_insync_replicas,
    check_operations,
    check_topic,
    incremental_changes,
    replacing_changes,
)
from kafkapy.settings.catalog import Definition, broker_definition, broker_definitions, topic_definitions
from kafkapy.settings.client_metrics import check_client_metrics
from kafkapy.settings.errors import shortened
from kafkapy.turns import Turn, drained
from kafkapy_controller.configs import config_records
from kafkapy_controller.decision import Decision
from kafkapy_controller.features import ELR_FEATURE
from kafkapy_controller.image import ConfigResourceType
from kafkapy_controller.topic_names import check_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from kafkapy.pending import Pending
    from kafkapy.settings import Settings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.metadata_records import MetadataRecord


R = TypeVar("R")
A = TypeVar("A", bound="Resource")

RESOURCE_TYPES: Final = frozenset(ConfigResourceType)

TWICE: Final = KafkaError(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")


class Resource(Protocol):
    """As both requests have it."""

    resource_type: int
    resource_name: str


def named_twice(resources: Iterable[Resource]) -> set[tuple[int, str]]:
    """Resources that a controller refuses for that. Of loggers it takes each as it comes."""
    often = Counter((each.resource_type, each.resource_name) for each in resources)
    return {key for key, count in often.items() if count > 1 and key[0] != ConfigResourceType.BROKER_LOGGER}


def refused_at_controller(resources: Sequence[A]) -> tuple[list[A], list[tuple[A, KafkaError | None]]]:
    """What a controller changes that a client asks directly (KIP-919), and what it refuses before all else.

    A resource that is named twice is refused once. Loggers are not stored: who may change them has done it.
    """
    twice = named_twice(resources)
    left: list[A] = []
    refused: dict[tuple[int, str], tuple[A, KafkaError | None]] = {}
    for resource in resources:
        key = (resource.resource_type, resource.resource_name)
        if resource.resource_type not in RESOURCE_TYPES:
            text = f"Unknown resource type {resource.resource_type}."
            refused[key] = (resource, KafkaError(ErrorCode.UNSUPPORTED_VERSION, text))
        elif resource.resource_type == ConfigResourceType.BROKER_LOGGER:
            refused[key] = (resource, KafkaError(ErrorCode.INVALID_REQUEST, "Unexpected resource type BROKER_LOGGER."))
        elif key in twice:
            refused[key] = (resource, KafkaError(ErrorCode.INVALID_REQUEST, "Duplicate resource."))
        else:
            left.append(resource)
    return left, [*refused.values()]


class ResourceChange(NamedTuple):
    """The changes to one resource. `replaces`: values that it does not name are deleted (AlterConfigs)."""

    resource_type: int
    name: str
    operations: list[OperationOn]
    replaces: bool


OPERATIONS_MAX: Final = 1_000
"""For one resource. A broker has 400 settings, and some of them for each of its listeners."""
RESOURCES_AT_ONCE_MAX: Final = 20
"""To decide about one takes a tenth of a millisecond, and more for each of its settings."""


class Alterer(Protocol):
    """The part of the controller that is needed here."""

    def alter_configs(
        self, asked: Sequence[ResourceChange], *, validate_only: bool
    ) -> Pending[list[KafkaError | None]]: ...


async def alter_configs(
    controller: Alterer,
    resources: Sequence[R],
    change_of: Callable[[R], ResourceChange],
    *,
    validate_only: bool,
    refused: Callable[[ResourceChange], Awaitable[KafkaError | None]],
) -> list[tuple[R, KafkaError | None]]:
    """Each resource of a request with its error or None. They are changed in batches, with turns between.

    `refused` finds what is wrong with a change that the controller cannot see.
    """
    turn = Turn()
    often: Counter[tuple[int, str]] = Counter()
    asked = []
    for resource in resources:
        change = change_of(resource)
        often[change.resource_type, change.name] += 1
        asked.append(change)
        if turn.is_over:
            await turn.share()
    errors: list[KafkaError | None] = []
    changes = drained(asked)
    while piece := list(islice(changes, RESOURCES_AT_ONCE_MAX)):
        found = [await refused(change) if often[change.resource_type, change.name] == 1 else TWICE for change in piece]
        left = [change for change, error in zip(piece, found, strict=True) if error is None]
        answers = iter(await controller.alter_configs(left, validate_only=validate_only).wait() if left else ())
        errors += [next(answers) if error is None else error for error in found]
        await turn.share()
    return list(zip(resources, errors, strict=True))


def decide_alter_configs(
    image: MetadataImage, settings: Settings, asked: Sequence[ResourceChange], *, validate_only: bool
) -> Decision[list[KafkaError | None]]:
    """Records of the settings that change, and an error, or None, for each of `asked`, in its order.

    `settings` are the node's, with the dynamic ones that `image` has.
    """
    errors: list[KafkaError | None] = []
    records: list[MetadataRecord] = []
    for resource in asked:
        key = (resource.resource_type, resource.name)
        try:
            if len(resource.operations) > OPERATIONS_MAX:
                raise KafkaError(ErrorCode.INVALID_REQUEST, f"A resource has no more than {OPERATIONS_MAX} settings.")
            _check_at_broker(resource, settings, image)
            records += config_records(image, key, _decide_changes(resource, settings, image))
            errors.append(None)
        except KafkaError as error:
            errors.append(without_frames(error))
    return Decision([] if validate_only else records, errors)


def _check_at_broker(resource: ResourceChange, settings: Settings, image: MetadataImage) -> None:
    check_operations(resource.operations)
    match resource.resource_type:
        case ConfigResourceType.BROKER:
            if resource.name:
                _check_node_id(resource.name, settings, image, "Unexpected broker id, expected {}, but received {}")
            current = image.resource_configs(resource.resource_type, resource.name)
            if resource.replaces:
                values = {name: value for name, _, value in resource.operations if value is not None}
            else:
                _check_broker_operations(resource.operations)
                values = applied(incremental_changes(resource.operations, current, broker_definitions()), current)
            check_broker(settings, values, per_broker=bool(resource.name))
        case ConfigResourceType.TOPIC | ConfigResourceType.CLIENT_METRICS | ConfigResourceType.GROUP:
            pass
        case unknown:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown resource type {unknown}")


def _check_node_id(name: str, settings: Settings, image: MetadataImage, message: str) -> None:
    """The node is this one, or another one of the cluster, whose broker may have forwarded the request."""
    node_id = parse_integer(name, -INT32_MAX - 1, INT32_MAX)
    if node_id is None:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {shortened(name)}")
    if node_id != settings.node.node_id and node_id not in image.brokers and node_id not in image.controllers:
        raise KafkaError(ErrorCode.INVALID_REQUEST, message.format(settings.node.node_id, name))


def _check_broker_operations(operations: list[OperationOn]) -> None:
    for name, operation, _ in operations:
        if operation not in tuple(Operation):
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown operations type {operation}")
        if operation in (Operation.SET, Operation.DELETE):
            continue
        definition = broker_definition(name)
        if definition is None:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Unknown config name: {name}")
        if definition.type != "LIST":
            verb = Operation(operation).name.lower()
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Config value {verb} is not allowed for config key: {name}")


def _decide_changes(resource: ResourceChange, settings: Settings, image: MetadataImage) -> Changes:
    current = image.resource_configs(resource.resource_type, resource.name)
    if resource.replaces:
        wanted = {name: value for name, _, value in resource.operations if value is not None}
        changes = replacing_changes(wanted, current)
    else:
        if any(operation not in tuple(Operation) for _, operation, _ in resource.operations):
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)  # Apache Kafka's controller fails here, without a message
        changes = incremental_changes(resource.operations, current, _lists_of(resource.resource_type))
    values = applied(changes, current)
    match resource.resource_type:
        case ConfigResourceType.TOPIC:
            if not resource.name:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
            check_topic_name(resource.name)
            if resource.name not in image.topics:
                message = f"The topic '{resource.name}' does not exist."
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
            check_topic(settings, values)
        case ConfigResourceType.BROKER if image.features.get(ELR_FEATURE, 0):
            check_min_insync_replicas(resource.name, changes, current)
        case ConfigResourceType.GROUP:
            check_group(settings, resource.name, values)
        case ConfigResourceType.CLIENT_METRICS:
            check_client_metrics(resource.name, values)
    return changes


def _lists_of(resource_type: int) -> Mapping[str, Definition]:
    """Where Apache Kafka's controller looks for lists: it knows none of client metrics, nor of groups."""
    match resource_type:
        case ConfigResourceType.TOPIC:
            return topic_definitions()
        case ConfigResourceType.BROKER:
            return broker_definitions()
        case _:
            return {}
