"""What any of three brokers tells of the cluster: Metadata, DescribeCluster, DescribeTopicPartitions, the quorum."""

from __future__ import annotations

from compat_tests.differential.cluster_peer import ClusterPeer, creation, elections
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import cluster_scenario
from compat_tests.differential.scenarios.administration import update
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.configs import BROKER, SET, TOPIC, describe, incremental
from compat_tests.differential.scenarios.metadata import by_name
from compat_tests.differential.scenarios.produce import batch, produce
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
)
from kafkapy_wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsRequestCursor,
    TopicRequest,
)
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest

QUORUM_NUMBERS = ("high_watermark", "leader_epoch", "log_end_offset", "last_fetch_timestamp")


@cluster_scenario
def metadata_at_every_broker(cluster: ClusterPeer) -> None:
    cluster.create_topic("views", [1, 2], [2, 3], [3, 1])
    for peer in cluster.running:
        peer.ask_versions(by_name("views", "views-unknown"), "one known")
        peer.ask_versions(by_name(), "none")


@cluster_scenario
def clusters_are_described(cluster: ClusterPeer) -> None:
    for peer in cluster.running:
        for fenced in (False, True):
            for endpoint_type in (1, 2, 0):
                request = DescribeClusterRequest(include_fenced_brokers=fenced, endpoint_type=endpoint_type)
                peer.ask_versions(request, f"fenced {fenced}, endpoints {endpoint_type}")


@cluster_scenario
def controllers_are_asked(cluster: ClusterPeer) -> None:
    """What administrators may send to controllers (KIP-919), and what brokers alone answer."""
    for peer in cluster.controllers:
        for fenced in (False, True):
            for endpoint_type in (1, 2, 0):
                request = DescribeClusterRequest(include_fenced_brokers=fenced, endpoint_type=endpoint_type)
                peer.ask_versions(request, f"fenced {fenced}, endpoints {endpoint_type}")
        for label, message in {
            "topics": by_name("views-controllers"),
            "creation": creation("views-controllers", [1, 9]),
            "election": elections("views-controllers", 0),
            "reassignment": moves("views-controllers", (0, [1])),
            "listing": ListPartitionReassignmentsRequest(topics=None),
            "settings": describe(BROKER, "1", "log.cleaner.threads"),
            "settings of nobody": describe(BROKER, "9", "log.cleaner.threads"),
            "change": incremental(BROKER, "9", ("log.cleaner.threads", SET, "many")),
            "change of a topic": incremental(TOPIC, "views-controllers", ("retention.ms", SET, "1")),
            "unregistering": UnregisterBrokerRequest(broker_id=9),
            "features": update(("metadata.version", 99, 1)),
            "groups": DescribeGroupsRequest(groups=["views"]),
            "coordinator": FindCoordinatorRequest(coordinator_keys=["views"]),
        }.items():
            peer.ask(message, label=label)
        quorum_at(peer, "as it is", 0)


@cluster_scenario
def partitions_page_by_page(cluster: ClusterPeer) -> None:
    cluster.create_topic("pages-a", [1, 2], [2, 3], [3, 1])
    cluster.create_topic("pages-b", [3, 2, 1])
    names = ("pages-b", "pages-a", "pages-unknown")
    begins = (("pages-a", 0), ("pages-a", 2), ("pages-a", 3), ("pages-b", 0), ("pages-c", 0), ("", 0))
    cursors = [DescribeTopicPartitionsRequestCursor(topic_name=name, partition_index=index) for name, index in begins]
    for peer in cluster.running:
        for limit in (1, 2, 3, 4, 10, 0, -1):
            for cursor in (None, *cursors):
                request = DescribeTopicPartitionsRequest(
                    topics=[TopicRequest(name=name) for name in names],
                    response_partition_limit=limit,
                    cursor=cursor,
                )
                begin = cursor and (cursor.topic_name, cursor.partition_index)
                peer.ask(request, label=f"{limit} from {begin}")


def quorum_at(peer: Peer, label: str, *partitions: int, topic: str = "__cluster_metadata") -> None:
    """Who leads, votes, and observes; how far they are is another moment's business."""
    asked = [DescribeQuorumRequestPartitionData(partition_index=index) for index in partitions]
    topics = [DescribeQuorumRequestTopicData(topic_name=topic, partitions=asked)]
    for version in (0, 1, 2):
        answer = peer.quietly(DescribeQuorumRequest(topics=topics), version)
        for found in (partition for topic in answer.topics for partition in topic.partitions):
            for each in (found, *found.current_voters, *found.observers):
                for name in QUORUM_NUMBERS:
                    if getattr(each, name, -1) > 0:
                        setattr(each, name, 1)
                if hasattr(each, "last_caught_up_timestamp"):
                    each.last_caught_up_timestamp = min(1, each.last_caught_up_timestamp)
        peer.note(f"DescribeQuorum v{version} {label} {peer.place}", peer.normaliser.plain(answer, version))


@cluster_scenario
def the_quorum_at_every_broker(cluster: ClusterPeer) -> None:
    for peer in cluster.running:
        quorum_at(peer, "as it is", 0)
        quorum_at(peer, "other partition", 0, 1)
        quorum_at(peer, "other topic", 0, topic="views-no-quorum")


@cluster_scenario
def log_directories_of_every_broker(cluster: ClusterPeer) -> None:
    cluster.create_topic("views-dirs", [1, 2], [2, 3], [3, 2])
    cluster.at(1).quietly(produce(cluster.at(1), 13, "views-dirs", batch(b"x" * 100, b"y")), 13)
    for peer in cluster.running:
        for partitions in ([0, 1, 2], [0], [7]):
            topics = [DescribableLogDirTopic(topic="views-dirs", partitions=partitions)]
            peer.ask_versions(DescribeLogDirsRequest(topics=topics), f"partitions {partitions}")
