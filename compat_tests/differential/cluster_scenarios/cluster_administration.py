"""What administrators ask of any broker: topics with given replicas, reassignments, elections, brokers, settings."""

from __future__ import annotations

from compat_tests.differential.cluster_peer import ClusterPeer, Led, elections
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import cluster_scenario
from compat_tests.differential.scenarios.administration import update
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.configs import BROKER, DELETE, SET, TOPIC, describe, incremental, replacing
from compat_tests.differential.scenarios.metadata import by_name
from compat_tests.differential.scenarios.topics import create, topic
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest


@cluster_scenario
def topics_with_given_replicas(cluster: ClusterPeer) -> None:
    kinds: dict[str, dict[int, list[int]]] = {
        "good": {0: [1, 2], 1: [2, 3], 2: [3, 1]},
        "in another order": {2: [3, 1], 0: [1, 2], 1: [2, 3]},
        "unknown broker": {0: [1, 9]},
        "only unknown brokers": {0: [8, 9]},
        "broker twice": {0: [1, 2, 1]},
        "no broker": {0: []},
        "no broker in the second": {0: [1], 1: []},
        "negative broker": {0: [1, -1]},
        "greatest broker": {0: [2**31 - 1, 1]},
        "other sizes": {0: [1, 2], 1: [1]},
        "begins at 1": {1: [1, 2]},
        "a gap": {0: [1, 2], 2: [2, 3]},
        "negative partition": {-1: [1, 2], 0: [1, 2]},
        "unknown and twice": {0: [9, 9], 1: [1, 1]},
        "more than there are": {0: [1, 2, 3, 4]},
    }
    for peer in (cluster.at(1), cluster.at(3)):
        for validate_only in (True, False):
            for label, assignments in kinds.items():
                name = f"given-{peer.place[-1]}-{validate_only}-{label.replace(' ', '-')}"
                request = create(topic(name, -1, -1, assignments=assignments), validate_only=validate_only)
                peer.ask(request, label=f"{label}, validate only {validate_only}")
        peer.ask(create(topic("given-no", 2, 4)), label="more replicas than brokers")
        peer.ask(create(topic("given-no", 1, -1, assignments={0: [1]})), label="count and replicas")
        peer.ask(create(topic("given-no", -1, 2, assignments={0: [1]})), label="factor and replicas")
        for version in (2, 4, 5, 7):
            several = (
                topic(f"given-{peer.place[-1]}-{version}", 3, 3),
                topic("given-no", 1, 9),
                topic("given-1-7", 1, 1),
            )
            peer.ask(create(*several), version, "several")


@cluster_scenario
def partitions_with_given_replicas(cluster: ClusterPeer) -> None:
    cluster.create_topic("grown", [1, 2])

    def grow(count: int, *brokers: list[int], validate_only: bool = False) -> CreatePartitionsRequest:
        given = [CreatePartitionsAssignment(broker_ids=each) for each in brokers] or None
        wanted = CreatePartitionsTopic(name="grown", count=count, assignments=given)
        return CreatePartitionsRequest(topics=[wanted], timeout_ms=10_000, validate_only=validate_only)

    for peer in (cluster.at(1), cluster.at(2)):
        for label, brokers in {
            "unknown broker": ([1, 9],),
            "broker twice": ([1, 1],),
            "fewer replicas": ([1],),
            "more replicas": ([1, 2, 3],),
            "no replicas": ([],),
            "negative broker": ([-1, 1],),
            "too many": ([1, 2], [2, 3]),
            "other sizes": ([1, 2], [1]),
        }.items():
            for count in (2, 3):
                peer.ask(grow(count, *brokers, validate_only=True), label=f"to {count}, {label}")
        peer.ask(grow(3, [3, 1], validate_only=True), label="validate only")
    cluster.at(2).ask(grow(2, [3, 1]), label="good")
    cluster.at(3).ask(grow(3, [2, 3]), label="good, at another broker")
    cluster.await_led("grown", Led(1, (1, 2)), Led(3, (1, 3)), Led(2, (2, 3)))
    for peer in cluster.running:
        peer.ask(by_name("grown"), label="grown")


