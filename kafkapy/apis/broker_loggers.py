"""Levels of a node's loggers in DescribeConfigs and IncrementalAlterConfigs (KIP-412), by the node that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.loggers import LEVELS, ROOT, Loggers
from kafkapy.settings.alter import Operation, OperationOn, check_operations
from kafkapy.settings.describe import ConfigSource, Entry
from kafkapy.settings.errors import shortened
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

RESOURCE = "BROKER_LOGGER"


def describe_loggers(loggers: Loggers, names: Collection[str] | None) -> list[Entry]:
    """The entries of those that are asked for; of all, if that is None or empty."""
    return [
        Entry(name, level, False, ConfigSource.DYNAMIC_BROKER_LOGGER, False, (), 0)
        for name, level in loggers.levels().items()
        if not names or name in names
    ]


def alter_loggers(
    loggers: Loggers, node_id: int, name: str, operations: Sequence[OperationOn], *, validate_only: bool
) -> None:
    """Change levels: all of them, or, if one cannot be, none. Raises KafkaError."""
    check_operations(operations)
    asked_id = parse_integer(name, -INT32_MAX - 1, INT32_MAX)
    if asked_id is None:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {shortened(name)}")
    if asked_id != node_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unexpected node id. Expected {node_id}, but received {name}")
    for operation in operations:
        _check(loggers, operation)
    if not validate_only:
        for logger_name, kind, value in operations:
            loggers.set_level(logger_name, value if kind == Operation.SET else None)


def _check(loggers: Loggers, operation: OperationOn) -> None:
    name, kind, value = operation
    match kind:
        case Operation.SET | Operation.DELETE:
            if not loggers.exists(name):
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Logger {shortened(name)} does not exist!")
            if kind == Operation.SET and value not in LEVELS:
                raise KafkaError(
                    ErrorCode.INVALID_CONFIG,
                    f"Cannot set the log level of {name} to {shortened(value or '')} as it is not a supported log "
                    f"level. Valid log levels are {', '.join(sorted(LEVELS))}",
                )
            if kind == Operation.DELETE and name == ROOT:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Removing the log level of the root logger is not allowed")
        case Operation.APPEND | Operation.SUBTRACT:
            word = Operation(kind).name
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"{word} operation is not allowed for the {RESOURCE} resource")
        case _:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, f"Unknown operation type {kind} is not allowed for the {RESOURCE} resource"
            )
