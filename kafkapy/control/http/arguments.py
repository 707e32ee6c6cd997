"""JSON to the arguments of an operation. Nothing is carried out if one of them is wrong."""

from __future__ import annotations

import json
import re
import types
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from kafkapy.control import values
from kafkapy.control.arguments import EXPECTED, WHOLE_NUMBERS, InvalidArgument, shown
from kafkapy.control.signatures import REQUIRED
from kafkapy.control.values import NewRecord
from kafkapy.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.control.signatures import Signature


FIELD_SHOWN_MAX = 200
DEPTH_MAX = 32
"""How deep lists and objects may lie in one another where their form is free, as in rules of faults."""
INDEX_MAX = 2**31 - 1
INDEX_DIGITS_MAX = len(str(INDEX_MAX))
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_json(body: bytes | bytearray) -> object:
    """Raises InvalidArgument: it is no JSON, or holds what no text and no number of ours can be."""
    try:
        text = body.decode()
        found = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if _ESCAPED_SURROGATE.search(text) and _SURROGATE.search(json.dumps(found, ensure_ascii=False)):
            raise ValueError("half of a surrogate pair is no character")
        return found
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("body", f"that is not JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text:.100} is too large")
    return number


def read_arguments(signature: Signature, given: object) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by position and by name. Raises InvalidArgument."""
    if not isinstance(given, dict):
        raise InvalidArgument("body", f"a JSON object of the arguments of {signature.name!r} is expected")
    for name in given:
        if name not in signature.arguments:
            raise _unknown(name, f"{signature.name!r} has no such argument", signature.arguments)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, argument in signature.arguments.items():
        if argument.is_list:
            positional = _read(list[argument.kind], given.get(name, []), name)  # type: ignore[name-defined]
        elif given.get(name) is not None:
            named[name] = _read(argument.kind, given[name], name)
            if name == "timeout" and named[name] < 0:
                raise InvalidArgument(name, "it is negative")
        elif argument.default is REQUIRED:
            raise InvalidArgument(name, f"{signature.name!r} needs it")
    return positional, named


def read_texts(signature: Signature, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What a query string says, as JSON would: numbers and booleans by the types of the arguments."""
    found: dict[str, Any] = {}
    for name, text in given:
        argument = signature.arguments.get(name)
        kind = _without_none(argument.kind) if argument is not None else str
        value: Any = text
        if kind in (int, float) or kind is bool:
            value = {"true": True, "false": False}.get(text, text) if kind is bool else _number(text, name)
        if argument is not None and (argument.is_list or get_origin(kind) is Sequence):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _read(kind: Any, value: Any, field: str) -> Any:
    origin = get_origin(kind)
    if origin is Union or isinstance(kind, types.UnionType):
        return None if value is None else _read(_without_none(kind), value, field)
    if origin is Literal:
        choices = get_args(kind)
        if value not in choices:
            raise InvalidArgument(field, f"it is one of {', '.join(choices)}", nearest(str(value), choices))
        return value
    if origin in (list, Sequence) or (origin is tuple and get_args(kind)[1:] == (...,)):
        if not isinstance(value, list):
            raise InvalidArgument(field, "a list is expected")
        read = [_read(get_args(kind)[0], each, f"{field}[{number}]") for number, each in enumerate(value)]
        return tuple(read) if origin is tuple else read
    if origin is tuple:
        return _read_header(kind, value, field)
    if origin in (dict, Mapping):
        return _read_mapping(kind, value, field)
    if kind is NewRecord and (isinstance(value, str) or (isinstance(value, dict) and value.keys() == {"base64"})):
        return NewRecord(value=_read_bytes(value, field))  # as `Kafka.produce("orders", "1 tea")`
    if is_dataclass(kind):
        return _read_dataclass(kind, value, field)
    if kind is bytes:
        return _read_bytes(value, field)
    return _read_plain(kind, value, field)


