"""Delegation tokens (KIP-48, KIP-373): created, renewed and expired, by records.

A token is known by its id. Its holder shows that it has the token's HMAC, which only nodes with the secret key can
make.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkapy_controller.decision import Decision
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import DELEGATION_TOKENS
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import DelegationTokenRecord, RemoveDelegationTokenRecord

LONG_MAX = 2**63 - 1
EXPIRED_AT_ONCE_MAX = 1_000
RENEWERS_CHARACTERS_MAX = 8 * 1024 * 1024
"""A batch of Apache Kafka's metadata log has at most 8 MiB."""
USER_PREFIX = "User:"


class TokenSettings(NamedTuple):
    """`secret_key`: without one there are no delegation tokens."""

    secret_key: str | None
    max_lifetime_ms: int
    expiry_time_ms: int


def token_hmac(secret_key: str, token_id: str) -> bytes:
    return hmac.digest(secret_key.encode(), token_id.encode(), "sha512")


class TokenHmacs:
    """Which token an HMAC belongs to. It remembers those of the tokens that it was last asked about."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key
        self._tokens: Mapping[str, DelegationTokenRecord] = {}
        self._ids: dict[bytes, str] = {}
        self._hmacs: dict[str, bytes] = {}

    def find(self, tokens: Mapping[str, DelegationTokenRecord], wanted: bytes) -> DelegationTokenRecord | None:
        """That of `tokens`, by id, with this HMAC."""
        if tokens is not self._tokens:
            for token_id in self._hmacs.keys() - tokens.keys():
                del self._ids[self._hmacs.pop(token_id)]
            for token_id in tokens.keys() - self._hmacs.keys():
                self.of(token_id)
            self._tokens = tokens
        found = self._ids.get(wanted)
        return None if found is None else tokens[found]

    def of(self, token_id: str) -> bytes:
        known = self._hmacs.get(token_id)
        if known is None:
            known = self._hmacs[token_id] = token_hmac(self._secret_key, token_id)
            self._ids[known] = token_id
        return known


def owner_and_renewers(token: DelegationTokenRecord) -> tuple[str, ...]:
    """And who has asked for it: the principals that may see the token."""
    return token.owner, token.requester, *token.renewers


class NewToken(NamedTuple):
    """What is asked for. `renewers` are principals; `max_lifetime_ms` is the default one if it is not positive."""

    owner: str
    requester: str
    renewers: Sequence[str]
    max_lifetime_ms: int


def decide_create_token(
    image: MetadataImage, settings: TokenSettings, asked: NewToken, token_id: str, now_ms: int
) -> Decision[DelegationTokenRecord]:
    """Raises KafkaError: DELEGATION_TOKEN_AUTH_DISABLED, UNSUPPORTED_VERSION, INVALID_PRINCIPAL_TYPE;
    RECORD_LIST_TOO_LARGE, its renewers would not fit into a batch of the metadata log.
    """
    _check_enabled(image, settings)
    lifetime_ms = settings.max_lifetime_ms
    if asked.max_lifetime_ms > 0:
        lifetime_ms = min(lifetime_ms, asked.max_lifetime_ms)
    max_timestamp = min(now_ms + lifetime_ms, LONG_MAX)
    if not all(renewer.startswith(USER_PREFIX) for renewer in asked.renewers):
        raise KafkaError(ErrorCode.INVALID_PRINCIPAL_TYPE)
    if sum(map(len, asked.renewers)) > RENEWERS_CHARACTERS_MAX:
        raise KafkaError(ErrorCode.RECORD_LIST_TOO_LARGE)
    token = DelegationTokenRecord(
        owner=asked.owner,
        requester=asked.requester,
        renewers=list(asked.renewers),
        issue_timestamp=now_ms,
        max_timestamp=max_timestamp,
        expiration_timestamp=min(max_timestamp, now_ms + settings.expiry_time_ms),
        token_id=token_id,
    )
    return Decision([token], token)


def decide_renew_token(
    image: MetadataImage,
    settings: TokenSettings,
    token: DelegationTokenRecord | None,
    principal: str,
    period_ms: int,
    now_ms: int,
) -> Decision[int]:
    """When the token expires now. Raises KafkaError: DELEGATION_TOKEN_AUTH_DISABLED, UNSUPPORTED_VERSION,
    DELEGATION_TOKEN_NOT_FOUND, DELEGATION_TOKEN_EXPIRED, DELEGATION_TOKEN_OWNER_MISMATCH.
    """
    _check_enabled(image, settings)
    token = _found(token)
    _check_not_expired(token, now_ms)
    _check_may_renew(token, principal)
    lifetime_ms = min(settings.expiry_time_ms, period_ms) if period_ms > 0 else settings.expiry_time_ms
    return _expiring(token, min(token.max_timestamp, now_ms + lifetime_ms))


def decide_expire_token(
    image: MetadataImage,
    settings: TokenSettings,
    token: DelegationTokenRecord | None,
    principal: str,
    period_ms: int,
    now_ms: int,
) -> Decision[int]:
    """When the token expires now; a negative period removes it at once. Raises KafkaError as `decide_renew_token`."""
    _check_enabled(image, settings)
    token = _found(token)
    _check_may_renew(token, principal)
    if period_ms < 0:
        return Decision([RemoveDelegationTokenRecord(token_id=token.token_id)], now_ms)
    _check_not_expired(token, now_ms)
    return _expiring(token, min(token.max_timestamp, now_ms + period_ms))


def decide_remove_expired(image: MetadataImage, now_ms: int) -> Decision[None]:
    """Those that have expired, some at once."""
    records: list[MetadataRecord] = []
    for token in image.delegation_tokens.values():
        if _is_expired(token, now_ms):
            records.append(RemoveDelegationTokenRecord(token_id=token.token_id))
            if len(records) == EXPIRED_AT_ONCE_MAX:
                break
    return Decision(records, None)


def _check_enabled(image: MetadataImage, settings: TokenSettings) -> None:
    if settings.secret_key is None:
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED)
    if image.metadata_version < DELEGATION_TOKENS:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)


def _found(token: DelegationTokenRecord | None) -> DelegationTokenRecord:
    if token is None:
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_NOT_FOUND)
    return token


def _is_expired(token: DelegationTokenRecord, now_ms: int) -> bool:
    return min(token.max_timestamp, token.expiration_timestamp) < now_ms


def _check_not_expired(token: DelegationTokenRecord, now_ms: int) -> None:
    if _is_expired(token, now_ms):
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_EXPIRED)


def _check_may_renew(token: DelegationTokenRecord, principal: str) -> None:
    if principal not in (token.owner, *token.renewers):
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH)


def _expiring(token: DelegationTokenRecord, expiration_timestamp: int) -> Decision[int]:
    renewed = DelegationTokenRecord(
        owner=token.owner,
        requester=token.requester,
        renewers=list(token.renewers),
        issue_timestamp=token.issue_timestamp,
        max_timestamp=token.max_timestamp,
        expiration_timestamp=expiration_timestamp,
        token_id=token.token_id,
    )
    return Decision([renewed], expiration_timestamp)
