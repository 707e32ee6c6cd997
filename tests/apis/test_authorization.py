"""A node with an authorizer. Which operations each API needs is compared with Apache Kafka in compat_tests."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES
from kafkapy.apis.authorizing import OWN, RULES
from kafkapy.node import Node
from kafkapy_controller.acl import (
    CLUSTER_NAME,
    Acl,
    AclOperation,
    PatternType,
    PermissionType,
    ResourceType,
    acl_record,
)
from kafkapy_controller.decision import Decision
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse
from kafkapy_wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TopicInfo,
    Topology,
)
from kafkapy_wire.record_formats.metadata import RemoveAccessControlEntryRecord
from kafkapy_wire.uuid import random_uuid
from tests.shell.running_node import batch, connect, running_node, trio_test

AUTHORIZER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}
OPEN = {**AUTHORIZER, "allow.everyone.if.no.acl.found": "true"}
ANONYMOUS = "User:ANONYMOUS"


def allow(node: Node, operation: AclOperation, name: str, resource_type: ResourceType = ResourceType.TOPIC) -> None:
    acl = Acl(resource_type, name, PatternType.LITERAL, ANONYMOUS, "*", operation, PermissionType.ALLOW)
    commit(node, Decision([acl_record(random_uuid(), acl)], None))


def commit(node: Node, decision: Decision[None]) -> None:
    node.broker.controller.commit(decision).result()  # type: ignore[attr-defined]  # of this very node


def forbid_everything(node: Node) -> None:
    acls = node.broker.metadata.image.acls
    commit(node, Decision([RemoveAccessControlEntryRecord(id=acl_id) for acl_id in acls], None))


def test_every_api_has_a_rule() -> None:
    keys = API_MODULES.keys() | CONTROLLER_API_MODULES.keys()
    assert keys == RULES.keys() | OWN
    assert not RULES.keys() & OWN


@trio_test
async def test_the_authorizer_of_authorizer_class_name_denies_what_no_acl_allows(tmp_path: Path) -> None:
    async with running_node(tmp_path, AUTHORIZER) as node, connect(node) as client:
        asked = ListOffsetsRequest(
            replica_id=-1,
            topics=[ListOffsetsTopic(name="t", partitions=[ListOffsetsPartition(partition_index=0, timestamp=-1)])],
        )
        refused = await client.ask(asked, ListOffsetsResponse)
        assert refused.topics[0].partitions[0].error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        allow(node, AclOperation.READ, "t")  # which implies DESCRIBE
        unknown = await client.ask(asked, ListOffsetsResponse)
        assert unknown.topics[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@trio_test
async def test_a_super_user_needs_no_acls(tmp_path: Path) -> None:
    settings = {**AUTHORIZER, "super.users": "User:a; User:ANONYMOUS"}
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        await client.create_topic("t")
        answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert [topic.name for topic in answer.topics] == ["t"]


@trio_test
async def test_topics_by_id_in_a_version_without_them_are_an_invalid_request(tmp_path: Path) -> None:
    async with running_node(tmp_path, AUTHORIZER) as node, connect(node) as client:
        allow(node, AclOperation.CREATE, "t")
        by_id = [MetadataRequestTopic(name=None, topic_id=await client.create_topic("t"))]
        for version in (10, 11):
            old = await client.ask(MetadataRequest(topics=by_id), MetadataResponse, version)
            assert [topic.error_code for topic in old.topics] == [ErrorCode.INVALID_REQUEST]
        answer = await client.ask(MetadataRequest(topics=by_id), MetadataResponse, 12)
        assert [topic.error_code for topic in answer.topics] == [ErrorCode.TOPIC_AUTHORIZATION_FAILED]


@trio_test
async def test_acls_are_created_described_deleted_and_outlive_a_restart(tmp_path: Path) -> None:
    creation = AclCreation(
        resource_type=ResourceType.TOPIC,
        resource_name="t",
        resource_pattern_type=PatternType.PREFIXED,
        principal="User:a",
        host="10.0.0.0/8",
        operation=AclOperation.READ,
        permission_type=PermissionType.DENY,
    )
    everything = DescribeAclsRequest(
        resource_type_filter=1,
        resource_name_filter=None,
        pattern_type_filter=1,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
    )
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        created = await client.ask(CreateAclsRequest(creations=[creation, creation]), CreateAclsResponse)
        assert [result.error_code for result in created.results] == [ErrorCode.NONE] * 2
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        described = await client.ask(everything, DescribeAclsResponse)
        (resource,) = described.resources
        assert (resource.resource_name, resource.pattern_type) == ("t", PatternType.PREFIXED)
        assert [(acl.principal, acl.host) for acl in resource.acls] == [("User:a", "10.0.0.0/8")]
        wanted = DeleteAclsFilter(
            resource_type_filter=ResourceType.TOPIC,
            resource_name_filter="topic",
            pattern_type_filter=PatternType.MATCH,
            principal_filter=None,
            host_filter=None,
            operation=1,
            permission_type=1,
        )
        deleted = await client.ask(DeleteAclsRequest(filters=[wanted]), DeleteAclsResponse)
        assert [acl.resource_name for acl in deleted.filter_results[0].matching_acls] == ["t"]
        assert (await client.ask(everything, DescribeAclsResponse)).resources == []


@trio_test
async def test_a_fetch_session_loses_a_topic_that_is_forbidden_meanwhile(tmp_path: Path) -> None:
    """Also when the request does not name the partition again."""
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        await client.create_topic("t")
        topic_id = node.broker.metadata.image.topics["t"].topic_id
        partition = FetchPartition(partition=0, partition_max_bytes=1_000)
        first = FetchRequest(
            max_wait_ms=0, session_epoch=0, topics=[FetchTopic(topic_id=topic_id, partitions=[partition])]
        )
        opened = await client.ask(first, FetchResponse)
        assert opened.session_id != 0
        allow(node, AclOperation.WRITE, "t")
        following = FetchRequest(max_wait_ms=0, session_id=opened.session_id, session_epoch=1)
        told = await client.ask(following, FetchResponse)
        assert told.responses[0].partitions[0].error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        allow(node, AclOperation.READ, "t")
        following.session_epoch = 2
        again = await client.ask(following, FetchResponse)
        assert again.responses[0].partitions[0].error_code == ErrorCode.NONE


@trio_test
async def test_a_fetch_that_waits_is_answered_when_records_come_that_it_may_not_read(tmp_path: Path) -> None:
    async with running_node(tmp_path, OPEN) as node, connect(node) as client, connect(node) as producer:
        await client.create_topic("t")
        topic_id = node.broker.metadata.image.topics["t"].topic_id
        partition = FetchPartition(partition=0, partition_max_bytes=1_000)
        request = FetchRequest(
            max_wait_ms=60_000,
            min_bytes=1,
            session_epoch=-1,
            topics=[FetchTopic(topic_id=topic_id, partitions=[partition])],
        )
        async with trio.open_nursery() as nursery:
            answers = []

            async def fetch() -> None:
                answers.append(await client.ask(request, FetchResponse))

            nursery.start_soon(fetch)
            await trio.testing.wait_all_tasks_blocked(0.05)
            allow(node, AclOperation.WRITE, "t")
            await producer.produce_batch("t", batch([b"secret"]))
        (answer,) = answers
        assert answer.responses[0].partitions[0].error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        assert not answer.responses[0].partitions[0].records


@trio_test
async def test_without_acknowledgement_what_is_allowed_is_stored_and_the_connection_ends(tmp_path: Path) -> None:
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        for name in ("open", "closed"):
            await client.create_topic(name)
        allow(node, AclOperation.READ, "closed")
        by_name = node.broker.metadata.image.topics
        request = ProduceRequest(
            acks=0,
            timeout_ms=1_000,
            topic_data=[
                TopicProduceData(
                    topic_id=by_name[name].topic_id,
                    partition_data=[PartitionProduceData(index=0, records=batch([b"v"]))],
                )
                for name in ("open", "closed")
            ],
        )
        await client.send(request, 13, answered=False)
        assert await client.closed_by_broker()
        ends = {name: node.broker.partitions.leader(name, 0).log.log_end_offset for name in by_name}
        assert ends == {"open": 1, "closed": 0}


@trio_test
async def test_metadata_hides_topics_and_creates_none_that_the_client_may_not(tmp_path: Path) -> None:
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        for name in ("seen", "hidden"):
            await client.create_topic(name)
        allow(node, AclOperation.DESCRIBE, "seen")
        allow(node, AclOperation.CREATE, "hidden")
        allow(node, AclOperation.DESCRIBE, "kafka-cluster", ResourceType.CLUSTER)
        allow(node, AclOperation.DESCRIBE, "new")
        everything = await client.ask(MetadataRequest(topics=None), MetadataResponse)
        assert [topic.name for topic in everything.topics] == ["seen"]
        named = [MetadataRequestTopic(name=name) for name in ("seen", "hidden", "new")]
        answer = await client.ask(MetadataRequest(topics=named, allow_auto_topic_creation=True), MetadataResponse)
        assert {topic.name: topic.error_code for topic in answer.topics} == {
            "seen": ErrorCode.NONE,
            "hidden": ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            "new": ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        }
        assert "new" not in node.broker.metadata.image.topics


@trio_test
async def test_a_pattern_subscribes_to_topics_that_the_member_may_describe(tmp_path: Path) -> None:
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        for name in ("orders-1", "orders-2"):
            await client.create_topic(name)
        allow(node, AclOperation.WRITE, "orders-1")
        allow(node, AclOperation.CREATE, "orders-2")
        beat = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id="m",
            rebalance_timeout_ms=60_000,
            subscribed_topic_regex="orders-.*",
            topic_partitions=[],
        )
        await client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), FindCoordinatorResponse)
        ids = {topic.topic_id: name for name, topic in node.broker.metadata.image.topics.items()}
        owned: list[str] = []
        with trio.fail_after(20):
            while not owned:
                answer = await client.ask(beat, ConsumerGroupHeartbeatResponse)
                if answer.error_code == ErrorCode.NONE:
                    beat.member_epoch = answer.member_epoch
                    if answer.assignment is not None:
                        owned = [ids[each.topic_id] for each in answer.assignment.topic_partitions]
                await trio.sleep(0.01)
        assert owned == ["orders-1"]


@trio_test
async def test_very_many_topics_are_allowed_and_refused_like_few(tmp_path: Path) -> None:
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        for name in ("t7", "t1900"):
            allow(node, AclOperation.WRITE, name)
            allow(node, AclOperation.READ, f"x{name}")
        partitions = [ListOffsetsPartition(partition_index=0, timestamp=-1)]
        names = [f"{prefix}t{number}" for prefix in ("", "x") for number in range(1_001)]
        asked = ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name=name, partitions=partitions) for name in names]
        )
        allow(node, AclOperation.CREATE, "t8")  # so that an ACL is about it, but none that lets it be described
        answer = await client.ask(asked, ListOffsetsResponse)
        codes = {topic.name: topic.partitions[0].error_code for topic in answer.topics}
        assert len(codes) == len(names)
        assert {name for name, code in codes.items() if code == ErrorCode.TOPIC_AUTHORIZATION_FAILED} == {"t8"}
        assert set(codes.values()) == {
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        }


@trio_test
async def test_each_denied_operation_is_a_line_but_not_more_than_some_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kafkapy.authorizer")
    async with running_node(tmp_path, AUTHORIZER) as node, connect(node) as client:
        named = [MetadataRequestTopic(name=f"t{number}") for number in range(300)]
        await client.ask(MetadataRequest(topics=named), MetadataResponse)
    lines = [record.getMessage() for record in caplog.records if record.name == "kafkapy.authorizer"]
    assert lines[0] == (
        "Principal = User:ANONYMOUS is Denied operation = DESCRIBE from host = 127.0.0.1 on resource = TOPIC:LITERAL:t0"
    )
    assert len(lines) < 60


@trio_test
async def test_what_is_allowed_is_a_line_at_debug_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_node(tmp_path, AUTHORIZER) as node, connect(node) as client:
        allow(node, AclOperation.DESCRIBE, "t0")
        for level, lines in ((logging.INFO, 0), (logging.DEBUG, 1)):
            caplog.set_level(level, "kafkapy.authorizer")
            await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t0")]), MetadataResponse)
            told = [record.getMessage() for record in caplog.records if "is Allowed operation" in record.getMessage()]
            assert len(told) == lines
    assert told[0].startswith("Principal = User:ANONYMOUS is Allowed operation = DESCRIBE from host = 127.0.0.1 on")


@trio_test
async def test_a_member_of_a_streams_group_is_told_which_internal_topics_it_may_not_create(tmp_path: Path) -> None:
    names = ["log-0", "log-1"]
    async with running_node(tmp_path, OPEN) as node, connect(node) as client:
        await client.create_topic("in")
        await client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), FindCoordinatorResponse)
    async with running_node(tmp_path, AUTHORIZER) as node, connect(node) as client:
        joins = StreamsGroupHeartbeatRequest(
            group_id="g",
            member_id="m",
            rebalance_timeout_ms=60_000,
            process_id="p",
            topology=Topology(
                subtopologies=[
                    Subtopology(
                        subtopology_id="0",
                        source_topics=["in"],
                        state_changelog_topics=[TopicInfo(name=name) for name in names],
                    )
                ]
            ),
            active_tasks=[],
            standby_tasks=[],
            warmup_tasks=[],
        )

        async def join() -> StreamsGroupHeartbeatResponse:
            with trio.fail_after(20):
                while True:
                    answer = await client.ask(joins, StreamsGroupHeartbeatResponse)
                    if answer.error_code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                        return answer
                    await trio.sleep(0.01)

        assert (await join()).error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED
        allow(node, AclOperation.READ, "g", ResourceType.GROUP)
        for name in ("in", *names):
            assert (await join()).error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
            allow(node, AclOperation.DESCRIBE, name)
        for forbidden in (names, names[:1]):
            statuses = (await join()).status
            assert statuses
            assert statuses[0].status_detail.endswith(f"; Unauthorized to CREATE on topics {', '.join(forbidden)}.")
            allow(node, AclOperation.CREATE, names[1])
        await trio.sleep(0.1)
        assert node.broker.metadata.image.topics.keys() >= {"in"}
        assert not node.broker.metadata.image.topics.keys() & {*names}
        allow(node, AclOperation.CREATE, CLUSTER_NAME, ResourceType.CLUSTER)
        with trio.fail_after(20):
            while (await join()).status:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert node.broker.metadata.image.topics.keys() >= {*names}
