"""Delegation tokens of clients that have logged in, beside Apache Kafka 4.4.0: who may do what with which token."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.deadlines import eventually
from compat_tests.differential.acl_filters import description_of
from compat_tests.differential.acl_numbers import AclOperation, PatternType, PermissionType, ResourceType
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.peer import Connection, Peer, api_key_of, versions_of
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.ports import free_port
from compat_tests.tools import need
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest
from kafkapy_wire.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from kafkapy_wire.messages.describe_delegation_token import DescribeDelegationTokenOwner, DescribeDelegationTokenRequest
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest
from kafkapy_wire.messages.sasl_handshake import SaslHandshakeRequest

MINUTE_MS = 60_000
HOUR_MS, DAY_MS = 60 * MINUTE_MS, 24 * 60 * MINUTE_MS
LIFETIMES_MS = (0, 1_000 * DAY_MS, -2, -(2**63), 2**63 - 1)
USERS = ("admin", "alice", "bob", "eve")
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required "
SETTINGS = {
    "node.id": "1",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.users.plain.sasl.jaas.config": LOGIN + " ".join(f'user_{user}="{user}"' for user in USERS) + ";",
    "delegation.token.secret.key": "the secret of both",
    "delegation.token.max.lifetime.ms": str(3 * DAY_MS),
    "delegation.token.expiry.time.ms": str(DAY_MS),
}
TIMES = tuple(f"{what}_timestamp{unit}" for what in ("issue", "expiry", "max") for unit in ("", "_ms"))


class User:
    """One who has logged in at a broker, and asks it about tokens."""

    def __init__(self, peer: Peer, port: int, name: str) -> None:
        self._peer = peer
        self._name = name
        self._connection = Connection(peer.host, port)
        for step in (
            SaslHandshakeRequest(mechanism="PLAIN"),
            SaslAuthenticateRequest(auth_bytes=f"\0{name}\0{name}".encode()),
        ):
            answer = self.quietly(step)
            assert answer.error_code == 0, answer

    @property
    def broker_name(self) -> str:
        return self._peer.name

    def close(self) -> None:
        self._connection.close()

    def quietly(self, request: Message, version: int | None = None) -> Any:
        key = api_key_of(request)
        used = versions_of(key)[-1] if version is None else version
        return self._connection.receive(key, used, self._connection.post(request, used))

    def ask(self, what: str, request: Message, version: int | None = None) -> Any:
        """Ask, and write down what comes back: the times of tokens are minutes from now, and a new one is `what`."""
        used = versions_of(api_key_of(request))[-1] if version is None else version
        answer = self.quietly(request, used)
        label = f"{type(request).__name__} v{used} of {self._name}: {what}"
        if isinstance(answer, CreateDelegationTokenResponse) and not answer.error_code:
            self._peer.note(f"sizes: {label}", [len(answer.token_id), len(answer.hmac)])
            self._peer.normaliser.name_text(answer.token_id, f"<{what}>")
            self._peer.normaliser.name_text(bytes(answer.hmac).decode("latin-1"), f"<hmac of {what}>")
        compared = copy.deepcopy(answer)
        for holder in (compared, *getattr(compared, "tokens", ())):
            for field in TIMES:
                if getattr(holder, field, -1) > 0:
                    setattr(holder, field, round((getattr(holder, field) - time.time() * 1000) / MINUTE_MS))
        self._peer.note(label, self._peer.normaliser.plain(compared, used))
        return answer


def renewer(name: str, kind: str = "User") -> CreatableRenewers:
    return CreatableRenewers(principal_type=kind, principal_name=name)


def owner(name: str, kind: str = "User") -> DescribeDelegationTokenOwner:
    return DescribeDelegationTokenOwner(principal_type=kind, principal_name=name)


def acl(principal: str, operation: AclOperation, resource_type: ResourceType, name: str) -> AclCreation:
    return AclCreation(
        resource_type=resource_type,
        resource_name=name,
        resource_pattern_type=PatternType.LITERAL,
        principal=f"User:{principal}",
        host="*",
        operation=operation,
        permission_type=PermissionType.ALLOW,
    )


def add_acls(peer: Peer, *acls: AclCreation, count: int) -> None:
    """So that there are `count`."""
    created = peer.quietly(CreateAclsRequest(creations=list(acls)))
    assert [result.error_code for result in created.results] == [0] * len(acls), created
    everything = description_of()
    peer.until(everything, lambda answer: sum(len(each.acls) for each in answer.resources) == count, f"{count} ACLs")


class Pair(NamedTuple):
    """A broker, and where users log in."""

    name: str
    broker: Broker
    port: int


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, Pair]]:
    need(jar_directory)
    ours, ours_of_users, theirs_of_users = free_port(), free_port(), free_port()
    listeners = f"PLAINTEXT://127.0.0.1:{ours},USERS://127.0.0.1:{ours_of_users},CONTROLLER://127.0.0.1:{free_port()}"
    apache = ApacheKafka(SETTINGS, voters_in_log=True)
    for name in ("listeners", "advertised.listeners"):
        apache.settings[name] += f",USERS://127.0.0.1:{theirs_of_users}"
    kafkapy = KafkapyProcess({**SETTINGS, "listeners": listeners}, data_dir=tmp_path_factory.mktemp("kafkapy"))
    with kafkapy, apache:
        yield Pair("kafkapy", kafkapy, ours_of_users), Pair("apache", apache, theirs_of_users)


def play(peer: Peer, port: int) -> None:
    admin, alice, *_ = users = [User(peer, port, name) for name in USERS]
    add_acls(
        peer,
        acl("alice", AclOperation.CREATE_TOKENS, ResourceType.USER, "User:bob"),
        acl("eve", AclOperation.DESCRIBE_TOKENS, ResourceType.USER, "User:bob"),
        count=2,
    )
    made = tokens_are_made(alice, admin)
    await_tokens(admin, "all are known", lambda tokens: len(tokens) == len(made))
    tokens_are_described(users, "new")
    add_acls(peer, acl("eve", AclOperation.DESCRIBE, ResourceType.DELEGATION_TOKEN, made[0].token_id), count=3)
    tokens_are_described(users, "with an ACL about one of them")
    tokens_are_renewed(made, users)
    tokens_are_expired(made, users)
    tokens_are_described(users, "renewed and expired")
    for user in users:
        user.close()


def await_tokens(admin: User, what: str, done: Callable[[Mapping[str, int]], bool]) -> None:
    """Wait until `done` is told that of the broker's tokens, each by its id with the time when it expires.

    Apache Kafka's broker and controller know of a change a moment after it has been answered.
    """

    def is_done() -> bool:
        described = admin.quietly(DescribeDelegationTokenRequest(owners=None))
        return done({token.token_id: token.expiry_timestamp for token in described.tokens})

    eventually(is_done, f"{admin.broker_name}: {what}")


def tokens_are_made(alice: User, admin: User) -> list[Any]:
    """Those that are made."""
    create = CreateDelegationTokenRequest
    asked = [
        *((alice, f"plain v{version}", create(renewers=[], max_lifetime_ms=-1), version) for version in (1, 2, 3)),
        (alice, "renewed by bob", create(renewers=[renewer("bob"), renewer("admin")], max_lifetime_ms=HOUR_MS), 3),
        (alice, "renewed by oneself", create(renewers=[renewer("alice"), renewer("bob"), renewer("bob")]), 3),
        *(
            (alice, f"lifetime {ms}", create(max_lifetime_ms=ms), 3)
            for ms in (0, 1_000 * DAY_MS, -2, -(2**63), 2**63 - 1)
        ),
        (alice, "a group renews", create(renewers=[renewer("a", "Group")]), 3),
        (alice, "nobody renews", create(renewers=[renewer("", "User")]), 3),
        (alice, "of bob", create(owner_principal_type="User", owner_principal_name="bob"), 3),
        (alice, "of eve", create(owner_principal_type="User", owner_principal_name="eve"), 3),
        (alice, "of a group", create(owner_principal_type="Group", owner_principal_name="bob"), 3),
        (alice, "of the empty name", create(owner_principal_type="User", owner_principal_name=""), 3),
        (alice, "of no type", create(owner_principal_type=None, owner_principal_name="bob"), 3),
        (admin, "of an empty type", create(owner_principal_type="", owner_principal_name="bob"), 3),
        (admin, "of alice", create(owner_principal_type="User", owner_principal_name="alice"), 3),
    ]
    answers = [who.ask(what, request, version) for who, what, request, version in asked]
    return [answer for answer in answers if answer.error_code == 0]


def tokens_are_described(users: list[User], when: str) -> None:
    owners: dict[str, list[DescribeDelegationTokenOwner] | None] = {
        "everybody": None,
        "nobody": [],
        "alice": [owner("alice")],
        "bob and eve": [owner("bob"), owner("eve")],
        "a group": [owner("alice", "Group")],
        "the empty name": [owner("")],
    }
    for user in users:
        for what, named in owners.items():
            for version in (1, 2, 3):
                user.ask(f"{what}, {when}", DescribeDelegationTokenRequest(owners=named), version)


def tokens_are_renewed(made: list[Any], users: list[User]) -> None:
    for index, token in enumerate(made[:6]):
        for user in users:
            for period in (-1, 0, HOUR_MS, 2 * DAY_MS, 100 * DAY_MS, -(2**63), 2**63 - 1):
                request = RenewDelegationTokenRequest(hmac=token.hmac, renew_period_ms=period)
                user.ask(f"token {index} for {period}", request, 1 + index % 2)
    for hmac in (b"", b"unheard of"):
        users[1].ask("an unheard of token", RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=-1))


def tokens_are_expired(made: list[Any], users: list[User]) -> None:
    admin, alice, bob, eve = users
    for index, token in enumerate(made[:6]):
        for user in users:
            for period in (HOUR_MS, 100 * DAY_MS, 2**63 - 1):
                request = ExpireDelegationTokenRequest(hmac=token.hmac, expiry_time_period_ms=period)
                user.ask(f"token {index} in {period}", request, 1 + index % 2)
    first, second, third = made[0], made[3], made[1]
    now = ExpireDelegationTokenRequest(hmac=first.hmac, expiry_time_period_ms=-1)
    for user in (eve, alice):
        user.ask("now", now)
    bob.ask("now, by who renews it", ExpireDelegationTokenRequest(hmac=second.hmac, expiry_time_period_ms=-2))
    await_tokens(admin, "two have ended", lambda tokens: first.token_id not in tokens and second.token_id not in tokens)
    alice.ask("once more", now)
    alice.ask("renewed when it is gone", RenewDelegationTokenRequest(hmac=first.hmac, renew_period_ms=-1))
    ended = alice.ask("at once", ExpireDelegationTokenRequest(hmac=third.hmac, expiry_time_period_ms=0))
    assert ended.error_code == 0, ended
    await_tokens(admin, "one ends now", lambda tokens: tokens[third.token_id] == ended.expiry_timestamp_ms)
    alice.ask("of one that has ended", RenewDelegationTokenRequest(hmac=third.hmac, renew_period_ms=-1))
    bob.ask("of one that has ended", ExpireDelegationTokenRequest(hmac=third.hmac, expiry_time_period_ms=HOUR_MS))
    alice.ask("of one that has ended", ExpireDelegationTokenRequest(hmac=third.hmac, expiry_time_period_ms=HOUR_MS))
    admin.ask("an unheard of token", ExpireDelegationTokenRequest(hmac=b"unheard of", expiry_time_period_ms=-1))


def test_tokens_are_made_described_renewed_and_expired_alike(brokers: tuple[Pair, Pair]) -> None:
    transcripts = []
    for name, broker, port in brokers:
        with Peer(name, "127.0.0.1", broker.port, None) as peer:
            play(peer, port)
        transcripts.append(peer.transcript)
    found = list(differences(*transcripts))
    if found:
        pytest.fail(f"{len(found)} differences\n" + report(found), pytrace=False)
