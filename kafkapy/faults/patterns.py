"""Names in rules: `orders`, or a pattern with * (any text) and ? (any character).

Brackets mean themselves, unlike in a shell: client ids and group ids have them.
"""

from __future__ import annotations

import re


class Pattern:
    """Matches a whole name. One pass over the name for each `*`: a pattern cannot take long."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled: list[re.Pattern[str]] | None = None
        if "*" in text or "?" in text:
            pieces = text.split("*")
            self._compiled = [
                re.compile("".join("." if each == "?" else re.escape(each) for each in piece), re.DOTALL)
                for piece in pieces
            ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    @property
    def is_name(self) -> bool:
        """Whether it stands for one name only."""
        return self._compiled is None

    def matches(self, name: str) -> bool:
        pieces = self._compiled
        if pieces is None:
            return name == self.text
        if len(pieces) == 1:
            return pieces[0].fullmatch(name) is not None
        first = pieces[0].match(name)
        if first is None:
            return False
        position = first.end()
        for piece in pieces[1:-1]:
            found = piece.search(name, position)
            if found is None:
                return False
            position = found.end()
        last = pieces[-1]
        length = len(self.text.rpartition("*")[2])
        start = len(name) - length
        return start >= position and last.fullmatch(name, start) is not None
