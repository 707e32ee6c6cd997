"""What DescribeConfigs answers about a topic, a broker, the default broker, a group or a metrics subscription.

Values, sources, read-only flags and the order of synonyms are Apache Kafka 4.4.0's, with its oddities: a topic's
retention.ms that comes from log.retention.hours is called a default, for log.retention.ms itself was never set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from kafkapy.settings.broker import Settings
from kafkapy.settings.catalog import (
    Definition,
    broker_definition,
    broker_definitions,
    broker_synonyms,
    client_metrics_definitions,
    group_definitions,
    topic_definitions,
)
from kafkapy.settings.parse import default_value, parse_value, value_text


class ConfigSource(IntEnum):
    """Where a value comes from, as DescribeConfigs numbers it (KIP-226)."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


# As DescribeConfigs numbers ConfigDef's types (KIP-569); 0 is a name that Kafka does not know.
CONFIG_TYPES = {
    "BOOLEAN": 1,
    "STRING": 2,
    "INT": 3,
    "SHORT": 4,
    "LONG": 5,
    "DOUBLE": 6,
    "LIST": 7,
    "CLASS": 8,
    "PASSWORD": 9,
}


class Synonym(NamedTuple):
    name: str
    value: str | None
    source: ConfigSource


class Entry(NamedTuple):
    """One setting of a resource. `synonyms` are all places that have a value for it, in the order of precedence."""

    name: str
    value: str | None
    read_only: bool
    source: ConfigSource
    is_sensitive: bool
    synonyms: tuple[Synonym, ...]
    config_type: int

    @property
    def is_default(self) -> bool:
        return self.source == ConfigSource.DEFAULT


