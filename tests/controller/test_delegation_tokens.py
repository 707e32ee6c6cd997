"""Delegation tokens: their times, who may renew and expire them, and how they are found by their HMAC."""

from __future__ import annotations

import pytest

from kafkapy_controller.decision import Decision
from kafkapy_controller.delegation_tokens import (
    NewToken,
    TokenHmacs,
    TokenSettings,
    decide_create_token,
    decide_expire_token,
    decide_remove_expired,
    decide_renew_token,
)
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_version import DELEGATION_TOKENS, METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import DelegationTokenRecord

from .clusters import apply, cluster

DAY_MS = 86_400_000
NOW_MS = 1_000_000
SETTINGS = TokenSettings("key", max_lifetime_ms=7 * DAY_MS, expiry_time_ms=DAY_MS)


def token(image: MetadataImage, token_id: str = "t1", max_lifetime_ms: int = -1) -> Decision[DelegationTokenRecord]:
    asked = NewToken("User:owner", "User:asker", ["User:renewer"], max_lifetime_ms)
    return decide_create_token(image, SETTINGS, asked, token_id, NOW_MS)


def test_a_token_lives_for_the_shortest_of_the_times() -> None:
    image = cluster()
    for lifetime_ms, expires_ms, ends_ms in ((-1, DAY_MS, 7 * DAY_MS), (5, 5, 5), (9 * DAY_MS, DAY_MS, 7 * DAY_MS)):
        record = token(image, max_lifetime_ms=lifetime_ms).response
        assert (record.expiration_timestamp, record.max_timestamp) == (NOW_MS + expires_ms, NOW_MS + ends_ms)
        assert record.issue_timestamp == NOW_MS


def test_owner_and_renewers_renew_up_to_the_end_of_its_life() -> None:
    image = cluster()
    record = token(image).response
    later = NOW_MS + DAY_MS
    for principal in ("User:owner", "User:renewer"):
        assert decide_renew_token(image, SETTINGS, record, principal, -1, later).response == later + DAY_MS
        assert decide_renew_token(image, SETTINGS, record, principal, 50, later).response == later + 50
    near_end = decide_renew_token(image, SETTINGS, record, "User:owner", -1, NOW_MS + 1)
    renewed = apply(apply(image, [record]), near_end.records).delegation_tokens["t1"]
    assert renewed.expiration_timestamp == NOW_MS + 1 + DAY_MS
    last = DelegationTokenRecord(
        owner="User:owner", max_timestamp=later + 7, expiration_timestamp=later + 7, token_id="t1"
    )
    assert decide_renew_token(image, SETTINGS, last, "User:owner", -1, later).response == later + 7


def refused(decide: object, *arguments: object) -> ErrorCode:
    assert callable(decide)
    with pytest.raises(KafkaError) as refusal:
        decide(*arguments)
    return refusal.value.code


def test_refusals_have_kafkas_order() -> None:
    image = cluster()
    old = image._replace(features={**image.features, METADATA_VERSION: DELEGATION_TOKENS - 1})
    record = token(image).response
    late = NOW_MS + DAY_MS + 1
    for decide in (decide_renew_token, decide_expire_token):
        disabled = SETTINGS._replace(secret_key=None)
        assert refused(decide, old, disabled, None, "", 1, late) is ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
        assert refused(decide, old, SETTINGS, None, "", 1, late) is ErrorCode.UNSUPPORTED_VERSION
        assert refused(decide, image, SETTINGS, None, "", 1, late) is ErrorCode.DELEGATION_TOKEN_NOT_FOUND
        assert refused(decide, image, SETTINGS, record, "User:owner", 1, late) is ErrorCode.DELEGATION_TOKEN_EXPIRED
        # Who has asked for it for another owner may see it, and no more.
        wrong = refused(decide, image, SETTINGS, record, "User:asker", 1, NOW_MS)
        assert wrong is ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    assert refused(decide_renew_token, image, SETTINGS, record, "", 1, late) is ErrorCode.DELEGATION_TOKEN_EXPIRED
    mismatch = refused(decide_expire_token, image, SETTINGS, record, "", 1, late)
    assert mismatch is ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    asked = NewToken("User:o", "User:o", ["Group:g"], -1)
    assert refused(decide_create_token, image, SETTINGS, asked, "t", NOW_MS) is ErrorCode.INVALID_PRINCIPAL_TYPE


def test_a_token_fits_into_a_batch_of_the_metadata_log() -> None:
    image = cluster()
    names = [f"User:{number:030000}" for number in range(300)]
    most = NewToken("User:o", "User:o", names[:250], -1)
    assert len(decide_create_token(image, SETTINGS, most, "t", NOW_MS).records) == 1
    more = NewToken("User:o", "User:o", names, -1)
    assert refused(decide_create_token, image, SETTINGS, more, "t", NOW_MS) is ErrorCode.RECORD_LIST_TOO_LARGE


def test_a_token_expires_at_once_or_later_but_never_after_its_end() -> None:
    image = cluster()
    record = token(image).response
    image = apply(image, [record])
    for period_ms, expires_ms in ((0, 0), (40, 40), (2**62, 7 * DAY_MS)):
        decision = decide_expire_token(image, SETTINGS, record, "User:owner", period_ms, NOW_MS)
        assert decision.response == NOW_MS + expires_ms
        assert apply(image, decision.records).delegation_tokens["t1"].expiration_timestamp == NOW_MS + expires_ms
    at_once = decide_expire_token(image, SETTINGS, record, "User:renewer", -1, NOW_MS + 9 * DAY_MS)
    assert at_once.response == NOW_MS + 9 * DAY_MS
    assert not apply(image, at_once.records).delegation_tokens


def test_expired_tokens_are_removed_some_at_a_time() -> None:
    image = cluster()
    for number in range(1_005):
        image = apply(image, token(image, f"t{number}", max_lifetime_ms=10).records)
    image = apply(image, token(image, "alive").records)
    assert decide_remove_expired(image, NOW_MS + 10).records == []
    first = decide_remove_expired(image, NOW_MS + 11)
    assert len(first.records) == 1_000
    rest = decide_remove_expired(apply(image, first.records), NOW_MS + 11)
    assert len(rest.records) == 5
    assert list(apply(apply(image, first.records), rest.records).delegation_tokens) == ["alive"]


def test_a_token_is_found_by_its_hmac_as_long_as_it_is_there() -> None:
    hmacs = TokenHmacs("key")
    tokens = {name: DelegationTokenRecord(token_id=name) for name in ("a", "b")}
    wanted = hmacs.of("a")
    assert hmacs.find(tokens, wanted) is tokens["a"]
    assert hmacs.find({"b": tokens["b"]}, wanted) is None
    assert hmacs.find(tokens, wanted) is tokens["a"]
    assert hmacs.find(tokens, b"another") is None
    assert TokenHmacs("another key").of("a") != wanted
