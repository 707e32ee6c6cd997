"""Where a node listens and where others find it, by its roles: Apache Kafka's checks of KRaft nodes.

A node that is broker and controller alone need not say more than Apache Kafka's defaults. One with others in its
cluster must say all that Apache Kafka wants to know, since a wrong address would only show when others look for it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kafkapy.settings import listeners as rules
from kafkapy.settings.different_defaults import DIFFERENT_DEFAULTS
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.listeners import BOOTSTRAP_SERVERS, NOT_ROUTABLE, VOTERS, Listener

if TYPE_CHECKING:
    from kafkapy.settings.quorum import QuorumSettings

NAMES = "controller.listener.names"
DEFAULT_CONTROLLER_PORT = 9093


class Endpoints:
    """Where a node listens, and what it tells others. Immutable."""

    __slots__ = ("advertised", "controllers", "has_others", "listeners", "protocols")

    def __init__(
        self,
        listeners: tuple[Listener, ...],
        advertised: tuple[Listener, ...],
        controllers: tuple[Listener, ...],
        *,
        has_others: bool,
        protocols: Mapping[str, str] = rules.DEFAULT_PROTOCOL_MAP,
    ) -> None:
        self.listeners = listeners
        self.advertised = advertised
        """Of the broker; a host is empty where each client is told the address by which it has come."""
        self.controllers = controllers
        """Of the controller, in the order of `controller.listener.names`; empty on a node that is none."""
        self.has_others = has_others
        """Whether the settings name other nodes."""
        self.protocols = protocols
        """Listener name, in capitals -> security protocol; of listeners of other nodes, too."""


def endpoints_of(
    texts: Mapping[str, str], controller_names: tuple[str, ...], inter_broker: str | None, quorum: QuorumSettings
) -> Endpoints:
    """What the settings say of listeners. Raises SettingsError, in Apache Kafka's order of checks."""
    protocols = dict(rules.DEFAULT_PROTOCOL_MAP)
    if "listener.security.protocol.map" in texts:
        protocols = rules.parse_protocol_map(texts["listener.security.protocol.map"])
    for name in controller_names:
        protocols.setdefault(name.upper(), "PLAINTEXT")
    own = texts.get("listeners", DIFFERENT_DEFAULTS["listeners"][0]).split(",")
    listeners = rules.parse_listeners("listeners", own, protocols)
    rules.check_ports("listeners", listeners)
    given = None
    if "advertised.listeners" in texts:
        elements = texts["advertised.listeners"].split(",")
        given = rules.parse_listeners("advertised.listeners", elements, protocols)
        rules.check_routable(given)
    controllers = (
        _controllers(listeners, given or (), controller_names, protocols, quorum) if quorum.is_controller else ()
    )
    has_others = _has_others(controllers, quorum)
    if texts:
        _check_roles(quorum, listeners, controllers, controller_names, inter_broker, has_others=has_others)
    brokers = tuple(one for one in (listeners if given is None else given) if one.name not in controller_names)
    if not quorum.is_broker:
        return Endpoints(listeners, (), controllers, has_others=has_others, protocols=protocols)
    if not brokers:
        raise SettingsError(
            "requirement failed: There must be at least one broker advertised listener. Perhaps all listeners appear "
            f"in {NAMES}?",
            "listeners",
        )
    if given is not None:
        rules.check_advertised_names(brokers, listeners)
    elif has_others:
        rules.check_routable(brokers)
        brokers = tuple(one if one.host else one.with_host(own_host_name()) for one in brokers)
    else:
        brokers = tuple(one.reachable() for one in brokers)
    if inter_broker is not None:
        rules.check_inter_broker(inter_broker.upper(), protocols, brokers)
    elif has_others and len(brokers) > 1 and "PLAINTEXT" not in [one.name for one in brokers]:
        rules.check_inter_broker("PLAINTEXT", rules.DEFAULT_PROTOCOL_MAP, brokers)
    return Endpoints(listeners, brokers, controllers, has_others=has_others, protocols=protocols)


@functools.cache
def own_host_name() -> str:
    """This machine's name: what Apache Kafka advertises for a listener without a host."""
    import socket

    return socket.getfqdn()


