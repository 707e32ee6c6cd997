"""Stores and passwords that change while replication goes on: nodes follow, say in the log what is wrong, and come back
when it is mended, without a restart."""

from __future__ import annotations

import hashlib
import logging
import secrets
import ssl
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from kafkapy.cluster import Cluster, members_of
from kafkapy.tls import current
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ScramCredentialUpsertion,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord
from kafkapy_wire.sasl import scram
from tests.cluster.bounds import cluster_test, produce_patiently
from tests.network.test_logins import log_in
from tests.shell.running_node import Client, connect, port_of
from tests.tls.certificates import certificates, other_authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kafkapy.node import Node
    from kafkapy.tls.making import Authority

HOSTS = ("localhost", "127.0.0.1")
PARTITIONS = 3
SHA_512 = 2


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # of several nodes and a log
        await trio.sleep(0.02)


def is_in_sync(cluster: Cluster, topic: str) -> bool:
    return all(
        topic in node.broker.metadata.image.topics
        and all(len(each.isr) == 3 for each in node.broker.metadata.image.topics[topic].partitions)
        for node in cluster.nodes.values()
    )


async def create(client: Client, topic: str) -> None:
    made = CreatableTopic(name=topic, num_partitions=PARTITIONS, replication_factor=3)
    answer = await client.ask(CreateTopicsRequest(topics=[made], timeout_ms=20_000), CreateTopicsResponse)
    assert answer.topics[0].error_code == ErrorCode.NONE, answer


def leader_of(cluster: Cluster, topic: str, index: int) -> Node:
    return cluster.nodes[cluster.nodes[1].broker.metadata.image.topics[topic].partitions[index].leader]


def link_all_anew(cluster: Cluster) -> None:
    """All connections between nodes are closed, and may be opened anew."""
    for node_id, node in cluster.nodes.items():
        for other in cluster.nodes:
            if other != node_id:
                for address in cluster.addresses(other):
                    node.peers.cut(*address)
                    node.peers.heal(*address)


def warnings(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and text in record.getMessage()
    ]


@asynccontextmanager
async def connect_by_tls(node: Node) -> AsyncIterator[Client]:
    context = ssl.create_default_context(cadata=certificates().authority.certificate_pem)
    context.load_verify_locations(cadata=other_authority().certificate_pem)
    tcp = await trio.open_tcp_stream("127.0.0.1", port_of(node))
    stream = trio.SSLStream(tcp, context, server_hostname="127.0.0.1", https_compatible=True)
    try:
        await stream.do_handshake()
        yield Client(stream)  # type: ignore[arg-type]  # it only sends and receives
    finally:
        await trio.aclose_forcefully(stream)


class Stores:
    """The key store and the trust store of all nodes."""

    def __init__(self, directory: Path) -> None:
        self.key_store = directory / "keystore.pem"
        self.trust_store = directory / "truststore.pem"

    def sign_by(self, authority: Authority) -> None:
        issued = authority.issue("node", hosts=HOSTS)
        self.key_store.write_text(issued.key_pem + issued.certificate_pem)

    def trust(self, *authorities: Authority) -> None:
        self.trust_store.write_text("".join(each.certificate_pem for each in authorities))

    def settings(self) -> dict[str, str]:
        return {
            "listener.security.protocol.map": "PLAINTEXT:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.key_store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.trust_store),
        }


@cluster_test
async def test_another_authority_takes_over_while_replication_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "kafkapy")
    monkeypatch.setattr(current, "WATCH_SECONDS", 0.02)
    before, after = certificates().authority, other_authority()
    stores = Stores(tmp_path)
    stores.sign_by(before)
    stores.trust(before)
    made = Cluster(tmp_path / "nodes", members_of(3), settings=stores.settings(), host="127.0.0.1", durable=False)

    async def loaded_anew() -> None:
        """Every node has it: its two listeners, and its connections to brokers and controllers."""
        await until(lambda: caplog.text.count("was loaded anew") >= 3 * 4)
        caplog.clear()
        link_all_anew(made)

    async def produce() -> None:
        for index in range(PARTITIONS):
            async with connect_by_tls(leader_of(made, "t", index)) as client:
                await produce_patiently(client, "t", index)
        await until(lambda: is_in_sync(made, "t"))

    async with made.started():
        async with connect_by_tls(made.nodes[1]) as client:
            await create(client, "t")
        await until(lambda: is_in_sync(made, "t"))
        await produce()
        for change in (
            partial(stores.trust, before, after),
            partial(stores.sign_by, after),
            partial(stores.trust, after),
        ):
            change()
            await loaded_anew()
            await produce()
            assert not warnings(caplog, "no TLS with")
        stores.trust(before)  # which has signed nobody
        await loaded_anew()
        await until(lambda: len(warnings(caplog, "no TLS with")) >= 2)
        await trio.sleep(1.0)  # so often do they try again meanwhile
        told = warnings(caplog, "no TLS with")
        assert all("ssl.truststore.location must have its CA" in line for line in told)
        assert max(Counter(told).values()) <= 2, "one line of each of the other nodes, for what the link is for"
        stores.trust(before, after)
        await loaded_anew()
        await until(lambda: all("t" in node.broker.metadata.image.topics for node in made.nodes.values()))
        await produce()
        assert not [node for node in made.nodes.values() if node.bugs.kept]


