"""The logins at listeners with SASL: a gatekeeper for each new connection, by the settings that hold now."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkapy.network.authenticating import AUTHENTICATION_MS_MAX, Gatekeeper, audit
from kafkapy.network.complaints import Complaints
from kafkapy.security.sasl.authenticator import Authenticator
from kafkapy.security.sasl.mechanisms import ImageCredentials, sasl_listener
from kafkapy.settings.errors import SettingsError
from kafkapy_wire.framing import ReceiveBuffers

if TYPE_CHECKING:
    from kafkapy.broker import NodeParts
    from kafkapy.network.connection import Connection
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.security.principal import KafkaPrincipal
    from kafkapy.security.sasl.mechanisms import SaslListener
    from kafkapy.settings import Settings

logger = logging.getLogger("kafkapy.server")


class Logins:
    """Those of one node. Made when the first listener with SASL opens."""

    def __init__(self, node: NodeParts) -> None:
        self._node = node
        self._credentials = ImageCredentials(lambda: node.metadata.image, node.tokens, node.clock.now_ms)
        self._complaints = Complaints(audit, node.clock)
        self._listeners: dict[str, tuple[SaslListener, ReceiveBuffers]] = {}
        node.settings.subscribe(self._follow_settings)

    def open(self, listener_name: str) -> None:
        """Raises SettingsError."""
        before, _ = self._listeners.get(listener_name, (None, None))
        listener = sasl_listener(
            self._node.settings.now, listener_name, self._credentials, self._node.clock.now_ms, before
        )
        self._listeners[listener_name] = listener, ReceiveBuffers(listener.receive_bytes_max)

    def guard(self, connection: Connection, dispatcher: Dispatcher) -> None:
        """Let nothing of a new connection's client through before it has authenticated."""
        client, clock = connection.client, self._node.clock
        _, buffers = self._listeners[client.listener_name]
        network = self._node.settings.now.network

        def authenticated(principal: KafkaPrincipal) -> None:
            client.principal = principal
            timer.cancel()

        authenticator = Authenticator(
            lambda: self._listeners[client.listener_name][0],
            clock,
            lambda: network.connection_failed_authentication_delay_ms,
            authenticated,
        )
        client.authenticator = authenticator
        gatekeeper = Gatekeeper(dispatcher, authenticator, client, self._complaints, connection.serve_by)
        connection.serve_by(gatekeeper, buffers)
        timer = clock.call_later(
            AUTHENTICATION_MS_MAX,
            lambda: connection.close(f"it has not authenticated within {AUTHENTICATION_MS_MAX // 1000} s"),
        )
        client.when_closed(timer.cancel)

    def _follow_settings(self, _settings: Settings) -> None:
        """New logins, also those that are authentications again, meet the mechanisms, users and bounds of now."""
        for name in self._listeners:
            try:
                self.open(name)
            except SettingsError as error:  # of the JAAS file, which was valid when it was read last
                logger.error("listener %s keeps its earlier mechanisms and users: %s", name, error)