def _controllers(
    listeners: tuple[Listener, ...],
    advertised: tuple[Listener, ...],
    names: tuple[str, ...],
    protocols: Mapping[str, str],
    quorum: QuorumSettings,
) -> tuple[Listener, ...]:
    """Where other controllers find this one: as advertised, else as the voters say, else where it listens."""
    found = []
    for index, name in enumerate(names):
        told = next((one for one in advertised if one.name == name), None)
        bound = next((one for one in listeners if one.name == name), None)
        own = quorum.own_voter if index == 0 else None
        if told is None and bound is not None and own is not None:
            told = Listener(name, own.host, own.port or bound.port, protocols[name.upper()])
        elif told is None and bound is not None:
            told = bound.with_host("") if bound.host in NOT_ROUTABLE else bound
        if told is not None:
            found.append(told)
    return tuple(found)


def _has_others(controllers: tuple[Listener, ...], quorum: QuorumSettings) -> bool:
    """Whether the settings name other nodes, as far as that can be told without asking for addresses."""
    if not (quorum.is_broker and quorum.is_controller) or quorum.has_other_voters:
        return True
    own_ports = {one.port for one in controllers} or {DEFAULT_CONTROLLER_PORT}
    servers = quorum.bootstrap_servers
    return len(servers) > len(own_ports) or any(server.port not in own_ports for server in servers)


def _check_roles(
    quorum: QuorumSettings,
    listeners: tuple[Listener, ...],
    controllers: tuple[Listener, ...],
    names: tuple[str, ...],
    inter_broker: str | None,
    *,
    has_others: bool,
) -> None:
    """Raises SettingsError with Apache Kafka's words."""
    if not (quorum.is_broker and quorum.is_controller) and not (quorum.voters or quorum.bootstrap_servers):
        raise SettingsError(
            f"If using process.roles, either {BOOTSTRAP_SERVERS} must contain the set of bootstrap controllers or "
            f"{VOTERS} must contain a parseable set of controllers.",
            "process.roles",
        )
    bound = {one.name for one in listeners}
    if not quorum.is_controller:
        _check_broker_alone(quorum, bound, names)
        return
    if not quorum.is_broker:
        _check_controller_alone(bound, names, inter_broker)
    if quorum.voters and quorum.own_voter is None:
        raise SettingsError(
            f"requirement failed: If process.roles contains the 'controller' role, the node id {quorum.node_id} must "
            f"be included in the set of voters {VOTERS}={quorum.voter_ids_text}",
            VOTERS,
        )
    if has_others and not controllers:
        raise SettingsError(
            f"requirement failed: {NAMES} must contain at least one value appearing in the 'listeners' configuration "
            "when running the KRaft controller role",
            NAMES,
        )
    if has_others and not bound.issuperset(names):
        raise SettingsError(
            f"requirement failed: {NAMES} must only contain values appearing in the 'listeners' configuration when "
            "running the KRaft controller role",
            NAMES,
        )


def _check_broker_alone(quorum: QuorumSettings, bound: set[str], names: tuple[str, ...]) -> None:
    if quorum.own_voter is not None:
        raise SettingsError(
            f"requirement failed: If process.roles contains just the 'broker' role, the node id {quorum.node_id} must "
            f"not be included in the set of voters {VOTERS}={quorum.voter_ids_text}",
            VOTERS,
        )
    if not bound.isdisjoint(names):
        raise SettingsError(
            f"requirement failed: {NAMES} must not contain a value appearing in the 'listeners' configuration when "
            "running KRaft with just the broker role",
            NAMES,
        )


def _check_controller_alone(bound: set[str], names: tuple[str, ...], inter_broker: str | None) -> None:
    if not bound.issubset(names):
        raise SettingsError(
            f"requirement failed: The listeners config must only contain KRaft controller listeners from {NAMES} when "
            f"process.roles=controller: write listeners={names[0]}://HOST:PORT",
            "listeners",
        )
    if inter_broker is not None and inter_broker in names:
        raise SettingsError(
            f"requirement failed: {NAMES} must not contain an explicitly set inter.broker.listener.name configuration "
            "value when process.roles=controller",
            NAMES,
        )
