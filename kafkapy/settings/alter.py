"""AlterConfigs and IncrementalAlterConfigs: the values after the operations, and whether they are allowed.

Everything here is decided from what it is given; KafkaError carries Kafka's code and words. The caller takes the
changes (a value of None deletes) to the controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from kafkapy.settings.broker import STATIC_HERE, Settings
from kafkapy.settings.catalog import (
    Definition,
    broker_definition,
    broker_definitions,
    group_definitions,
    listener_base_name,
    topic_definitions,
)
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.parse import Value, parse_value
from kafkapy_wire.errors import ErrorCode, KafkaError

Changes = dict[str, str | None]


class Operation(IntEnum):
    """KIP-339. APPEND and SUBTRACT are for lists."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class OperationOn(NamedTuple):
    name: str
    operation: int
    value: str | None


def check_operations(operations: Sequence[OperationOn]) -> None:
    """What holds for every resource. Raises KafkaError INVALID_REQUEST."""
    names = [operation.name for operation in operations]
    if len(set(names)) < len(names):
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [name for name, operation, value in operations if value is None and operation != Operation.DELETE]
    if nulls:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {', '.join(nulls)}")


def incremental_changes(
    operations: Iterable[OperationOn], current: Mapping[str, str], table: Mapping[str, Definition]
) -> Changes:
    """The values after the operations. Lists build on `current`, else on Kafka's default, never on the broker's file.

    Raises KafkaError: INVALID_CONFIG for a list operation on what is no list in `table`.
    """
    changes: Changes = {}
    for name, operation, value in operations:
        match operation:
            case Operation.SET:
                changes[name] = value
            case Operation.DELETE:
                changes[name] = None
            case _:
                definition = table.get(name)
                if definition is None or definition.type != "LIST":
                    verb = Operation(operation).name
                    raise KafkaError(
                        ErrorCode.INVALID_CONFIG, f"Can't {verb} to key {name} because its type is not LIST."
                    )
                changes[name] = _changed_list(definition, operation, current.get(name), value or "")
    return changes


def _changed_list(definition: Definition, operation: int, current: str | None, value: str) -> str:
    present = [part for part in _split(definition.default or "" if current is None else current) if part]
    if operation == Operation.SUBTRACT:
        gone = _split(value)
        return ",".join(part for part in present if part not in gone)
    return ",".join(present + [part for part in _split(value) if part not in present])


def _split(text: str) -> list[str]:
    """Split as Java does: empty parts count, except at the end."""
    return text.rstrip(",").split(",")


def replacing_changes(values: Mapping[str, str], current: Mapping[str, str]) -> Changes:
    """The changes of an AlterConfigs request: every value that it does not name is deleted."""
    return {**dict.fromkeys(current.keys() - values.keys()), **values}


def applied(changes: Changes, current: Mapping[str, str]) -> dict[str, str]:
    """A resource's own values after `changes`."""
    merged = {**current, **changes}
    return {name: value for name, value in merged.items() if value is not None}


# Topics


def check_topic(settings: Settings, overrides: Mapping[str, str]) -> None:
    """Check the values that a topic would have of its own. Raises KafkaError INVALID_CONFIG."""
    values = _parsed(overrides, topic_definitions(), "Unknown topic config name: {}")
    topic = settings.topic_defaults.with_settings(values)
    if "min.compaction.lag.ms" in values or "max.compaction.lag.ms" in values:
        low, high = topic.min_compaction_lag_ms, topic.max_compaction_lag_ms
        if low > high:
            raise KafkaError(
                ErrorCode.INVALID_CONFIG,
                f"conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})",
            )
    if topic.remote_storage_enable:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG,
            "Tiered Storage functionality is disabled in the broker. "
            "Topic cannot be configured with remote log storage.",
        )


def _parsed(values: Mapping[str, str], table: Mapping[str, Definition], unknown: str) -> dict[str, Value]:
    for name in values:
        if name not in table:
            raise KafkaError(ErrorCode.INVALID_CONFIG, unknown.format(name))
    try:
        return {name: parse_value(table[name], value) for name, value in values.items()}
    except SettingsError as error:
        raise KafkaError(ErrorCode.INVALID_CONFIG, str(error)) from error


# Brokers

# Kafka has this in no list of dynamic settings, but whoever starts a container learns its port only afterwards and says
# so with kafka-configs. Described as read-only nevertheless, as Kafka does.
DYNAMIC_BESIDES = frozenset({"advertised.listeners"})

