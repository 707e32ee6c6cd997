"""Requests whose time is up before the controller begins: nothing is done, in whichever API has a `timeout_ms`."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.topics import create, topic
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from kafkapy_wire.uuid import Uuid

UNKNOWN_ID = Uuid(b"\x05\x06" * 8)
TIMEOUTS_MS = (0, -1, -(2**31))


def described(peer: Peer, *names: str) -> None:
    topics = [MetadataRequestTopic(name=name) for name in names]
    peer.ask(MetadataRequest(topics=topics, allow_auto_topic_creation=False), label="afterwards")


@scenario
def nothing_is_created(peer: Peer) -> None:
    peer.create_topic("late-there")
    for timeout_ms in TIMEOUTS_MS:
        label = f"in {timeout_ms} ms"
        peer.ask_versions(create(topic("late-new"), timeout_ms=timeout_ms), label)
        peer.ask_versions(
            create(topic("late-new"), validate_only=True, timeout_ms=timeout_ms), f"{label}, validate only"
        )
        peer.ask_versions(
            create(topic("late-new"), topic("late no"), topic("late-there"), timeout_ms=timeout_ms),
            f"{label}, others bad",
        )
        twice = create(topic("late-twice"), topic("late-twice"), topic("late-new"), timeout_ms=timeout_ms)
        peer.ask_versions(twice, f"{label}, one twice")
        peer.ask_versions(
            create(topic("late-twice"), topic("late-twice"), timeout_ms=timeout_ms), f"{label}, only twice"
        )
        internal = create(topic("__cluster_metadata"), topic("late-new"), timeout_ms=timeout_ms)
        peer.ask_versions(internal, f"{label}, an internal one")
        peer.ask_versions(create(topic("__cluster_metadata"), timeout_ms=timeout_ms), f"{label}, only an internal one")
        peer.ask_versions(create(timeout_ms=timeout_ms), f"{label}, nothing")
    described(peer, "late-new")


@scenario
def nothing_is_deleted(peer: Peer) -> None:
    topic_id = Uuid(peer.create_topic("late-doomed"))

    def by_name(version: int, timeout_ms: int, *names: str) -> DeleteTopicsRequest:
        if version < 6:
            return DeleteTopicsRequest(topic_names=list(names), timeout_ms=timeout_ms)
        return DeleteTopicsRequest(topics=[DeleteTopicState(name=name) for name in names], timeout_ms=timeout_ms)

    cases = {
        "one": ("late-doomed",),
        "an unknown one too": ("late-unknown", "late-doomed"),
        "only an unknown one": ("late-unknown",),
        "one twice": ("late-unknown", "late-unknown", "late-doomed"),
        "only twice": ("late-doomed", "late-doomed"),
        "nothing": (),
    }
    for timeout_ms in TIMEOUTS_MS:
        for label, names in cases.items():
            peer.ask_each(
                DeleteTopicsRequest,
                lambda version, timeout_ms=timeout_ms, names=names: by_name(version, timeout_ms, *names),
                f"in {timeout_ms} ms, {label}",
            )
        ids: dict[str, list[DeleteTopicState]] = {
            "by id": [DeleteTopicState(topic_id=topic_id)],
            "by an unknown id": [DeleteTopicState(topic_id=UNKNOWN_ID)],
            "by id twice": [DeleteTopicState(topic_id=topic_id), DeleteTopicState(topic_id=topic_id)],
            "neither": [DeleteTopicState(name=None)],
            "both": [DeleteTopicState(name="late-doomed", topic_id=topic_id)],
            "by id and by name": [DeleteTopicState(name="late-doomed"), DeleteTopicState(topic_id=topic_id)],
        }
        for label, states in ids.items():
            peer.ask(DeleteTopicsRequest(topics=states, timeout_ms=timeout_ms), 6, f"in {timeout_ms} ms, {label}")
    described(peer, "late-doomed")


@scenario
def no_partitions_are_added(peer: Peer) -> None:
    peer.create_topic("late-grow", 2)
    cases = {
        "one": [("late-grow", 3)],
        "an unknown one too": [("late-unknown", 3), ("late-grow", 3)],
        "one twice": [("late-unknown", 3), ("late-unknown", 4), ("late-grow", 3)],
        "only twice": [("late-grow", 3), ("late-grow", 4)],
        "fewer": [("late-grow", 1)],
        "nothing": [],
    }
    for timeout_ms in TIMEOUTS_MS:
        for validate_only in (False, True):
            for label, wanted in cases.items():
                topics = [CreatePartitionsTopic(name=name, count=count, assignments=None) for name, count in wanted]
                request = CreatePartitionsRequest(topics=topics, timeout_ms=timeout_ms, validate_only=validate_only)
                peer.ask_versions(request, f"in {timeout_ms} ms, {label}, validate only {validate_only}")
    described(peer, "late-grow")


@scenario
def no_leaders_are_elected_and_no_replicas_moved(peer: Peer) -> None:
    peer.create_topic("late-lead", 2)
    for timeout_ms in TIMEOUTS_MS:
        label = f"in {timeout_ms} ms"
        one = [
            TopicPartitions(topic="late-lead", partitions=[0, 1, 7]),
            TopicPartitions(topic="late-no", partitions=[0]),
        ]
        for name, partitions in {"one": one, "nothing": [], "all": None}.items():
            peer.ask_versions(
                ElectLeadersRequest(topic_partitions=partitions, timeout_ms=timeout_ms), f"{label}, {name}"
            )
        bad_type = ElectLeadersRequest(election_type=7, topic_partitions=one, timeout_ms=timeout_ms)
        peer.ask_versions(bad_type, f"{label}, another type")
        moves = [
            ReassignableTopic(name=name, partitions=[ReassignablePartition(partition_index=0, replicas=replicas)])
            for name, replicas in (("late-lead", [1]), ("late-no", None))
        ]
        for name, topics in {"two": moves, "nothing": []}.items():
            peer.ask_versions(
                AlterPartitionReassignmentsRequest(topics=topics, timeout_ms=timeout_ms), f"{label}, {name}"
            )
        peer.ask_versions(ListPartitionReassignmentsRequest(topics=None, timeout_ms=timeout_ms), label)
        same = UpdateFeaturesRequest(
            feature_updates=[FeatureUpdateKey(feature="group.version", max_version_level=1)], timeout_ms=timeout_ms
        )
        peer.ask_versions(same, label)


@scenario
def records_are_deleted(peer: Peer) -> None:
    """The leader alone needs no time for it."""
    peer.create_topic("late-records")
    for timeout_ms in TIMEOUTS_MS:
        partitions = [DeleteRecordsPartition(partition_index=0, offset=-1), DeleteRecordsPartition(partition_index=3)]
        topics = [DeleteRecordsTopic(name="late-records", partitions=partitions)]
        peer.ask_versions(DeleteRecordsRequest(topics=topics, timeout_ms=timeout_ms), f"in {timeout_ms} ms")
