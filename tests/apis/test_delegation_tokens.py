"""Delegation tokens of a node with a secret key, for clients that have authenticated; and of one without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from kafkapy.apis import API_MODULES, describe_delegation_token
from kafkapy.apis.served import Api, answer_of
from kafkapy.clock import ManualClock
from kafkapy.context import Client, NodeContext, RequestContext
from kafkapy.node import Node
from kafkapy.security.principal import KafkaPrincipal, user
from kafkapy_controller.delegation_tokens import token_hmac
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_delegation_token import CreatableRenewers, CreateDelegationTokenRequest
from kafkapy_wire.messages.describe_delegation_token import DescribeDelegationTokenOwner, DescribeDelegationTokenRequest
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from tests.shell.running_node import running_node, trio_test

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SETTINGS = {
    "delegation.token.secret.key": "a secret",
    "delegation.token.max.lifetime.ms": str(3 * DAY_MS),
    "delegation.token.expiry.time.ms": str(DAY_MS),
    "delegation.token.expiry.check.interval.ms": str(HOUR_MS),
}


async def ask(
    node: Node, who: KafkaPrincipal, request: Message, version: int | None = None, protocol: str = "SASL_PLAINTEXT"
) -> Any:
    client = Client("PLAINTEXT", "127.0.0.1", 1, "127.0.0.1", protocol)
    client.principal = who
    key = ApiKey(request.__schema__.api_key)
    api = Api(key, API_MODULES[key])
    context = RequestContext(node.broker, client)
    context.api_version = api.versions[-1] if version is None else version
    answer = await answer_of(api, request, context)
    encode(answer, context.api_version)
    return answer


@trio_test
async def test_a_token_is_made_renewed_and_removed_when_it_has_expired(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_node(tmp_path, SETTINGS, clock=clock) as node:
        clock.freeze()
        alice, bob = user("alice"), user("bob")
        renewers = [CreatableRenewers(principal_type="User", principal_name="bob")]
        made = await ask(node, alice, CreateDelegationTokenRequest(renewers=renewers, max_lifetime_ms=-1))
        assert made.error_code == ErrorCode.NONE
        assert made.hmac == token_hmac("a secret", made.token_id)
        now_ms = made.issue_timestamp_ms
        assert (made.expiry_timestamp_ms, made.max_timestamp_ms) == (now_ms + DAY_MS, now_ms + 3 * DAY_MS)
        renewed = await ask(node, bob, RenewDelegationTokenRequest(hmac=made.hmac, renew_period_ms=HOUR_MS))
        assert (renewed.error_code, renewed.expiry_timestamp_ms) == (ErrorCode.NONE, now_ms + HOUR_MS)
        others = await ask(node, user("eve"), RenewDelegationTokenRequest(hmac=made.hmac))
        assert others.error_code == ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
        unknown = await ask(node, alice, ExpireDelegationTokenRequest(hmac=b"none"))
        assert unknown.error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND
        clock.advance(HOUR_MS + 1)
        late = await ask(node, alice, RenewDelegationTokenRequest(hmac=made.hmac))
        assert late.error_code == ErrorCode.DELEGATION_TOKEN_EXPIRED
        with trio.fail_after(10):
            while node.broker.metadata.image.delegation_tokens:
                clock.advance(HOUR_MS)
                await trio.testing.wait_all_tasks_blocked(0.01)
        gone = await ask(node, alice, RenewDelegationTokenRequest(hmac=made.hmac))
        assert gone.error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND


@trio_test
async def test_clients_see_their_own_tokens(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node:
        alice, bob = user("alice"), user("bob")
        for who, renewer in ((alice, "carol"), (bob, "alice")):
            renewers = [CreatableRenewers(principal_type="User", principal_name=renewer)]
            for version in (1, 3):
                made = await ask(node, who, CreateDelegationTokenRequest(renewers=renewers), version)
                assert made.error_code == ErrorCode.NONE
                assert made.principal_name == who.name

        async def seen(who: KafkaPrincipal, *owners: str) -> list[tuple[str, list[str]]]:
            named = [DescribeDelegationTokenOwner(principal_type="User", principal_name=owner) for owner in owners]
            asked = DescribeDelegationTokenRequest(owners=named or None)
            described, older = await ask(node, who, asked), await ask(node, who, asked, 2)
            assert len(older.tokens) == len(described.tokens)
            assert described.error_code == ErrorCode.NONE
            return sorted(
                (token.principal_name, [renewer.principal_name for renewer in token.renewers])
                for token in described.tokens
            )

        # Without an authorizer everybody may describe every token.
        assert await seen(alice) == [("alice", ["carol"])] * 2 + [("bob", ["alice"])] * 2
        assert await seen(alice, "bob") == [("bob", ["alice"])] * 2
        assert await seen(user("dave"), "carol") == [("alice", ["carol"])] * 2
        client = Client("CONTROLLER", "127.0.0.1", 1, "127.0.0.1", "SASL_PLAINTEXT")
        client.principal = alice
        at_controller = NodeContext(node.broker, client)
        everybodys = DescribeDelegationTokenRequest(owners=None)
        described = await describe_delegation_token.handle(everybodys, at_controller)
        assert len(described.tokens) == 4
        nobodys = await ask(node, alice, DescribeDelegationTokenRequest(owners=[]))
        assert (nobodys.error_code, nobodys.tokens) == (ErrorCode.NONE, [])


@trio_test
async def test_an_owner_without_a_type_is_answered_as_by_apache_kafka(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node:
        nothing = CreateDelegationTokenRequest(owner_principal_type=None, owner_principal_name="bob")
        answer = await ask(node, user("alice"), nothing)
        assert (answer.error_code, answer.principal_name) == (ErrorCode.UNKNOWN_SERVER_ERROR, "ANONYMOUS")
        empty = CreateDelegationTokenRequest(owner_principal_type="", owner_principal_name="bob")
        assert (await ask(node, user("alice"), empty)).error_code == ErrorCode.NONE
        described = await ask(node, user("alice"), DescribeDelegationTokenRequest(owners=None))
        assert [(token.principal_type, token.principal_name) for token in described.tokens] == [("", "bob")]


@trio_test
@pytest.mark.parametrize(
    ("who", "protocol"),
    [
        (user("alice"), "PLAINTEXT"),
        (user("ANONYMOUS"), "SSL"),
        (KafkaPrincipal("User", "alice", is_token_authenticated=True), "SASL_SSL"),
    ],
)
async def test_who_has_not_authenticated_or_has_done_so_with_a_token_gets_none(
    tmp_path: Path, who: KafkaPrincipal, protocol: str
) -> None:
    async with running_node(tmp_path, SETTINGS) as node:
        for request in (
            CreateDelegationTokenRequest(),
            RenewDelegationTokenRequest(),
            ExpireDelegationTokenRequest(),
            DescribeDelegationTokenRequest(),
        ):
            answer = await ask(node, who, request, protocol=protocol)
            assert answer.error_code == ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED


@trio_test
async def test_without_a_secret_key_there_are_no_tokens(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        for request in (
            CreateDelegationTokenRequest(),
            RenewDelegationTokenRequest(),
            ExpireDelegationTokenRequest(),
            DescribeDelegationTokenRequest(),
        ):
            answer = await ask(node, user("alice"), request)
            assert answer.error_code == ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
