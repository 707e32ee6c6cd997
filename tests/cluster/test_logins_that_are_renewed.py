"""Nodes that log in at one another with what expires: tokens of a provider, and Kerberos tickets. They form a cluster,
replicate, outlive the end of what they logged in with, and a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import trio

from compat_tests.kerberos_realm import SERVICE, running_realm, tickets_issued
from kafkapy.cluster import Cluster, members_of
from kafkapy.settings.node_login import LOGIN_HANDLER
from kafkapy.testing import IdentityProvider
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from tests.cluster.bounds import cluster_test, produce_patiently
from tests.network.test_logins import log_in
from tests.shell.running_node import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kafkapy.network.connection import Connection

LISTENERS = ("plaintext", "controller")
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
COMMON = {
    "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "listener.name.plaintext.plain.sasl.jaas.config": f'{PLAIN} required user_alice="secret";',
    "connection.failed.authentication.delay.ms": "0",
}


class Provider(IdentityProvider):
    """Counts the tokens that it hands out, and has none while it `is_down`."""

    def __init__(self, lifetime_seconds: float) -> None:
        super().__init__({"node": "its-secret"}, lifetime_seconds=lifetime_seconds)
        self.count = 0
        self.is_down = False

    def answer_token(self, authorization: str | None, body: str) -> tuple[int, dict[str, object]]:
        if self.is_down:
            return 503, {"error": "temporarily_unavailable"}
        self.count += 1
        return super().answer_token(authorization, body)


def with_tokens(provider: Provider) -> dict[str, str]:
    given = dict(COMMON)
    for listener in LISTENERS:
        given |= provider.settings(listener.upper())
        given[f"listener.name.{listener}.oauthbearer.{LOGIN_HANDLER}"] = (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
        )
    return {
        **given,
        **COMMON,
        "listener.name.plaintext.sasl.enabled.mechanisms": "OAUTHBEARER,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "OAUTHBEARER",
        "sasl.mechanism.controller.protocol": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": provider.token_url,
        "sasl.oauthbearer.client.credentials.client.id": "node",
        "sasl.oauthbearer.client.credentials.client.secret": "its-secret",
        "sasl.oauthbearer.clock.skew.seconds": "0",
    }


async def replicated(cluster: Cluster, topic: str, *, create: bool = True) -> None:
    """A record has come to all replicas; the request to create the topic went to the controller."""
    node_id = max(cluster.running)
    async with connect(cluster.nodes[node_id]) as client:
        await log_in(client)
        if create:
            made = CreatableTopic(name=topic, num_partitions=1, replication_factor=3)
            answer = await client.ask(CreateTopicsRequest(topics=[made], timeout_ms=20_000), CreateTopicsResponse)
            assert answer.topics[0].error_code == ErrorCode.NONE, answer
    await until(lambda: all(topic in node.broker.metadata.image.topics for node in cluster.nodes.values()))
    leader = cluster.nodes[node_id].broker.metadata.image.topics[topic].partitions[0].leader
    async with connect(cluster.nodes[leader]) as client:
        await log_in(client)
        await produce_patiently(client, topic)
    state = cluster.nodes[leader].broker.metadata.image.topics[topic].partitions[0]
    assert len(state.isr) == 3, "an ISR of one would have acknowledged it, too"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # of several nodes, a KDC and a log
        await trio.sleep(0.05)


async def restarted(cluster: Cluster, node_id: int) -> None:
    await cluster.stop(node_id)
    await cluster.start(node_id)
    image = cluster.nodes[node_id].broker.metadata
    await until(lambda: len(image.image.topics["first"].partitions[0].isr) == 3)


@cluster_test
async def test_nodes_fetch_tokens_and_renew_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("jwt")
    caplog.set_level(logging.INFO, "kafkapy")
    with Provider(lifetime_seconds=2) as provider:
        made = Cluster(tmp_path, members_of(3), settings=with_tokens(provider), host="127.0.0.1", durable=False)
        async with made.started():
            await replicated(made, "first")
            before = provider.count
            await until(lambda: provider.count >= before + 6)  # of each node, one for brokers and one for controllers
            await replicated(made, "first", create=False)
            await restarted(made, 2)
            await replicated(made, "second")
            provider.is_down = True  # for longer than tokens live: nobody can log in any more
            await until(lambda: "no token from http://127.0.0.1" in caplog.text)
            await until(lambda: caplog.text.count("does not answer: ") > 0)
            provider.is_down = False
            image = made.nodes[1].broker.metadata
            await until(
                lambda: all(len(image.image.topics[name].partitions[0].isr) == 3 for name in ("first", "second"))
            )
            await replicated(made, "third")
        assert "its-secret" not in caplog.text
        assert not [node for node in made.nodes.values() if node.bugs.kept]


def has_logged_in(connection: Connection) -> bool:
    """A node says that it is one before it logs in."""
    authenticator = connection.client.authenticator
    return authenticator is None or authenticator.principal is not None


def test_nodes_log_in_with_tickets_and_renew_them(tmp_path: Path) -> None:
    pytest.importorskip("gssapi")
    with running_realm(tmp_path, service_ticket_seconds=3):
        module = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true"
        given = {
            **COMMON,
            "listener.name.plaintext.sasl.enabled.mechanisms": "GSSAPI,PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "GSSAPI",
            "sasl.kerberos.service.name": "kafka",
            **{
                f"listener.name.{listener}.gssapi.sasl.jaas.config": (
                    f'{module} keyTab="{tmp_path}/kafka.keytab" principal="{SERVICE}";'
                )
                for listener in LISTENERS
            },
            **{f"listener.name.{listener}.gssapi.connections.max.reauth.ms": "1000" for listener in LISTENERS},
        }

        @cluster_test
        async def run() -> None:
            made = Cluster(tmp_path / "nodes", members_of(3), settings=given, host="127.0.0.1", durable=False)
            async with made.started():
                await replicated(made, "first")
                before = tickets_issued(tmp_path)
                assert before > 0
                await until(lambda: tickets_issued(tmp_path) >= before + 2)
                await replicated(made, "first", create=False)
                await restarted(made, 2)
                await replicated(made, "second")
                principals = {
                    str(connection.client.principal)
                    for node in made.nodes.values()
                    for connection in node.server.connections
                    if connection.client.software_name == "kafkapy-node" and has_logged_in(connection)
                }
                assert principals == {"User:kafka"}
                assert not [node for node in made.nodes.values() if node.bugs.kept]

        run()
