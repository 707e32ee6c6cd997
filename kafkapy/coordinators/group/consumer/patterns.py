"""Subscriptions by pattern: RE2, as in Apache Kafka (decision 0008), matched by a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PATTERN_MEMORY_BYTES = 1 << 20
"""What a compiled pattern may take: one that repeats a repetition a thousand times takes far more."""


def compile_pattern(text: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - google-re2 has no types
    """Raises KafkaError(INVALID_REGULAR_EXPRESSION)."""
    import re2

    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_BYTES
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        reason = error.args[0]
        if isinstance(reason, bytes):
            reason = reason.decode(errors="replace")
        message = f"SubscribedTopicRegex `{text}` is not a valid regular expression: {reason}."
        raise KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION, message) from None


def matches(patterns: Iterable[str], topics: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """The topics that each pattern matches from end to end. A pattern that cannot be compiled matches none."""
    names = [*topics]
    matched: dict[str, frozenset[str]] = {}
    for pattern in patterns:
        try:
            compiled = compile_pattern(pattern)
        except KafkaError:
            matched[pattern] = frozenset()
        else:
            matched[pattern] = frozenset(name for name in names if compiled.fullmatch(name) is not None)
    return matched
