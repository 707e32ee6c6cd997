"""What administrators ask of a cluster: its quorum, leaders, reassignments, feature levels and brokers."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
)
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

PREFERRED, UNCLEAN = 0, 1


@scenario
def leaders_are_elected(peer: Peer) -> None:
    peer.create_topic("elect", 2)
    known = [TopicPartitions(topic="elect", partitions=[0, 1])]
    cases: dict[str, list[TopicPartitions] | None] = {
        "led already": known,
        "all": None,
        "nothing": [],
        "no partitions": [TopicPartitions(topic="elect", partitions=[])],
        "unknown partition": [TopicPartitions(topic="elect", partitions=[0, 7, -1])],
        "unknown topic": [TopicPartitions(topic="elect-unknown", partitions=[0])],
        "invalid topic": [TopicPartitions(topic="elect no", partitions=[0])],
        "a partition twice": [TopicPartitions(topic="elect", partitions=[0, 0])],
        "several topics": [*known, TopicPartitions(topic="elect-unknown", partitions=[0])],
    }
    for label, partitions in cases.items():
        for election_type in (PREFERRED, UNCLEAN):
            request = ElectLeadersRequest(election_type=election_type, topic_partitions=partitions)
            peer.ask_versions(request, f"{label}, type {election_type}")
    for election_type in (2, -1, 127):
        for label, partitions in {"known": known, "all": None, "nothing": []}.items():
            request = ElectLeadersRequest(election_type=election_type, topic_partitions=partitions)
            peer.ask_versions(request, f"{label}, type {election_type}")


@scenario
def replicas_are_moved(peer: Peer) -> None:
    peer.create_topic("move", 2)

    def move(label: str, *wanted: tuple[str, int, list[int] | None], same_factor: bool = False) -> None:
        topics: dict[str, list[ReassignablePartition]] = {}
        for name, index, replicas in wanted:
            topics.setdefault(name, []).append(ReassignablePartition(partition_index=index, replicas=replicas))
        request = AlterPartitionReassignmentsRequest(
            topics=[ReassignableTopic(name=name, partitions=partitions) for name, partitions in topics.items()],
            allow_replication_factor_change=not same_factor,
        )
        peer.ask_versions(request, f"{label}, same factor {same_factor}")
        peer.ask(ListPartitionReassignmentsRequest(topics=None), label=f"after {label}")

    for same_factor in (False, True):
        move("to where they are", ("move", 0, [1]), ("move", 1, [1]), same_factor=same_factor)
        move("to an unknown broker", ("move", 0, [9]), same_factor=same_factor)
        move("to a known and an unknown broker", ("move", 0, [1, 9]), ("move", 1, [1]), same_factor=same_factor)
        move("to one twice", ("move", 0, [1, 1]), same_factor=same_factor)
        move("to nobody", ("move", 0, []), same_factor=same_factor)
        move("to a negative broker", ("move", 0, [-1]), same_factor=same_factor)
    move("cancelled", ("move", 0, None))
    move("an unknown partition", ("move", 7, [1]), ("move", -1, None))
    move("an unknown topic", ("move-unknown", 0, [1]), ("move-unknown", 0, None))
    move("an invalid topic", ("move no", 0, [1]))
    move("a partition twice", ("move", 0, [1]), ("move", 0, [9]))
    move("nothing")
    for label, topics in {
        "one": [ListPartitionReassignmentsTopics(name="move", partition_indexes=[0, 1, 7])],
        "no partitions": [ListPartitionReassignmentsTopics(name="move", partition_indexes=[])],
        "unknown topic": [ListPartitionReassignmentsTopics(name="move-unknown", partition_indexes=[0])],
        "invalid topic": [ListPartitionReassignmentsTopics(name="move no", partition_indexes=[0])],
        "nothing": [],
    }.items():
        peer.ask_versions(ListPartitionReassignmentsRequest(topics=topics), label)


def update(*updates: tuple[str, int, int], validate_only: bool = True) -> UpdateFeaturesRequest:
    return UpdateFeaturesRequest(
        feature_updates=[
            FeatureUpdateKey(feature=feature, max_version_level=level, upgrade_type=upgrade_type)
            for feature, level, upgrade_type in updates
        ],
        validate_only=validate_only,
    )


@scenario
def feature_levels_are_changed(peer: Peer) -> None:
    for validate_only in (True, False):
        for feature, level in (("group.version", 1), ("transaction.version", 2), ("streams.version", 1)):
            peer.ask_versions(update((feature, level, 1), validate_only=validate_only), f"{feature} as it is")
        both = update(("group.version", 1, 1), ("streams.version", 1, 1), validate_only=validate_only)
        peer.ask_versions(both, f"two as they are, validate only {validate_only}")
    for label, request in {
        "down, not said": update(("group.version", 0, 1)),
        "down, safe": update(("group.version", 0, 2)),
        "down, unsafe": update(("transaction.version", 1, 3)),
        "as it is, said to go down": update(("group.version", 1, 2)),
        "too high": update(("group.version", 9, 1)),
        "too high, said to go down": update(("group.version", 9, 2)),
        "negative": update(("group.version", -1, 1)),
        "no such type": update(("group.version", 1, 0)),
        "no such type, no such feature": update(("no.such.feature", 1, 9)),
        "no such feature": update(("no.such.feature", 1, 1)),
        "no such feature, level 0": update(("no.such.feature", 0, 1)),
        "no such feature, level 0, down": update(("no.such.feature", 0, 2)),
        "no name": update(("", 1, 1)),
        "nothing": update(),
        "one bad of two": update(("group.version", 1, 1), ("streams.version", 9, 1)),
    }.items():
        peer.ask_versions(request, label)


@scenario
def the_metadata_version_is_changed(peer: Peer) -> None:
    """In words only: with `validate_only` nothing is written."""
    for level in (*range(-1, 36), 99, 32_767):
        for upgrade_type in (1, 2, 3):
            peer.ask(update(("metadata.version", level, upgrade_type)), label=f"level {level}, type {upgrade_type}")
    for feature in ("eligible.leader.replicas.version", "kraft.version", "share.version"):
        for level in (0, 1, 2, 3):
            for upgrade_type in (1, 2, 3):
                peer.ask(update((feature, level, upgrade_type)), label=f"{feature} {level}, type {upgrade_type}")


@scenario
def an_unknown_broker_is_unregistered(peer: Peer) -> None:
    for broker_id in (9, -1, 2**31 - 1):
        peer.ask_versions(UnregisterBrokerRequest(broker_id=broker_id), f"broker {broker_id}")


@scenario
def the_quorum_is_described(peer: Peer) -> None:
    def quorum(*topics: tuple[str, list[int]]) -> DescribeQuorumRequest:
        return DescribeQuorumRequest(
            topics=[
                DescribeQuorumRequestTopicData(
                    topic_name=name,
                    partitions=[DescribeQuorumRequestPartitionData(partition_index=index) for index in indexes],
                )
                for name, indexes in topics
            ]
        )

    peer.create_topic("quorum")
    metadata = "__cluster_metadata"
    for version in range(3):
        answer = peer.quietly(quorum((metadata, [0])), version)
        (partition,) = answer.topics[0].partitions
        for replica in partition.current_voters:
            # The log has grown since by what Apache Kafka writes of itself when nobody asks.
            replica.log_end_offset -= partition.high_watermark
            replica.replica_directory_id = bytes(16)  # a quorum whose voters stand in the settings has none
        partition.high_watermark = partition.leader_epoch = 1
        for node in answer.nodes:
            for listener in node.listeners:
                listener.host, listener.port = "", 0
        peer.note(f"DescribeQuorum v{version}", peer.normaliser.plain(answer, version))
    for label, request in {
        "another partition": quorum((metadata, [1])),
        "two partitions": quorum((metadata, [0, 1])),
        "the partition twice": quorum((metadata, [0, 0])),
        "no partition": quorum((metadata, [])),
        "another topic": quorum(("quorum", [0])),
        "an unknown topic": quorum(("quorum-unknown", [0, 1])),
        "two topics": quorum((metadata, [0]), ("quorum", [0])),
        "nothing": quorum(),
    }.items():
        peer.ask_versions(request, label)
