"""CreateTopics, DeleteTopics, CreatePartitions."""

from __future__ import annotations

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.uuid import ZERO_UUID, Uuid

UNKNOWN_ID = Uuid(b"\x03\x04" * 8)


def topic(
    name: str,
    partitions: int = 1,
    replication_factor: int = 1,
    *,
    assignments: dict[int, list[int]] | None = None,
    **configs: str | None,
) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication_factor,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=brokers)
            for index, brokers in (assignments or {}).items()
        ],
        configs=[CreatableTopicConfig(name=name.replace("_", "."), value=value) for name, value in configs.items()],
    )


def with_setting(name: str, setting: str, value: str | None) -> CreatableTopic:
    asked = topic(name)
    asked.configs = [CreatableTopicConfig(name=setting.replace("_", "."), value=value)]
    return asked


def create(*topics: CreatableTopic, validate_only: bool = False, timeout_ms: int = 10_000) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), timeout_ms=timeout_ms, validate_only=validate_only)


@scenario
def topics_are_created(peer: Peer) -> None:
    peer.ask_each(CreateTopicsRequest, lambda version: create(topic(f"create-{version}", 3)))
    peer.ask_each(CreateTopicsRequest, lambda version: create(topic(f"create-{version}", 3)), "again")
    peer.ask_each(CreateTopicsRequest, lambda version: create(topic(f"create-defaults-{version}", -1, -1)), "defaults")
    peer.ask_each(
        CreateTopicsRequest,
        lambda version: create(topic(f"create-assigned-{version}", -1, -1, assignments={0: [1], 1: [1]})),
        "assigned",
    )
    peer.ask_each(
        CreateTopicsRequest,
        lambda version: create(
            topic(f"create-configs-{version}", retention_ms="1000", cleanup_policy="compact", segment_bytes="1048576")
        ),
        "with settings",
    )
    peer.ask_each(
        CreateTopicsRequest,
        lambda version: create(topic(f"create-one-{version}"), topic(f"create no {version}"), topic("create-x", 0)),
        "one good, two bad",
    )


@scenario
def nothing_is_created_to_validate(peer: Peer) -> None:
    peer.create_topic("validate-exists")
    peer.ask_versions(create(topic("validate", 2), topic("validate-exists"), validate_only=True), "validate only")
    peer.ask_versions(create(topic("validate", 2), validate_only=True), "again")
    peer.ask_versions(create(topic("validate bad", 2), validate_only=True), "bad")


@scenario
def invalid_topic_names(peer: Peer) -> None:
    for name in (
        "",
        ".",
        "..",
        "a b",
        "a/b",
        "é",
        "x" * 250,
        "a\nb",
        "a:b",
        "__consumer_offsets",
        "__cluster_metadata",
    ):
        peer.ask_versions(create(topic(name)), f"{name[:20]!r}")


@scenario
def colliding_topic_names(peer: Peer) -> None:
    """`.` and `_` are one character in metric names."""
    peer.create_topic("collide.with_me")
    peer.ask_versions(create(topic("collide_with.me")), "collides")
    peer.ask_versions(create(topic("collide-twice.a"), topic("collide-twice_a"), validate_only=True), "in one request")


@scenario
def invalid_partitions_and_replicas(peer: Peer) -> None:
    for partitions, replication_factor in ((0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (1, 3), (0, 0), (-1, 5)):
        request = create(topic("bad-counts", partitions, replication_factor))
        peer.ask_versions(request, f"{partitions} partitions {replication_factor} replicas")


@scenario
def invalid_assignments(peer: Peer) -> None:
    cases: dict[str, CreatableTopic] = {
        "unknown broker": topic("assign", -1, -1, assignments={0: [9]}),
        "one broker twice": topic("assign", -1, -1, assignments={0: [1, 1]}),
        "no broker": topic("assign", -1, -1, assignments={0: []}),
        "not from 0": topic("assign", -1, -1, assignments={1: [1]}),
        "a gap": topic("assign", -1, -1, assignments={0: [1], 2: [1]}),
        "and partitions": topic("assign", 1, -1, assignments={0: [1]}),
        "and replicas": topic("assign", -1, 1, assignments={0: [1]}),
        "negative broker": topic("assign", -1, -1, assignments={0: [-1]}),
        "different sizes": topic("assign", -1, -1, assignments={0: [1], 1: [1, 2]}),
    }
    for label, asked in cases.items():
        peer.ask_versions(create(asked), label)


@scenario
def the_same_topic_twice_in_a_request(peer: Peer) -> None:
    peer.ask_versions(create(topic("double", 1), topic("double", 2), topic("double-not", 1), validate_only=True))
    peer.ask_versions(create(), "nothing")


@scenario
def invalid_topic_settings(peer: Peer) -> None:
    for name, value in (
        ("no_such_setting", "1"),
        ("retention_ms", "soon"),
        ("retention_ms", "-2"),
        ("retention_ms", ""),
        ("retention_ms", None),
        ("cleanup_policy", "shred"),
        ("cleanup_policy", "compact,shred"),
        ("cleanup_policy", ""),
        ("compression_type", "rar"),
        ("max_message_bytes", "-1"),
        ("max_message_bytes", "99999999999"),
        ("min_insync_replicas", "0"),
        ("min_cleanable_dirty_ratio", "1.5"),
        ("message_timestamp_type", "Whenever"),
        ("unclean_leader_election_enable", "perhaps"),
        ("segment_bytes", "1"),
        ("leader_replication_throttled_replicas", "x"),
        ("compression_gzip_level", "0"),
        ("segment_ms", "0"),
        ("remote_storage_enable", "true"),
    ):
        peer.ask_versions(create(with_setting("bad-setting", name, value)), f"{name}={value}")
    twice = topic("bad-setting", retention_ms="1")
    twice.configs.append(CreatableTopicConfig(name="retention.ms", value="2"))
    peer.ask(create(twice, validate_only=True), label="twice")


@scenario
def topics_are_deleted(peer: Peer) -> None:
    for version in versions_of(ApiKey.DELETE_TOPICS):
        names = [f"delete-{version}-a", f"delete-{version}-b"]
        for name in names:
            peer.create_topic(name, 2)
        wanted = [*names, f"delete-{version}-unknown"]
        if version < 6:
            request = DeleteTopicsRequest(topic_names=wanted, timeout_ms=10_000)
        else:
            request = DeleteTopicsRequest(topics=[DeleteTopicState(name=name) for name in wanted], timeout_ms=10_000)
        peer.ask(request, version, "by name")
        peer.ask(request, version, "again")
    for name in ("", "a b", "x" * 250):
        peer.ask_each(
            DeleteTopicsRequest,
            lambda version, name=name: (
                DeleteTopicsRequest(topic_names=[name], timeout_ms=1_000)
                if version < 6
                else DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], timeout_ms=1_000)
            ),
            f"invalid {name[:8]!r}",
        )