_STORES = frozenset(
    {
        "ssl.key.password",
        "ssl.keystore.certificate.chain",
        "ssl.keystore.key",
        "ssl.keystore.location",
        "ssl.keystore.password",
        "ssl.keystore.type",
        "ssl.truststore.certificates",
        "ssl.truststore.location",
        "ssl.truststore.password",
        "ssl.truststore.type",
    }
)
# Dynamic settings that are for one broker only, besides those above and those with a listener's prefix.
_PER_BROKER = _STORES | {
    "advertised.listeners",
    "cordoned.log.dirs",
    "listener.security.protocol.map",
    "listeners",
    "principal.builder.class",
    "ssl.cipher.suites",
    "ssl.client.auth",
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "ssl.keymanager.algorithm",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
}
_CLUSTER_WIDE_BY_LISTENER = frozenset({"max.connection.creation.rate", "max.connections", "num.network.threads"})
_THREAD_COUNTS = (
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
)


def check_broker(settings: Settings, values: Mapping[str, str], *, per_broker: bool) -> None:
    """Whether this broker, or the cluster's default broker, may have these dynamic values. Unknown names may be.

    Raises KafkaError INVALID_REQUEST: not INVALID_CONFIG, since that is what Kafka has answered from the beginning.
    """
    table = broker_definitions()
    dynamic_besides = DYNAMIC_BESIDES - settings.as_in_kafka
    static_only = [name for name in values if name in table and not table[name].dynamic and name not in dynamic_besides]
    _refuse("Cannot update these configs dynamically", static_only)
    _refuse(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        [name for name in values if name in _STORES],
    )
    try:
        for name, value in values.items():
            definition = broker_definition(name)
            if definition is not None:
                parse_value(definition, value)
    except SettingsError as error:
        raise KafkaError(ErrorCode.INVALID_REQUEST, str(error)) from error
    if not per_broker:
        _refuse(
            "Cannot update these configs at default cluster level, broker id must be specified",
            [name for name in values if _is_per_broker(name)],
        )
    _refuse(
        "kafkapy binds its listeners once: change these configs where the node is started, and start it again",
        [name for name, value in values.items() if name in STATIC_HERE and value != settings.static.get(name)],
    )
    try:
        default, broker = (settings.dynamic_default, values) if per_broker else (values, settings.dynamic_broker)
        changed = Settings(settings.given, dynamic_default=default, dynamic_broker=broker)
    except SettingsError as error:
        raise KafkaError(ErrorCode.INVALID_REQUEST, str(error)) from error
    _check_threads(settings, changed)
    _check_local_retention(changed)


def _refuse(message: str, names: list[str]) -> None:
    if names:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"{message}: [{', '.join(names)}]")


def _is_per_broker(name: str) -> bool:
    if name in _PER_BROKER or (name.startswith("sasl.") and name in broker_definitions()):
        return True
    base = listener_base_name(name)
    return base is not None and base not in _CLUSTER_WIDE_BY_LISTENER


def _check_threads(settings: Settings, changed: Settings) -> None:
    """Kafka lets thread pools grow or shrink by a factor of two at most. Here are none, but the check is the same."""
    for name in _THREAD_COUNTS:
        before, after = _number(settings, name), _number(changed, name)
        limit = None
        if after > before * 2:
            limit = f"value should not be greater than double the current value {before}"
        elif after * 2 < before:
            limit = f"value should be at least half the current value {before}"
        if limit is not None:
            _refuse_dynamic(f"Dynamic thread count update validation failed for {name}={after}, {limit}")
    before, after = _number(settings, "log.cleaner.threads"), _number(changed, "log.cleaner.threads")
    if after < before // 2:
        _refuse_dynamic(f"Log cleaner threads cannot be reduced to less than half the current value {before}")
    if after > max(before, 1) * 2:  # none may become some again, or a 0 would stay for good
        _refuse_dynamic(f"Log cleaner threads cannot be increased to more than double the current value {before}")


def _number(settings: Settings, name: str) -> int:
    value = settings.value(name)
    if value is None:
        value = parse_value(broker_definitions()[name], broker_definitions()[name].default or "")
    assert isinstance(value, int), f"{name} is {value!r}"
    return value


_UNLIMITED, _AS_THE_WHOLE_LOG = -1, -2


def _check_local_retention(changed: Settings) -> None:
    """What stays on the disk of a tiered log is a part of what is kept of it, and what waits for its copy a part of
    that. Kafka looks at it without tiered storage, too.
    """
    values = changed.topic_defaults
    for unit in ("ms", "bytes"):
        whole, local = values.setting(f"retention.{unit}"), values.setting(f"local.retention.{unit}")
        if whole == _UNLIMITED or local == _AS_THE_WHOLE_LOG:
            continue
        invalid = f"Invalid value {local} for configuration log.local.retention.{unit}"
        if local == _UNLIMITED:
            _refuse_dynamic(f"{invalid}: Value must not be -1 as log.retention.{unit} value is set as {whole}.")
        if local > whole:
            _refuse_dynamic(f"{invalid}: Value must not be more than log.retention.{unit} property value: {whole}")
    for unit in ("ms", "bytes"):
        local, lag = values.setting(f"local.retention.{unit}"), values.setting(f"remote.copy.lag.{unit}")
        if local == _AS_THE_WHOLE_LOG:
            local = values.setting(f"retention.{unit}")
        if local != _UNLIMITED and lag > local:
            _refuse_dynamic(
                f"Invalid value {lag} for configuration log.remote.copy.lag.{unit}: Value must not exceed "
                f"log.local.retention.{unit} (effective value: {local})"
            )


