"""Nodes with an authorizer: they log in at one another as a super user, and clients have ACLs, at whichever node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from kafkapy.cluster import Cluster, members_of
from kafkapy_controller.acl import AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    OpData,
)
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.cluster.bounds import cluster_test
from tests.cluster.test_sasl_between_nodes import SASL
from tests.network.test_logins import log_in
from tests.shell.running_node import Client, connect

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {
    **SASL,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:node",
}
ALLOWED = {
    (ResourceType.TOPIC, "a-"): (AclOperation.CREATE, AclOperation.READ, AclOperation.WRITE),
    (ResourceType.GROUP, "a-"): (AclOperation.READ,),
}
"""What alice may do to whatever begins so."""


@cluster_test
async def test_every_node_knows_what_clients_may_do(tmp_path: Path) -> None:
    made = Cluster(tmp_path, members_of(3), settings=SETTINGS, host="127.0.0.1", durable=False)
    async with made.started():
        async with connect(made.nodes[2]) as admin:
            await log_in(admin, "node", "n")
            await allow_alice(admin)
        count = sum(map(len, ALLOWED.values()))
        for node in made.nodes.values():
            while len(node.broker.metadata.image.acls) < count:  # noqa: ASYNC110
                await trio.sleep(0.01)
        for node_id, node in made.nodes.items():
            async with connect(node) as alice:
                await log_in(alice)
                assert await created(alice, f"a-{node_id}") == ErrorCode.NONE
                assert await created(alice, f"b-{node_id}") == ErrorCode.TOPIC_AUTHORIZATION_FAILED
                assert await quotas_altered(alice, node_id) == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            async with connect(node) as admin:
                await log_in(admin, "node", "n")
                assert await quotas_altered(admin, node_id) == ErrorCode.NONE
        for node_id in made.nodes:
            await replicate(made, f"a-{node_id}")
        async with connect(made.nodes[1]) as alice:
            await log_in(alice)
            find = FindCoordinatorRequest(key_type=0, coordinator_keys=["a-group", "b-group"])
            while True:
                ours, others = (await alice.ask(find, FindCoordinatorResponse)).coordinators
                assert others.error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED
                if not ours.error_code:  # the nodes have made the topic of offsets, which alice might not have
                    break
                await trio.sleep(0.01)


async def allow_alice(admin: Client) -> None:
    creations = [
        AclCreation(
            resource_type=resource_type,
            resource_name=name,
            resource_pattern_type=PatternType.PREFIXED,
            principal="User:alice",
            host="*",
            operation=operation,
            permission_type=PermissionType.ALLOW,
        )
        for (resource_type, name), operations in ALLOWED.items()
        for operation in operations
    ]
    answer = await admin.ask(CreateAclsRequest(creations=creations), CreateAclsResponse)
    assert {result.error_code for result in answer.results} == {ErrorCode.NONE}, answer


async def created(client: Client, name: str) -> int:
    topic = CreatableTopic(name=name, num_partitions=1, replication_factor=3)
    answer = await client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=20_000), CreateTopicsResponse)
    return answer.topics[0].error_code


async def quotas_altered(client: Client, node_id: int) -> int:
    entry = AlterClientQuotasRequestEntryData(
        entity=[AlterClientQuotasRequestEntityData(entity_type="user", entity_name=f"user-{node_id}")],
        ops=[OpData(key="producer_byte_rate", value=1_000.0, remove=False)],
    )
    answer = await client.ask(AlterClientQuotasRequest(entries=[entry]), AlterClientQuotasResponse)
    return answer.entries[0].error_code


async def replicate(made: Cluster, topic: str) -> None:
    def placed(node: Any) -> Any:
        return node.broker.metadata.image.topics.get(topic)

    while not all(placed(node) for node in made.nodes.values()):  # noqa: ASYNC110
        await trio.sleep(0.01)
    leader = placed(made.nodes[1]).partitions[0].leader
    async with connect(made.nodes[leader]) as alice:
        await log_in(alice)
        assert await alice.produce(topic, b"x") == 0  # with acks=all: the followers have fetched it
        assert await alice.values(topic) == [b"x"]
