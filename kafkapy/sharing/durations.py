"""Durations as Java writes them (ISO 8601): `PnDTnHnMn.nS`."""

from __future__ import annotations

import re

_DURATION = re.compile(
    r"([-+]?)P(?:([-+]?\d{1,10})D)?(T(?:([-+]?\d{1,10})H)?(?:([-+]?\d{1,10})M)?(?:([-+]?\d{1,12})(?:[.,](\d{0,9}))?S)?)?",
    re.IGNORECASE,
)


def milliseconds_of(text: str) -> int:
    """Raises ValueError: it is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.group(2, 4, 5, 6)) or (match[3] or "").upper() == "T":
        raise ValueError(f"not a duration: {text!r}")
    days, hours, minutes = (int(match[group] or 0) for group in (2, 4, 5))
    milliseconds = ((days * 24 + hours) * 60 + minutes) * 60_000
    if match[6]:
        fraction = int((match[7] or "").ljust(9, "0")[:9]) // 1_000_000
        milliseconds += int(match[6]) * 1_000 + (-fraction if match[6].startswith("-") else fraction)
    return -milliseconds if match[1] == "-" else milliseconds
