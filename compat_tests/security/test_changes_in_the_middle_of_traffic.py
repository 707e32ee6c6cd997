"""Credentials and certificates that expire, are revoked and are renewed, while unmodified clients go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.security import pairs
from compat_tests.security.pairs import Credentials
from kafkapy.testing import IdentityProvider, Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_admin: Any = pytest.importorskip("confluent_kafka.admin")
kafka_python = pytest.importorskip("kafka")

HOUR = 3_600
SHORT_SECONDS = 5
"""How long the certificates are valid that expire here."""
SETTINGS = {
    "connection.failed.authentication.delay.ms": "10",
    "connections.max.idle.ms": str(100 * HOUR * 1_000),  # it is on the clock that is moved, too
}


def send(producer: Any, topic: str = "t") -> list[Any]:
    """The errors of one record; one that is not answered is one, too."""
    errors: list[Any] = ["no answer"]
    producer.produce(topic, b"x", on_delivery=lambda error, _: errors.__setitem__(0, error))
    producer.flush(PATIENCE_SECONDS)
    return [error for error in errors if error is not None]


class Refusals(list[Any]):
    """The errors that librdkafka calls back with."""

    def have(self, code: int) -> bool:
        return any(error.code() == code for error in self)


def until_refused(client: Any, refusals: Refusals, code: int) -> None:
    def is_refused() -> bool:
        client.poll(0.05)
        return refusals.have(code)

    eventually(is_refused, "the client is refused")


# Certificates


class Authority:
    """Makes certificates for any time, with OpenSSL."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.certificate = directory / f"{name}.crt"
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2"),
        )

    def issue(self, name: str, *, seconds: int = 86_400, ended_seconds_ago: int = 0) -> Path:
        """A file with the key and the certificate of a name, which is valid for so long from now on, or is not now."""
        end = time.time() - ended_seconds_ago if ended_seconds_ago else time.time() + seconds
        begin, until = (time.strftime("%y%m%d%H%M%SZ", time.gmtime(each)) for each in (end - 90_000, end))
        work = self.directory / f"{name}.{time.monotonic_ns()}"
        work.mkdir()
        (work / "index.txt").touch()
        (work / "serial").write_text(f"{time.monotonic_ns():018X}\n")
        (work / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\npolicy=any\n"
            "default_md=sha256\nx509_extensions=names\n[any]\ncommonName=supplied\n"
            "[names]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
        )
        self._openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", "key", "-out", "request"),
            within=work,
        )
        self._openssl(
            *("ca", "-batch", "-config", "ca.cnf", "-in", "request", "-out", "certificate", "-notext"),
            *(
                "-cert",
                f"../{self.name}.crt",
                "-keyfile",
                f"../{self.name}.key",
                "-startdate",
                begin,
                "-enddate",
                until,
            ),
            within=work,
        )
        made = self.directory / f"{name}.{time.monotonic_ns()}.pem"
        made.write_text((work / "key").read_text() + (work / "certificate").read_text())
        return made

    def _openssl(self, *arguments: str, within: Path | None = None) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=within or self.directory)


class Mutual(NamedTuple):
    """A broker whose clients must have a certificate, and another listener by which its settings are changed."""

    broker: KafkapyProcess
    authority: Authority
    store: Path
    trusted: Path
    secure: str
    plain: str

    def config(self, certificate: Path, **more: Any) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.secure,
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "ssl.certificate.location": str(certificate),
            "ssl.key.location": str(certificate),
            **more,
        }

    def alter(self, name: str, value: str) -> None:
        entry = kafka_admin.ConfigEntry(
            f"listener.name.ssl.{name}", value, incremental_operation=kafka_admin.AlterConfigOpType.SET
        )
        resource = kafka_admin.ConfigResource(kafka_admin.ResourceType.BROKER, "1", incremental_configs=[entry])
        admin = kafka_admin.AdminClient({"bootstrap.servers": self.plain})
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(PATIENCE_SECONDS)

    def loads(self) -> int:
        return self.broker.output().count("the TLS of listener SSL was loaded anew")


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mutual]:
    directory = tmp_path_factory.mktemp("mutual")
    authority = Authority(directory, "authority")
    store = Path(shutil.copy(authority.issue("server"), directory / "server.pem"))
    trusted = Path(shutil.copy(authority.certificate, directory / "trusted.pem"))
    ready = directory / "ready.json"
    settings = {
        "listeners": "SSL://localhost:0,PLAINTEXT://localhost:0",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(trusted),
        "ssl.client.auth": "required",
        "node.id": "1",
    }
    with KafkapyProcess(settings, options=("--ready-file", str(ready), "--log-level", "info")) as broker:
        eventually(ready.exists, "the broker has written its ready file")
        listeners = json.loads(ready.read_text())["listeners"]
        yield Mutual(broker, authority, store, trusted, listeners["SSL"], listeners["PLAINTEXT"])
        assert not broker.bugs(), broker.output()