def describe_topic(settings: Settings, overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[Entry]:
    """The entries of a topic that has these own values. `names`: the settings asked for; None or empty asks for all."""
    values = settings.topic_settings(overrides)
    attributes = values.SETTING_NAMES
    entries = []
    for definition in _wanted(topic_definitions(), names):
        name = definition.name
        if definition.internal and name not in overrides:
            continue
        text = value_text(definition, getattr(values, attributes[name]))
        synonyms = _broker_synonyms_of(settings, definition.synonyms[0]) if definition.synonyms else ()
        if name in overrides:
            synonyms = (Synonym(name, text, ConfigSource.TOPIC), *synonyms)
        entries.append(_entry(definition, text, synonyms))
    return entries


def describe_group(settings: Settings, overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[Entry]:
    """The entries of a group that has these own values."""
    values = settings.group_settings(overrides)
    attributes = values.SETTING_NAMES
    entries = []
    for definition in _wanted(group_definitions(), names):
        name = definition.name
        if definition.internal and name not in overrides:
            continue
        text = value_text(definition, getattr(values, attributes[name]))
        synonyms: tuple[Synonym, ...] = (Synonym(name, definition.default, ConfigSource.DEFAULT),)
        if definition.synonyms:
            synonyms = _broker_synonyms_of(settings, definition.synonyms[0])
            if text is None:  # streams.assignor.name: the first of the broker's assignors
                text = (synonyms[0].value or "").split(",")[0]
        if name in overrides:
            synonyms = (Synonym(name, text, ConfigSource.GROUP), *synonyms)
        entries.append(_entry(definition, text, synonyms))
    return entries


def describe_client_metrics(overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[Entry]:
    """The entries of a subscription to client metrics with those own values (KIP-714)."""
    entries = []
    for definition in _wanted(client_metrics_definitions(), names):
        own = overrides.get(definition.name)
        value = default_value(definition) if own is None else parse_value(definition, own)
        text = value_text(definition, value)
        synonyms = () if own is None else (Synonym(definition.name, text, ConfigSource.CLIENT_METRICS),)
        entries.append(_entry(definition, text, synonyms))
    return entries


def describe_broker(settings: Settings, names: Iterable[str] | None = None) -> list[Entry]:
    """The entries of this broker: Kafka's settings, and unknown names that were given. Passwords and values of
    unknown names are left out."""
    static = settings.static
    given = {**static, **settings.dynamic_default, **settings.dynamic_broker}
    visible = {name for name, definition in broker_definitions().items() if not definition.internal or name in given}
    wanted = set(names) if names else None
    layers = (
        (ConfigSource.DYNAMIC_BROKER, settings.dynamic_broker),
        (ConfigSource.DYNAMIC_DEFAULT_BROKER, settings.dynamic_default),
        (ConfigSource.STATIC_BROKER, static),
    )
    return [
        _broker_entry(name, _broker_value(settings, name, static), _layered_synonyms(name, layers))
        for name in sorted(visible | given.keys())
        if wanted is None or name in wanted
    ]


def describe_default_broker(settings: Settings, names: Iterable[str] | None = None) -> list[Entry]:
    """The entries of the cluster's default broker, whose name is empty: only what AlterConfigs set there."""
    layers = ((ConfigSource.DYNAMIC_DEFAULT_BROKER, settings.dynamic_default),)
    wanted = set(names) if names else None
    return [
        _broker_entry(name, text, _layered_synonyms(name, layers, with_default=False))
        for name, text in sorted(settings.dynamic_default.items())
        if wanted is None or name in wanted
    ]


def _wanted(table: Mapping[str, Definition], names: Iterable[str] | None) -> Iterable[Definition]:
    if not names:
        return table.values()
    return [table[name] for name in dict.fromkeys(names) if name in table]


def _entry(definition: Definition, text: str | None, synonyms: tuple[Synonym, ...]) -> Entry:
    source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
    return Entry(definition.name, text, False, source, False, synonyms, CONFIG_TYPES[definition.type])


def _broker_entry(name: str, text: str | None, synonyms: tuple[Synonym, ...]) -> Entry:
    definition = broker_definition(name)
    source = synonyms[0].source if synonyms else ConfigSource.DEFAULT
    if definition is None:  # an unknown setting may be a password
        return Entry(name, None, True, source, True, synonyms, 0)
    sensitive = definition.is_sensitive
    # By a listener's prefix nothing is called dynamic, although AlterConfigs takes it.
    read_only = not (definition.dynamic and definition.name == name)
    value = None if sensitive else text
    return Entry(name, value, read_only, source, sensitive, synonyms, CONFIG_TYPES[definition.type])


def _broker_value(settings: Settings, name: str, static: Mapping[str, str]) -> str | None:
    definition = broker_definition(name)
    if definition is None:
        return None
    value = settings.value(name)
    if value is None and name in static and (name in _UNTYPED or name not in settings.given):
        return static[name]
    # A name that was given has no value when a dynamic one hides it, under another name of the same thing.
    return value_text(definition, default_value(definition) if value is None else value)


# `Settings` reads these by rules of their own.
_UNTYPED = ("listeners", "advertised.listeners")


def _broker_synonyms_of(settings: Settings, name: str) -> tuple[Synonym, ...]:
    layers = (
        (ConfigSource.DYNAMIC_BROKER, settings.dynamic_broker),
        (ConfigSource.DYNAMIC_DEFAULT_BROKER, settings.dynamic_default),
        (ConfigSource.STATIC_BROKER, settings.static),
    )
    return _layered_synonyms(name, layers)


def _layered_synonyms(
    name: str, layers: Iterable[tuple[ConfigSource, Mapping[str, str]]], *, with_default: bool = True
) -> tuple[Synonym, ...]:
    definition = broker_definition(name)
    hide = definition is None or definition.is_sensitive
    names = broker_synonyms(name)
    found = [
        Synonym(synonym, None if hide else layer[synonym], source)
        for source, layer in layers
        for synonym in names
        if synonym in layer
    ]
    if with_default:
        found += [
            Synonym(synonym, None if hide else default, ConfigSource.DEFAULT)
            for synonym, default in ((synonym, kafka_default(synonym)) for synonym in names)
            if default is not None
        ]
    # Whatever comes before the first of this very name does not count, and neither does the rest when there is none.
    first = next((index for index, synonym in enumerate(found) if synonym.name == name), len(found))
    return tuple(found[first:])


def kafka_default(name: str) -> str | None:
    """Kafka's default of a broker's setting; None for a name with a listener's prefix."""
    definition = broker_definitions().get(name)
    return None if definition is None else definition.default
