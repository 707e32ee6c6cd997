"""What somebody meant who has misspelt a name."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'retention.ms'?)`, or nothing where no known name is like this one."""
    from difflib import get_close_matches

    return "".join(f" (did you mean {match!r}?)" for match in get_close_matches(name, list(known), n=1))
