"""How this node logs in at other nodes: by sasl.mechanism.inter.broker.protocol and sasl.mechanism.controller.protocol.

The credentials are those of the login modules of its own listener, as in Apache Kafka: a broker's `username` and
`password` stand beside the `user_...` of its clients.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafkapy.errors import how_to_install
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.listeners import has_sasl
from kafkapy.settings.node_login import node_login
from kafkapy_wire.sasl.client import BearerClient, client_exchange

if TYPE_CHECKING:
    from kafkapy.security.sasl.kerberos_login import KerberosClient
    from kafkapy.security.sasl.node_tokens import NodeTokens
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.settings.node_login import NodeLoginSettings
    from kafkapy_wire.sasl.client import ClientExchange


class NodeLogin:
    """One login: a mechanism and its exchange. Raises SettingsError when it is made: there are no credentials."""

    def __init__(self, mechanism: str, exchange: ClientExchange, credentials: str) -> None:
        """`credentials`: the name of the setting that has them."""
        self.mechanism = mechanism
        self.exchange = exchange
        self.credentials = credentials


class NodeLogins:
    """A new login for each connection, by the settings that hold now."""

    def __init__(self, settings: CurrentSettings) -> None:
        """Raises SettingsError: a package is missing."""
        self._settings = settings
        self._tokens: dict[str, NodeTokens] = {}  # by the name of the listener

        now = settings.now
        for listener_name, mechanism in (self._of_brokers, self._of_controllers):
            if has_sasl(now.security_protocol(listener_name)):
                if mechanism == "GSSAPI":
                    _kerberos_client()
                if mechanism == "OAUTHBEARER":
                    _check_signing(node_login(now, listener_name, mechanism))

    @property
    def _of_brokers(self) -> tuple[str, str]:
        """The listener and the mechanism."""
        now = self._settings.now
        return now.inter_broker_listener_name, now.security.sasl_mechanism_inter_broker_protocol

    @property
    def _of_controllers(self) -> tuple[str, str]:
        now = self._settings.now
        return now.controller_listener_name, now.security.sasl_mechanism_controller_protocol

    def to_brokers(self, host: str) -> NodeLogin | None:
        """At a broker of `host`. None: brokers are reached without SASL. Raises SettingsError."""
        return self._login(*self._of_brokers, host)

    def to_controllers(self, host: str) -> NodeLogin | None:
        """At a controller of `host`. None: controllers are reached without SASL. Raises SettingsError."""
        return self._login(*self._of_controllers, host)

    def _login(self, listener_name: str, mechanism: str, host: str) -> NodeLogin | None:
        now = self._settings.now
        if not has_sasl(now.security_protocol(listener_name)):
            return None
        found = node_login(now, listener_name, mechanism)
        return NodeLogin(mechanism, self._exchange(found, listener_name, host), found.credentials)

    def _exchange(self, found: NodeLoginSettings, listener_name: str, host: str) -> ClientExchange:
        if found.kerberos is not None:
            return _kerberos_client()(found.kerberos, host)
        if found.endpoint is not None:
            return BearerClient(self._tokens_of(found, listener_name).token)
        return client_exchange(found.mechanism, found.module, time.time)

    def _tokens_of(self, found: NodeLoginSettings, listener_name: str) -> NodeTokens:
        """Kept while the settings are the same."""
        assert found.endpoint is not None
        assert found.refresh is not None
        tokens = self._tokens.get(listener_name)
        if tokens is None or (tokens.endpoint, tokens.refresh) != (found.endpoint, found.refresh):
            from kafkapy.security.sasl.node_tokens import NodeTokens

            tokens = self._tokens[listener_name] = NodeTokens(found.endpoint, found.refresh, time.time)
        return tokens


def _kerberos_client() -> type[KerberosClient]:
    """Raises SettingsError."""
    try:
        from kafkapy.security.sasl.kerberos_login import KerberosClient
    except (ImportError, OSError):  # the system's Kerberos libraries are not found
        raise SettingsError(
            f"GSSAPI between nodes needs the package gssapi: {how_to_install('kerberos')}",
            "sasl.mechanism.inter.broker.protocol",
        ) from None
    return KerberosClient


def _check_signing(found: NodeLoginSettings) -> None:
    """Raises SettingsError: assertions are to be signed, and cannot be."""
    assertion = None if found.endpoint is None else found.endpoint.assertion
    if assertion is None or assertion.file:
        return
    from kafkapy.security.sasl.client_assertion import signed

    name = "sasl.oauthbearer.assertion.private.key.file"
    try:
        signed(assertion, time.time())
    except ImportError:
        raise SettingsError(
            f"{name} needs the packages PyJWT and cryptography: {how_to_install('oauth')}", name
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"this node cannot sign assertions: {error}", name) from None
