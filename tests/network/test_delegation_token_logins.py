"""Delegation tokens log in by SCRAM (KIP-48), as their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_delegation_token import CreateDelegationTokenRequest, CreateDelegationTokenResponse
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateResponse
from kafkapy_wire.sasl.client import LoginFailed, ScramClient
from kafkapy_wire.sasl.scram import base64_text
from tests.network.test_logins import clock_of, handshake, is_served, log_in, node_with_logins, token
from tests.shell.running_node import Client, connect, trio_test

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {
    "delegation_token_secret_key": "a-secret-of-all-nodes",
    "connection_failed_authentication_delay_ms": "0",
}
LIFETIME_MS = 60_000


async def show_token(
    client: Client, mechanism: str, token_id: str, password: str, *, is_token: bool = True
) -> SaslAuthenticateResponse:
    """The last answer."""
    await handshake(client, mechanism)
    exchange = ScramClient(mechanism, token_id, password, is_token=is_token)
    content: bytes | None = exchange.first()
    while content is not None:
        answer = await token(client, content)
        if answer.error_code:
            return answer
        try:
            content = exchange.step(answer.auth_bytes)
        except LoginFailed:
            raise AssertionError("the server does not know the token") from None
    return answer


@trio_test
async def test_a_token_logs_its_owner_in_until_it_expires(tmp_path: Path) -> None:
    async with node_with_logins(tmp_path, **SETTINGS) as node:
        async with connect(node) as client:
            await log_in(client)
            request = CreateDelegationTokenRequest(max_lifetime_ms=LIFETIME_MS)
            made = await client.ask(request, CreateDelegationTokenResponse)
            assert made.error_code == ErrorCode.NONE, made
        password = base64_text(made.hmac)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-256"):
            async with connect(node) as client:
                answer = await show_token(client, mechanism, made.token_id, password)
                assert answer.error_code == ErrorCode.NONE, answer
                assert 0 < answer.session_lifetime_ms <= LIFETIME_MS
                assert await is_served(client)
                (connection,) = [each for each in node.server.connections if each.client.principal.name == "alice"]
                assert connection.client.principal.is_token_authenticated
                more = await client.ask(CreateDelegationTokenRequest(), CreateDelegationTokenResponse)
                assert more.error_code == ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
        for token_id, secret, is_token in (
            (made.token_id, "wrong", True),
            ("no-such-token", password, True),
            (made.token_id, password, False),  # as a user of that name
        ):
            async with connect(node) as client:
                answer = await show_token(client, "SCRAM-SHA-256", token_id, secret, is_token=is_token)
                assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
        clock_of(node).advance(LIFETIME_MS + 1_000)
        async with connect(node) as client:
            answer = await show_token(client, "SCRAM-SHA-256", made.token_id, password)
            assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
