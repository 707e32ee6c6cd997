"""The refusal of a rule: which field, why, and what was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.errors import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

REASON_CHARACTERS_MAX: Final = 1_000


class InvalidRule(ValueError):
    """A rule is refused, and nothing of it is applied. `field` is the rule's word, `reason` a sentence.

    `nearest` is the valid choice that is most like what was given; None: nothing is like it.
    """

    def __init__(self, field: str, reason: str, nearest: str | None = None) -> None:
        reason = cut(reason, REASON_CHARACTERS_MAX)  # it may quote what was given
        super().__init__(field, reason, nearest)
        self.field = field
        self.reason = reason
        self.nearest = nearest

    def __str__(self) -> str:
        meant = f" (did you mean {self.nearest!r}?)" if self.nearest is not None else ""
        return f"{self.field}: {self.reason}{meant}"

    def within(self, place: str) -> InvalidRule:
        """The same, of a rule that is one of several: `place` says which."""
        return InvalidRule(f"{place}{self.field}", self.reason, self.nearest)


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, whatever its case; None if none is like it."""
    from difflib import get_close_matches

    by_plain = {_plain(each): each for each in known}
    matches = get_close_matches(_plain(name), list(by_plain), n=5)
    # Of several, one that is as long: letters are more often mixed up than left out.
    best = min(matches, key=lambda match: abs(len(match) - len(_plain(name))), default=None)
    return None if best is None else by_plain[best]


def shown(value: object) -> str:
    """The value as its author wrote it, cut."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a value that is too long to be shown"  # a number of thousands of digits, thousands of brackets
    return text if len(text) <= 80 else f"{text[:80]}..."


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def unknown(field: str, what: str, given: object, known: Iterable[str]) -> InvalidRule:
    """The refusal of a name that is not one of `known`."""
    names = list(known)
    nearest = nearest_of(given, names) if isinstance(given, str) else None
    if len(names) == 1:
        nearest = names[0]
    choices = f"; it is one of {', '.join(names)}" if len(names) <= 12 and nearest is None else ""
    return InvalidRule(field, f"{shown(given)} is no {what}{choices}", nearest)
