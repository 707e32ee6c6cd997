"""The rules for topic names, and the names of Kafka's own topics."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import ONE_UUID

NAME_LENGTH_MAX = 249
"""A partition's directory is called NAME-INDEX, and a file name has at most 255 bytes."""

CLUSTER_METADATA_TOPIC = "__cluster_metadata"
METADATA_TOPIC_ID = ONE_UUID
OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTION_TOPIC = "__transaction_state"
SHARE_STATE_TOPIC = "__share_group_state"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTION_TOPIC, SHARE_STATE_TOPIC})
"""The coordinators' topics. Clients may read them, and write to them as admin clients only."""

_LEGAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def check_topic_name(name: str) -> None:
    """Raises KafkaError INVALID_TOPIC_EXCEPTION with the words Apache Kafka uses."""
    reason = _what_is_wrong(name)
    if reason is not None:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {reason}")


def _what_is_wrong(name: str) -> str | None:
    if not name:
        return "the empty string is not allowed"
    if name in (".", ".."):
        return f"'{name}' is not allowed"
    if len(name) > NAME_LENGTH_MAX:
        return f"the length of '{name}' is longer than the max allowed length {NAME_LENGTH_MAX}"
    if not _LEGAL.issuperset(name):
        return f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    return None


def is_valid_topic_name(name: str) -> bool:
    return _what_is_wrong(name) is None


def metric_name(name: str) -> str | None:
    """The name in metrics, which write `.` as `_`; None if the name has neither, so that it cannot collide."""
    return name.replace(".", "_") if "." in name or "_" in name else None
