"""What a client has sent, as text in a line of the log: on one line, and not longer than a name is."""

from typing import Final

SHOWN_MAX: Final = 120


def shown(text: str) -> str:
    """`text` without line ends or other unprintable characters, cut after SHOWN_MAX of them."""
    cut = text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode("ascii")
