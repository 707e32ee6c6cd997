"""A wrong user and a wrong password get the same answer after the same work: nothing tells which users and tokens are.

What is compared is not the time, which is another in each run, but what the time is made of: every hash that is
computed, with the length of what goes in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trio

from kafkapy.security.delegation_tokens import DelegationTokens
from kafkapy.security.sasl.exchange import Exchange, LoginRefused
from kafkapy.security.sasl.mechanisms import ImageCredentials
from kafkapy.security.sasl.plain import PlainExchange
from kafkapy.security.sasl.scram import ScramExchange
from kafkapy.settings import Settings
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.scram import ScramArgument, credential_record
from kafkapy_wire.record_formats.metadata import DelegationTokenRecord
from kafkapy_wire.sasl import scram
from kafkapy_wire.sasl.client import PlainClient, ScramClient

if TYPE_CHECKING:
    from kafkapy_wire.sasl.client import ClientExchange

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
KAFKAS_SALT = b"1k3b5mo2c0m9jq0fkp8w4x7zz"
OTHER_SALT = bytes(range(64))  # librdkafka makes such


class Refusal(NamedTuple):
    """All that a client can see of a login that fails, and what it has cost the node."""

    work: tuple[object, ...]
    iterations: int | None
    salt_length: int | None
    salt_is_text: bool | None
    shown: str | None


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Every hash that is computed meanwhile, in whichever thread."""
    done: list[object] = []

    def count(module: Any, name: str, describe: Callable[..., object]) -> None:
        original = getattr(module, name)

        def counts(*arguments: Any, **named: Any) -> Any:
            done.append((name, describe(*arguments)))
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, counts)

    count(hashlib, "pbkdf2_hmac", lambda kind, _, salt, iterations: (kind, len(salt), iterations))
    count(hashlib, "new", lambda kind, data: (kind, len(data)))
    count(hashlib, "sha256", lambda data: None)
    count(hashlib, "shake_256", len)
    count(hmac, "digest", lambda key, message, kind: kind)
    count(hmac, "compare_digest", lambda one, other: (len(one), len(other)))
    yield done
    monkeypatch.undo()


def refused(monkeypatch: pytest.MonkeyPatch, server: Exchange, client: ClientExchange) -> Refusal:
    work: list[object] = []

    async def answer(token: bytes) -> bytes:
        with counted(monkeypatch) as done:
            try:
                step = server.step(token)
                return await step if isinstance(step, Awaitable) else step
            finally:
                work.extend(done)

    async def log_in() -> Refusal:
        token: bytes | None = client.first()
        first: scram.ServerFirst | None = None
        while token is not None:
            try:
                said = await answer(token)
            except LoginRefused as failure:
                if first is None:
                    return Refusal(tuple(work), None, None, None, failure.shown)
                is_text = first.salt.isalnum()
                return Refusal(tuple(work), first.iterations, len(first.salt), is_text, failure.shown)
            first = scram.parse_server_first(said)
            token = client.step(said)
        pytest.fail("it has logged in")

    return trio.run(log_in)


def credentials(salt: bytes, iterations: int) -> ImageCredentials:
    users = [
        credential_record(ScramArgument(mechanism, name, iterations, salt, "right", None), salt)
        for mechanism in MECHANISMS
        for name in ("alice", "bob")
    ]
    token = DelegationTokenRecord(
        owner="User:alice", requester="User:alice", token_id="a-token", max_timestamp=10, expiration_timestamp=10
    )
    image = MetadataImage(
        scram_credentials={(each.name, each.mechanism): each for each in users}, delegation_tokens={"a-token": token}
    )
    tokens = DelegationTokens(Settings({"delegation.token.secret.key": "secret"}).security)
    return ImageCredentials(lambda: image, tokens, lambda: 1)


@pytest.mark.parametrize(
    ("salt", "iterations"), [(KAFKAS_SALT, 4_096), (OTHER_SALT, 8_192)], ids=["of Kafka", "of librdkafka"]
)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_scram_does_not_tell_which_users_exist(
    mechanism: str, salt: bytes, iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = credentials(salt, iterations)

    def login(name: str) -> Refusal:
        return refused(monkeypatch, ScramExchange(mechanism, users), ScramClient(mechanism, name, "wrong"))

    known, unknown = login("bob"), login("eve")
    assert (known.iterations, known.salt_length) == (iterations, len(salt))
    assert known == unknown
    assert len(known.work) > 2


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_scram_does_not_tell_which_tokens_exist(mechanism: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = credentials(KAFKAS_SALT, 4_096)

    def login(token_id: str) -> Refusal:
        client = ScramClient(mechanism, token_id, "wrong", is_token=True)
        return refused(monkeypatch, ScramExchange(mechanism, tokens), client)

    assert login("a-token") == login("a-tokem")
    assert login("a-token") == login("a-token"), "nor does a token that was used before"


def test_plain_does_not_tell_which_users_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def login(name: str) -> Refusal:
        return refused(
            monkeypatch, PlainExchange({"alice": "right", "bob": "long" * 1_000}), PlainClient(name, "wrong")
        )

    assert login("alice") == login("eve") == login("bob")
