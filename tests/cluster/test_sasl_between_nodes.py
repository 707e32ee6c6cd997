"""Nodes that log in at one another, as brokers and as controllers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kafkapy.cluster import Cluster, members_of
from kafkapy.settings import Settings, SettingsError
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from tests.cluster.bounds import cluster_test
from tests.network.test_logins import log_in
from tests.shell.running_node import connect

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
USERS = f'{PLAIN} required username="node" password="n" user_node="n" user_alice="secret";'
SASL = {
    "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config": USERS,
    "listener.name.controller.plain.sasl.jaas.config": USERS,
}


@cluster_test
async def test_a_cluster_whose_nodes_log_in_at_one_another(tmp_path: Path) -> None:
    """Records are replicated, and requests forwarded to the controller, over connections that have logged in."""
    made = Cluster(tmp_path, members_of(3), settings=SASL, host="127.0.0.1", durable=False)
    async with made.started():
        for node_id in (1, 2, 3):
            async with connect(made.nodes[node_id]) as client:
                await log_in(client)
                topic = CreatableTopic(name=f"t{node_id}", num_partitions=1, replication_factor=3)
                answer = await client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=20_000), CreateTopicsResponse)
                assert answer.topics[0].error_code == ErrorCode.NONE, answer
        leader = made.nodes[1].broker.metadata.image.topics["t1"].partitions[0].leader
        async with connect(made.nodes[leader]) as client:
            await log_in(client)
            assert await client.produce("t1", b"x") == 0  # with acks=all: the followers have it
            assert await client.values("t1") == [b"x"]
        of_nodes = [
            connection.client
            for node in made.nodes.values()
            for connection in node.server.connections
            if connection.client.listener_name == "CONTROLLER" or connection.client.software_name == "kafkapy-node"
        ]
        assert all(client.authenticator is not None for client in of_nodes)
        # Another one may be about to log in at this moment.
        in_use = [client for client in of_nodes if client.authenticator and client.authenticator.is_complete]
        assert {str(client.principal) for client in in_use} == {"User:node"}


SEVERAL = {
    "process.roles": "broker",
    "node.id": "4",
    "controller.quorum.bootstrap.servers": "localhost:9093",
    "listeners": "PLAINTEXT://localhost:9092",
    "controller.listener.names": "CONTROLLER",
    **SASL,
}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "sasl.mechanism.inter.broker.protocol",
            "GSSAPI",
            "sasl.mechanism.inter.broker.protocol is GSSAPI, and listener PLAINTEXT has PLAIN: write",
        ),
        ("sasl.mechanism.controller.protocol", "FOO", "sasl.mechanism.controller.protocol is FOO, which is not served"),
        (
            "listener.name.controller.plain.sasl.jaas.config",
            f'{PLAIN} required user_a="b";',
            "the JAAS configuration has no username and no password for PLAIN",
        ),
    ],
)
def test_a_node_that_could_not_log_in_at_others_does_not_start(name: str, value: str, told: str) -> None:
    Settings(SEVERAL)
    with pytest.raises(SettingsError) as caught:
        Settings({**SEVERAL, name: value})
    assert told in str(caught.value)
    assert name in str(caught.value)
