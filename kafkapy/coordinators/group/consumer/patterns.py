"""Subscriptions by pattern: RE2, as in Apache Kafka (decision 0008), matched by a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.consumer import records
from kafkapy.coordinators.group.consumer.subscriptions import ResolvedPattern
from kafkapy.coordinators.group.epochs import next_epoch
from kafkapy.coordinators.group.topic_metadata import metadata_hash
from kafkapy.coordinators.runtime import Decision
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.coordinators.group.consumer.group import ConsumerGroup
    from kafkapy.coordinators.ports import CoordinatorRecord
    from kafkapy_controller.image import MetadataImage


_REASONS = {
    "bad repetition operator": "invalid nested repetition operator",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "trailing \\": "trailing backslash at end of expression",
}
"""What is wrong with a pattern, as RE2 says it -> as RE2/J does, and so Apache Kafka."""


def compile_pattern(text: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - google-re2 has no types
    """Raises KafkaError(INVALID_REGULAR_EXPRESSION)."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        text_of_error = error.args[0]
        if isinstance(text_of_error, bytes):
            text_of_error = text_of_error.decode(errors="replace")
        reason = text_of_error.partition(": ")[0]
        reason = _REASONS.get(reason, reason)
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


REFRESH_INTERVAL_MIN_MS = 10_000
"""However many topics appear, patterns are matched this rarely, as in Apache Kafka."""


def is_refresh_due(group: ConsumerGroup, now_ms: int, interval_ms: int, newest_topic_version: int) -> bool:
    """Whether the topics of the group's patterns are to be found, again or for the first time."""
    used = group.subscriptions.patterns
    if not used:
        return False
    if not group.resolved:
        return True
    last = next(iter(group.resolved.values()))  # all are resolved together
    if now_ms < last.resolved_at_ms + REFRESH_INTERVAL_MIN_MS:
        return False
    return (
        used.keys() != group.resolved.keys()
        or last.version < newest_topic_version
        or now_ms > last.resolved_at_ms + interval_ms
    )


def resolution(
    group: ConsumerGroup, matched: Mapping[str, frozenset[str]], image: MetadataImage, version: int, now_ms: int
) -> Decision[None]:
    """Store the topics that were found, and have the group assigned anew if they are others than before.

    `version`: the offset of the metadata that was looked at.
    """
    written: list[CoordinatorRecord] = []
    resolved = dict(group.resolved)
    has_changed = False
    for pattern, topics in matched.items():
        if pattern not in group.subscriptions.patterns:
            continue  # nobody uses it any more
        known = resolved.get(pattern)
        has_changed |= topics != (frozenset() if known is None else known.topics)
        resolved[pattern] = ResolvedPattern(topics, version, now_ms)
        written.append(records.pattern(group.group_id, pattern, resolved[pattern]))
    new_hash = metadata_hash(group.subscriptions.topics(resolved), image)
    if has_changed or new_hash != group.metadata_hash:
        written.append(records.group_epoch(group.group_id, next_epoch(group.epoch), new_hash))
    return Decision(written, None)