def _refuse_dynamic(message: str) -> None:
    # Kafka puts one exception into another, whose parameters are in the wrong places.
    raise KafkaError(
        ErrorCode.INVALID_REQUEST,
        f"Invalid value org.apache.kafka.common.config.ConfigException: {message} "
        "for configuration Invalid dynamic configuration",
    )


def check_min_insync_replicas(broker_name: str, changes: Changes, current: Mapping[str, str]) -> None:
    """Refuse changes that eligible leader replicas (KIP-966) forbid while on. Raises KafkaError INVALID_CONFIG."""
    name = "min.insync.replicas"
    if broker_name and name in changes:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        )
    if name in current and name in changes and changes[name] is None:
        raise KafkaError(
            ErrorCode.INVALID_CONFIG, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        )


# Groups

# A group's settings that the broker has bounds for (`group.<kind>.min.<rest>`, `group.<kind>.max.<rest>`), in the order
# in which Kafka checks them.
_BOUNDED = (
    "consumer.heartbeat.interval.ms",
    "consumer.session.timeout.ms",
    "consumer.assignment.interval.ms",
    "share.heartbeat.interval.ms",
    "share.session.timeout.ms",
    "share.record.lock.duration.ms",
    "share.delivery.count.limit",
    "share.partition.max.record.locks",
    "share.assignment.interval.ms",
    "streams.heartbeat.interval.ms",
    "streams.session.timeout.ms",
    "streams.num.standby.replicas",
    "streams.assignment.interval.ms",
    "streams.task.offset.interval.ms",
    "streams.num.warmup.replicas",
)
_RACK_TAGS = "streams.rack.aware.assignment.tags"
_STREAMS_ASSIGNORS = ("sticky",)


def check_group(settings: Settings, name: str, overrides: Mapping[str, str]) -> None:
    """Check the values that a group would have of its own. Raises KafkaError INVALID_REQUEST or INVALID_CONFIG."""
    if not name:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Default group resources are not allowed.")
    tags = [tag.strip() for tag in overrides.get(_RACK_TAGS, "").split(",")]
    if len(set(tags)) < len(tags):
        raise _invalid(f"{_RACK_TAGS} must not contain duplicate tag keys.")
    values = _parsed(overrides, group_definitions(), "Unknown group config name: {}")
    for setting in _BOUNDED:
        if setting in values:
            _check_bounds(settings, setting, values[setting])
    assignor = values.get("streams.assignor.name", _STREAMS_ASSIGNORS[0])
    if assignor not in _STREAMS_ASSIGNORS:
        registered = ", ".join(_STREAMS_ASSIGNORS)
        raise _invalid(
            f"streams.assignor.name '{assignor}' is not a registered task assignor. "
            f"Registered assignors are: [{registered}]."
        )
    dead_letter_topic = "errors.deadletterqueue.topic.name"
    if str(values.get(dead_letter_topic, "")).startswith("__"):
        raise _invalid(f"{dead_letter_topic}: DLQ topic name must not start with '__'")
    group = settings.group_defaults.with_settings(values)
    for kind in ("consumer", "share", "streams"):
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        if group.setting(session) <= group.setting(heartbeat):
            raise _invalid(f"{session} must be greater than {heartbeat}")


def _check_bounds(settings: Settings, setting: str, value: Value) -> None:
    """Raises KafkaError INVALID_CONFIG: `value` is outside the bounds that the broker's settings give groups."""
    assert isinstance(value, int), f"{setting} is {value!r}"
    kind, _, rest = setting.partition(".")
    names = [f"group.{kind}.{bound}.{rest.removeprefix('num.')}" for bound in ("min", "max")]
    low, high = (_number(settings, name) if name in broker_definitions() else None for name in names)
    if (low is None or value >= low) and (high is None or value <= high):
        return
    if low is not None and high is not None:
        raise _invalid(f"{setting} must be in the range {low} to {high} inclusive.")
    if low is not None:
        raise _invalid(f"{setting} must be greater than or equal to {low}")
    raise _invalid(f"{setting} must be less than or equal to {high}")


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_CONFIG, message)