def _read_plain(kind: Any, value: Any, field: str) -> Any:
    if kind in (Any, object):
        _check_depth(value, field)
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and value in WHOLE_NUMBERS:
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InvalidArgument(field, f"{EXPECTED[kind]} is expected, not {shown(value)}")
    if kind is int and value not in WHOLE_NUMBERS:
        raise InvalidArgument(field, f"{shown(value)} is not a number of 64 bits")
    return value


def _read_header(kind: Any, value: Any, field: str) -> Any:
    """A pair, such as a header: `["trace", "1"]`."""
    kinds = get_args(kind)
    if not isinstance(value, list) or len(value) != len(kinds):
        raise InvalidArgument(field, f"a list of {len(kinds)} is expected")
    return tuple(_read(each, one, f"{field}[{i}]") for i, (each, one) in enumerate(zip(kinds, value, strict=True)))


def _read_mapping(kind: Any, value: Any, field: str) -> Any:
    if not isinstance(value, dict):
        raise InvalidArgument(field, "an object is expected")
    key_kind, value_kind = get_args(kind)
    if get_origin(key_kind) is not tuple:
        return {key: _read(value_kind, each, f"{field}.{key}") for key, each in value.items()}
    found = {}  # by topic and partition: {"orders": {"0": 5}}
    for topic, within in value.items():
        if not isinstance(within, dict):
            raise InvalidArgument(f"{field}.{topic}", 'an object by partition is expected, such as {"0": 5}')
        for index, each in within.items():
            where = f"{field}.{topic}.{index}"
            found[topic, _index(index, where)] = _read(value_kind, each, where)
    return found


def _read_dataclass(kind: Any, value: Any, field: str) -> Any:
    if not isinstance(value, dict):
        raise InvalidArgument(field, "an object is expected")
    known = {each.name: each for each in fields(kind)}
    hints = get_type_hints(kind, localns=vars(values))
    for name in value:
        if name not in known:
            raise _unknown(f"{field}.{name}", "there is no such field", known, name)
    for name, each in known.items():
        if name not in value and each.default is MISSING and each.default_factory is MISSING:
            raise InvalidArgument(f"{field}.{name}", "it is missing")
    return kind(**{name: _read(hints[name], each, f"{field}.{name}") for name, each in value.items()})


def _read_bytes(value: Any, field: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return b64decode(value["base64"], validate=True)
        except (Base64Error, ValueError):
            raise InvalidArgument(field, "that is no base64") from None
    raise InvalidArgument(field, 'a text or {"base64": ...} is expected')


def _index(text: str, field: str) -> int:
    """The number of a partition, which JSON has as the name of a field."""
    if not (text.isascii() and text.isdecimal() and len(text) <= INDEX_DIGITS_MAX and int(text) <= INDEX_MAX):
        raise InvalidArgument(field, f"{shown(text)} is no number of a partition")
    return int(text)


def _number(text: str, field: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return _finite(text)
    except ValueError:
        raise InvalidArgument(field, f"a number is expected, not {shown(text)}") from None


def _check_depth(value: object, field: str) -> None:
    """Raises InvalidArgument: it is deeper than anything that is meant."""
    layer = [value]
    for _ in range(DEPTH_MAX):
        layer = [
            each
            for container in layer
            if isinstance(container, list | dict)
            for each in (container.values() if isinstance(container, dict) else container)
        ]
        if not layer:
            return
    raise InvalidArgument(field, f"lists and objects lie more than {DEPTH_MAX} deep in one another")


def _without_none(kind: Any) -> Any:
    kinds = [each for each in get_args(kind) if each is not type(None)]
    is_union = get_origin(kind) is Union or isinstance(kind, types.UnionType)
    return kinds[0] if is_union and len(kinds) == 1 else kind


def _unknown(field: str, reason: str, known: Iterable[str], name: str | None = None) -> InvalidArgument:
    return InvalidArgument(field[:FIELD_SHOWN_MAX], reason, nearest(name or field, known))
