"""GSSAPI against MIT's KDC, which is started for the tests of this module; and from principals to users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compat_tests.kerberos_realm import PASSWORD, REALM, SERVICE, running_realm
from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.kerberos import local_name, parse_rules
from kafkapy_wire.errors import ErrorCode
from tests.network.test_logins import handshake, is_served, token
from tests.shell.running_node import Client, connect, running_node, trio_test

if TYPE_CHECKING:
    from kafkapy.node import Node

MODULE = "com.sun.security.auth.module.Krb5LoginModule"
PREFIX = "listener.name.sasl_plaintext"


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running KDC."""
    directory = tmp_path_factory.mktemp("kdc")
    with running_realm(directory):
        yield directory


def settings(realm: Path, **more: str) -> dict[str, str]:
    keytab = realm / "kafka.keytab"
    return {
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
        "sasl.enabled.mechanisms": "GSSAPI",
        f"{PREFIX}.gssapi.sasl.jaas.config": (
            f'{MODULE} required useKeyTab=true storeKey=true keyTab="{keytab}" principal="{SERVICE}";'
        ),
        "connection.failed.authentication.delay.ms": "0",
        "sasl.kerberos.service.name": "kafka",
        **more,
    }


def client_context(principal: str) -> Any:
    import gssapi
    from gssapi.raw import acquire_cred_with_password

    name = gssapi.Name(principal, gssapi.NameType.kerberos_principal)
    acquired = acquire_cred_with_password(name, PASSWORD.encode(), usage="initiate")
    service = gssapi.Name("kafka@localhost", gssapi.NameType.hostbased_service)
    return gssapi.SecurityContext(name=service, creds=gssapi.Credentials(acquired.creds), usage="initiate")


async def log_in(client: Client, principal: str, *, wanted: str = "", layer: int = 1) -> Any:
    """The last answer."""
    context = client_context(principal)
    assert (await handshake(client, "GSSAPI")).error_code == 0
    challenge: bytes | None = None
    while not context.complete:
        answer = await token(client, context.step(challenge) or b"")
        if answer.error_code:
            return answer
        challenge = answer.auth_bytes
        if context.complete:
            break
        context_done = context.step(challenge)
        if context_done is None and context.complete:
            challenge = (await token(client, b"")).auth_bytes
            break
        challenge = (await token(client, context_done or b"")).auth_bytes
    assert challenge is not None
    if not challenge:
        challenge = (await token(client, b"")).auth_bytes
    offer = context.unwrap(challenge).message
    assert offer == bytes((1, 0, 0, 0))
    choice = bytes((layer, 0, 0, 0)) + wanted.encode()
    return await token(client, context.wrap(choice, False).message)


def test_a_ticket_says_who_a_client_is(realm: Path, tmp_path: Path) -> None:
    rules = {"sasl.kerberos.principal.to.local.rules": r"RULE:[2:$1-$2](.*-admin)s/-admin//L,DEFAULT"}

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, settings(realm, **rules)) as node:
            for principal, wanted, user in (
                ("alice", "", "alice"),
                ("alice", f"alice@{REALM}", "alice"),
                ("alice", "alice", "alice"),
                ("Bob/admin", "", "bob"),
            ):
                async with connect(node) as client:
                    answer = await log_in(client, principal, wanted=wanted)
                    assert (answer.error_code, answer.auth_bytes) == (0, b""), answer
                    assert await is_served(client)
                    assert principal_of(node) == f"User:{user}"

    run()


def principal_of(node: Node) -> str:
    return str(max(node.server.connections, key=lambda each: each.client.number).client.principal)


def test_what_is_no_ticket_is_refused(realm: Path, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, settings(realm)) as node:
            for content in (b"", b"x" * 100, b"\x60\x10" + bytes(50), b"x" * 300_000):
                async with connect(node) as client:
                    await handshake(client, "GSSAPI")
                    answer = await token(client, content)
                    assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
                    assert "due to invalid credentials with SASL mechanism GSSAPI" in str(answer.error_message)
                    assert await client.closed_by_broker()
            async with connect(node) as client:  # a layer that was not offered
                answer = await log_in(client, "alice", layer=2)
                assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
            async with connect(node) as client:  # who a client wants to be does not count
                assert (await log_in(client, "alice", wanted="root")).error_code == 0
                assert principal_of(node) == "User:alice"
            assert not node.bugs.kept

    run()


