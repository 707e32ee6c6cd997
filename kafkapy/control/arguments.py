"""Arguments of Python callers, held against the operations' own annotations before anything is carried out.

JSON has a reader of its own, `http/arguments.py`; both refuse with an `InvalidArgument`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from reprlib import Repr
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from kafkapy.control import values
from kafkapy.control.signatures import signature_of
from kafkapy.control.values import Headers
from kafkapy.nearest import nearest

EXPECTED: Final = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    bytes: "a bytes object",
}
WHOLE_NUMBERS: Final = range(-(2**63), 2**63)
_brief = Repr()
_brief.maxstring = _brief.maxother = _brief.maxlong = 100


class InvalidArgument(ValueError, TypeError):
    """An argument is refused: which, why, and what was probably meant. Nothing was carried out.

    To callers in Python it is the TypeError that they know; to those who ask by HTTP there are no types but JSON's.
    """

    def __init__(self, field: str, reason: str, nearest: str | None = None) -> None:
        super().__init__(field, reason, nearest)
        self.field = field
        self.reason = reason
        self.nearest = nearest

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" + ("" if self.nearest is None else f" (did you mean {self.nearest!r}?)")


def shown(value: object) -> str:
    """A value as an error names it: of bounded size and depth."""
    return _brief.repr(value)


def check_arguments(operation: str, positional: Sequence[object], named: Mapping[str, object]) -> None:
    """Raises InvalidArgument: the first argument of an operation that is not what its annotation says.

    APIs and filters of exchanges are not looked at: they are refused with an InvalidFilter where they are read.
    """
    arguments = list(signature_of(operation).own_arguments.values())
    for number, value in enumerate(positional):
        argument = arguments[min(number, len(arguments) - 1)]
        if argument.name == "api":
            continue
        if argument.is_list:
            check(argument.kind, value, f"{argument.name}[{number - len(arguments) + 1}]")
        else:
            check(argument.kind, value, argument.name)
            if argument.name == "timeout" and not value >= 0:  # type: ignore[operator]  # a number, by its annotation
                raise InvalidArgument("timeout", "it is negative")
    by_name = {argument.name: argument for argument in arguments}
    for name, value in named.items():
        if name in by_name and name != "api":
            check(by_name[name].kind, value, name)


def check(kind: Any, value: object, field: str) -> None:
    """Raises InvalidArgument: the value is not of this kind, an annotation."""
    if value.__class__ is kind and kind is not str and kind is not int:
        if is_dataclass(kind):
            _check_dataclass(kind, value, field)
        return
    origin = get_origin(kind)
    if origin is Union or isinstance(kind, types.UnionType):
        _check_union(kind, value, field)
    elif origin is Literal:
        choices = get_args(kind)
        if value not in choices:
            raise InvalidArgument(field, f"it is one of {', '.join(choices)}", nearest(str(value), choices))
    elif origin in (list, tuple, Sequence):
        _check_sequence(kind, value, field)
    elif origin in (dict, Mapping):
        _check_mapping(kind, value, field)
    elif is_dataclass(kind):
        _check_dataclass(kind, value, field)
    else:
        _check_plain(kind, value, field)


def _check_union(kind: Any, value: object, field: str) -> None:
    """As a rule `X | None`; of several kinds the last one says what is expected."""
    kinds = [each for each in get_args(kind) if each is not type(None)]
    if value is None and len(kinds) < len(get_args(kind)):
        return
    for each in kinds[:-1]:
        try:
            check(each, value, field)
        except InvalidArgument:
            continue
        return
    check(kinds[-1], value, field)


def _check_sequence(kind: Any, value: object, field: str) -> None:
    kinds = get_args(kind)
    is_pair = get_origin(kind) is tuple and kinds[1:] != (...,)
    if not isinstance(value, list | tuple) or (is_pair and len(value) != len(kinds)):
        expected = f"a tuple of {len(kinds)} values" if is_pair else "a list"
        raise InvalidArgument(field, f"{expected} is expected, not {shown(value)}")
    if is_pair:
        for number, (each, one) in enumerate(zip(kinds, value, strict=True)):
            check(each, one, f"{field}[{number}]")
        return
    for number, one in enumerate(value):
        check(kinds[0], one, f"{field}[{number}]")


def _check_mapping(kind: Any, value: object, field: str) -> None:
    key_kind, value_kind = get_args(kind)
    if not isinstance(value, Mapping):
        raise InvalidArgument(field, f"a dictionary is expected, not {shown(value)}")
    for key, each in value.items():
        check(key_kind, key, f"{field}: key {shown(key)}")
        check(value_kind, each, f"{field}[{shown(key)}]")


def _check_dataclass(kind: Any, value: object, field: str) -> None:
    if not isinstance(value, kind):
        raise InvalidArgument(field, f"a {kind.__name__} is expected, not {shown(value)}")
    for name, hint, plain in _hints(kind):
        one = getattr(value, name)
        if one.__class__ not in plain and (one or hint is not Headers):  # there may be very many records, all right
            check(hint, one, f"{field}.{name}")


@cache
def _hints(kind: Any) -> list[tuple[str, Any, frozenset[type]]]:
    """Name and annotation of each field, and the classes of which every value is right."""
    hints = get_type_hints(kind, localns=vars(values))
    return [
        (each.name, hints[each.name], frozenset(get_args(hints[each.name])) & {bytes, bool, type(None)})
        for each in fields(kind)
    ]


def _check_plain(kind: Any, value: object, field: str) -> None:
    if kind in (Any, object):
        return
    if kind is int or kind is float:
        # Numbers of other libraries, such as numpy's, are as good.
        is_number = hasattr(value, "__index__") or (kind is float and hasattr(value, "__float__"))
        if isinstance(value, bool | str | bytes) or not is_number:
            raise InvalidArgument(field, f"{EXPECTED[kind]} is expected, not {shown(value)}")
        if isinstance(value, int) and value not in WHOLE_NUMBERS:
            raise InvalidArgument(field, f"{shown(value)} is not a number of 64 bits")
        return
    if not isinstance(value, (bytes, bytearray, memoryview) if kind is bytes else kind):
        raise InvalidArgument(field, f"{EXPECTED[kind]} is expected, not {shown(value)}")
    if kind is str:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise InvalidArgument(field, "half of a surrogate pair is no character") from None
