"""Two transcripts side by side: every difference has a place, and is either accepted or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from compat_tests.differential.peer import Answer
from compat_tests.differential.plain import Plain
from compat_tests.differential.timing import NEVER

ABSENT = "(absent)"
NAMING_FIELDS = (
    "api_key",
    "name",
    "topic",
    "group_id",
    "key",
    "resource_name",
    "partition_index",
    "partition",
    "index",
)
VERSION = re.compile(r"v\d+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value in one answer that is not the same."""

    where: str
    """`Metadata v3 unknown topic: topics[0].error_code`."""
    kafkapy: Plain
    apache: Plain


def report(found: Sequence[Difference]) -> str:
    """The differences as text; those that are the same in several versions of an API are told once."""
    versions: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        api, _, rest = one.where.partition(" ")
        version, _, rest = rest.replace(":", " :", 1).partition(" ")
        if not VERSION.fullmatch(version):
            version, rest = "", f"{version} {rest}"
        same = (api, rest.replace(" :", ":", 1), f"    kafkapy {one.kafkapy!r}\n    apache  {one.apache!r}")
        versions.setdefault(same, []).append(version)
    return "\n".join(f"{api} {','.join(seen)} {rest}\n{values}" for (api, rest, values), seen in versions.items())


@dataclass(frozen=True, slots=True)
class Accepted:
    """A difference we know of. In `where` (of `Difference.where`) and `apache` (what it answers) `*` is anything."""

    scenario: str
    where: str
    reason: str
    apache: str = "*"
    switch: str | None = None
    """Of `kafkapy.strictness`, if it is a kindness: a strict kafkapy does not have the difference."""

    def covers(self, difference: Difference) -> bool:
        # '[' is a pattern character of fnmatch, and an index here.
        where, apache = self.where.replace("[", "[[]"), self.apache.replace("[", "[[]")
        return fnmatchcase(difference.where, where) and fnmatchcase(str(difference.apache), apache)


def differences(kafkapy: Sequence[Answer], apache: Sequence[Answer]) -> Iterator[Difference]:
    for ours, theirs in zip(kafkapy, apache, strict=False):
        if ours.request != theirs.request:
            yield Difference("(the scenario took another way)", ours.request, theirs.request)
            return
        # An answer that never came differs in itself.
        if ours.when != theirs.when and NEVER not in (ours.when, theirs.when):
            yield Difference(f"{ours.request}: (when)", ours.when, theirs.when)
        for path, our_value, their_value in _unequal(ours.plain, theirs.plain):
            yield Difference(f"{ours.request}: {path.lstrip('.')}".rstrip(": "), our_value, their_value)
    if len(kafkapy) != len(apache):
        yield Difference("(number of answers)", len(kafkapy), len(apache))


def _unequal(ours: Plain, theirs: Plain, path: str = "") -> Iterator[tuple[str, Plain, Plain]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in dict.fromkeys([*ours, *theirs]):
            yield from _unequal(ours.get(name, ABSENT), theirs.get(name, ABSENT), f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        our_elements, their_elements = _by_name(ours), _by_name(theirs)
        if our_elements is None or their_elements is None:
            our_elements = {str(index): value for index, value in enumerate(ours)}
            their_elements = {str(index): value for index, value in enumerate(theirs)}
        for name in dict.fromkeys([*our_elements, *their_elements]):
            our_value, their_value = our_elements.get(name, ABSENT), their_elements.get(name, ABSENT)
            yield from _unequal(our_value, their_value, f"{path}[{name}]")
        if list(our_elements) != list(their_elements) and set(our_elements) == set(their_elements):
            yield f"{path} (order)", list(our_elements), list(their_elements)
    elif ours != theirs:
        yield path, ours, theirs


def _by_name(values: list[Plain]) -> dict[str, Plain] | None:
    """The elements by what names them, in their order; None when something has no name or not one of its own."""
    named: dict[str, Plain] = {}
    for value in values:
        if not isinstance(value, dict):
            return None
        name = " ".join(str(value[field]) for field in NAMING_FIELDS if value.get(field) is not None).strip()
        if not name or name in named:
            return None
        named[name] = value
    return named
