"""Users of SASL as Bitnami's image names them: in variables of their own, for every listener that has SASL.

KAFKA_CLIENT_USERS, KAFKA_CLIENT_PASSWORDS        lists, as many of one as of the other
KAFKA_INTER_BROKER_USER, _PASSWORD                whom a broker is at the listener of other brokers
KAFKA_CONTROLLER_USER, _PASSWORD                  whom a node is at the controllers

Of the mechanisms PLAIN has them in its login module. Users of SCRAM are metadata: a new data directory begins with
them.
A kafka_jaas.conf that is mounted counts in place of these variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy.settings.environment import given_names, variable_of
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.listeners import DEFAULT_PROTOCOL_MAP, has_sasl, parse_protocol_map
from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE, jaas_config

VARIABLES: Final = (
    "KAFKA_CLIENT_USERS",
    "KAFKA_CLIENT_PASSWORDS",
    "KAFKA_INTER_BROKER_USER",
    "KAFKA_INTER_BROKER_PASSWORD",
    "KAFKA_CONTROLLER_USER",
    "KAFKA_CONTROLLER_PASSWORD",
)
JAAS_FILES: Final = (Path("/bitnami/kafka/config/kafka_jaas.conf"), Path("/opt/bitnami/kafka/config/kafka_jaas.conf"))
SCRAM: Final[tuple[str, ...]] = ("SCRAM-SHA-256", "SCRAM-SHA-512")
# What that image has where its user gives nothing.
_MECHANISMS = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
_USER, _CONTROLLER_USER, _PASSWORD = "user", "controller_user", "bitnami"
_INTER_BROKER_LISTENER, _CONTROLLER_LISTENERS = "INTERNAL", "CONTROLLER"
_SEPARATOR = re.compile(r"[,; ]+")


class User(NamedTuple):
    name: str
    password: str

    def __repr__(self) -> str:
        return f"User({self.name!r})"


class Users(NamedTuple):
    """What the variables say."""

    clients: tuple[User, ...]
    inter_broker: User
    controller: User
    inter_broker_listener: str
    controller_listeners: frozenset[str]
    listeners: tuple[str, ...]
    """Those with SASL."""
    mechanisms: tuple[str, ...]
    inter_broker_mechanism: str
    controller_mechanism: str

    def scram_users(self) -> list[tuple[str, User]]:
        """With its mechanism, each that a new data directory begins with."""
        found = [(mechanism, user) for mechanism in SCRAM if mechanism in self.mechanisms for user in self.clients]
        if self.inter_broker_mechanism in SCRAM:
            found.append((self.inter_broker_mechanism, self.inter_broker))
        if self.controller_mechanism in SCRAM:
            found.append((self.controller_mechanism, self.controller))
        return found

    def settings(self) -> dict[str, str]:
        """By Kafka's names."""
        settings = {"sasl.enabled.mechanisms": ",".join(self.mechanisms)}
        for listener in self.listeners:
            prefix = f"listener.name.{listener.lower()}"
            mechanisms = self.mechanisms
            if listener in self.controller_listeners:
                mechanisms = (self.controller_mechanism,)
                settings[f"{prefix}.sasl.enabled.mechanisms"] = self.controller_mechanism
            for mechanism in mechanisms:
                login = self._login_module(listener, mechanism)
                if login is not None:
                    settings[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = login
        return settings

    def _login_module(self, listener: str, mechanism: str) -> str | None:
        """None: of a mechanism that these users are not for."""
        own, users = None, self.clients
        if listener in self.controller_listeners:
            own, users = self.controller, (self.controller,)
        elif listener == self.inter_broker_listener:
            own, users = self.inter_broker, (*users, self.inter_broker)
        options = {} if own is None else {"username": own.name, "password": own.password}
        if mechanism == "PLAIN":
            return jaas_config(PLAIN_MODULE, {**options, **{f"user_{user.name}": user.password for user in users}})
        return jaas_config(SCRAM_MODULE, options) if mechanism in SCRAM else None


def users_in(variables: Mapping[str, str]) -> Users | None:
    """None: the variables ask for none. Raises SettingsError."""
    if not any(variables.get(name, "").strip() for name in VARIABLES) or mounted_jaas_file() is not None:
        return None
    names = _list(variables.get("KAFKA_CLIENT_USERS", "")) or [_USER]
    passwords = _list(variables.get("KAFKA_CLIENT_PASSWORDS", "")) or [_PASSWORD]
    if len(names) != len(passwords):
        raise SettingsError(
            f"KAFKA_CLIENT_USERS has {len(names)} names and KAFKA_CLIENT_PASSWORDS {len(passwords)} passwords: give as "
            "many of one as of the other"
        )
    return Users(
        clients=tuple(map(User, names, passwords)),
        inter_broker=_user(variables, "KAFKA_INTER_BROKER", _USER),
        controller=_user(variables, "KAFKA_CONTROLLER", _CONTROLLER_USER),
        inter_broker_listener=_setting(variables, "INTER_BROKER_LISTENER_NAME", _INTER_BROKER_LISTENER).upper(),
        controller_listeners=frozenset(
            _list(_setting(variables, "CONTROLLER_LISTENER_NAMES", _CONTROLLER_LISTENERS).upper())
        ),
        listeners=_listeners_with_sasl(variables),
        mechanisms=tuple(_list(_setting(variables, "SASL_ENABLED_MECHANISMS", _MECHANISMS))),
        inter_broker_mechanism=_setting(variables, "SASL_MECHANISM_INTER_BROKER_PROTOCOL", ""),
        controller_mechanism=_setting(variables, "SASL_MECHANISM_CONTROLLER_PROTOCOL", "PLAIN"),
    )


def with_users(variables: Mapping[str, str], is_known: Callable[[str], bool]) -> dict[str, str]:
    """The same with settings beside `VARIABLES`; a setting that is given counts. Raises SettingsError."""
    users = users_in(variables)
    if users is None or not users.listeners:
        return dict(variables)
    given = given_names(variables, is_known)
    own = {variable_of(name): value for name, value in users.settings().items() if name not in given}
    return {**own, **variables}


def mounted_jaas_file() -> Path | None:
    return next((file for file in JAAS_FILES if file.is_file()), None)


def _user(variables: Mapping[str, str], prefix: str, name: str) -> User:
    return User(
        variables.get(f"{prefix}_USER", "").strip() or name, variables.get(f"{prefix}_PASSWORD", "") or _PASSWORD
    )


def _setting(variables: Mapping[str, str], name: str, default: str) -> str:
    given = (variables.get(f"KAFKA_{cfg}{name}", "").strip() for cfg in ("CFG_", ""))
    return next(filter(None, given), default)


def _list(text: str) -> list[str]:
    return [word for word in _SEPARATOR.split(text.strip()) if word]


def _listeners_with_sasl(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Of this node and of others: a broker has a login at the controllers' listener, which is not its own.

    Raises SettingsError.
    """
    named = parse_protocol_map(_setting(variables, "LISTENER_SECURITY_PROTOCOL_MAP", ""))
    own = [text.partition("://")[0].strip().upper() for text in _setting(variables, "LISTENERS", "").split(",")]
    protocols = {**DEFAULT_PROTOCOL_MAP, **named}
    return tuple(name for name in dict.fromkeys((*own, *named)) if has_sasl(protocols.get(name, "")))
