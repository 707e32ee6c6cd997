"""A login by SASL, over a connection that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from kafkapy.client.errors import ClientError
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import error_code
from kafkapy_wire.message import Message
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from kafkapy_wire.sasl.client import ClientExchange, LoginFailed

R = TypeVar("R", bound=Message)


class Login(NamedTuple):
    mechanism: str
    begin: Callable[[str], ClientExchange]
    """A new exchange for each connection, with the host that it is to."""


class Asking(Protocol):
    """What is needed of a connection."""

    host: str
    address: str

    def supports(self, key: ApiKey, version: int = 0) -> bool: ...

    def request(
        self, message: Message, response_class: type[R], *, timeout_seconds: float, version_max: int | None = None
    ) -> R: ...


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
    exchange = login.begin(connection.host)
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
