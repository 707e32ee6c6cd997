"""What somebody meant who has misspelt a name."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; None: nothing is like it."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'retention.ms'?)`, or nothing where no known name is like this one."""
    match = nearest(name, known)
    return "" if match is None else f" (did you mean {match!r}?)"
