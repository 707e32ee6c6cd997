"""The refusal of a seed: in which file and line, which field, why, and what was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.nearest import nearest as nearest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN_CHARACTERS_MAX: Final = 80
REASON_CHARACTERS_MAX: Final = 1_000


class InvalidSeed(ValueError):
    """A seed is refused, and nothing of it is applied. `line` counts from 1; None: it comes from no text."""

    def __init__(
        self, field: str, reason: str, nearest: str | None = None, line: int | None = None, file: str | None = None
    ) -> None:
        reason = reason[:REASON_CHARACTERS_MAX]
        super().__init__(field, reason, nearest, line, file)
        self.field = field
        self.reason = reason
        self.nearest = nearest
        self.line = line
        self.file = file

    def __str__(self) -> str:
        words = [
            *([] if self.file is None else [f"{self.file}: "]),
            *([] if self.line is None else [f"line {self.line}: "]),
            *([] if not self.field else [f"{self.field}: "]),
            self.reason,
            *([] if self.nearest is None else [f" (did you mean {self.nearest!r}?)"]),
        ]
        return "".join(words)


class Place(NamedTuple):
    """Where an entry stands."""

    line: int | None = None
    file: str | None = None
    prefix: str = ""
    """What stands before the names of its fields: `records.orders[3].`"""
    lines: Mapping[str, int] = {}
    """Of its fields, where these have lines of their own."""
    left_out: tuple[str, ...] = ()
    """Names of fields that are not written there: `orders: 3` leaves out `topic` and `partitions`."""

    def refusal(self, field: str, reason: str, nearest: str | None = None) -> InvalidSeed:
        first, _, rest = field.partition(".")
        if first in self.left_out:
            field = rest
        line = self.lines.get(field.partition(".")[0].partition("[")[0], self.line)
        return InvalidSeed(f"{self.prefix}{field}".rstrip("."), reason, nearest, line, self.file)

    def unknown(self, field: str, what: str, name: str, known: Iterable[str]) -> InvalidSeed:
        """The refusal of a name that is not one of `known`, of which there are a few."""
        names = list(known)
        meant = nearest_of(name, names)
        choices = "" if meant is not None else f": there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
        return self.refusal(field, f"{what}{choices}", meant)


def shown(value: object) -> str:
    """A value as an error names it: of bounded length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        return "a value that is too long to be shown"
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."
