"""Metadata: which topics come, what each field says, and topics made because someone asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy import turns
from kafkapy.apis import metadata
from kafkapy.apis.metadata import ALL_CLUSTER_OPERATIONS, ALL_TOPIC_OPERATIONS, NO_OPERATIONS
from kafkapy.metadata.encoded_topics import EncodedTopics
from kafkapy_controller import ConfigResourceType
from kafkapy_controller.image import LOST_DIRECTORY
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Field, Schema
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import ZERO_UUID, Uuid, random_uuid

from .topic_lab import Lab, lab, topic

LATEST = 13


def ask(
    node: Lab,
    *names: str | None,
    ids: tuple[Uuid, ...] = (),
    version: int = LATEST,
    all_topics: bool = False,
    make: bool = False,
    operations: bool = False,
) -> MetadataResponse:
    topics = [MetadataRequestTopic(name=name) for name in names]
    topics += [MetadataRequestTopic(name=None, topic_id=topic_id) for topic_id in ids]
    request = MetadataRequest(
        topics=None if all_topics else topics,
        allow_auto_topic_creation=make,
        include_topic_authorized_operations=operations,
        include_cluster_authorized_operations=operations,
    )
    response = node.call(metadata, request, version)
    if version > 10:
        response.cluster_authorized_operations = NO_OPERATIONS
    return decode(MetadataResponse, encode(response, version), version)


def errors(response: MetadataResponse) -> list[tuple[str | None, ErrorCode]]:
    return [(found.name, ErrorCode(found.error_code)) for found in response.topics]


def test_the_answer_names_the_cluster_its_brokers_and_the_topic(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a", 2))
        response = ask(node, "a")
        assert (response.cluster_id, response.controller_id, response.error_code) == (node.broker.cluster_id, 1, 0)
        (broker,) = response.brokers
        assert (broker.node_id, broker.host, broker.port, broker.rack) == (1, "host", 9092, None)
        (found,) = response.topics
        assert (found.name, found.topic_id, found.is_internal) == ("a", node.image.topics["a"].topic_id, False)
        assert found.topic_authorized_operations == NO_OPERATIONS
        assert [
            (p.partition_index, p.error_code, p.leader_id, p.leader_epoch, p.replica_nodes, p.isr_nodes)
            for p in found.partitions
        ] == [(0, 0, 1, 0, [1], [1]), (1, 0, 1, 0, [1], [1])]
        assert found.partitions[0].offline_replicas == []


@pytest.mark.parametrize("version", range(LATEST + 1))
def test_every_version_can_ask_for_all_and_for_one(tmp_path: Path, version: int) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        everything = ask(node, version=version) if version == 0 else ask(node, all_topics=True, version=version)
        assert [found.name for found in everything.topics] == ["a", "b"]
        assert [found.name for found in ask(node, "b", version=version).topics] == ["b"]


def test_an_empty_list_is_no_topic_from_version_1_on(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        response = ask(node, version=1)
        assert response.topics == []
        assert len(response.brokers) == 1


def test_what_is_known_comes_first_and_once(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        response = ask(node, "b", "nope", "a", "bad name", "a", "", operations=True)
        assert errors(response) == [
            ("b", ErrorCode.NONE),
            ("a", ErrorCode.NONE),
            ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
            ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
            ("", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ]
        assert {found.topic_authorized_operations for found in response.topics} == {ALL_TOPIC_OPERATIONS}


def test_topics_by_id(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        unknown = random_uuid()
        response = ask(node, "b", ids=(node.image.topics["a"].topic_id, unknown), operations=True, make=True)
        assert errors(response) == [(None, ErrorCode.UNKNOWN_TOPIC_ID), ("a", ErrorCode.NONE)]
        assert response.topics[0].topic_id == unknown
        assert response.topics[0].topic_authorized_operations == NO_OPERATIONS


@pytest.mark.parametrize("version", [10, 11])
def test_ids_cannot_be_asked_for_before_version_12(tmp_path: Path, version: int) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        response = ask(node, ids=(node.image.topics["a"].topic_id,), version=version)
        assert errors(response) == [("", ErrorCode.INVALID_REQUEST)]
        assert (response.brokers, response.cluster_id, response.controller_id) == ([], None, -1)


@pytest.mark.parametrize("version", [12, 13])
def test_neither_name_nor_id_fails_the_whole_request(tmp_path: Path, version: int) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        response = ask(node, "a", None, version=version)
        assert errors(response) == [("a", ErrorCode.UNKNOWN_SERVER_ERROR), ("", ErrorCode.UNKNOWN_SERVER_ERROR)]
        assert response.brokers == []
        assert response.error_code == (ErrorCode.UNKNOWN_SERVER_ERROR if version == 13 else ErrorCode.NONE)


def test_authorized_operations_are_all_of_them_when_asked_for(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        response = ask(node, "a", version=10, operations=True)
        assert response.cluster_authorized_operations == ALL_CLUSTER_OPERATIONS == 8096
        assert response.topics[0].topic_authorized_operations == ALL_TOPIC_OPERATIONS == 3576
        assert ask(node, "a", version=10).cluster_authorized_operations == NO_OPERATIONS


def test_a_topic_is_made_and_usable_in_the_same_answer(tmp_path: Path) -> None:
    with lab(tmp_path, {"num.partitions": "3"}) as node:
        response = ask(node, "new", "bad name", make=True)
        assert errors(response) == [("new", ErrorCode.NONE), ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION)]
        assert [p.leader_id for p in response.topics[0].partitions] == [1, 1, 1]
        assert ask(node, all_topics=True, make=True).topics == response.topics[:1]


def test_no_topic_is_made_unless_client_and_broker_allow_it(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        assert errors(ask(node, "new")) == [("new", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
    with lab(tmp_path, {"auto.create.topics.enable": "false"}) as node:
        assert errors(ask(node, "new", make=True)) == [("new", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
        assert node.image.topics == {}


def test_before_version_4_a_client_cannot_forbid_it(tmp_path: Path) -> None:
    request = decode(MetadataRequest, encode(MetadataRequest(topics=[MetadataRequestTopic(name="new")]), 3), 3)
    with lab(tmp_path) as node:
        response = decode(MetadataResponse, encode(node.call(metadata, request, 3), 3), 3)
        assert errors(response) == [("new", ErrorCode.NONE)]


def test_a_topic_that_cannot_be_made_stays_unknown(tmp_path: Path) -> None:
    with lab(tmp_path, {"default.replication.factor": "3"}) as node:
        assert errors(ask(node, "new", make=True)) == [("new", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]


@pytest.mark.parametrize(
    ("name", "given", "count", "configs"),
    [
        (
            "__consumer_offsets",
            {"offsets.topic.num.partitions": "4", "offsets.topic.segment.bytes": "1048576"},
            4,
            {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "1048576"},
        ),
        (
            "__transaction_state",
            {"transaction.state.log.num.partitions": "5"},
            5,
            {
                "cleanup.policy": "compact",
                "compression.type": "uncompressed",
                "min.insync.replicas": "1",
                "segment.bytes": "104857600",
                "unclean.leader.election.enable": "false",
            },
        ),
        (
            "__share_group_state",
            {"share.coordinator.state.topic.num.partitions": "6"},
            6,
            {
                "cleanup.policy": "delete",
                "compression.type": "producer",
                "min.insync.replicas": "1",
                "retention.ms": "-1",
                "segment.bytes": "104857600",
            },
        ),
    ],
)
def test_topics_of_coordinators_are_internal_and_have_their_own_settings(
    tmp_path: Path, name: str, given: dict[str, str], count: int, configs: dict[str, str]
) -> None:
    with lab(tmp_path, given) as node:
        assert ask(node, name).topics[0].is_internal
        (found,) = ask(node, name, make=True).topics
        assert (found.error_code, found.is_internal, len(found.partitions)) == (ErrorCode.NONE, True, count)
        assert node.image.resource_configs(ConfigResourceType.TOPIC, name) == configs


def test_a_broker_without_an_advertised_host_is_where_the_client_found_it(tmp_path: Path) -> None:
    with lab(tmp_path, host="") as node:
        assert ask(node).brokers[0].host == "reached.example"


# States that only a cluster gets into


def two_brokers(node: Lab, *, fenced: bool = False, listener: str = "PLAINTEXT") -> None:
    endpoint = m.BrokerEndpoint(name=listener, host="two", port=9094)
    node.change_metadata(m.RegisterBrokerRecord(broker_id=2, broker_epoch=99, end_points=[endpoint], fenced=fenced))
    topic_id = random_uuid()
    node.change_metadata(
        m.TopicRecord(name="t", topic_id=topic_id),
        m.PartitionRecord(
            partition_id=0, topic_id=topic_id, replicas=[2, 1], isr=[2, 1], leader=2, leader_epoch=5, partition_epoch=0
        ),
    )


def test_a_leader_without_the_clients_listener(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        two_brokers(node, listener="OTHER")
        assert [broker.node_id for broker in ask(node).brokers] == [1]
        partition = ask(node, "t").topics[0].partitions[0]
        assert (partition.error_code, partition.leader_id) == (ErrorCode.LISTENER_NOT_FOUND, -1)
        assert partition.leader_epoch == 5
        old = ask(node, "t", version=5).topics[0].partitions[0]
        assert (old.error_code, old.leader_id) == (ErrorCode.LEADER_NOT_AVAILABLE, -1)
        oldest = ask(node, "t", version=0).topics[0].partitions[0]
        assert (oldest.replica_nodes, oldest.isr_nodes) == ([1], [1])


def test_a_partition_without_a_leader(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        two_brokers(node)
        topic_id = node.image.topics["t"].topic_id
        node.change_metadata(m.PartitionChangeRecord(partition_id=0, topic_id=topic_id, leader=-1))
        partition = ask(node, "t").topics[0].partitions[0]
        assert (partition.error_code, partition.leader_id) == (ErrorCode.LEADER_NOT_AVAILABLE, -1)


def test_replicas_on_dead_brokers_and_lost_directories_are_offline(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        two_brokers(node, fenced=True)
        topic_id = node.image.topics["t"].topic_id
        node.change_metadata(m.PartitionChangeRecord(partition_id=0, topic_id=topic_id, leader=1))
        partition = ask(node, "t").topics[0].partitions[0]
        assert (partition.error_code, partition.leader_id, partition.offline_replicas) == (ErrorCode.NONE, 1, [2])
        oldest = ask(node, "t", version=0).topics[0].partitions[0]
        assert (oldest.error_code, oldest.replica_nodes) == (ErrorCode.REPLICA_NOT_AVAILABLE, [1])
        lost = m.PartitionChangeRecord(partition_id=0, topic_id=topic_id, directories=[ZERO_UUID, LOST_DIRECTORY])
        node.change_metadata(lost)
        assert ask(node, "t").topics[0].partitions[0].offline_replicas == [2, 1]


@pytest.mark.parametrize(
    ("asked", "leader", "is_watched"),
    [((), 1, False), (("t",), 2, False), (("t",), 1, True), (("t", "missing"), 1, False)],
    ids=["the brokers", "what another leads", "what this one leads", "what is not there"],
)
def test_who_is_sent_elsewhere_need_not_come_here(
    asked: tuple[str, ...], leader: int, *, is_watched: bool, tmp_path: Path
) -> None:
    """Only a client that cannot do without this broker is watched: see `told_clients`."""
    with lab(tmp_path) as node:
        two_brokers(node)
        change = m.PartitionChangeRecord(partition_id=0, topic_id=node.image.topics["t"].topic_id, leader=leader)
        node.change_metadata(change)
        ask(node, *asked)
        assert node.broker.told_clients.watched_count == is_watched


# What is encoded is kept


def test_the_answer_is_the_schemas_message_but_for_how_topics_are_held() -> None:
    ours = {described.name: described for described in metadata.Answer.__fields__}
    assert list(ours) == [described.name for described in MetadataResponse.__fields__]
    for described in MetadataResponse.__fields__:
        for attribute in Field.__slots__:
            if described.name != "topics" or attribute not in ("kind", "factory", "default"):
                assert getattr(ours[described.name], attribute) == getattr(described, attribute), (described, attribute)
    assert vars_of(metadata.Answer.__schema__) == vars_of(MetadataResponse.__schema__) | {"name": "Answer"}


def vars_of(schema: Schema) -> dict[str, object]:
    return {name: getattr(schema, name) for name in Schema.__slots__}


@pytest.mark.parametrize("version", range(LATEST + 1))
def test_the_second_answer_is_the_first(tmp_path: Path, version: int) -> None:
    """Byte for byte, and the same as of a node that has nothing kept."""
    with lab(tmp_path) as node:
        node.create(topic("a", 3), topic("b"))
        two_brokers(node)
        first = ask(node, "a", "t", "b", "missing", version=version)
        assert ask(node, "a", "t", "b", "missing", version=version) == first
        node.metadata.encoded_topics = EncodedTopics()
        assert ask(node, "a", "t", "b", "missing", version=version) == first


def test_a_changed_topic_and_changed_brokers_are_answered_anew(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        old_id = node.image.topics["a"].topic_id
        assert len(ask(node, "a", "b").topics[0].partitions) == 1
        more = CreatePartitionsRequest(
            topics=[CreatePartitionsTopic(name="a", count=2, assignments=None)], timeout_ms=10_000
        )
        node.run(node.controller.create_partitions(more))
        assert [len(found.partitions) for found in ask(node, "a", "b").topics] == [2, 1]
        node.run(node.controller.delete_topics(DeleteTopicsRequest(topic_names=["a"], timeout_ms=10_000)))
        assert errors(ask(node, "a")) == [("a", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
        node.create(topic("a"))
        again = ask(node, "a").topics[0]
        assert (again.topic_id, len(again.partitions)) == (node.image.topics["a"].topic_id, 1)
        assert again.topic_id != old_id
        node.change_metadata(m.FenceBrokerRecord(id=1, epoch=node.broker_epoch))
        assert ask(node, "b").topics[0].partitions[0].offline_replicas == [1]


def test_who_asks_in_another_way_has_another_answer(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        assert ask(node, "a").topics[0].topic_authorized_operations == metadata.NO_OPERATIONS
        assert ask(node, "a", operations=True).topics[0].topic_authorized_operations == metadata.ALL_TOPIC_OPERATIONS
        context = node.context(LATEST)
        context.client.listener_name = "OTHER"
        request = MetadataRequest(topics=[MetadataRequestTopic(name="a")])
        answer = metadata.handle(request, context)
        assert isinstance(answer, metadata.Answer)
        partition = decode(MetadataResponse, encode(answer, LATEST), LATEST).topics[0].partitions[0]
        assert partition.error_code == ErrorCode.LISTENER_NOT_FOUND


def test_others_have_their_turns_while_much_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    with lab(tmp_path) as node:
        count = metadata.PARTITIONS_PER_TURN_MAX
        node.create(topic("a", count), topic("b"))
        request = MetadataRequest(topics=None)
        turns_of_others = 0

        async def answered_beside_others() -> MetadataResponse:
            nonlocal turns_of_others
            answer = metadata.handle(request, node.context(LATEST))
            assert not isinstance(answer, metadata.Answer)
            done = trio.Event()

            async def others() -> None:
                nonlocal turns_of_others
                while not done.is_set():
                    turns_of_others += 1
                    await trio.lowlevel.checkpoint()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(others)
                encoded = encode(await answer, LATEST)
                done.set()
            return decode(MetadataResponse, encoded, LATEST)

        response = trio.run(answered_beside_others)
        assert {found.name: len(found.partitions) for found in response.topics} == {"a": count, "b": 1}
        assert turns_of_others > count // 2
        assert isinstance(metadata.handle(request, node.context(LATEST)), metadata.Answer)
