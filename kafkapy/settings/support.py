"""What kafkapy does with each given setting: honours it, refuses to start, or logs that it has no effect.

Imported only where something was given.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from kafkapy.settings import support_table
from kafkapy.settings.authorizer import STANDARD_AUTHORIZER, authorizer_settings
from kafkapy.settings.catalog import (
    Definition,
    broker_definition,
    group_definitions,
    listener_base_name,
    own_definitions,
    topic_definitions,
)
from kafkapy.settings.different_defaults import DIFFERENT_DEFAULTS
from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.given import GivenSettings
from kafkapy.settings.listeners import parse_counts_by_host
from kafkapy.settings.parse import Value, default_value, parse_value
from kafkapy.settings.receiver import CLIENT_METRICS_RECEIVER
from kafkapy.settings.support_table import HARMLESS, HONOURED, LATER, NO_CONFIG_PROVIDERS, REFUSED

# Settings that may differ from listener to listener, besides those of TLS.
PER_LISTENER = frozenset(
    {
        "connections.max.reauth.ms",
        "max.connection.creation.rate",
        "max.connections",
        "sasl.enabled.mechanisms",
        "sasl.jaas.config",
        "sasl.client.callback.handler.class",
        "sasl.kerberos.principal.to.local.rules",
        "sasl.kerberos.service.name",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.login.connect.timeout.ms",
        "sasl.login.read.timeout.ms",
        "sasl.login.refresh.buffer.seconds",
        "sasl.login.refresh.min.period.seconds",
        "sasl.login.refresh.window.factor",
        "sasl.login.refresh.window.jitter",
        "sasl.login.retry.backoff.max.ms",
        "sasl.login.retry.backoff.ms",
        "sasl.server.callback.handler.class",
        "sasl.server.max.receive.size",
        *(
            "sasl.oauthbearer.allow.unverified.audience",
            "sasl.oauthbearer.allow.unverified.issuer",
            "sasl.oauthbearer.client.credentials.client.id",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.clock.skew.seconds",
            "sasl.oauthbearer.expected.audience",
            "sasl.oauthbearer.expected.issuer",
            "sasl.oauthbearer.jwks.endpoint.refresh.ms",
            "sasl.oauthbearer.jwks.endpoint.url",
            "sasl.oauthbearer.jwt.retriever.class",
            "sasl.oauthbearer.jwt.validator.class",
            "sasl.oauthbearer.scope",
            "sasl.oauthbearer.scope.claim.name",
            "sasl.oauthbearer.sub.claim.name",
            "sasl.oauthbearer.token.endpoint.url",
        ),
    }
)
PREFIXES_PER_LISTENER = ("sasl.oauthbearer.assertion.", "ssl.")
WITH_MECHANISM = frozenset({"sasl.jaas.config"})
"""What brokers read for one mechanism of one listener only."""
SERVED_METRIC_REPORTERS = (CLIENT_METRICS_RECEIVER, "org.apache.kafka.common.metrics.JmxReporter")
SERVED_REPLICA_SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

# `${provider:key}` and `${provider:path:key}` (KIP-297): `${env:HOME}`, `${file:/etc/secrets:password}`.
_VARIABLE = re.compile(r"\$\{[^{}:]*:[^{}]*\}")


class Support(NamedTuple):
    """`reason`: limits of what is honoured; why it is harmless or refused; what is missing. `advice`: what to do."""

    state: str
    reason: str
    advice: str = ""


def _by_name(table: support_table.Table) -> Mapping[str, Support]:
    found: dict[str, Support] = {}
    for state, reasons in table.items():
        for reason, names in reasons.items():
            support = Support(state, reason) if isinstance(reason, str) else Support(state, *reason)
            for name in names.split():
                assert name not in found, f"{name} is in the table twice"
                found[name] = support
    return found


@functools.cache
def broker_support() -> Mapping[str, Support]:
    """The support of every setting of a broker in Apache Kafka 4.4.0, by name."""
    return _by_name(support_table.BROKER)


@functools.cache
def topic_support() -> Mapping[str, Support]:
    return _by_name(support_table.TOPIC)


@functools.cache
def group_support() -> Mapping[str, Support]:
    return _by_name(support_table.GROUP)


@functools.cache
def support_besides() -> Mapping[str, Support]:
    """The support of settings that Apache Kafka has removed, or that its plug-ins read; a name may be a prefix."""
    return _by_name(support_table.BESIDES)


def support_of(name: str) -> Support | None:
    """The support of a broker's setting, which may have a listener's prefix. None if the name is unknown."""
    table, besides = broker_support(), support_besides()
    found = table.get(name) or besides.get(name)
    if found is not None:
        return found
    if name in own_definitions():
        return Support(HONOURED, "kafkapy's own")
    base = listener_base_name(name)
    if base is not None and base in table:
        return _support_by_listener(base)
    prefix = next((prefix for prefix in besides if prefix.endswith(".") and name.startswith(prefix)), None)
    return besides[prefix] if prefix is not None else None


def _support_by_listener(base: str) -> Support:
    support = broker_support()[base]
    if support.state != HONOURED or base in PER_LISTENER or base.startswith(PREFIXES_PER_LISTENER):
        return support
    reason = "Apache Kafka has no value of its own for each listener here, and ignores it too"
    return Support(LATER, reason, f"set {base}, which holds for all listeners")


# -- refused


def refuse_what_is_not_served(texts: Mapping[str, str], values: Mapping[str, Value]) -> None:
    """Raises SettingsError: ignoring a given setting would weaken security or lose data.

    `texts` are what was given, dynamic values over the file's; `values` the typed ones of Kafka's names among them.
    """
    for name, text in texts.items():
        support = support_of(name)
        if support is None:
            continue
        if _VARIABLE.search(text):
            definition = broker_definition(name)
            is_secret = definition is None or definition.is_sensitive
            raise _refused(name if is_secret else f"{name}={shortened(text)}", name, *NO_CONFIG_PROVIDERS)
        if support.state == REFUSED and _has_meaning(name, text):
            raise _refused(name, name, support.reason, support.advice)
    for rule in (_refuse_directories, _refuse_other_selectors, _refuse_other_authorizers):
        rule(values)
    if values.get("authorizer.class.name"):
        authorizer_settings(texts)


def _refused(what: str, name: str, reason: str, advice: str) -> SettingsError:
    return SettingsError(f"{what} is refused: {reason}; {advice}", name)


def _list(values: Mapping[str, Value], name: str) -> tuple[str, ...]:
    value = values.get(name, ())
    assert isinstance(value, tuple), f"{name} is {value!r}"
    return value


def _refuse_directories(values: Mapping[str, Value]) -> None:
    name = "log.dirs" if "log.dirs" in values else "log.dir"
    for directory in _list(values, name):
        if directory.startswith("~"):
            reason = "only a shell replaces ~, so this would be a directory with ~ as its name"
            raise _refused(f"{name}={shortened(directory)}", name, reason, "write the whole path")


def _refuse_other_selectors(values: Mapping[str, Value]) -> None:
    name = "replica.selector.class"
    selector = values.get(name)
    if selector not in (None, "", SERVED_REPLICA_SELECTOR):
        reason = "Java classes cannot be run, so that consumers would read from other replicas"
        raise _refused(name, name, reason, f"write {SERVED_REPLICA_SELECTOR}, or remove it")


def _refuse_other_authorizers(values: Mapping[str, Value]) -> None:
    name = "authorizer.class.name"
    if values.get(name) not in (None, "", STANDARD_AUTHORIZER):
        reason = "Java classes cannot be run, so that other clients would be allowed than it allows"
        raise _refused(name, name, reason, f"write {STANDARD_AUTHORIZER}, or remove it")


def refuse_lockout(dynamic: AbstractSet[str], values: Mapping[str, Value], listener_names: Iterable[str]) -> None:
    """Raises SettingsError: after this AlterConfigs no client could connect any more, not even to undo it.

    `dynamic` are the names of such values among `values`. In a file they may be: whoever wrote it can change it.
    """
    name = "max.connections"
    by_listener = [f"listener.name.{listener.lower()}.{name}" for listener in listener_names]
    if name in dynamic and values.get(name) == 0:
        raise _locks_out(name)
    if not dynamic.isdisjoint(by_listener) and all(values.get(one) == 0 for one in by_listener):
        raise _locks_out(by_listener[0])
    name, overrides = "max.connections.per.ip", "max.connections.per.ip.overrides"
    is_changed = not dynamic.isdisjoint((name, overrides))
    for size in (LOGIN_SIZE, *(f"listener.name.{listener.lower()}.{LOGIN_SIZE}" for listener in listener_names)):
        value = values.get(size)
        if size in dynamic and isinstance(value, int) and value < LOGIN_BYTES_MIN:
            raise _locks_out(size, value)
    if is_changed and values.get(name) == 0 and not any(parse_counts_by_host(str(values[overrides])).values()):
        raise _locks_out(name)


LOGIN_SIZE: Final = "sasl.server.max.receive.size"
LOGIN_BYTES_MIN: Final = 512
"""Shorter requests than this are no login of any client's."""


