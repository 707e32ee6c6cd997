"""How a command logs in: SASL by client settings as Kafka's tools take them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from kafkapy.client.errors import ClientError
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import error_code
from kafkapy_wire.message import Message
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from kafkapy_wire.sasl.client import ClientExchange, LoginFailed, client_exchange
from kafkapy_wire.sasl.jaas import InvalidJaas, parse_jaas_config

R = TypeVar("R", bound=Message)

DEFAULT_MECHANISM = "GSSAPI"
TOKEN_URL = "sasl.oauthbearer.token.endpoint.url"


class Login(NamedTuple):
    mechanism: str
    begin: Callable[[], ClientExchange]
    """A new exchange for each connection."""


class Asking(Protocol):
    """What is needed of a connection."""

    address: str

    def supports(self, key: ApiKey, version: int = 0) -> bool: ...

    def request(
        self, message: Message, response_class: type[R], *, timeout_seconds: float, version_max: int | None = None
    ) -> R: ...


def login_of(settings: Mapping[str, str]) -> Login | None:
    """By security.protocol, sasl.mechanism and sasl.jaas.config; None: without SASL. Raises ClientError."""
    protocol = settings.get("security.protocol", "PLAINTEXT").strip().upper()
    if not protocol.startswith("SASL_"):
        return None
    mechanism = settings.get("sasl.mechanism", DEFAULT_MECHANISM).strip()
    if mechanism == "OAUTHBEARER" and TOKEN_URL in settings:
        raise ClientError(
            f"kafkapy's commands cannot ask {TOKEN_URL} for a token: use a listener with another mechanism, or Kafka's "
            "own tools"
        )
    text = settings.get("sasl.jaas.config", "")
    if not text.strip():
        raise ClientError(f"security.protocol={protocol} needs sasl.jaas.config, with the name and the password")
    try:
        module = parse_jaas_config(text)
        client_exchange(mechanism, module, time.time)
    except InvalidJaas as error:
        raise ClientError(f"sasl.jaas.config is not valid: {error}") from None
    except ValueError as error:
        raise ClientError(f"sasl.mechanism: {error}") from None
    return Login(mechanism, lambda: client_exchange(mechanism, module, time.time))


def log_in(connection: Asking, login: Login, timeout_seconds: float) -> None:
    """Raises ClientError: the broker refuses it, so that trying again would not help; ConnectionLost."""
    if not connection.supports(ApiKey.SASL_AUTHENTICATE):
        raise ClientError(f"{connection.address} has no SASL: is it the listener that security.protocol is for?")
    shaken = connection.request(
        SaslHandshakeRequest(mechanism=login.mechanism), SaslHandshakeResponse, timeout_seconds=timeout_seconds
    )
    if shaken.error_code:
        told = ", ".join(shaken.mechanisms) or error_code(shaken.error_code).name
        raise ClientError(f"{connection.address} does not take sasl.mechanism={login.mechanism}, but {told}")
    exchange = login.begin()
    try:
        token: bytes | None = exchange.first()
        while token is not None:
            answer = connection.request(
                SaslAuthenticateRequest(auth_bytes=token), SaslAuthenticateResponse, timeout_seconds=timeout_seconds
            )
            if answer.error_code:
                told = answer.error_message or error_code(answer.error_code).name
                raise ClientError(f"{connection.address} refuses the login: {told}")
            token = exchange.step(answer.auth_bytes)
    except (LoginFailed, ValueError) as error:
        raise ClientError(f"the login at {connection.address} has failed: {error}") from None
