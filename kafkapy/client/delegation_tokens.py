"""What `kafka-delegation-tokens` asks and changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy_wire.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from kafkapy_wire.messages.describe_delegation_token import (
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest, ExpireDelegationTokenResponse
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest, RenewDelegationTokenResponse

_TOKEN = "the delegation token"


class Token(NamedTuple):
    """Principals are `User:alice`; times are milliseconds since 1970."""

    token_id: str
    hmac: bytes
    owner: str
    requester: str
    renewers: tuple[str, ...]
    issued_ms: int
    expires_ms: int
    max_ms: int


def create_token(cluster: Cluster, owner: str | None, renewers: Sequence[str], max_lifetime_ms: int) -> Token:
    """`owner` None: who asks. Raises Refused."""
    kind, _, name = (owner or "").partition(":")
    request = CreateDelegationTokenRequest(
        owner_principal_type=kind or None,
        owner_principal_name=name or None,
        renewers=[CreatableRenewers(principal_type=kind, principal_name=name) for kind, name in map(_parts, renewers)],
        max_lifetime_ms=max_lifetime_ms,
    )

    def attempt() -> Token:
        answer = cluster.ask_once(cluster.for_administration(), request, CreateDelegationTokenResponse)
        check(answer.error_code, _TOKEN)
        return Token(
            answer.token_id,
            answer.hmac,
            f"{answer.principal_type}:{answer.principal_name}",
            f"{answer.token_requester_principal_type}:{answer.token_requester_principal_name}",
            tuple(renewers),
            answer.issue_timestamp_ms,
            answer.expiry_timestamp_ms,
            answer.max_timestamp_ms,
        )

    return cluster.retrying(attempt)


def describe_tokens(cluster: Cluster, owners: Sequence[str]) -> list[Token]:
    """Of these owners, those that the client may see. Raises Refused."""
    request = DescribeDelegationTokenRequest(
        owners=[
            DescribeDelegationTokenOwner(principal_type=kind, principal_name=name) for kind, name in map(_parts, owners)
        ]
    )

    def attempt() -> list[Token]:
        answer = cluster.ask_once(cluster.any_broker(), request, DescribeDelegationTokenResponse)
        check(answer.error_code, _TOKEN)
        return [
            Token(
                token.token_id,
                token.hmac,
                f"{token.principal_type}:{token.principal_name}",
                f"{token.token_requester_principal_type}:{token.token_requester_principal_name}",
                tuple(f"{renewer.principal_type}:{renewer.principal_name}" for renewer in token.renewers),
                token.issue_timestamp,
                token.expiry_timestamp,
                token.max_timestamp,
            )
            for token in answer.tokens
        ]

    return cluster.retrying(attempt)


def renew_token(cluster: Cluster, hmac: bytes, period_ms: int) -> int:
    """When it expires now. Raises Refused."""

    def attempt() -> int:
        request = RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=period_ms)
        answer = cluster.ask_once(cluster.for_administration(), request, RenewDelegationTokenResponse)
        check(answer.error_code, _TOKEN)
        return answer.expiry_timestamp_ms

    return cluster.retrying(attempt)


def expire_token(cluster: Cluster, hmac: bytes, period_ms: int) -> int:
    """When it expires now; -1: at once. Raises Refused."""

    def attempt() -> int:
        request = ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=period_ms)
        answer = cluster.ask_once(cluster.for_administration(), request, ExpireDelegationTokenResponse)
        check(answer.error_code, _TOKEN)
        return answer.expiry_timestamp_ms

    return cluster.retrying(attempt)


def _parts(principal: str) -> tuple[str, str]:
    kind, _, name = principal.partition(":")
    return kind, name
