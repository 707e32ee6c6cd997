"""Values of a rule's fields: from JSON to Python and back. Each reader raises InvalidRule."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar

from kafkapy.faults.invalid_rule import InvalidRule, shown, unknown
from kafkapy.faults.patterns import Pattern
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.uuid import Uuid, parse_uuid, uuid_text

if TYPE_CHECKING:
    from collections.abc import Callable

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
T = TypeVar("T")

INT32_MAX: Final = 0x7FFF_FFFF
INT64_MAX: Final = 0x7FFF_FFFF_FFFF_FFFF
ELEMENTS_MAX: Final = 1_000
"""Of a list in a rule."""
TEXT_BYTES_MAX: Final = 32_767
"""No text on the wire is longer."""


class Versions(NamedTuple):
    """A range of versions, both ends included."""

    first: int
    last: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.first <= version <= self.last


def read_list(field: str, value: object, read: Callable[[str, object], T]) -> tuple[T, ...]:
    """One value, or a list of them."""
    if not isinstance(value, list | tuple):
        return (read(field, value),)
    if not value:
        raise InvalidRule(field, "an empty list matches nothing: leave the field out to match everything")
    if len(value) > ELEMENTS_MAX:
        raise InvalidRule(field, f"a list has at most {ELEMENTS_MAX} values, not {len(value)}")
    return tuple([read(field, each) for each in value])


def read_text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidRule(field, f"it is a text, not {shown(value)}")
    check_text(field, value)
    return value


def check_text(field: str, value: str) -> None:
    """Raises InvalidRule: it could not be sent."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidRule(field, "it has half a character (a surrogate), which UTF-8 cannot have") from None
    if size > TEXT_BYTES_MAX:
        raise InvalidRule(field, f"it has {size} bytes in UTF-8, and at most {TEXT_BYTES_MAX} can be sent")


def read_bool(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidRule(field, f"it is true or false, not {shown(value)}")
    return value


def read_whole(field: str, value: object, least: int, most: int = INT32_MAX) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRule(field, f"it is a whole number, not {shown(value)}")
    if not least <= value <= most:
        raise InvalidRule(field, f"it is a whole number from {least} to {most}, not {shown(value)}")
    return value


def read_index(field: str, value: object) -> int:
    return read_whole(field, value, 0)


def read_count(field: str, value: object) -> int:
    return read_whole(field, value, 1)


def read_seed(field: str, value: object) -> int:
    return read_whole(field, value, 0, INT64_MAX)


def read_milliseconds(field: str, value: object) -> int:
    return read_whole(field, value, 0)


def read_probability(field: str, value: object) -> float:
    # Compared before it is made a float, which not every whole number can be.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InvalidRule(field, f"it is a number above 0, and at most 1, not {shown(value)}")
    return float(value)


def read_api(field: str, value: object) -> ApiKey:
    """`Produce`; `PRODUCE` and `produce` are understood, too."""
    names = {known.message_name: key for key, known in API_VERSIONS.items()}
    if isinstance(value, str):
        for name, key in names.items():
            if name.lower() == value.replace("_", "").lower():
                return ApiKey(key)
    raise unknown(field, "API of Apache Kafka", value, names)


def read_versions(field: str, value: object) -> Versions:
    """`9`, `"3-8"` or `"9+"`."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0x7FFF:
        return Versions(value, value)
    if isinstance(value, str) and len(value) <= 11:
        first, dash, last = value.removesuffix("+").partition("-")
        if value.endswith("+") and not dash:
            last = "32767"
        elif not dash:
            last = first
        if first.isascii() and first.isdecimal() and last.isascii() and last.isdecimal() and int(first) <= int(last):
            return Versions(int(first), int(last))
    raise InvalidRule(field, f'it is a version, or a range such as "3-8" or "9+", not {shown(value)}')


def read_pattern(field: str, value: object) -> Pattern:
    return Pattern(read_text(field, value))


def read_principal(field: str, value: object) -> Pattern:
    text = read_text(field, value)
    if not set(text) & set(":*?"):
        raise InvalidRule(field, f"a principal has a type in front, which {shown(text)} has not", f"User:{text}")
    return Pattern(text)


def read_topic_id(field: str, value: object) -> Uuid:
    try:
        return parse_uuid(read_text(field, value))
    except ValueError:
        raise InvalidRule(field, f"it is an id as Kafka prints it (22 characters), not {shown(value)}") from None


def read_error_code(field: str, value: object) -> ErrorCode:
    """By its name or its number."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return ErrorCode(value)
        except ValueError:
            raise InvalidRule(field, f"Apache Kafka has no error code {shown(value)}") from None
    if isinstance(value, str) and value.upper() in ErrorCode.__members__:
        return ErrorCode[value.upper()]
    raise unknown(field, "error code of Apache Kafka", value, ErrorCode.__members__)


@dataclass(frozen=True)
class OneOf:
    """Reads one of these texts."""

    choices: tuple[str, ...]

    def __call__(self, field: str, value: object) -> str:
        if isinstance(value, str) and value in self.choices:
            return value
        raise unknown(field, "choice here", value, self.choices)


def read_edits(field: str, value: object) -> tuple[tuple[str, str], ...]:
    """Paths of fields and their new values, these as JSON texts, so that a rule can be compared and hashed."""
    if not isinstance(value, dict) or not value:
        raise InvalidRule(field, f'it is an object of fields and values ({{"throttleTimeMs": 5}}), not {shown(value)}')
    edits = []
    for path, new in value.items():
        if not isinstance(path, str):
            raise InvalidRule(field, f"names of fields are texts, not {shown(path)}")
        try:
            edits.append((path, json.dumps(new)))
        except (TypeError, ValueError, RecursionError):
            raise InvalidRule(field, f"the new value of {path} is no JSON value") from None
    return tuple(edits)


def to_json(value: object) -> JsonValue:
    """The value of a rule's field, as `read_...` takes it."""
    if isinstance(value, tuple) and not isinstance(value, Versions):
        values = [to_json(each) for each in value]
        return values[0] if len(values) == 1 else values
    if isinstance(value, Versions):
        first, last = value
        return first if first == last else f"{first}+" if last == 0x7FFF else f"{first}-{last}"
    if isinstance(value, ErrorCode):
        return value.name
    if isinstance(value, ApiKey):
        return API_VERSIONS[value].message_name
    if isinstance(value, Pattern):
        return value.text
    if isinstance(value, bytes):
        return uuid_text(Uuid(value))
    assert isinstance(value, bool | int | float | str), f"no value of a rule: {value!r}"
    return value
