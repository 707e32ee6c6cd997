"""What administrators change at once: reassignments, elections and deletions of the same topics; feature levels."""

from __future__ import annotations

from compat_tests.differential.cluster_peer import elections
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.administration import update
from compat_tests.differential.scenarios.fetch_waiting import delete_topic
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

FEATURES = (
    "metadata.version",
    "kraft.version",
    "transaction.version",
    "group.version",
    "eligible.leader.replicas.version",
    "share.version",
    "streams.version",
)


def moves(topic: str, *wanted: tuple[int, list[int] | None]) -> AlterPartitionReassignmentsRequest:
    partitions = [ReassignablePartition(partition_index=index, replicas=replicas) for index, replicas in wanted]
    return AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name=topic, partitions=partitions)])


@scenario
def a_topic_is_deleted_while_it_is_changed(peer: Peer) -> None:
    """Sent on one connection without waiting, so that each finds what the one before has left."""
    for number, order in enumerate(("move first", "delete first", "elect first", "grow first")):
        topic = f"change-{number}"
        peer.create_topic(topic, 2)
        changes = {
            "move": moves(topic, (0, [1, 9]), (1, [1]), (2, [1])),
            "cancel": moves(topic, (0, None), (1, None), (2, None)),
            "grow": CreatePartitionsRequest(topics=[CreatePartitionsTopic(name=topic, count=3)], timeout_ms=10_000),
            "elect": elections(topic, 0, 1, 2),
            "elect unclean": elections(topic, 0, 1, 2, election_type=1),
            "delete": DeleteTopicsRequest(topics=[DeleteTopicState(name=topic)], timeout_ms=10_000),
        }
        first = order.split()[0]
        for label in (first, *(label for label in changes if label != first)):
            peer.ask(changes[label], label=f"{order}: {label}")
        listed = [ListPartitionReassignmentsTopics(name=topic, partition_indexes=[0, 1, 2])]
        peer.ask(ListPartitionReassignmentsRequest(topics=listed), label=f"{order}: listed")


@scenario
def leaders_of_a_deleted_topic(peer: Peer) -> None:
    for name in ("elect-deleted", "elect-anew"):
        peer.create_topic(name, 2)
        delete_topic(peer, name)
    peer.create_topic("elect-anew", 1)
    for topic in ("elect-deleted", "elect-anew"):
        for election_type in (0, 1):
            request = elections(topic, 1, 0, 1, election_type=election_type)
            peer.ask_versions(request, f"{topic} type {election_type}")
        peer.ask_versions(moves(topic, (1, [1]), (0, [1]), (0, None), (1, None)), f"{topic} moved")
    several = ElectLeadersRequest(
        topic_partitions=[
            TopicPartitions(topic="elect-deleted", partitions=[0]),
            TopicPartitions(topic="elect-anew", partitions=[0, 1]),
            TopicPartitions(topic="", partitions=[0]),
        ]
    )
    peer.ask_versions(several, "several")


@scenario
def every_feature_at_every_level(peer: Peer) -> None:
    for feature in FEATURES:
        levels = (-(2**15), -1, 0, 1, 2, 3, 4, 25, 2**15 - 1)
        for level in levels:
            for upgrade_type in (-1, 0, 1, 2, 3, 4):
                label = f"{feature} to {level}, type {upgrade_type}"
                peer.ask(update((feature, level, upgrade_type)), label=label)
            for downgrade in (False, True):
                key = FeatureUpdateKey(feature=feature, max_version_level=level, allow_downgrade=downgrade)
                # Version 0 has no dry run: only what cannot succeed is asked.
                if level in (-(2**15), -1, 2**15 - 1):
                    request = UpdateFeaturesRequest(feature_updates=[key])
                    peer.ask(request, 0, f"{feature} to {level}, downgrade {downgrade}")


@scenario
def a_dry_run_changes_no_feature(peer: Peer) -> None:
    def finalized() -> list[tuple[str, int]]:
        answer = peer.quietly(ApiVersionsRequest(client_software_name="x", client_software_version="1"))
        return sorted((one.name, one.max_version_level) for one in answer.finalized_features)

    before = finalized()
    for updates in (
        (("group.version", 0, 2), ("transaction.version", 1, 2)),
        (("group.version", 0, 2), ("group.version", 1, 1)),
        (("streams.version", 0, 2), ("share.version", 1, 1)),
        (("eligible.leader.replicas.version", 1, 1), ("metadata.version", 30, 1)),
        (("metadata.version", 25, 2), ("group.version", 0, 2)),
        (("share.version", 2, 1), ("no.such.feature", 1, 1), ("group.version", 0, 2)),
        (("", 1, 1), ("", 2, 1)),
    ):
        for version in (1, 2):
            peer.ask(update(*updates), version, f"{updates}")
    peer.note("nothing was changed", finalized() == before)


@scenario
def features_are_lowered_and_raised(peer: Peer) -> None:
    """Of no consequence to others' scenarios: streams groups and ELR are not used by any."""
    for upgrade_type in (1, 2, 3):
        peer.ask(update(("streams.version", 0, upgrade_type), validate_only=False), label=f"down, type {upgrade_type}")
        peer.ask(update(("streams.version", 0, upgrade_type), validate_only=False), label=f"again, type {upgrade_type}")
        peer.ask(update(("streams.version", 1, upgrade_type), validate_only=False), label=f"up, type {upgrade_type}")
        peer.ask(update(("streams.version", 1, 1), validate_only=False), label="up at last")
    mixed = update(("streams.version", 0, 2), ("group.version", 9, 1), validate_only=False)
    peer.ask_versions(mixed, "one good, one bad", versions=(1, 2))
    peer.ask(update(("streams.version", 1, 1)), label="as it was")


@scenario
def reassignments_to_unknown_brokers_beside_good_ones(peer: Peer) -> None:
    for name in ("moved-a", "moved-b"):
        peer.create_topic(name, 3)
    good, bad = ReassignablePartition(partition_index=0, replicas=[1]), [9, 1, -1, 2**31 - 1, -(2**31)]
    for label, partitions in {
        "each alone": [ReassignablePartition(partition_index=n, replicas=[broker]) for n, broker in enumerate(bad)],
        "all": [good, ReassignablePartition(partition_index=1, replicas=bad)],
        "twice the same unknown": [good, ReassignablePartition(partition_index=1, replicas=[9, 9])],
        "ours twice and an unknown": [good, ReassignablePartition(partition_index=1, replicas=[1, 1, 9])],
        "empty and null": [
            ReassignablePartition(partition_index=0, replicas=[]),
            ReassignablePartition(partition_index=1, replicas=None),
        ],
    }.items():
        for same_factor in (False, True):
            request = AlterPartitionReassignmentsRequest(
                topics=[
                    ReassignableTopic(name="moved-b", partitions=partitions),
                    ReassignableTopic(name="moved-no", partitions=partitions),
                    ReassignableTopic(name="moved-a", partitions=[good]),
                ],
                allow_replication_factor_change=not same_factor,
            )
            peer.ask_versions(request, f"{label}, same factor {same_factor}")
    twice = ReassignableTopic(name="moved-a", partitions=[good])
    peer.ask_versions(AlterPartitionReassignmentsRequest(topics=[twice, twice]), "a topic twice")
    listed = ListPartitionReassignmentsTopics(name="moved-a", partition_indexes=[0, 0, 9, -1])
    peer.ask_versions(ListPartitionReassignmentsRequest(topics=[listed, listed]), "twice")