@cluster_test
async def test_stores_that_kafka_configs_names_are_those_of_later_connections(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ssl.truststore.location and ssl.keystore.location of the brokers' listener, of each broker."""
    caplog.set_level(logging.INFO, "kafkapy")
    before, after = certificates().authority, other_authority()
    stores = Stores(tmp_path)
    stores.sign_by(before)
    stores.trust(before)
    (tmp_path / "later").mkdir()
    later = Stores(tmp_path / "later")
    later.sign_by(after)
    later.trust(before, after)
    made = Cluster(tmp_path / "nodes", members_of(3), settings=stores.settings(), host="127.0.0.1", durable=False)
    async with made.started():
        async with connect_by_tls(made.nodes[1]) as client:
            await create(client, "t")
            for name, store in (("truststore", later.trust_store), ("keystore", later.key_store)):
                caplog.clear()
                await alter_brokers(client, f"listener.name.plaintext.ssl.{name}.location", str(store))
                line = "the TLS of listener PLAINTEXT was loaded anew"  # by each node, for clients and for brokers
                await until(partial(has_lines, caplog, line, 3 * 2))
        caplog.clear()
        link_all_anew(made)
        await until(lambda: is_in_sync(made, "t"))
        for index in range(PARTITIONS):
            async with connect_by_tls(leader_of(made, "t", index)) as client:
                await produce_patiently(client, "t", index)
        assert not warnings(caplog, "no TLS with")
        assert not [node for node in made.nodes.values() if node.bugs.kept]


def has_lines(caplog: pytest.LogCaptureFixture, line: str, count: int) -> bool:
    return caplog.text.count(line) >= count


async def alter_brokers(client: Client, name: str, value: str) -> None:
    resources = [
        AlterConfigsResource(
            resource_type=ConfigResourceType.BROKER,
            resource_name=str(node_id),
            configs=[AlterableConfig(name=name, config_operation=0, value=value)],
        )
        for node_id in (1, 2, 3)
    ]
    for resource in resources:
        request = IncrementalAlterConfigsRequest(resources=[resource])
        answer = await client.ask(request, IncrementalAlterConfigsResponse)
        assert answer.responses[0].error_code == ErrorCode.NONE, answer


SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
OWN = 'username="node" password="right"'
JAAS = "listener.name.plaintext.scram-sha-512.sasl.jaas.config"
WITH_PASSWORDS = {
    "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.name.plaintext.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
    "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
    "sasl.mechanism.controller.protocol": "PLAIN",
    JAAS: f"{SCRAM} {OWN};",
    "listener.name.plaintext.plain.sasl.jaas.config": f'{PLAIN} user_alice="secret";',
    "listener.name.controller.plain.sasl.jaas.config": f'{PLAIN} {OWN} user_node="right";',
    "listener.name.plaintext.scram-sha-512.connections.max.reauth.ms": "500",
    "connection.failed.authentication.delay.ms": "0",
}


def salted(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, scram.ITERATIONS_MIN)


@cluster_test
async def test_a_password_that_nodes_do_not_know_is_told_once_and_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kafkapy")
    salt = secrets.token_bytes(16)
    keys = scram.keys_of("sha512", salted("right", salt), salt, scram.ITERATIONS_MIN)
    user = UserScramCredentialRecord(
        name="node",
        mechanism=SHA_512,
        salt=salt,
        stored_key=keys.stored_key,
        server_key=keys.server_key,
        iterations=scram.ITERATIONS_MIN,
    )
    made = Cluster(
        tmp_path, members_of(3), settings=WITH_PASSWORDS, host="127.0.0.1", durable=False, credentials=[user]
    )

    async def set_password(password: str) -> None:
        change = ScramCredentialUpsertion(
            name="node",
            mechanism=SHA_512,
            iterations=scram.ITERATIONS_MIN,
            salt=salt,
            salted_password=salted(password, salt),
        )
        request = AlterUserScramCredentialsRequest(upsertions=[change])
        async with connect(made.nodes[1]) as client:
            await log_in(client)
            answer = await client.ask(request, AlterUserScramCredentialsResponse)
            assert answer.results[0].error_code == ErrorCode.NONE

    async def produce() -> None:
        for index in range(PARTITIONS):
            async with connect(leader_of(made, "t", index)) as client:
                await log_in(client)
                await produce_patiently(client, "t", index)

    async with made.started():
        async with connect(made.nodes[1]) as client:
            await log_in(client)
            await create(client, "t")
        await until(lambda: is_in_sync(made, "t"))
        await produce()
        await set_password("another")
        await until(lambda: len(warnings(caplog, "cannot fetch from broker")) >= 3)
        await trio.sleep(1.0)  # so often do they try again meanwhile
        told = warnings(caplog, "cannot fetch from broker")
        assert all("refuses the login of this node by SCRAM-SHA-512" in line for line in told)
        assert all(f"; correct {JAAS}, or what that node knows of it" in line for line in told)
        assert max(Counter(told).values()) <= 2, "one line of each of the other nodes"
        assert len(warnings(caplog, "refused authentication")) <= 3 * 20, "each node has a bound, too"
        await set_password("right")
        await produce()
        assert caplog.text.count("again") >= 3
        assert not [node for node in made.nodes.values() if node.bugs.kept]
        assert "another" not in caplog.text
        assert "right" not in caplog.text
