"""Text to value and back, for each type and bound of Kafka's settings (what Kafka's ConfigDef does).

    BOOLEAN -> bool    INT, SHORT, LONG -> int    DOUBLE -> float    LIST -> tuple[str, ...]
    STRING, CLASS, PASSWORD -> str

Messages are Kafka's, word for word, since clients and their tests show and match them.
Differs: a CLASS is any name, for there is no class path to look it up in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kafkapy.settings.catalog import Definition
from kafkapy.settings.errors import SettingsError, invalid_value
from kafkapy_wire.integer_text import parse_integer

Value = bool | int | float | str | tuple[str, ...]

_BITS = {"SHORT": 16, "INT": 32, "LONG": 64}
# What Java's Double.parseDouble takes. A hexadecimal number needs its exponent.
_DECIMAL = re.compile(r"[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)")
_HEXADECIMAL = re.compile(r"([+-]?0[xX](?:[\da-fA-F]+\.?[\da-fA-F]*|\.[\da-fA-F]+)[pP][+-]?\d+)[fFdD]?")
_COMMA = re.compile(r"\s*,\s*")
_RANGE = re.compile(r"\[(-?[\d.]+?),\.\.\.(?:,(-?[\d.]+))?\]( or -1)?")
_CASE_INSENSITIVE = "(case insensitive) "
_THROTTLED_REPLICAS = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
_ENDPOINTS = "non-empty list"
_THROTTLED_REPLICA = re.compile(r"\d+:\d+")
_OFFSET_RESET = "[latest, earliest, by_duration:PnDTnHnMn.nS]"
# ISO 8601 as Java's Duration reads it; a negative duration is refused by the setting.
_DURATION = re.compile(r"P(?=.)(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:[.,]\d{0,9})?S)?)?", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r".*?\[?([0-9a-zA-Z\-%._:]*)\]?:(\d+)")
_VOTER = re.compile(r"\d+@.*?\[?([0-9a-zA-Z\-%._:]*)\]?:(\d+)")
# These lists have no bound in Kafka's tables, but are refused when empty.
_NEVER_EMPTY = frozenset(
    {
        "advertised.listeners",
        "controller.listener.names",
        "group.consumer.assignors",
        "group.coordinator.rebalance.protocols",
        "group.share.assignors",
        "group.streams.assignors",
        "listeners",
        "log.dir",
        "log.dirs",
        "process.roles",
    }
)


def parse_value(definition: Definition, text: str) -> Value:
    """The typed value of `text`, within the bounds of the setting. Raises SettingsError with Kafka's message."""
    value = _parse_type(definition.name, definition.type, text)
    valid = definition.valid
    if valid is None:
        return value
    if isinstance(value, tuple) and valid not in (_THROTTLED_REPLICAS, _ENDPOINTS):
        value = tuple(dict.fromkeys(value))  # KIP-1161: duplicates in a list count once
    _check(definition, valid, value)
    return value


def parse_values(table: Mapping[str, Definition], texts: Mapping[str, str]) -> dict[str, Value]:
    """The typed values of those `texts` that `table` knows."""
    return {name: parse_value(table[name], text) for name, text in texts.items() if name in table}


def default_value(definition: Definition) -> Value | None:
    """Kafka's default, unchecked: a few defaults lie outside their own bounds."""
    if definition.default is None:
        return None
    return _parse_type(definition.name, definition.type, definition.default)


def _parse_type(name: str, type_name: str, text: str) -> Value:
    trimmed = text.strip()
    match type_name:
        case "BOOLEAN":
            lowered = trimmed.lower()
            if lowered not in ("true", "false"):
                raise invalid_value(name, text, "Expected value to be either true or false")
            return lowered == "true"
        case "INT" | "SHORT" | "LONG":
            bound = 1 << _BITS[type_name] - 1
            number = parse_integer(trimmed, -bound, bound - 1)
            if number is None:
                raise invalid_value(name, text, f"Not a number of type {type_name}")
            return number
        case "DOUBLE":
            return _parse_double(name, text, trimmed)
        case "LIST":
            return tuple(_COMMA.split(trimmed)) if trimmed else ()
        case _:
            return trimmed


def _parse_double(name: str, text: str, trimmed: str) -> float:
    if _DECIMAL.fullmatch(trimmed):
        return float(trimmed.rstrip("fFdD"))
    hexadecimal = _HEXADECIMAL.fullmatch(trimmed)
    if hexadecimal is None:
        raise invalid_value(name, text, "Not a number of type DOUBLE")
    return float.fromhex(hexadecimal[1])


