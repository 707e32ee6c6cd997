"""What a subscription to client metrics may say (KIP-714): the resource CLIENT_METRICS of AlterConfigs.

Patterns are matched by RE2, which needs time in proportion to the text; Apache Kafka matches them with Java's, which
knows a few things more (look-arounds, references to groups).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.settings.catalog import client_metrics_definitions
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.parse import Value, default_value, parse_value
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INTERVAL_MS: Final = range(100, 3_600_001)
MATCHED: Final = (
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)
"""What a pattern may be about."""


def check_client_metrics(name: str, overrides: Mapping[str, str]) -> None:
    """Check the values of a client metrics subscription. Raises KafkaError."""
    if not name:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty")
    table = client_metrics_definitions()
    for setting in overrides:
        if setting not in table:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown client metrics configuration: {setting}")
    try:
        values = {setting: parse_value(table[setting], text) for setting, text in overrides.items()}
    except SettingsError as error:
        raise KafkaError(ErrorCode.INVALID_CONFIG, str(error)) from error
    interval_ms = values.get("interval.ms")
    if isinstance(interval_ms, int) and interval_ms not in _INTERVAL_MS:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            f"Invalid value {interval_ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        )
    matching_patterns(_texts(values.get("match", ())))


def client_metrics_values(overrides: Mapping[str, str]) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """The metrics, the interval in milliseconds, and the patterns of a subscription that was checked."""
    values = {
        name: parse_value(definition, overrides[name]) if name in overrides else default_value(definition)
        for name, definition in client_metrics_definitions().items()
    }
    interval_ms = values["interval.ms"]
    assert isinstance(interval_ms, int), interval_ms
    return _texts(values["metrics"]), interval_ms, _texts(values["match"])


def matching_patterns(texts: Iterable[str]):  # type: ignore[no-untyped-def]  # noqa: ANN201 - google-re2 has no types
    """The compiled pattern by what it is about; of two about the same, the last. Raises KafkaError INVALID_CONFIG."""
    patterns = {}
    for text in texts:
        # Split as Java does: empty parts count, except at the end.
        parts = text.rstrip("=").split("=")
        compiled = _compiled(parts[1].strip()) if len(parts) == 2 and parts[0].strip() in MATCHED else None
        if compiled is None:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Illegal client matching pattern: {text}")
        patterns[parts[0].strip()] = compiled
    return patterns


def _compiled(pattern: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - google-re2 has no types
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error:
        return None


def _texts(value: Value | None) -> tuple[str, ...]:
    assert isinstance(value, tuple), value
    return value