@scenario
def topics_are_deleted_by_id(peer: Peer) -> None:
    first, second = Uuid(peer.create_topic("delete-id-a")), Uuid(peer.create_topic("delete-id-b"))

    def delete(label: str, *states: DeleteTopicState) -> None:
        peer.ask(DeleteTopicsRequest(topics=list(states), timeout_ms=10_000), 6, label)

    delete("id", DeleteTopicState(topic_id=first))
    delete("id again", DeleteTopicState(topic_id=first))
    delete("unknown id", DeleteTopicState(topic_id=UNKNOWN_ID))
    delete("neither", DeleteTopicState(topic_id=ZERO_UUID, name=None))
    delete("both", DeleteTopicState(topic_id=second, name="delete-id-b"))
    delete("the same by id and by name", DeleteTopicState(topic_id=second), DeleteTopicState(name="delete-id-b"))
    delete("twice by name", DeleteTopicState(name="delete-id-b"), DeleteTopicState(name="delete-id-b"))
    delete("twice by id", DeleteTopicState(topic_id=second), DeleteTopicState(topic_id=second))
    delete("nothing")
    delete("at last", DeleteTopicState(topic_id=second))


@scenario
def a_topic_made_again_has_another_id(peer: Peer) -> None:
    first = peer.create_topic("phoenix")
    peer.quietly(DeleteTopicsRequest(topics=[DeleteTopicState(name="phoenix")], timeout_ms=10_000))
    second = peer.create_topic("phoenix")
    peer.note("another id", first != second)


@scenario
def partitions_are_added(peer: Peer) -> None:
    def grow(
        name: str, count: int, *brokers: list[int], validate_only: bool = False, assigned: bool = False
    ) -> CreatePartitionsRequest:
        given = [CreatePartitionsAssignment(broker_ids=one) for one in brokers] if brokers or assigned else None
        return CreatePartitionsRequest(
            topics=[CreatePartitionsTopic(name=name, count=count, assignments=given)],
            timeout_ms=10_000,
            validate_only=validate_only,
        )

    peer.create_topic("grow", 2)
    cases = {
        "fewer": grow("grow", 1),
        "as many": grow("grow", 2),
        "none": grow("grow", 0),
        "negative": grow("grow", -1),
        "unknown topic": grow("grow-unknown", 3),
        "invalid topic": grow("grow not", 3),
        "validate only": grow("grow", 5, validate_only=True),
        "unknown broker": grow("grow", 3, [9]),
        "two replicas": grow("grow", 3, [1, 1]),
        "no replicas": grow("grow", 3, []),
        "too few assignments": grow("grow", 4, [1]),
        "too many assignments": grow("grow", 3, [1], [1]),
        "empty assignments": grow("grow", 3, assigned=True),
        "too many": grow("grow", 20_000, validate_only=True),
    }
    for label, request in cases.items():
        peer.ask_versions(request, label)
    twice = [CreatePartitionsTopic(name="grow", count=3), CreatePartitionsTopic(name="grow", count=4)]
    peer.ask_versions(CreatePartitionsRequest(topics=twice, timeout_ms=1_000), "twice")
    peer.ask_versions(CreatePartitionsRequest(topics=[], timeout_ms=1_000), "nothing")
    for version in versions_of(ApiKey.CREATE_PARTITIONS):
        peer.ask(grow("grow", 3 + 2 * version), version, "more")
        peer.ask(grow("grow", 4 + 2 * version, [1]), version, "one more, assigned")
