"""Messages as the JSON that Kafka's own converters print and read.

camelCase names; bytes and records as base64; uuids as url-safe base64; a tagged field only when it is not at its
default; nothing of fields that the version does not have. Unknown tagged fields have no JSON form: they are left out.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import TypeAlias, TypeVar

from kafkapy_wire.codec import check_version
from kafkapy_wire.emit import FORMATS, FieldPlan
from kafkapy_wire.errors import UnsupportedVersion
from kafkapy_wire.message import MISSING, Message, Struct
from kafkapy_wire.uuid import Uuid, parse_uuid, uuid_text

M = TypeVar("M", bound=Message)

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

STRING_BYTES_MAX = 0x7FFF


def to_json(message: Message, version: int) -> dict[str, JsonValue]:
    """The fields that the version has.

    Raises UnsupportedVersion: no such version, or a field is set that it cannot carry; ValueError: None where it may
    not be.
    """
    check_version(type(message), version)
    flexible = version in message.__schema__.flexible_versions
    return _struct_to_json(message, version, flexible, type(message).__name__)


def from_json(cls: type[M], json: JsonValue, version: int) -> M:
    """The message. Tagged fields may be missing, all others of the version must be there.

    Raises ValueError with the path of the wrong field (`FetchRequest.topics[0].partitions`); UnsupportedVersion: the
    message has no such version. Unlike Kafka's converter this one refuses names that the version does not know,
    because they are mostly typing errors.
    """
    check_version(cls, version)
    flexible = version in cls.__schema__.flexible_versions
    return _struct_from_json(cls, json, version, flexible, cls.__name__)


def _struct_to_json(value: Struct, version: int, flexible: bool, path: str) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for field in value.__fields__:
        plan = FieldPlan(field, version, flexible)
        content = getattr(value, field.name)
        name = field.json_name
        if not plan.present:
            if not field.ignorable and not field.is_default(content):
                raise UnsupportedVersion(f"{path}.{name} is set, which version {version} cannot carry")
        elif not plan.tagged or not field.is_default(content):
            result[name] = _field_to_json(plan, content, version, flexible, f"{path}.{name}")
    return result


def _field_to_json(plan: FieldPlan, value: object, version: int, flexible: bool, path: str) -> JsonValue:
    if value is None:
        if not plan.nullable:
            raise ValueError(f"{path} is None, which version {version} cannot carry")
        return None
    if not plan.is_array:
        return _element_to_json(plan.element, value, version, flexible, path)
    assert isinstance(value, list | tuple), f"{path} is no list but {value!r}"
    return [_element_to_json(plan.element, item, version, flexible, f"{path}[{i}]") for i, item in enumerate(value)]


def _element_to_json(kind: str | type[Struct], value: object, version: int, flexible: bool, path: str) -> JsonValue:
    if isinstance(value, Struct):
        return _struct_to_json(value, version, flexible, path)
    if kind == "uuid":
        assert isinstance(value, bytes), f"{path} is no uuid but {value!r}"
        return uuid_text(Uuid(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return _NON_FINITE_NAMES[str(value)]
    if isinstance(value, bool | str | float):
        return value
    assert isinstance(value, int), f"{path} has no JSON form: {value!r}"
    return int(value)  # an IntEnum becomes its number


_NON_FINITE_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""JSON has no numbers for these; Kafka's library writes the names of Java as strings."""

S = TypeVar("S", bound=Struct)


def _struct_from_json(cls: type[S], json: JsonValue, version: int, flexible: bool, path: str) -> S:
    if not isinstance(json, dict):
        raise ValueError(f"{path}: an object is expected, not {_type_name(json)}")
    known: set[str] = set()
    values: dict[str, object] = {}
    for field in cls.__fields__:
        plan = FieldPlan(field, version, flexible)
        if not plan.present:
            continue
        name = field.json_name
        known.add(name)
        content = json.get(name, MISSING)
        if content is not MISSING:
            values[field.name] = _field_from_json(plan, content, version, flexible, f"{path}.{name}")
        elif not plan.tagged:
            raise ValueError(f"{path}.{name} is missing, which version {version} must have")
    for name in json:
        if name not in known:
            raise ValueError(f"{path}.{name}: version {version} has no such field")
    return cls(**values)  # type: ignore[arg-type]  # the names come from the class's own fields


def _field_from_json(plan: FieldPlan, json: JsonValue, version: int, flexible: bool, path: str) -> object:
    if json is None:
        if not plan.nullable:
            raise ValueError(f"{path} is null, which version {version} cannot carry")
        return None
    if not plan.is_array:
        return _element_from_json(plan.element, json, version, flexible, path)
    if not isinstance(json, list):
        raise ValueError(f"{path}: an array is expected, not {_type_name(json)}")
    return [_element_from_json(plan.element, item, version, flexible, f"{path}[{i}]") for i, item in enumerate(json)]


def _element_from_json(kind: str | type[Struct], json: JsonValue, version: int, flexible: bool, path: str) -> object:
    if not isinstance(kind, str):
        return _struct_from_json(kind, json, version, flexible, path)
    if kind == "bool":
        if not isinstance(json, bool):
            raise ValueError(f"{path}: true or false is expected, not {_type_name(json)}")
        return json
    if kind == "float64":
        return _float_from_json(json, path)
    if kind not in FORMATS or kind == "uuid":
        return _text_from_json(kind, json, path)
    return _int_from_json(kind, json, path)


def _text_from_json(kind: str, json: JsonValue, path: str) -> object:
    if not isinstance(json, str):
        raise ValueError(f"{path}: a string is expected, not {_type_name(json)}")
    if kind == "string":
        try:
            size_bytes = len(json.encode())
        except UnicodeEncodeError:
            raise ValueError(f"{path}: half of a surrogate pair has no UTF-8") from None
        if size_bytes > STRING_BYTES_MAX:
            raise ValueError(f"{path}: {size_bytes} bytes of UTF-8, {STRING_BYTES_MAX} are the most")
        return json
    if kind == "uuid":
        try:
            return parse_uuid(json)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    try:
        return base64.b64decode(json, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{path}: not base64") from None


def _int_from_json(kind: str, json: JsonValue, path: str) -> int:
    if isinstance(json, str):  # Kafka's converter takes "0x7f" too
        try:
            json = int(json, 0)
        except ValueError:
            raise ValueError(f"{path}: not a number: {json!r}") from None
    if isinstance(json, bool) or not isinstance(json, int):
        raise ValueError(f"{path}: a whole number is expected, not {_type_name(json)}")
    try:
        struct.pack(">" + FORMATS[kind], json)
    except struct.error:
        raise ValueError(f"{path}: {json} is no {kind}") from None
    return json


def _float_from_json(json: JsonValue, path: str) -> float:
    if isinstance(json, str) and json in _NON_FINITE_NAMES.values():
        return float(json)
    if isinstance(json, bool) or not isinstance(json, int | float):
        raise ValueError(f"{path}: a number is expected, not {_type_name(json)}")
    try:
        return float(json)
    except OverflowError:
        raise ValueError(f"{path}: {json} is no float64") from None


def _type_name(json: JsonValue) -> str:
    if json is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(json), "an object")
