"""Apache Kafka 4.4.0 and kafkapy in one cluster whose nodes log in at one another, as controllers and as brokers, with
what expires: tokens of a provider, and Kerberos tickets. By PLAIN and SCRAM: `test_security_in_mixed_clusters.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kerberos_realm import SERVICE, running_realm, tickets_issued
from kafkapy.testing import IdentityProvider

confluent_kafka = pytest.importorskip("confluent_kafka")
admin = pytest.importorskip("confluent_kafka.admin")

pytestmark = pytest.mark.usefixtures("java")

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
KERBEROS = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true"
SESSION_MS = 2_000
LIFETIME_SECONDS = 5
PARTITIONS = 6


def settings_of(realm: Path, provider: IdentityProvider) -> dict[str, str]:
    """Nodes log in at brokers with tokens, at controllers with tickets, both again and again; clients by PLAIN."""
    return {
        **provider.settings("PLAINTEXT"),
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        # Without it Apache Kafka reaches other brokers by security.inter.broker.protocol, whatever the map says.
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.plaintext.sasl.enabled.mechanisms": "OAUTHBEARER,PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": f'{PLAIN} required user_alice="secret";',
        "sasl.mechanism.inter.broker.protocol": "OAUTHBEARER",
        "listener.name.plaintext.oauthbearer.connections.max.reauth.ms": str(SESSION_MS),
        "listener.name.plaintext.oauthbearer.sasl.login.callback.handler.class": HANDLER,
        "sasl.oauthbearer.token.endpoint.url": provider.token_url,
        "sasl.oauthbearer.client.credentials.client.id": "node",
        "sasl.oauthbearer.client.credentials.client.secret": "its-secret",
        "sasl.login.refresh.min.period.seconds": "1",
        "sasl.login.refresh.buffer.seconds": "1",
        "listener.name.controller.sasl.enabled.mechanisms": "GSSAPI",
        "sasl.mechanism.controller.protocol": "GSSAPI",
        "listener.name.controller.gssapi.connections.max.reauth.ms": str(SESSION_MS),
        "listener.name.controller.gssapi.sasl.jaas.config": (
            f'{KERBEROS} keyTab="{realm}/kafka.keytab" principal="{SERVICE}";'
        ),
        "sasl.kerberos.service.name": "kafka",
        "sasl.kerberos.min.time.before.relogin": "1000",
    }


class Client:
    """Who produces with acks=all to leaders of both kinds, whose followers are of both kinds."""

    def __init__(self, bootstrap: str) -> None:
        self._config = {
            "bootstrap.servers": bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "alice",
            "sasl.password": "secret",
        }
        self._admin: Any = admin.AdminClient(self._config)

    def create(self, topic: str) -> None:
        new = admin.NewTopic(topic, PARTITIONS, 3, config={"min.insync.replicas": "3"})
        for future in self._admin.create_topics([new]).values():
            future.result(PATIENCE_SECONDS)

    def produce(self, topic: str) -> None:
        producer = confluent_kafka.Producer({**self._config, "acks": "all"})
        errors: list[object] = []
        for partition in range(PARTITIONS):
            producer.produce(topic, b"x", partition=partition, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(PATIENCE_SECONDS) == 0
        assert errors == [None] * PARTITIONS


class Provider(IdentityProvider):
    """Counts the tokens that it hands out."""

    count = 0

    def answer_token(self, authorization: str | None, body: str) -> tuple[int, dict[str, object]]:
        self.count += 1
        return super().answer_token(authorization, body)


@pytest.fixture
def realm(tmp_path: Path) -> Iterator[Path]:
    with running_realm(tmp_path, service_ticket_seconds=LIFETIME_SECONDS):
        yield tmp_path


def test_nodes_of_both_kinds_log_in_with_tokens_and_with_tickets(realm: Path, tmp_path: Path) -> None:
    """They replicate, also after both were renewed, and after a node has started again."""
    pytest.importorskip("jwt")
    with Provider({"node": "its-secret"}, lifetime_seconds=LIFETIME_SECONDS) as provider:
        urls = f"{provider.token_url},{provider.jwks_url}"
        options = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={urls} -Djava.security.krb5.conf={realm}/krb5.conf"
        cluster = ClusterProcesses(
            tmp_path / "nodes",
            3,
            settings=settings_of(realm, provider),
            apache=[1],
            variables={"JAVA_TOOL_OPTIONS": options},
        )
        with cluster:
            client = Client(cluster.bootstrap)
            client.create("first")
            client.produce("first")
            tickets, tokens = tickets_issued(realm), provider.count
            eventually(
                lambda: tickets_issued(realm) >= tickets + 3 and provider.count >= tokens + 3,
                "what nodes log in with was renewed",
                seconds=60,
            )
            client.produce("first")
            cluster.nodes[2].stop()
            cluster.nodes[2].start()
            client.produce("first")
            client.create("second")
            client.produce("second")
            assert not cluster.bugs(), cluster.output()
