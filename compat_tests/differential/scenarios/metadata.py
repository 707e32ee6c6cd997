"""Metadata, DescribeCluster, DescribeTopicPartitions."""

from __future__ import annotations

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest
from kafkapy_wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsRequestCursor,
    TopicRequest,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.uuid import ZERO_UUID, Uuid

UNKNOWN_ID = Uuid(b"\x01\x02" * 8)
BAD_NAMES = ("", ".", "..", "with space", "slash/", "é", "x" * 250, "x" * 249)


def by_name(*names: str | None, create: bool = False) -> MetadataRequest:
    return MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=create)


@scenario
def known_topics(peer: Peer) -> None:
    peer.create_topic("metadata-known-a", 3)
    peer.create_topic("metadata-known-b")
    peer.ask_each(
        MetadataRequest,
        # Before version 4 every request may create a topic; these exist.
        lambda version: by_name("metadata-known-a", "metadata-known-b", create=version < 4),
    )
    peer.ask_each(
        MetadataRequest, lambda version: by_name("metadata-known-a", "metadata-known-a", create=version < 4), "twice"
    )
    peer.ask_each(MetadataRequest, lambda version: by_name("__consumer_offsets", create=version < 4), "internal")


@scenario
def all_topics(peer: Peer) -> None:
    peer.create_topic("metadata-all", 2)
    for version in versions_of(ApiKey.METADATA):
        answer = peer.quietly(MetadataRequest(topics=None if version else [], allow_auto_topic_creation=True), version)
        answer.topics = [topic for topic in answer.topics if topic.name in {"metadata-all", "__consumer_offsets"}]
        peer.note(f"Metadata v{version} all", peer.normaliser.plain(answer, version))
    peer.ask_each(MetadataRequest, lambda version: by_name(create=version < 4), "no topics", versions=range(1, 14))


@scenario
def unknown_topics(peer: Peer) -> None:
    peer.ask_versions(by_name("metadata-unknown"), "unknown", versions=range(4, 14))
    for name in BAD_NAMES:
        peer.ask_versions(by_name(name), f"invalid {name[:8]!r} {len(name)}", versions=range(4, 14))


@scenario
def invalid_names_are_not_created(peer: Peer) -> None:
    for name in BAD_NAMES[:-1]:
        peer.ask_each(
            MetadataRequest, lambda _, name=name: by_name(name, create=True), f"create {name[:8]!r} {len(name)}"
        )


@scenario
def topics_are_created(peer: Peer) -> None:
    """Apache Kafka answers the first request with UNKNOWN_TOPIC or LEADER_NOT_AVAILABLE; then the topic is there."""
    for version in versions_of(ApiKey.METADATA):
        name = f"metadata-created-{version}"
        peer.ask(by_name(name, create=True), version, "first")
        peer.await_topic(name)
        peer.ask(by_name(name, create=True), version, "then")


@scenario
def topic_ids(peer: Peer) -> None:
    known = Uuid(peer.create_topic("metadata-by-id"))
    for label, topic in {
        "known id": MetadataRequestTopic(topic_id=known, name=None),
        "unknown id": MetadataRequestTopic(topic_id=UNKNOWN_ID, name=None),
        "no id, no name": MetadataRequestTopic(topic_id=ZERO_UUID, name=None),
        "id and name": MetadataRequestTopic(topic_id=known, name="metadata-by-id"),
        "id and another name": MetadataRequestTopic(topic_id=known, name="metadata-other"),
    }.items():
        request = MetadataRequest(topics=[topic], allow_auto_topic_creation=False)
        peer.ask_versions(request, label, versions=range(10, 14))
    both = [MetadataRequestTopic(topic_id=known, name=None), MetadataRequestTopic(name="metadata-by-id")]
    peer.ask_versions(MetadataRequest(topics=both, allow_auto_topic_creation=False), "mixed", versions=range(10, 14))


@scenario
def authorized_operations(peer: Peer) -> None:
    peer.create_topic("metadata-operations")
    for cluster in (False, True):
        for topic in (False, True):
            request = by_name("metadata-operations", "metadata-operations-unknown")
            request.include_cluster_authorized_operations = cluster
            request.include_topic_authorized_operations = topic
            peer.ask_versions(request, f"cluster {cluster} topic {topic}", versions=range(4, 14))


@scenario
def describe_cluster(peer: Peer) -> None:
    for operations in (False, True):
        for endpoint_type in (1, 2, 0, 3):
            for fenced in (False, True):
                request = DescribeClusterRequest(
                    include_cluster_authorized_operations=operations,
                    endpoint_type=endpoint_type,
                    include_fenced_brokers=fenced,
                )
                peer.ask_versions(request, f"operations {operations} endpoint {endpoint_type} fenced {fenced}")


@scenario
def describe_topic_partitions(peer: Peer) -> None:
    peer.create_topic("partitions-a", 3)
    peer.create_topic("partitions-b", 2)

    def ask(label: str, *names: str, limit: int = 2_000, cursor: tuple[str, int] | None = None) -> None:
        request = DescribeTopicPartitionsRequest(
            topics=[TopicRequest(name=name) for name in names], response_partition_limit=limit
        )
        if cursor is not None:
            request.cursor = DescribeTopicPartitionsRequestCursor(topic_name=cursor[0], partition_index=cursor[1])
        peer.ask(request, label=label)

    ask("in order", "partitions-a", "partitions-b")
    ask("out of order", "partitions-b", "partitions-a")
    ask("twice", "partitions-a", "partitions-a")
    ask("unknown among known", "partitions-a", "partitions-aa", "partitions-b")
    ask("invalid", "partitions a", "")
    for limit in (-1, 0, 1, 2, 3, 4, 5, 1_000_000):
        ask(f"limit {limit}", "partitions-a", "partitions-b", limit=limit)
    for cursor in (
        ("partitions-a", 0),
        ("partitions-a", 2),
        ("partitions-a", 3),
        ("partitions-a", 9),
        ("partitions-a", -1),
        ("partitions-aa", 0),
        ("partitions-b", 1),
        ("partitions-c", 0),
        ("", 0),
    ):
        ask(f"from {cursor}", "partitions-a", "partitions-b", cursor=cursor)
        ask(f"from {cursor} limit 2", "partitions-a", "partitions-b", cursor=cursor, limit=2)
