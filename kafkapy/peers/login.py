"""Logs a node in at another one, over a connection that has just been opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import trio

from kafkapy.peers.unavailable import PeerRefused, PeerUnavailable
from kafkapy_wire.codec import decode
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from kafkapy_wire.sasl.client import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy_wire.message import Message
    from kafkapy_wire.sasl.client import ClientExchange

    Exchange = Callable[[Message, int], Awaitable[memoryview]]

R = TypeVar("R", bound="Message")

HANDSHAKE_VERSION: Final = 1
RENEWED_AFTER: Final = 0.85
"""This part of a session's lifetime; then the connection is opened anew."""


class Login(Protocol):
    mechanism: str
    exchange: ClientExchange
    credentials: str
    """Where they are, for messages: the name of a setting."""


class Logins(Protocol):
    """The logins of connections to other nodes; None where they have no SASL. Raise ValueError: no credentials."""

    def to_brokers(self, host: str) -> Login | None: ...

    def to_controllers(self, host: str) -> Login | None: ...


async def log_in(login: Login, exchange: Exchange, version: int, where: str) -> float:
    """After how many seconds the login has to be renewed: infinity if never. Raises PeerUnavailable.

    `exchange` sends a request in a version, and returns the answer; `version` is that of SaslAuthenticate. `where`: of
    the other node, for messages.
    """
    shaken = _decoded(
        SaslHandshakeResponse,
        await exchange(SaslHandshakeRequest(mechanism=login.mechanism), HANDSHAKE_VERSION),
        HANDSHAKE_VERSION,
        where,
    )
    if shaken.error_code:
        raise PeerRefused(
            f"the node at {where} has no {login.mechanism}, but {', '.join(shaken.mechanisms) or 'none'}: see "
            "sasl.mechanism.inter.broker.protocol and sasl.mechanism.controller.protocol, or sasl.enabled.mechanisms "
            "there"
        )
    answer = SaslAuthenticateResponse()
    try:
        # SCRAM takes milliseconds, and others may fetch a token or a ticket for seconds: a request whose time is up
        # does not wait for that.
        token: bytes | None = await trio.to_thread.run_sync(login.exchange.first, abandon_on_cancel=True)
        while token is not None:
            content = await exchange(SaslAuthenticateRequest(auth_bytes=token), version)
            answer = _decoded(SaslAuthenticateResponse, content, version, where)
            if answer.error_code:
                told = answer.error_message or ErrorCode(answer.error_code).name
                raise PeerRefused(
                    f"the node at {where} refuses the login of this node by {login.mechanism}: {told}; correct "
                    f"{login.credentials}, or what that node knows of it"
                )
            token = await trio.to_thread.run_sync(login.exchange.step, answer.auth_bytes, abandon_on_cancel=True)
    except (LoginFailed, ValueError) as error:
        raise PeerRefused(f"the login at the node at {where} has failed: {error}") from None
    lifetime_ms = answer.session_lifetime_ms
    return lifetime_ms / 1_000 * RENEWED_AFTER if lifetime_ms > 0 else float("inf")


def _decoded(cls: type[R], content: memoryview, version: int, where: str) -> R:
    try:
        return decode(cls, content, version)
    except MalformedMessage as error:
        raise PeerUnavailable(f"the node at {where} sent an invalid answer to a login: {error}") from None
