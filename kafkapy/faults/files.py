"""Rules in a file: JSON, TOML or YAML, by the end of its name.

A list of rules, or an object with such a list under the name `faults`; TOML has no other way than the second:

    [[faults]]
    api = "Produce"
    error = "NOT_LEADER_OR_FOLLOWER"
    times = 2
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from kafkapy.errors import how_to_install
from kafkapy.faults.invalid_rule import InvalidRule, unknown
from kafkapy.faults.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_BYTES_MAX: Final = 1 << 20
RULES_MAX: Final = 1_000
LIST_NAME: Final = "faults"


class InvalidFile(ValueError):
    """The file cannot be read, or has no rules; the message is a sentence without the file's name."""


def load_rules(path: Path) -> list[Rule]:
    """Raises InvalidFile; InvalidRule: one of the rules is wrong, and its field says which (`faults[2].topic`)."""
    rules = _rules_in(_content(path))
    parsed = []
    for index, rule in enumerate(rules):
        try:
            parsed.append(Rule.parse(rule))
        except InvalidRule as error:
            raise error.within(f"{LIST_NAME}[{index}].") from None
    return parsed


def _content(path: Path) -> object:
    suffix = path.suffix.lower()
    parse = _PARSERS.get(suffix)
    if parse is None:
        raise InvalidFile(f"its name ends in none of {', '.join(_PARSERS)}, so its format is not known")
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidFile(f"it cannot be read: {error.strerror}") from error
    if len(data) > FILE_BYTES_MAX:
        raise InvalidFile(f"it has more than {FILE_BYTES_MAX} bytes")
    try:
        return parse(data.decode())
    except UnicodeDecodeError as error:
        raise InvalidFile(f"it is not in UTF-8: {error.reason} at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"it is not valid {suffix[1:].upper()}: {' '.join(str(error).split())}") from error


def _rules_in(content: object) -> list[Any]:
    rules = content
    if isinstance(content, dict):
        for name in content:
            if name != LIST_NAME:
                raise InvalidFile(str(unknown(str(name), "name here", name, [LIST_NAME])))
        rules = content.get(LIST_NAME, [])
    if not isinstance(rules, list):
        raise InvalidFile(f"it has neither a list of rules, nor one under the name {LIST_NAME}")
    if len(rules) > RULES_MAX:
        raise InvalidFile(f"it has {len(rules)} rules, which is more than {RULES_MAX}")
    return rules


def _parse_json(text: str) -> object:
    return json.loads(text)


def _parse_toml(text: str) -> object:
    import tomllib

    return tomllib.loads(text)


def _parse_yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise InvalidFile(
            f"YAML needs PyYAML, which is not installed: {how_to_install('yaml')}, or write TOML or JSON"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


_PARSERS: Final[dict[str, Callable[[str], object]]] = {
    ".json": _parse_json,
    ".toml": _parse_toml,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
}