def _locks_out(name: str, value: int = 0) -> SettingsError:
    return SettingsError(
        f"with {name}={value} no client could connect any more, not even to undo it; if you want that, set it in the "
        "file or the options that the node is started with",
        name,
    )


# -- told


def lines_about(given: Mapping[str, str], listener_names: Iterable[str]) -> list[str]:
    """One line for each given setting that has an effect in Apache Kafka and none here."""
    origins = given.origins if isinstance(given, GivenSettings) else {}
    lines = []
    for name, why in unserved_by_brokers(given, listener_names):
        told = f"{name} (given by {origins[name]})" if name in origins else name
        lines.append(f"{told} has no effect: {why}")
    return lines + _sessions_too_short(given)


def _sessions_too_short(given: Mapping[str, str]) -> list[str]:
    """Apache Kafka only warns of it, too: the two are settings of different nodes, a broker's and the controllers'."""
    heartbeat, session = "broker.heartbeat.interval.ms", "broker.session.timeout.ms"
    if heartbeat not in given and session not in given:
        return []
    values = []
    for name in (heartbeat, session):
        definition = broker_definition(name)
        assert definition is not None, name
        value = parse_value(definition, given[name]) if name in given else default_value(definition)
        assert isinstance(value, int), value
        values.append(value)
    if 2 * values[0] <= values[1]:
        return []
    return [
        (
            f"{heartbeat}={values[0]} is more than half of {session}={values[1]}, so that a broker is fenced when one "
            "heartbeat is late: make the session longer or the interval shorter"
        )
    ]


