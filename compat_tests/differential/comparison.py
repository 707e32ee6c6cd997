"""Two transcripts side by side: every difference has a place, and is either accepted or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from compat_tests.differential.peer import Answer
from compat_tests.differential.plain import Plain

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value in one answer that is not the same."""

    where: str
    """`Metadata v3 unknown topic: topics[0].error_code`."""
    kafkapy: Plain
    apache: Plain

    def __str__(self) -> str:
        return f"{self.where}\n    kafkapy {self.kafkapy!r}\n    apache  {self.apache!r}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A difference we know of. `where` is a pattern of `Difference.where` with `*` for anything."""

    scenario: str
    where: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        # '[' is a pattern character of fnmatch, and an index here.
        return fnmatchcase(difference.where, self.where.replace("[", "[[]"))


def differences(kafkapy: Sequence[Answer], apache: Sequence[Answer]) -> Iterator[Difference]:
    for ours, theirs in zip(kafkapy, apache, strict=False):
        if ours.request != theirs.request:
            yield Difference("(the scenario took another way)", ours.request, theirs.request)
            return
        for path, our_value, their_value in _unequal(ours.plain, theirs.plain):
            yield Difference(f"{ours.request}: {path.lstrip('.')}".rstrip(": "), our_value, their_value)
    if len(kafkapy) != len(apache):
        yield Difference("(number of answers)", len(kafkapy), len(apache))


def _unequal(ours: Plain, theirs: Plain, path: str = "") -> Iterator[tuple[str, Plain, Plain]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in dict.fromkeys([*ours, *theirs]):
            yield from _unequal(ours.get(name, ABSENT), theirs.get(name, ABSENT), f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for index in range(max(len(ours), len(theirs))):
            our_value = ours[index] if index < len(ours) else ABSENT
            their_value = theirs[index] if index < len(theirs) else ABSENT
            yield from _unequal(our_value, their_value, f"{path}[{_name(our_value, their_value, index)}]")
    elif ours != theirs:
        yield path, ours, theirs


def _name(ours: Plain, theirs: Plain, index: int) -> str:
    """An element is best found by the name it carries, when both carry the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for field in ("name", "topic", "group_id", "key"):
            if field in ours and ours.get(field) == theirs.get(field):
                return str(ours[field])
    return str(index)