def listed(*topics: tuple[str, list[int]], everything: bool = False) -> ListPartitionReassignmentsRequest:
    asked = [ListPartitionReassignmentsTopics(name=name, partition_indexes=indexes) for name, indexes in topics]
    return ListPartitionReassignmentsRequest(topics=None if everything else asked)


@cluster_scenario
def bad_reassignments(cluster: ClusterPeer) -> None:
    cluster.create_topic("moved-bad", [1, 2], [2, 3])
    for peer in (cluster.at(1), cluster.at(3)):
        for label, replicas in {
            "unknown": [1, 9],
            "twice": [1, 1],
            "none": [],
            "negative": [-1, 1],
            "the same": [1, 2],
            "cancel nothing": None,
        }.items():
            for same_factor in (False, True):
                request = moves("moved-bad", (0, replicas), (5, replicas))
                request.allow_replication_factor_change = not same_factor
                peer.ask_versions(request, f"{label}, same factor {same_factor}")
        request = moves("moved-bad", (0, [1]), (1, [2, 3, 1]))
        request.allow_replication_factor_change = False
        peer.ask(request, label="another factor, which is not allowed")
        peer.ask(moves("moved-nowhere", (0, [1, 2])), label="no such topic")
        peer.ask(listed(("moved-bad", [0, 1, 7])), label="nothing moves")
        peer.ask(listed(("moved-nowhere", [0])), label="no such topic")
        peer.ask(listed(everything=True), label="all")


@cluster_scenario
def a_reassignment_that_ends(cluster: ClusterPeer) -> None:
    cluster.create_topic("moved", [1, 2], [2, 1])
    cluster.at(2).ask(moves("moved", (0, [3, 1]), (1, [2, 3])), label="moved")
    cluster.await_led("moved", Led(1, (1, 3)), Led(2, (2, 3)))
    for peer in cluster.running:
        peer.ask(by_name("moved"), label="moved")
    cluster.at(3).ask(moves("moved", (0, [3, 2]), (1, [3, 2, 1])), label="moved away from its leader")
    cluster.await_led("moved", Led(3, (2, 3)), Led(2, (1, 2, 3)))
    for peer in cluster.running:
        peer.ask(by_name("moved"), label="moved away")
        peer.ask(listed(everything=True), label="all at rest")


@cluster_scenario
def a_reassignment_that_cannot_end(cluster: ClusterPeer) -> None:
    """The new replica is on a broker that is paused: its replica is never in sync."""
    cluster.create_topic("stuck", [1, 2], [2, 1])
    cluster.pause(3)
    try:
        peer = cluster.at(1)
        for label, wanted in {
            "begins": [3, 1],
            "goes another way": [2, 3],
            "the same again": [2, 3],
            "grows": [1, 2, 3],
        }.items():
            peer.ask(moves("stuck", (0, wanted)), label=label)
            cluster.await_replicas("stuck", 0, [*wanted, *(each for each in (1, 2) if each not in wanted)])
            peer.ask(listed(("stuck", [0, 1])), label=label)
            peer.ask(listed(everything=True), label=f"{label}, all")
            peer.ask(by_name("stuck"), label=label)
        peer.ask(
            CreatePartitionsRequest(
                topics=[CreatePartitionsTopic(name="stuck", count=3)], timeout_ms=10_000, validate_only=True
            ),
            label="grows while it moves",
        )
        peer.ask(moves("stuck", (0, None), (1, None)), label="cancelled")
        peer.ask(moves("stuck", (0, None)), label="cancelled again")
        cluster.await_replicas("stuck", 0, [1, 2])
        peer.ask(listed(("stuck", [0, 1])), label="cancelled")
        peer.ask(by_name("stuck"), label="cancelled")
        peer.ask(moves("stuck", (0, [3, 1])), label="once more")
        peer.ask(DeleteTopicsRequest(topics=[DeleteTopicState(name="stuck")], timeout_ms=10_000), label="deleted")
        peer.ask(listed(everything=True), label="deleted")
    finally:
        cluster.resume(3)
    cluster.await_brokers(1, 2, 3)