def test_certificates_expire_and_are_renewed(mutual: Mutual) -> None:
    """Who is connected goes on, with an expired certificate on either side; who connects later is refused until they
    are renewed: by another store in the settings, and by another file in the place of the old one.
    """
    bob = mutual.authority.issue("bob")
    mutual.alter("ssl.keystore.location", str(mutual.authority.issue("server", seconds=SHORT_SECONDS)))
    eventually(lambda: mutual.loads() == 1, "the short certificate is used")
    alice = mutual.authority.issue("alice", seconds=SHORT_SECONDS)
    expired = time.monotonic() + SHORT_SECONDS
    refusals = Refusals()
    before = confluent_kafka.Producer(mutual.config(alice))
    assert not send(before)
    eventually(lambda: time.monotonic() > expired, "the certificates have expired")

    assert not send(before)
    later = confluent_kafka.Producer(mutual.config(bob, error_cb=refusals.append))
    until_refused(later, refusals, confluent_kafka.KafkaError._SSL)
    assert "certificate verify failed" in refusals[0].str()

    shutil.copy(mutual.authority.issue("server"), mutual.store)
    mutual.alter("ssl.keystore.location", str(mutual.store))
    eventually(lambda: mutual.loads() == 2, "the renewed certificate is used")
    assert not send(later), "a client that was refused tries again"
    assert not send(before)
    position = len(mutual.broker.output())
    again = confluent_kafka.Producer(mutual.config(alice, error_cb=refusals.append))
    again.poll(0)
    eventually(
        lambda: "certificate of the peer is refused: certificate has expired" in mutual.broker.output()[position:],
        "the broker says why it refuses alice",
    )
    mutual.store.write_text(mutual.authority.issue("server").read_text())
    eventually(lambda: mutual.loads() == 3, "the file is read anew")
    renewed = confluent_kafka.Producer(mutual.config(mutual.authority.issue("alice")))
    assert not send(renewed)
    assert not send(before)


def test_an_authority_is_taken_out_of_the_trust_store(mutual: Mutual) -> None:
    """That is how a certificate is revoked: its clients cannot connect any more, and who is connected goes on."""
    other = Authority(mutual.authority.directory, "other")
    mallory = other.issue("mallory")
    loads = mutual.loads()
    mutual.trusted.write_text(mutual.authority.certificate.read_text() + other.certificate.read_text())
    mutual.alter("ssl.truststore.location", str(mutual.trusted))
    eventually(lambda: mutual.loads() > loads, "the second authority is trusted")
    before = confluent_kafka.Producer(mutual.config(mallory))
    assert not send(before)
    loads = mutual.loads()
    mutual.trusted.write_text(mutual.authority.certificate.read_text())
    eventually(lambda: mutual.loads() > loads, "the second authority is not trusted any more")
    assert not send(before)
    position = len(mutual.broker.output())
    later = confluent_kafka.Producer(mutual.config(mallory))
    later.poll(0)
    eventually(
        lambda: "the certificate of the peer is refused" in mutual.broker.output()[position:],
        "the broker refuses the certificate",
    )
    assert not send(confluent_kafka.Producer(mutual.config(mutual.authority.issue("alice"))))


# Passwords and tokens


