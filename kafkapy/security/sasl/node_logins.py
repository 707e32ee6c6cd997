"""How this node logs in at other nodes: by sasl.mechanism.inter.broker.protocol and sasl.mechanism.controller.protocol.

The credentials are those of the login modules of its own listener, as in Apache Kafka: a broker's `username` and
`password` stand beside the `user_...` of its clients.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafkapy.settings.listeners import has_sasl
from kafkapy.settings.sasl import node_login
from kafkapy_wire.sasl.client import client_exchange

if TYPE_CHECKING:
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.sasl.client import ClientExchange


class NodeLogin:
    """One login: a mechanism and its exchange. Raises SettingsError when it is made: there are no credentials."""

    def __init__(self, mechanism: str, exchange: ClientExchange) -> None:
        self.mechanism = mechanism
        self.exchange = exchange


class NodeLogins:
    """A new login for each connection, by the settings that hold now."""

    def __init__(self, settings: CurrentSettings) -> None:
        self._settings = settings

    def to_brokers(self) -> NodeLogin | None:
        """None: brokers are reached without SASL. Raises SettingsError."""
        now = self._settings.now
        return self._login(now.inter_broker_listener_name, now.security.sasl_mechanism_inter_broker_protocol)

    def to_controllers(self) -> NodeLogin | None:
        """None: controllers are reached without SASL. Raises SettingsError."""
        now = self._settings.now
        return self._login(now.controller_listener_name, now.security.sasl_mechanism_controller_protocol)

    def _login(self, listener_name: str, mechanism: str) -> NodeLogin | None:
        now = self._settings.now
        if not has_sasl(now.security_protocol(listener_name)):
            return None
        return NodeLogin(mechanism, client_exchange(mechanism, node_login(now, listener_name, mechanism), time.time))
