"""Finds the field that an encoder could not encode: a slow second pass, so that the first one need not check values."""

from __future__ import annotations

import struct

from kafkapy_wire.emit import FORMATS, FieldPlan
from kafkapy_wire.message import EncodedStructs, Struct

BYTES_LIKE = (bytes, bytearray, memoryview)


def explain(value: Struct, version: int, flexible: bool, path: str, cause: Exception) -> None:
    """Raises ValueError with the field's path and value; returns when no field is wrong, which is a bug of ours."""
    _look_at_struct(value, version, flexible, path, cause)


def _look_at_struct(value: Struct, version: int, flexible: bool, path: str, cause: Exception) -> None:
    for field in value.__fields__:
        plan = FieldPlan(field, version, flexible)
        if plan.present:
            _look_at_field(plan, getattr(value, plan.name), version, flexible, f"{path}: {plan.name}", cause)


def _look_at_field(plan: FieldPlan, value: object, version: int, flexible: bool, path: str, cause: Exception) -> None:
    if value is None:
        if not plan.nullable:
            raise ValueError(f"{path} is None, which this version cannot carry") from cause
        return
    if not plan.is_array:
        _look_at_element(plan.element, value, version, flexible, path, cause)
    elif not isinstance(value, list | tuple):
        raise ValueError(f"{path} must be a list, not {value!r}") from cause
    else:
        for index, element in enumerate(value):
            _look_at_element(plan.element, element, version, flexible, f"{path}[{index}]", cause)


def _look_at_element(
    kind: str | type[Struct], value: object, version: int, flexible: bool, path: str, cause: Exception
) -> None:
    if not isinstance(kind, str):
        if not isinstance(value, kind):
            raise ValueError(f"{path} must be a {kind.__name__}, not {value!r}") from cause
        _look_at_struct(value, version, flexible, path, cause)
    elif not _fits(kind, value):
        raise ValueError(f"{path} must be of type {kind}, not {value!r}") from cause


def _fits(kind: str, value: object) -> bool:
    if kind == "string":
        return isinstance(value, str) and _encodes(value)
    if kind == "bytes":
        return isinstance(value, BYTES_LIKE)
    if kind == "records":
        return hasattr(value, "__len__")
    if kind == "encoded":
        return isinstance(value, EncodedStructs)
    try:
        struct.pack(">" + FORMATS[kind], value)
    except struct.error:
        return False
    return True


def _encodes(value: str) -> bool:
    try:
        return len(value.encode()) <= 0x7FFF
    except UnicodeEncodeError:
        return False
