"""`ssl.principal.mapping.rules`: from the distinguished name of a certificate to the name of a principal.

    RULE:^CN=(.*?),OU=.*$/$1/L,DEFAULT      the first rule whose pattern matches the whole name counts

A pattern is Java's. What Java knows and Python's `re` does not is refused when the node starts. Names come from
clients, so RE2 matches them, in time in proportion to the name (decision 0008): `(a+)+` backtracks for ever. Only
patterns with look-arounds, back references, possessive quantifiers or word boundaries, which RE2 lacks or reads
differently, are matched by `re`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from kafkapy.settings.errors import SettingsError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

_PART: Final = r"(?:\\.|[^\\/])*"
_SPLITTER: Final = re.compile(rf"\s*((DEFAULT)|RULE:({_PART})/({_PART})/([LU]?).*?|(.*?))\s*(,\s*|$)")
_PARSER: Final = re.compile(rf"(DEFAULT)|RULE:({_PART})/({_PART})/([LU]?)")
_REFERENCE: Final = re.compile(r"\$(\d+)")
_NAMED_GROUP: Final = re.compile(r"\(\?<(?=[A-Za-z])")
_FLAGS: Final = re.compile(r"\(\?([imsx]+)\)")
_QUOTED: Final = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_WORD_BOUNDARY: Final = re.compile(r"(?<!\\)(?:\\\\)*\\[bB]")
"""RE2 takes each place where a search begins for a boundary."""
_PIECE: Final = re.compile(r"\\.|&&|.", re.DOTALL)
NAME_LETTERS_MAX: Final = 4_096
"""A longer name matches no rule: a client may present any, and a pattern may take long."""


class NoMatchingRule(ValueError):
    """No rule is for this name."""


class _Match(Protocol):
    def start(self) -> int: ...

    def end(self) -> int: ...

    def __getitem__(self, group: int, /) -> str | None: ...


class _Pattern(Protocol):
    @property
    def groups(self) -> int: ...

    @property
    def groupindex(self) -> Mapping[str, int]: ...

    def fullmatch(self, text: str, /) -> object: ...

    def search(self, text: str, position: int, /) -> _Match | None: ...


class _Rule:
    __slots__ = ("_case", "_parts", "_pattern")

    def __init__(self, pattern: str, replacement: str, case: str) -> None:
        """Raises re.error, ValueError: the replacement names a group that is not there."""
        text = _NAMED_GROUP.sub("(?P<", _QUOTED.sub(lambda quoted: re.escape(quoted[1]), pattern))
        # `(?i)` holds from there on; Python has that only at the beginning, or for a group.
        text, count = _FLAGS.subn(r"(?\1:", text)
        self._pattern = _compiled(text + ")" * count)
        self._parts = _replacement(_with_literal_references(replacement, self._pattern.groups), self._pattern)
        self._case = case

    def apply(self, name: str) -> str | None:
        if self._pattern.fullmatch(name) is None:
            return None
        found = self._replace_all(name)
        return found.lower() if self._case == "L" else found.upper() if self._case == "U" else found

    def _replace_all(self, name: str) -> str:
        """As Java does: after an empty match the search goes on one letter further. Python's tries that place again,
        for a longer match.
        """
        parts, copied, position = [], 0, 0
        while position <= len(name):
            match = self._pattern.search(name, position)
            if match is None:
                break
            parts += [name[copied : match.start()], self._expand(match)]
            copied = match.end()
            position = copied + (match.start() == copied)
        return "".join(parts) + name[copied:]

    def _expand(self, match: _Match) -> str:
        return "".join(part if isinstance(part, str) else match[part] or "" for part in self._parts)


def _compiled(text: str) -> _Pattern:
    """Raises re.error, ValueError: Python would read the pattern in another way than Java."""
    _refuse_sets_of_java(text)
    in_python = re.compile(text, re.ASCII)
    if _WORD_BOUNDARY.search(text):
        return in_python
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        in_re2: _Pattern = re2.compile(text, options)
    except re2.error:
        return in_python
    return in_re2


def _refuse_sets_of_java(text: str) -> None:
    """Raises ValueError: `[a-z&&[^b]]` and `[a[b]]` are sets of letters in Java, and something else in Python."""
    is_in_set = False
    for part in _PIECE.findall(text):
        if is_in_set and part in ("[", "&&"):
            raise ValueError(f"{part} within [...] is not served: write the letters one after the other")
        is_in_set = part == "[" or (is_in_set and part != "]")


class PrincipalMapping:
    """The rules, parsed."""

    __slots__ = ("_rules",)

    def __init__(self, text: str, setting: str = "ssl.principal.mapping.rules") -> None:
        """Raises SettingsError."""
        self._rules: list[_Rule | None] = []  # None: DEFAULT
        for match in _SPLITTER.finditer(text.strip()):
            rule = match[1]
            parsed = _PARSER.match(rule)
            if not rule:
                continue
            if parsed is None or parsed.end() != len(rule):
                raise SettingsError(
                    f"{setting} has the invalid rule {shortened(rule)}: write RULE:PATTERN/REPLACEMENT/, with L or U "
                    "behind it if the name is to be in small or capital letters, or DEFAULT",
                    setting,
                )
            try:
                self._rules.append(None if parsed[1] else _Rule(parsed[2], parsed[3], parsed[4]))
            except (re.error, ValueError, OverflowError, RecursionError) as error:
                raise SettingsError(
                    f"{setting} has a rule that cannot be read, {shortened(rule)}: {error}", setting
                ) from None

    def name_of(self, distinguished_name: str) -> str:
        """Raises NoMatchingRule."""
        if len(distinguished_name) > NAME_LETTERS_MAX:
            raise NoMatchingRule(f"the name has {len(distinguished_name)} letters, {NAME_LETTERS_MAX} are the most")
        for rule in self._rules:
            found = distinguished_name if rule is None else rule.apply(distinguished_name)
            if found is not None:
                return found
        raise NoMatchingRule(f"no rule of ssl.principal.mapping.rules matches {distinguished_name}")


def _with_literal_references(replacement: str, group_count: int) -> str:
    """A `$12` for which the pattern has no group is meant as text: so Kafka puts a `\\` before it.

    It looks for them in the text as it was, and changes the text at those places while it grows: a second one is
    escaped one letter too early. Principals depend on that.
    """
    if not group_count:
        return replacement
    changed = replacement
    for match in _REFERENCE.finditer(replacement):
        if match[1].startswith("0"):
            continue
        number = int(match[1])
        while number > group_count and number >= 10:
            number //= 10
        if number > group_count:
            start = match.start(1) - 1
            changed = f"{changed[:start]}\\{changed[start:]}"
    return changed


def _replacement(text: str, pattern: _Pattern) -> list[str | int]:
    """Texts and numbers of groups, as Java reads a replacement. Raises ValueError."""
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter == "\\":
            if position == len(text):
                raise ValueError("the replacement ends in \\")
            parts.append(text[position])
            position += 1
        elif letter != "$":
            parts.append(letter)
        elif text[position : position + 1] == "{":
            name, brace, _ = text[position + 1 :].partition("}")
            if not brace or name not in pattern.groupindex:
                raise ValueError(f"there is no group {{{name}}}")
            parts.append(pattern.groupindex[name])
            position += len(name) + 2
        else:
            number, position = _group_number(text, position, pattern.groups)
            parts.append(number)
    return parts


def _group_number(text: str, position: int, group_count: int) -> tuple[int, int]:
    """The longest number behind a `$` for which there is a group, and where it ends. Raises ValueError."""
    digit = text[position : position + 1]
    if not digit or digit not in "0123456789":
        raise ValueError("a $ in the replacement names no group")
    number = int(digit)
    if number > group_count:
        raise ValueError(f"there is no group {number}")
    position += 1
    while position < len(text) and text[position] in "0123456789":
        longer = 10 * number + int(text[position])
        if longer > group_count:
            break
        number = longer
        position += 1
    return number, position
