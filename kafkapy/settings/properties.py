"""Java's properties format, as server.properties is written in it.

A logical line ends where its last character is no backslash that escapes; lines that begin with # or ! are comments;
a name ends at the first unescaped = or : or blank; \\uXXXX is a UTF-16 unit. The last of two equal names wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLANK = " \t\f"
_LINE_END = re.compile(r"\r\n|\n|\r")
# A name: everything up to a separator, where a backslash takes the next character along.
_NAME = re.compile(r"(?:\\.|[^\\=: \t\f])*", re.DOTALL)
_SEPARATOR = re.compile(r"[ \t\f]*[=:]?[ \t\f]*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(text: str) -> dict[str, str]:
    """Name -> value. Raises ValueError: a \\u without four digits behind it."""
    properties: dict[str, str] = {}
    for line in _logical_lines(text):
        name = _NAME.match(line)
        assert name is not None
        separator = _SEPARATOR.match(line, name.end())
        assert separator is not None
        properties[_unescape(name[0])] = _unescape(line[separator.end() :])
    return properties


def _logical_lines(text: str) -> Iterator[str]:
    logical = ""
    continued = False
    for natural in _LINE_END.split(text):
        line = natural.lstrip(_BLANK)
        if not continued and (not line or line[0] in "#!"):
            continue
        backslashes = len(line) - len(line.rstrip("\\"))
        continued = backslashes % 2 == 1
        logical += line[:-1] if continued else line
        if not continued:
            yield logical
            logical = ""
    if logical:
        yield logical


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    if re.search(r"(?<!\\)(?:\\\\)*\\u(?![0-9a-fA-F]{4})", text):
        raise ValueError("Malformed \\uxxxx encoding.")

    def replacement(match: re.Match[str]) -> str:
        escaped = match[1]
        return chr(int(escaped[1:], 16)) if len(escaped) == 5 else _ESCAPED.get(escaped, escaped)

    units = _ESCAPE.sub(replacement, text)
    # Two escaped UTF-16 units may be one character.
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
