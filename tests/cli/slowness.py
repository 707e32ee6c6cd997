"""What a command says only because the machine is slow: that it waits, and how far it is."""

from __future__ import annotations

import re

_SLOW = re.compile(r"(?m)^(\d+ records|kafkapy [\w -]+: waiting for [^\n]+)\n")


def without_slowness(text: str) -> str:
    """Its standard error as it is on a machine that is not busy."""
    return _SLOW.sub("", text)
