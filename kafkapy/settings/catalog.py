"""Looks settings up in the generated tables. Imported only where text is parsed or described, never to read a value."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kafkapy.settings import definitions

# The rate limits of KIP-73 are settings of a broker that only ever exist dynamically: no properties file knows them.
DYNAMIC_ONLY: tuple[definitions.Row, ...] = tuple(
    (name, "LONG", "9223372036854775807", "[0,...]", "MEDIUM", False, True, ())
    for name in (
        "follower.replication.throttled.rate",
        "leader.replication.throttled.rate",
        "replica.alter.log.dirs.io.max.bytes.per.second",
    )
)


# Settings that Apache Kafka does not have.
OWN: tuple[definitions.Row, ...] = (
    # In Apache Kafka a property of the JVM: `-Djava.security.auth.login.config=...` in KAFKA_OPTS.
    ("java.security.auth.login.config", "STRING", None, None, "LOW", False, False, ()),
    ("kafkapy.gateway.is.host", "BOOLEAN", "false", None, "LOW", False, False, ()),
    ("kafkapy.retention.from.last.write", "BOOLEAN", "false", None, "LOW", False, True, ()),
)


class Definition(NamedTuple):
    """One setting as Kafka declares it.

    `type` is a word of ConfigDef: BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS, PASSWORD. `default` is text
    as in a properties file. `valid` is the bound as Kafka's documentation prints it, None for none. `synonyms` are
    the broker's settings that a topic's or group's falls back to, first wins.
    """

    name: str
    type: str
    default: str | None
    valid: str | None
    importance: str
    internal: bool
    dynamic: bool
    synonyms: tuple[str, ...]

    @property
    def is_sensitive(self) -> bool:
        return self.type == "PASSWORD"


def _table(rows: tuple[definitions.Row, ...]) -> Mapping[str, Definition]:
    return MappingProxyType({row[0]: Definition(*row) for row in rows})


@functools.cache
def broker_definitions() -> Mapping[str, Definition]:
    return _table(definitions.BROKER)


@functools.cache
def dynamic_only_definitions() -> Mapping[str, Definition]:
    return _table(DYNAMIC_ONLY)


@functools.cache
def own_definitions() -> Mapping[str, Definition]:
    """Settings of a broker that are kafkapy's own."""
    return _table(OWN)


@functools.cache
def topic_definitions() -> Mapping[str, Definition]:
    return _table(definitions.TOPIC)


@functools.cache
def group_definitions() -> Mapping[str, Definition]:
    return _table(definitions.GROUP)


@functools.cache
def client_metrics_definitions() -> Mapping[str, Definition]:
    return _table(definitions.CLIENT_METRICS)


# Several units for one thing: the first that is set wins, a later one counts where no earlier is set.
_SYNONYM_GROUPS = (
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
)
_LISTENER_PREFIX = "listener.name."
# These are given a mechanism too: listener.name.<listener>.<mechanism>.<name>.
_LISTENER_MECHANISM_NAMES = (
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
)
_OF_TOKENS = "sasl.oauthbearer."  # and so are these


def listener_base_name(name: str) -> str | None:
    """The plain name behind `listener.name.<listener>.[<mechanism>.]`, None when `name` has no such prefix."""
    if not name.startswith(_LISTENER_PREFIX):
        return None
    _, dot, base = name[len(_LISTENER_PREFIX) :].partition(".")
    if not dot:
        return None
    behind_mechanism = base.partition(".")[2]
    if behind_mechanism.startswith(_OF_TOKENS):
        return behind_mechanism
    return next((known for known in _LISTENER_MECHANISM_NAMES if base.endswith(known)), base)


def broker_synonyms(name: str) -> tuple[str, ...]:
    """`name` and its synonyms, in the order of precedence, as DescribeConfigs lists them."""
    for group in _SYNONYM_GROUPS:
        if name in group:
            return group
    if name == "log.flush.interval.ms":  # one way only: log.flush.scheduler.interval.ms has a meaning of its own
        return ("log.flush.interval.ms", "log.flush.scheduler.interval.ms")
    base = listener_base_name(name)
    return (name,) if base is None else (name, base)


def broker_definition(name: str) -> Definition | None:
    """The definition of a broker's setting, also by its listener-prefixed name; None: Kafka knows no such name."""
    table = broker_definitions()
    found = table.get(name) or dynamic_only_definitions().get(name) or own_definitions().get(name)
    if found is None:
        base = listener_base_name(name)
        if base is not None:
            found = table.get(base)
    return found
