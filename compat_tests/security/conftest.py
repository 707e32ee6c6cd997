"""A broker with a listener of each security protocol, and with every mechanism, for the tests of this directory."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command
from compat_tests.kerberos_realm import REALM, SERVICE, running_realm
from compat_tests.ports import free_port
from compat_tests.security.pairs import MECHANISMS, PASSWORD, SASL_PROTOCOLS, Credentials
from compat_tests.tools import need

_LOGIN_MODULES: Mapping[str, str] = {
    "plain": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "scram-sha-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "scram-sha-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "oauthbearer": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
    "gssapi": "com.sun.security.auth.module.Krb5LoginModule",
}
LISTENERS = ("SSL", "MUTUAL", *SASL_PROTOCOLS)
PROTOCOLS = {**{name: name for name in LISTENERS}, "MUTUAL": "SSL", "CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT"}
ADMIN = ("admin", "admin's secret")
_OWN_TOPICS: Mapping[str, str] = {"User:alice": "alice-", "User:CN=alice": "CN-alice-", "User:ANONYMOUS": "anonymous-"}


class Secured(NamedTuple):
    broker: Broker
    listeners: Mapping[str, str]
    credentials: Credentials
    kerberos: bool

    @property
    def admin(self) -> dict[str, Any]:
        """What librdkafka needs to be the super user."""
        return {
            "bootstrap.servers": self.listeners["SASL_PLAINTEXT"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": ADMIN[0],
            "sasl.password": ADMIN[1],
        }


def make_certificates(directory: Path, *clients: str) -> dict[str, str]:
    """Those of a server and of clients; the settings of the server's stores."""
    names = [part for client in clients for part in ("--client", client)]
    subprocess.run([kafkapy_command(), "certs", str(directory), *names], check=True, capture_output=True)
    lines = (directory / "server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    return {name: value for name, value in settings.items() if name.startswith("ssl.") and "store" in name}


def _login_options(mechanism: str, keytab: Path) -> str:
    if mechanism == "plain":
        return f'user_{ADMIN[0]}="{ADMIN[1]}" user_alice="{PASSWORD}"'
    if mechanism == "gssapi":
        return f'useKeyTab=true storeKey=true keyTab="{keytab}" principal="{SERVICE}"'
    return ""


def _settings(stores: Mapping[str, str], keytab: Path | None) -> dict[str, str]:
    mechanisms = [name for name in MECHANISMS if keytab is not None or name != "GSSAPI"]
    return {
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in PROTOCOLS.items()),
        "sasl.enabled.mechanisms": ",".join(mechanisms),
        **{
            f"listener.name.{listener.lower()}.{mechanism.lower()}.sasl.jaas.config": (
                f"{_LOGIN_MODULES[mechanism.lower()]} required {_login_options(mechanism.lower(), keytab or Path())};"
            )
            for listener in SASL_PROTOCOLS
            for mechanism in mechanisms
        },
        "sasl.kerberos.service.name": "kafka",
        **stores,
        "listener.name.mutual.ssl.client.auth": "required",
        "connection.failed.authentication.delay.ms": "10",
        "delegation.token.secret.key": "the secret of all tokens",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN[0]}",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "4",
    }


@pytest.fixture(scope="module")
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("secured")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        keytab: Path | None = directory / "kafka.keytab"
        try:
            stack.enter_context(running_realm(directory))
        except pytest.skip.Exception:  # at home; in CI it fails
            keytab = None
        patch.setenv("KRB5_CLIENT_KTNAME", str(directory / "alice.keytab"))
        patch.setenv("KRB5CCNAME", f"FILE:{directory / 'tickets'}")
        certificates = directory / "certificates"
        stores = make_certificates(certificates, "alice")
        apache = request.config.getoption("--broker") == "apache"
        start = _start_apache_kafka if apache else _start_kafkapy
        broker, listeners = start(stack, _settings(stores, keytab), directory)
        credentials = Credentials(
            ca=str(certificates / "ca.crt"),
            certificate=str(certificates / "alice.crt"),
            key=str(certificates / "alice.key"),
            certificate_and_key=str(certificates / "alice.pem"),
            krb5=os.environ.get("KRB5_CONFIG", ""),
            keytab=str(directory / "alice.keytab"),
            realm=REALM,
        )
        made = Secured(broker, listeners, credentials, kerberos=keytab is not None)
        _set_up(made)
        yield made
        assert not broker.bugs(), broker.output()


def _start_kafkapy(stack: ExitStack, settings: dict[str, str], directory: Path) -> tuple[Broker, Mapping[str, str]]:
    ready = directory / "ready.json"
    listeners = ",".join(f"{name}://localhost:0" for name in LISTENERS)
    given = {**settings, "listeners": listeners, "inter.broker.listener.name": "SSL"}
    broker = stack.enter_context(KafkapyProcess(given, options=("--ready-file", str(ready))))
    eventually(ready.exists, "the broker has written its ready file")
    return broker, json.loads(ready.read_text())["listeners"]


def _start_apache_kafka(
    stack: ExitStack, settings: dict[str, str], directory: Path
) -> tuple[Broker, Mapping[str, str]]:
    """Its node reaches itself as ANONYMOUS, at a listener of its own."""
    need(jar_directory)
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setenv("JAVA_TOOL_OPTIONS", f"-Djava.security.krb5.conf={os.environ.get('KRB5_CONFIG', '')}")
    made = ApacheKafka(settings, data_dir=directory / "data")
    listeners = {name: f"localhost:{free_port()}" for name in LISTENERS}
    for name in ("listeners", "advertised.listeners"):
        made.settings[name] += "".join(f",{listener}://{address}" for listener, address in listeners.items())
    made.settings |= {"inter.broker.listener.name": "PLAINTEXT"}
    made.settings["super.users"] += ";User:ANONYMOUS"
    return stack.enter_context(made), listeners


def _set_up(secured: Secured) -> None:
    """Alice's passwords for SCRAM. Each principal may do all to topics and groups that begin with its name."""
    kafka_admin: Any = pytest.importorskip("confluent_kafka.admin")
    admin = kafka_admin.AdminClient(secured.admin)
    mechanisms = (kafka_admin.ScramMechanism.SCRAM_SHA_256, kafka_admin.ScramMechanism.SCRAM_SHA_512)
    acls = [
        kafka_admin.AclBinding(
            *(kind, prefix, kafka_admin.ResourcePatternType.PREFIXED, principal, "*"),
            *(kafka_admin.AclOperation.ALL, kafka_admin.AclPermissionType.ALLOW),
        )
        for principal, prefix in _OWN_TOPICS.items()
        for kind in (kafka_admin.ResourceType.TOPIC, kafka_admin.ResourceType.GROUP)
    ]
    for future in admin.create_acls(acls).values():
        future.result(PATIENCE_SECONDS)
    for mechanism in mechanisms:  # a request alters a user once
        info = kafka_admin.ScramCredentialInfo(mechanism, 4_096)
        user = kafka_admin.UserScramCredentialUpsertion("alice", info, PASSWORD.encode())
        for future in admin.alter_user_scram_credentials([user]).values():
            future.result(PATIENCE_SECONDS)