def test_a_user_who_is_deleted_goes_on_until_the_session_ends() -> None:
    """By connections.max.reauth.ms, on the clock of the node: no client is so quick to authenticate again."""
    settings = {**SETTINGS, "connections.max.reauth.ms": str(HOUR * 1_000)}
    with Kafka(users={"alice": "old", "admin": "a"}, topics={"t": 1}, settings=settings) as kafka:
        refusals = Refusals()
        config = {**kafka.config_for("librdkafka", mechanism="SCRAM-SHA-256"), "error_cb": refusals.append}
        producer = confluent_kafka.Producer(config)
        assert not send(producer)
        admin = kafka_admin.AdminClient(kafka.config_for("librdkafka", user="admin", mechanism="PLAIN"))
        deletion = kafka_admin.UserScramCredentialDeletion("alice", kafka_admin.ScramMechanism.SCRAM_SHA_256)
        for future in admin.alter_user_scram_credentials([deletion]).values():
            future.result(PATIENCE_SECONDS)
        assert not send(producer)
        kafka.clock.advance(HOUR + 1)
        producer.produce("t", b"x")
        until_refused(producer, refusals, confluent_kafka.KafkaError._AUTHENTICATION)
        producer.purge()


@contextmanager
def token_holder(go_program: Path, kafka: Kafka, directory: Path) -> Iterator[Callable[[str], str]]:
    """franz-go with a delegation token of alice; called with what it is to do, it says its error."""
    nothing = Credentials(*[""] * 7)
    listeners = dict.fromkeys(("SSL", "MUTUAL", *pairs.SASL_PROTOCOLS), kafka.bootstrap_servers)
    login = next(each for each in pairs.logins_of("franz", listeners, kerberos=False) if each.token)
    plan = pairs.write_plan(directory / "plan.json", nothing, [login])
    with subprocess.Popen(
        [str(go_program), "franz", "token", plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sends, says = process.stdin, process.stdout

        def do(what: str) -> str:
            sends.write(f"{what}\n")
            sends.flush()
            said: str = json.loads(says.readline())["error"]
            return said

        yield do


def test_a_delegation_token_is_renewed_and_expires(go_program: Path, tmp_path: Path) -> None:
    """The session lasts as long as the token did when the client logged in; then it logs in again."""
    settings = {
        **SETTINGS,
        "delegation.token.secret.key": "the secret of all tokens",
        "delegation.token.expiry.time.ms": str(HOUR * 1_000),
    }
    with (
        Kafka(users={"alice": pairs.PASSWORD}, settings=settings, host="127.0.0.1") as kafka,
        token_holder(go_program, kafka, tmp_path) as do,
    ):
        assert do("send") == ""
        kafka.clock.advance(HOUR // 2)
        assert do("renew") == ""
        kafka.clock.advance(HOUR * 3 // 4)
        assert do("send") == "", "the first session is over, and the token is not"
        kafka.clock.advance(HOUR)
        assert "SASL_AUTHENTICATION_FAILED" in do("send")
        assert "SASL_AUTHENTICATION_FAILED" in do("send")


def test_a_delegation_token_that_is_expired_by_its_owner_serves_no_later_connection(
    go_program: Path, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "delegation.token.secret.key": "the secret of all tokens"}
    with (
        Kafka(users={"alice": pairs.PASSWORD}, settings=settings, host="127.0.0.1") as kafka,
        token_holder(go_program, kafka, tmp_path) as do,
    ):
        assert do("send") == ""
        assert do("expire") == ""
        assert do("send") == "", "who is connected goes on"
        kafka.close_connections()
        assert "SASL_AUTHENTICATION_FAILED" in do("send")


def test_the_keys_of_the_identity_provider_change() -> None:
    pytest.importorskip("jwt")
    with (
        IdentityProvider({"my-service": "its secret"}) as provider,
        Kafka(settings={**provider.settings(), **SETTINGS}, topics={"t": 1}) as kafka,
    ):
        refusals = Refusals()
        config: dict[str, Any] = {
            "bootstrap.servers": kafka.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": "my-service",
            "sasl.oauthbearer.client.secret": "its secret",
            "sasl.oauthbearer.token.endpoint.url": provider.token_url,
        }
        before = confluent_kafka.Producer({**config, "error_cb": refusals.append})
        assert not send(before)
        provider.change_key()
        assert not send(confluent_kafka.Producer(config)), "the broker reads the new key"
        kafka.close_connections()
        assert not send(before), "the old key is still there"
        provider.forget_keys()
        assert not send(confluent_kafka.Producer(config))
        assert not send(before), "who is connected goes on"
        assert not refusals.have(confluent_kafka.KafkaError._AUTHENTICATION)
        kafka.close_connections()
        before.produce("t", b"x")
        until_refused(before, refusals, confluent_kafka.KafkaError._AUTHENTICATION)
        before.purge()
