"""The same entry two or three times in a request, in every API that has a list."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.configs import BROKER, GROUP, SET, TOPIC
from compat_tests.differential.scenarios.fetch import fetch, filled, partition
from compat_tests.differential.scenarios.group_offsets import commit
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.groups import stable
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages import incremental_alter_configs
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kafkapy_wire.messages.list_config_resources import ListConfigResourcesRequest
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.messages.offset_commit import OffsetCommitRequest
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kafkapy_wire.uuid import Uuid

PATTERNS = ("aa", "aba", "xx", "axbxa")


def letters(pattern: str, known: str) -> list[str]:
    """Names for a pattern: `a` and `b` exist, `x` does not."""
    return [f"{known}-{letter}" for letter in pattern]


@scenario
def metadata(peer: Peer) -> None:
    for letter in "ab":
        peer.create_topic(f"again-metadata-{letter}")
    for pattern in PATTERNS:
        names = letters(pattern, "again-metadata")
        topics = [MetadataRequestTopic(name=name) for name in names]
        request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
        peer.ask_versions(request, pattern, (4, 9, 12, 13))
        ids = [MetadataRequestTopic(name=None, topic_id=Uuid(peer.topic_ids.get(name, b"\x77" * 16))) for name in names]
        request = MetadataRequest(topics=ids, allow_auto_topic_creation=False)
        peer.ask_versions(request, f"{pattern} by id", (12, 13))


@scenario
def groups(peer: Peer) -> None:
    for letter in "ab":
        peer.create_topic(f"again-groups-{letter}")
        stable(peer, f"again-groups-{letter}")
    for pattern in PATTERNS:
        names = letters(pattern, "again-groups")
        peer.ask_versions(DescribeGroupsRequest(groups=names), pattern, (0, 5, 6))
        peer.ask_versions(DeleteGroupsRequest(groups_names=names), pattern)
        peer.ask_versions(FindCoordinatorRequest(coordinator_keys=names, key_type=0), pattern, (4, 6))
        peer.ask(DescribeTransactionsRequest(transactional_ids=names), label=pattern)
        members = [MemberIdentity(member_id=name) for name in names]
        peer.ask_versions(LeaveGroupRequest(group_id="again-groups-a", members=members), pattern, (3, 5))
        peer.ask_versions(
            OffsetFetchRequest(groups=[fetch_offsets(peer, 9, name, None).groups[0] for name in names]),
            pattern,
            (8, 9, 10),
        )
    member, _ = stable(peer, "again-leaves")
    identity = MemberIdentity(member_id=member)
    peer.ask(LeaveGroupRequest(group_id="again-leaves", members=[identity, identity]), label="one that is a member")
    member, _ = stable(peer, "again-leaves-static", instance="one")
    both = [
        MemberIdentity(member_id="", group_instance_id="one"),
        MemberIdentity(member_id=member, group_instance_id="one"),
        MemberIdentity(member_id=member),
    ]
    peer.ask(LeaveGroupRequest(group_id="again-leaves-static", members=both), label="in three ways")
    for filters in (["Stable", "Stable"], ["No", "No"]):
        answer = peer.quietly(ListGroupsRequest(states_filter=filters))
        answer.groups = [group for group in answer.groups if group.group_id.startswith("again-groups")]
        peer.note(f"ListGroups {filters}", peer.normaliser.plain(answer, 5))
        request = ListTransactionsRequest(state_filters=filters, transactional_id_pattern="none-of-them")
        peer.ask(request, label=f"{filters}")


@scenario
def committed_offsets(peer: Peer) -> None:
    for letter in "ab":
        peer.create_topic(f"again-offsets-{letter}", 2)

    def committed(version: int, names: list[str]) -> OffsetCommitRequest:
        parts = [commit(peer, version, "again-offsets", name, offset) for offset, name in enumerate(names)]
        parts[0].topics = [one for part in parts for one in part.topics]
        return parts[0]

    for pattern in PATTERNS:
        names = letters(pattern, "again-offsets")
        peer.ask_each(OffsetCommitRequest, lambda version, names=names: committed(version, names), pattern)
        one = committed(10, names[:1])
        one.topics[0].partitions = [part for name in names for part in committed(10, [name]).topics[0].partitions]
        peer.ask(one, 10, f"{pattern}, a partition so often")

        def asked(version: int, names: list[str] = names) -> OffsetFetchRequest:
            requests = [fetch_offsets(peer, version, "again-offsets", {name: [0, 0, 7, 0, 7]}) for name in names]
            first = requests[0]
            if version < 8:
                first.topics = [one for request in requests for one in request.topics or []]
            else:
                first.groups[0].topics = [one for request in requests for one in request.groups[0].topics or []]
            return first

        peer.ask_each(OffsetFetchRequest, asked, pattern, (1, 7, 8, 9, 10))
        topics = [
            OffsetDeleteRequestTopic(
                name=name, partitions=[OffsetDeleteRequestPartition(partition_index=index) for index in (0, 0, 7, 7)]
            )
            for name in names
        ]
        peer.ask(OffsetDeleteRequest(group_id="again-offsets", topics=topics), label=pattern)
        peer.ask(fetch_offsets(peer, 10, "again-offsets", None), label=f"after {pattern}")


@scenario
def transactional_offsets(peer: Peer) -> None:
    for letter in "ab":
        peer.create_topic(f"again-txn-{letter}", 2)
    producer = TransactionalProducer.ready(peer, "again-txn")
    peer.quietly(producer.add_offsets("again-txn"), 3)
    for pattern in PATTERNS:
        names = letters(pattern, "again-txn")
        for version in (0, 3, 5, 6):
            parts = [
                producer.commit_offsets("again-txn", {name: {0: offset, 7: 1}}) for offset, name in enumerate(names)
            ]
            parts[0].topics = [one for part in parts for one in part.topics]
            for one in parts[0].topics:
                one.partitions = [*one.partitions, *one.partitions]
            peer.ask(parts[0], version, pattern)


@scenario
def records(peer: Peer) -> None:
    for letter in "ab":
        filled(peer, f"again-records-{letter}", 2, batches=2)
    for pattern in PATTERNS:
        names = letters(pattern, "again-records")
        partitions = [DeleteRecordsPartition(partition_index=index, offset=0) for index in (0, 0, 1, 7, 7)]
        topics = [DeleteRecordsTopic(name=name, partitions=partitions) for name in names]
        peer.ask_versions(DeleteRecordsRequest(topics=topics, timeout_ms=5_000), pattern)
        none = [DeleteRecordsTopic(name=name, partitions=[]) for name in names]
        peer.ask_versions(DeleteRecordsRequest(topics=none, timeout_ms=5_000), f"{pattern}, no partitions")
        epochs = [OffsetForLeaderPartition(partition=index, leader_epoch=0) for index in (0, 0, 1, 7, 7)]
        ends = [OffsetForLeaderTopic(topic=name, partitions=epochs) for name in names]
        peer.ask_versions(OffsetForLeaderEpochRequest(topics=ends), pattern)
        asked = [TopicRequest(name=name, partition_indexes=[0, 0, 7, 7]) for name in names]
        peer.ask(DescribeProducersRequest(topics=asked), label=pattern)
        dirs = [DescribableLogDirTopic(topic=name, partitions=[0, 0, 7]) for name in names]
        peer.ask(DescribeLogDirsRequest(topics=dirs), label=pattern)
        elected = [TopicPartitions(topic=name, partitions=[0, 0, 7, 7]) for name in names]
        peer.ask_versions(ElectLeadersRequest(topic_partitions=elected), pattern)
        for version in (4, 12, 13, 18):
            parts = [fetch(peer, version, name, partition(), partition(7), partition(0, 2)) for name in names]
            parts[0].topics = [one for part in parts for one in part.topics]
            peer.ask(parts[0], version, pattern)


@scenario
def deleted_records(peer: Peer) -> None:
    """Of a partition the last offset counts."""
    filled(peer, "again-deleted", batches=3)
    for offsets in ((2, 1), (3, 4), (99, 4), (4, 99), (5, 6, 5)):
        partitions = [DeleteRecordsPartition(partition_index=0, offset=offset) for offset in offsets]
        topics = [DeleteRecordsTopic(name="again-deleted", partitions=[one]) for one in partitions]
        peer.ask(DeleteRecordsRequest(topics=topics, timeout_ms=5_000), label=f"topics, {offsets}")
        topics = [DeleteRecordsTopic(name="again-deleted", partitions=partitions)]
        peer.ask(DeleteRecordsRequest(topics=topics, timeout_ms=5_000), label=f"partitions, {offsets}")


@scenario
def settings(peer: Peer) -> None:
    for letter in "ab":
        peer.create_topic(f"again-configs-{letter}")
    for pattern in PATTERNS:
        names = letters(pattern, "again-configs")
        for kind in (TOPIC, GROUP):
            keys = ["retention.ms", "retention.ms", "no.such"] if kind == TOPIC else ["consumer.session.timeout.ms"] * 2
            resources = [
                DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
                for name in names
            ]
            peer.ask_versions(DescribeConfigsRequest(resources=resources), f"{pattern} type {kind}")
            changed = [
                incremental_alter_configs.AlterConfigsResource(
                    resource_type=kind,
                    resource_name=name,
                    configs=[
                        incremental_alter_configs.AlterableConfig(name=keys[0], config_operation=SET, value="50000")
                    ],
                )
                for name in names
            ]
            request = incremental_alter_configs.IncrementalAlterConfigsRequest(resources=changed, validate_only=True)
            peer.ask_versions(request, f"{pattern} type {kind}")
    brokers = [
        DescribeConfigsResource(resource_type=BROKER, resource_name=name, configuration_keys=["num.partitions"] * 2)
        for name in ("1", "", "7", "7", "1")
    ]
    peer.ask_versions(DescribeConfigsRequest(resources=brokers), "brokers")
    peer.ask(ListConfigResourcesRequest(resource_types=[GROUP, GROUP]), label="groups")
    peer.ask(ListConfigResourcesRequest(resource_types=[99, 99]), label="unknown type")