def test_kafka_python_logs_in_with_a_ticket(
    realm: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kafka_python = pytest.importorskip("kafka")
    from kafkapy.testing import Kafka

    monkeypatch.setenv("KRB5_CLIENT_KTNAME", str(realm / "alice.keytab"))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path_factory.mktemp('cache')}/tickets")
    own = {name.replace("sasl_plaintext", "plaintext"): value for name, value in settings(realm).items()}
    del own["listeners"]
    own["listener.security.protocol.map"] = "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
    with Kafka(settings=own, topics={"t": 1}) as kafka:
        producer = kafka_python.KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="GSSAPI",
            sasl_kerberos_service_name="kafka",
            sasl_kerberos_domain_name="localhost",
        )
        assert producer.send("t", b"x").get(20).topic == "t"
        producer.close()
        assert {exchange.principal for exchange in kafka.recorded("Produce").everything()} == {"User:alice"}


@pytest.mark.parametrize(
    ("module", "rules", "told"),
    [
        (f"{MODULE} required;", "DEFAULT", "GSSAPI needs useKeyTab=true and keyTab"),
        (f'{MODULE} required useKeyTab=true keyTab="/no/such";', "DEFAULT", "the keytab /no/such cannot be read"),
        (f'{MODULE} required useKeyTab=true keyTab="{__file__}";', "SOMETHING", "is neither DEFAULT nor RULE:"),
        (f'{MODULE} required useKeyTab=true keyTab="{__file__}";', "RULE:[1:$1](*)", "is not valid"),
        (
            f'{MODULE} required useKeyTab=true keyTab="{__file__}" serviceName="other";',
            "DEFAULT",
            "sasl.kerberos.service.name is kafka, and the option serviceName of",
        ),
    ],
)
def test_what_would_let_nobody_in_is_refused_at_the_start(module: str, rules: str, told: str) -> None:
    given = {
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
        "sasl.enabled.mechanisms": "GSSAPI",
        "sasl.kerberos.service.name": "kafka",
        f"{PREFIX}.gssapi.sasl.jaas.config": module,
        "sasl.kerberos.principal.to.local.rules": rules,
    }
    with pytest.raises(SettingsError) as caught:
        Settings(given)
    assert told in str(caught.value)


def test_the_name_of_the_service_is_asked_for_as_by_apache_kafka() -> None:
    """In the settings, of one listener or of all, or in the login module."""
    module = f'{MODULE} required useKeyTab=true keyTab="{__file__}"'
    given = {
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0",
        "sasl.enabled.mechanisms": "GSSAPI",
        f"{PREFIX}.gssapi.sasl.jaas.config": f"{module};",
    }
    with pytest.raises(SettingsError, match=r"sasl\.kerberos\.service\.name has to be set"):
        Settings(given)
    Settings({**given, f"{PREFIX}.sasl.kerberos.service.name": "kafka"})
    Settings({**given, f"{PREFIX}.gssapi.sasl.jaas.config": f'{module} serviceName="kafka";'})


RULES = (
    r"RULE:[1:$1](App\..*)s/App\.(.*)/$1/g,RULE:[2:$1](App\..*)s/App\.(.*)/$1/,RULE:[2:$1@$0](x@R.ORG)s/@.*//U,"
    "RULE:[1:$1@$0](.*@LOW)s/@.*///L,DEFAULT"
)


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("App.service-name@OTHER", "service-name"),
        ("App.service-name/host@OTHER", "service-name"),
        ("x/host@R.ORG", "X"),
        ("ABC@LOW", "abc"),
        ("alice@HERE", "alice"),
        ("alice/host@HERE", "alice"),
        ("alice", "alice"),
    ],
)
def test_rules_make_names_of_principals(principal: str, expected: str) -> None:
    assert local_name(principal, parse_rules(RULES.split(",")), "HERE") == expected


def _refused(principal: str, rules: str) -> Callable[[], str]:
    return lambda: local_name(principal, parse_rules([rules]), "HERE")


@pytest.mark.parametrize(
    ("principal", "rules"),
    [
        ("alice@OTHER", "DEFAULT"),
        ("a@b@c", "DEFAULT"),
        ("", "DEFAULT"),
        ("a" * 2_000, "DEFAULT"),
        ("a@R", "RULE:[1:$1@$0]"),
    ],
)
def test_principals_without_a_name_are_refused(principal: str, rules: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|no name|no simple name"):
        _refused(principal, rules)()
