"""Parses integers in text from outside: settings, names of resources and files, arguments.

`int()` takes blanks and underscores, raises for more than 4,300 digits, and is quadratic below that. This takes what
Java's `Long.parseLong` takes, in time that is linear in the text.
"""

from __future__ import annotations

import re

_INTEGER = re.compile(r"[+-]?0*(\d*)")
_DIGITS_MAX = 19  # of the largest 64-bit integer

INT32_MAX = (1 << 31) - 1
INT64_MAX = (1 << 63) - 1


def parse_integer(text: str, low: int = -INT64_MAX - 1, high: int = INT64_MAX) -> int | None:
    """The decimal integer in `text`; None if it is not an integer, or not within `[low, high]`.

    A sign and leading zeros are allowed, blanks are not. `low` and `high` are 64-bit integers.
    """
    match = _INTEGER.fullmatch(text)
    if match is None or text in ("", "+", "-") or len(match[1]) > _DIGITS_MAX:
        return None
    number = int(match[1] or "0")
    if text[0] == "-":
        number = -number
    return number if low <= number <= high else None