def _check(definition: Definition, valid: str, value: Value) -> None:
    name = definition.name
    if isinstance(value, tuple):
        _check_list(name, valid, value)
    elif isinstance(value, str):
        _check_text(name, valid, value)
    else:
        _check_range(definition, valid, value)


def _check_range(definition: Definition, valid: str, value: float) -> None:
    bounds = _RANGE.fullmatch(valid)
    assert bounds is not None, f"{definition.name} has an unknown bound {valid}"
    low, high, or_minus_one = bounds.groups()
    shown = value_text(definition, value)
    if or_minus_one:
        if value != -1 and not int(low) <= value <= int(high):
            reason = f"Value must be between {low} and {high} or equal to -1"
            raise invalid_value(definition.name, shown, reason)
        return
    if value < float(low):
        raise invalid_value(definition.name, shown, f"Value must be at least {low}")
    if high is not None and value > float(high):
        raise invalid_value(definition.name, shown, f"Value must be no more than {high}")


def _check_text(name: str, valid: str, value: str) -> None:
    if valid == "non-null string":
        return
    if valid == "non-empty string":
        if not value:
            raise invalid_value(name, value, "String must be non-empty")
        return
    if valid == _OFFSET_RESET:
        by_duration = value.removeprefix("by_duration:")
        if value in ("latest", "earliest") or (by_duration != value and _DURATION.fullmatch(by_duration)):
            return
        reason = (
            f"Invalid value `{value}` for configuration {name}. The value must be either 'earliest', 'latest' "
            "or of the format 'by_duration:<PnDTnHnMn.nS>'."
        )
        raise invalid_value(name, value, reason)
    if valid.startswith(_CASE_INSENSITIVE):
        allowed = valid.removeprefix(_CASE_INSENSITIVE)[1:-1]
        if value.upper() not in allowed.split(", "):
            raise invalid_value(name, value, f"String must be one of (case insensitive): {allowed}")
        return
    _check_one_of(name, valid, value)


def _check_one_of(name: str, valid: str, value: str) -> None:
    allowed = valid[1:-1]
    if value not in allowed.split(", "):
        raise invalid_value(name, value, f"String must be one of: {allowed}")


def _check_list(name: str, valid: str, value: tuple[str, ...]) -> None:
    if valid == _THROTTLED_REPLICAS:
        _check_throttled_replicas(name, value)
    elif valid == _ENDPOINTS:
        _check_endpoints(name, value)
    else:
        if not value and name in _NEVER_EMPTY:
            allowed = valid or "any non-empty value"
            raise SettingsError(f"Configuration '{name}' must not be empty. Valid values include: {allowed}", name)
        for element in value:
            if not element:
                raise SettingsError(f"Configuration '{name}' values must not be empty.", name)
            if valid:
                _check_one_of(name, valid, element)


def _check_throttled_replicas(name: str, value: tuple[str, ...]) -> None:
    # Java's split drops empty strings at the end, so that "," alone is a list without replicas.
    replicas = ",".join(value).rstrip(",")
    if not replicas or replicas == "*" or all(_THROTTLED_REPLICA.fullmatch(one) for one in replicas.split(",")):
        return
    reason = f"{name} must be the literal '*' or a list of replicas in the following format: {_THROTTLED_REPLICAS}"
    raise invalid_value(name, f"[{', '.join(value)}]", reason)


def _check_endpoints(name: str, value: tuple[str, ...]) -> None:
    voters = name == "controller.quorum.voters"
    for entry in value:
        if voters and not _VOTER.fullmatch(entry):
            raise SettingsError(
                f"Invalid configuration value for {name}. Each entry should be in the form `{{id}}@{{host}}:{{port}}`.",
                name,
            )
        if not voters and not _HOST_AND_PORT.fullmatch(entry):
            raise SettingsError(
                f"Failed to parse host name from {entry} for the configuration {name}. "
                'Each entry should be in the form "{host}:{port}"',
                name,
            )


def value_text(definition: Definition, value: Value | None) -> str | None:
    """The value as Kafka shows it: the inverse of parsing, but for passwords."""
    if value is None:
        return None
    if definition.type == "PASSWORD":
        return "[hidden]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if definition.type == "DOUBLE":
        return java_double_text(float(value))
    return str(value)


def java_double_text(value: float) -> str:
    """`value` as Java's Double.toString prints it: plain from 0.001 below 10,000,000, else with an exponent E."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{power}"