def unserved_by_brokers(values: Mapping[str, str], listener_names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(name, what is missing and what to do) of those of a broker's values that do nothing here."""
    listeners = {name.lower() for name in listener_names}
    for name, text in values.items():
        support = support_of(name)
        base = listener_base_name(name)
        listener = None if base is None else name.split(".")[2]
        prefix = "" if base is None else name.removesuffix(base)
        if listener is not None and listener.lower() not in listeners:
            yield name, f"there is no listener {listener.upper()}; correct the name"
        elif prefix != prefix.lower():
            written = f"{prefix.lower()}{base}"
            yield name, f"as in Apache Kafka, listeners and mechanisms are in small letters there; write {written}"
        elif support is not None and support.state == LATER and _has_meaning(name, text):
            yield name, f"{support.reason}; {support.advice}"
        elif name in WITH_MECHANISM and text.strip():
            where = f"listener.name.<listener>.<mechanism>.{name}"
            yield name, f"a broker of Apache Kafka ignores it, too, without a listener and a mechanism; write {where}"
        elif name == "metric.reporters":
            yield from _reporters_that_cannot_run(name, text)


def _reporters_that_cannot_run(name: str, text: str) -> Iterator[tuple[str, str]]:
    unserved = [one for one in text.split(",") if one.strip() not in ("", *SERVED_METRIC_REPORTERS)]
    if unserved:
        yield (
            f"{name}={shortened(','.join(unserved))}",
            f"Java classes cannot be run; {CLIENT_METRICS_RECEIVER} keeps the metrics that clients push",
        )


def unserved_by_topics(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, what is missing and what to do) of those of a topic's own values that do nothing here."""
    return _unserved(topic_support(), topic_definitions(), values)


def unserved_by_groups(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, what is missing and what to do) of those of a group's own values that do nothing here."""
    return _unserved(group_support(), group_definitions(), values)


def _unserved(
    support: Mapping[str, Support], table: Mapping[str, Definition], values: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name, text in values.items():
        found = support.get(name)
        if found is not None and found.state == LATER and _differs(table[name], text):
            yield name, f"{found.reason}; {found.advice}"


def _has_meaning(name: str, text: str) -> bool:
    """Whether the value differs from Kafka's default and from kafkapy's."""
    definition = broker_definition(name)
    return bool(text.strip()) if definition is None else _differs(definition, text)


def _differs(definition: Definition, text: str) -> bool:
    try:
        value = parse_value(definition, text)
    except SettingsError:
        return False  # an invalid value was refused or left out before
    if definition.name in DIFFERENT_DEFAULTS and value == parse_value(
        definition, DIFFERENT_DEFAULTS[definition.name][0]
    ):
        return False
    return value not in ("", (), default_value(definition))


__all__ = [
    "HARMLESS",
    "HONOURED",
    "LATER",
    "PER_LISTENER",
    "REFUSED",
    "Support",
    "broker_support",
    "group_support",
    "lines_about",
    "refuse_what_is_not_served",
    "support_besides",
    "support_of",
    "topic_support",
    "unserved_by_brokers",
    "unserved_by_groups",
    "unserved_by_topics",
]