@cluster_scenario
def leaders_are_elected(cluster: ClusterPeer) -> None:
    cluster.create_topic("elected", [1, 2], [2, 3], [3, 1])

    def elect(peer: Peer, label: str, election_type: int, *indexes: int) -> None:
        peer.ask_versions(elections("elected", *indexes, election_type=election_type), f"{label}, type {election_type}")

    for election_type in (0, 1, 2, -1):
        elect(cluster.at(2), "needless", election_type, 0, 1, 2, 3)
    cluster.at(1).ask(moves("elected", (0, [2, 1]), (1, [3, 2])), label="other preferred leaders")
    cluster.at(1).ask(elections("elected", 0, 1, 2, election_type=1), label="unclean, needless")
    cluster.at(3).ask(elections("elected", 0, 2), label="one of two is needed")
    cluster.await_led("elected", Led(2), Led(2), Led(3))
    for peer in cluster.running:
        peer.ask(by_name("elected"), label="one of two")
    everything = ElectLeadersRequest(topic_partitions=None, timeout_ms=10_000)
    cluster.at(3).ask(everything, label="all")
    cluster.await_led("elected", Led(2), Led(3), Led(3))
    cluster.at(3).ask(everything, label="all again")
    cluster.at(3).ask(ElectLeadersRequest(topic_partitions=[], timeout_ms=10_000), label="none")
    nobody = [TopicPartitions(topic="elected-nobody", partitions=[0]), TopicPartitions(topic="elected", partitions=[9])]
    cluster.at(3).ask(ElectLeadersRequest(topic_partitions=nobody, timeout_ms=10_000), label="no such topic")


@cluster_scenario
def brokers_are_unregistered(cluster: ClusterPeer) -> None:
    for peer in cluster.running:
        for broker_id in (9, -1, 2**31 - 1):
            peer.ask(UnregisterBrokerRequest(broker_id=broker_id), label=f"{broker_id}")


@cluster_scenario
def features_are_updated(cluster: ClusterPeer) -> None:
    for peer in cluster.running:
        for feature, level in (
            ("metadata.version", 7),
            ("metadata.version", 99),
            ("no.such.feature", 1),
            ("group.version", 5),
        ):
            for upgrade_type in (1, 2, 3):
                peer.ask(update((feature, level, upgrade_type)), label=f"{feature} to {level}, type {upgrade_type}")


@cluster_scenario
def settings_at_any_broker(cluster: ClusterPeer) -> None:
    cluster.create_topic("settings", [1, 2])
    for peer in cluster.running:
        for name in ("1", "2", "3", "9", "", "x"):
            peer.ask(
                describe(BROKER, name, "log.cleaner.threads", "broker.rack", synonyms=True), label=f"broker {name!r}"
            )
        for name in ("2", "9", "x"):
            wanted = ("log.cleaner.threads", SET, "2")
            peer.ask(incremental(BROKER, name, wanted, validate_only=True), label=f"broker {name!r}, validate only")
            peer.ask(
                replacing(BROKER, name, ("log.cleaner.threads", "2"), validate_only=True),
                label=f"broker {name!r}, validate only",
            )
        for label, change in {
            "bad value": ("log.cleaner.threads", SET, "many"),
            "no such setting": ("no.such.setting", SET, "1"),
            "read only": ("broker.rack", SET, "z"),
        }.items():
            peer.ask(incremental(BROKER, peer.place[-1], change), label=f"its own, {label}")
            peer.ask(incremental(BROKER, "", change), label=f"all brokers, {label}")
        changes = (("retention.ms", SET, f"{peer.place[-1]}000"), ("min.insync.replicas", SET, "1"))
        peer.ask(incremental(TOPIC, "settings", *changes), label="topic")
        peer.ask(incremental(TOPIC, "settings-no", *changes), label="no such topic")
        peer.ask(incremental(TOPIC, "settings", ("retention.ms", SET, "soon")), label="bad value")
        peer.ask(incremental(TOPIC, "settings", ("retention.ms", DELETE, None)), label="deleted")
