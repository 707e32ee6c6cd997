"""Text from a client to a number, in bounded time."""

from __future__ import annotations

import re
from typing import Final

_INT32: Final = re.compile(r"([+-]?)0*([0-9]{1,10})")
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def parse_int32(text: str) -> int | None:
    """The number that Java's `Integer.parseInt` reads; None where that is none.

    `int()` would take blanks and underscores, and raise for more than 4,300 digits, whatever they are.
    """
    found = _INT32.fullmatch(text)
    if found is None or not text.isascii():
        return None
    number = int(found[1] + found[2])
    return number if INT32_MIN <= number <= INT32_MAX else None
