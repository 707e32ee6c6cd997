"""Streams groups (KIP-1071): members, topologies, tasks, endpoints, and what is stored of a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compat_tests.differential.coordinator_log import OFFSETS_TOPIC, VERSION_BYTES, partition_of, stored_records
from compat_tests.differential.peer import Peer
from compat_tests.differential.plain import Plain
from compat_tests.differential.registry import scenario
from kafkapy_wire.codec import decode
from kafkapy_wire.messages import streams_group_heartbeat as messages
from kafkapy_wire.messages import streams_group_topology_description_update as description
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.streams_group_describe import StreamsGroupDescribeRequest
from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest
from kafkapy_wire.record_formats import group_coordinator as formats

NEWEST = 1
GROUP_RESOURCE, TOPIC_RESOURCE = 32, 2
RECORDS: Mapping[int, tuple[Any, Any]] = {
    17: (formats.StreamsGroupMetadataKey, formats.StreamsGroupMetadataValue),
    19: (formats.StreamsGroupMemberMetadataKey, formats.StreamsGroupMemberMetadataValue),
    20: (formats.StreamsGroupTargetAssignmentMetadataKey, formats.StreamsGroupTargetAssignmentMetadataValue),
    21: (formats.StreamsGroupTargetAssignmentMemberKey, formats.StreamsGroupTargetAssignmentMemberValue),
    22: (formats.StreamsGroupCurrentMemberAssignmentKey, formats.StreamsGroupCurrentMemberAssignmentValue),
    23: (formats.StreamsGroupTopologyKey, formats.StreamsGroupTopologyValue),
}

Tasks = Mapping[str, list[int]]


def subtopology(name: str, *sources: str, **fields: Any) -> messages.Subtopology:
    return messages.Subtopology(subtopology_id=name, source_topics=[*sources], **fields)


def internal(name: str, partitions: int = 0, replicas: int = 0, **configs: str) -> messages.TopicInfo:
    return messages.TopicInfo(
        name=name,
        partitions=partitions,
        replication_factor=replicas,
        topic_configs=[messages.KeyValue(key=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def topology(*subtopologies: messages.Subtopology, epoch: int = 0) -> messages.Topology:
    return messages.Topology(epoch=epoch, subtopologies=[*subtopologies])


def task_ids(tasks: Tasks) -> list[messages.StreamsGroupHeartbeatRequestTaskIds]:
    return [
        messages.StreamsGroupHeartbeatRequestTaskIds(subtopology_id=name, partitions=indexes)
        for name, indexes in tasks.items()
    ]


def beat(
    group: str,
    member: str,
    epoch: int,
    *,
    active: Tasks | None = None,
    standby: Tasks | None = None,
    **fields: Any,
) -> StreamsGroupHeartbeatRequest:
    """With `active` or `standby` the member says all the tasks that it has."""
    if active is not None or standby is not None:
        fields.setdefault("active_tasks", task_ids(active or {}))
        fields.setdefault("standby_tasks", task_ids(standby or {}))
        fields.setdefault("warmup_tasks", [])
    return StreamsGroupHeartbeatRequest(group_id=group, member_id=member, member_epoch=epoch, **fields)


def joining(group: str, member: str, of: messages.Topology | None, **fields: Any) -> StreamsGroupHeartbeatRequest:
    given = {"rebalance_timeout_ms": 60_000, "process_id": f"process-{member}", "active": {}, "topology": of, **fields}
    return beat(group, member, 0, **given)


def topics_for(peer: Peer, group: str, *topics: tuple[str, int]) -> None:
    """New topics, each with its partition count, once the group's coordinator knows them: it hears of them later."""
    for name, partitions in topics:
        peer.create_topic(name, partitions)
    know(peer, group, *(name for name, _ in topics))


def know(peer: Peer, group: str, *topics: str) -> None:
    """Wait until the group's coordinator knows these topics."""
    probe = next(
        name
        for name in (f"{group}-probe-{number}" for number in range(1_000))
        if partition_of(name) == partition_of(group)
    )
    of = topology(*(subtopology(str(number), name) for number, name in enumerate(topics)))
    peer.until(joining(probe, "probe", of), lambda answer: answer.status == [], "the coordinator knows the topics")
    peer.quietly(beat(probe, "probe", -1))
    peer.quietly(DeleteGroupsRequest(groups_names=[probe]))


def describe(*groups: str, **fields: Any) -> StreamsGroupDescribeRequest:
    return StreamsGroupDescribeRequest(group_ids=[*groups], **fields)


def configured(resource: int, name: str, **values: str) -> IncrementalAlterConfigsRequest:
    return IncrementalAlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=resource,
                resource_name=name,
                configs=[AlterableConfig(name=key.replace("_", "."), value=value) for key, value in values.items()],
            )
        ]
    )


def until_configured(peer: Peer, group: str, name: str, value: str) -> None:
    """Wait until the broker has heard of a setting of a group."""
    resource = DescribeConfigsResource(resource_type=GROUP_RESOURCE, resource_name=group, configuration_keys=[name])
    peer.until(
        DescribeConfigsRequest(resources=[resource]),
        lambda answer: [config.value for config in answer.results[0].configs] == [value],
        f"{name} is {value}",
    )


def committing(group: str, topic: str, member: str, epoch: int, partition: int = 0, **fields: Any) -> Any:
    return OffsetCommitRequest(
        group_id=group,
        member_id=member,
        generation_id_or_member_epoch=epoch,
        topics=[
            OffsetCommitRequestTopic(
                name=topic,
                partitions=[OffsetCommitRequestPartition(partition_index=partition, committed_offset=5)],
            )
        ],
        **fields,
    )


def note_group(peer: Peer, group: str) -> None:
    """Write down every record that is stored of the group."""
    peer.note(f"stored of group {group}", list(_records(peer, group)))


def _records(peer: Peer, group: str) -> Iterator[Plain]:
    for _, record in stored_records(peer, OFFSETS_TOPIC):
        assert record.key is not None
        kind = int.from_bytes(record.key[:VERSION_BYTES])
        if kind not in RECORDS:
            continue
        key_type, value_type = RECORDS[kind]
        key = decode(key_type, record.key[VERSION_BYTES:], 0)
        if key.group_id != group:
            continue
        value: Plain = None
        if record.value is not None:
            stored = decode(value_type, record.value[VERSION_BYTES:], int.from_bytes(record.value[:VERSION_BYTES]))
            if kind == 17:
                stored.metadata_hash = bool(stored.metadata_hash)  # of another function here
            if kind == 20:
                stored.assignment_timestamp = bool(stored.assignment_timestamp)
            value = peer.normaliser.plain(stored, 0)
        yield {"kind": kind, "key": peer.normaliser.plain(key, 0), "value": value}


@scenario
def streams_heartbeats_that_are_invalid(peer: Peer) -> None:
    """Each lacks something, or several things: the first check decides."""
    topic = "streams-invalid"
    topics_for(peer, "streams-invalid-0-1", (topic, 1))
    good = topology(subtopology("0", topic))
    cases: dict[str, dict[str, Any]] = {
        "nothing": {},
        "empty member": {"member_id": ""},
        "blank member": {"member_id": " "},
        "empty group": {"group_id": ""},
        "empty instance": {"instance_id": ""},
        "empty rack": {"rack_id": ""},
        "no rebalance timeout": {"rebalance_timeout_ms": -1},
        "no active tasks": {"active_tasks": None},
        "active tasks": {"active_tasks": task_ids({"0": [0]})},
        "no standby tasks": {"standby_tasks": None},
        "standby tasks": {"standby_tasks": task_ids({"0": [0]})},
        "no warm-up tasks": {"warmup_tasks": None},
        "warm-up tasks": {"warmup_tasks": task_ids({"0": []})},
        "no tasks": {"active_tasks": None, "standby_tasks": None, "warmup_tasks": None},
        "no topology": {"topology": None},
        "epoch -3": {"member_epoch": -3},
        "epoch -2 without instance": {"member_epoch": -2},
        "epoch -2 of no group": {"member_epoch": -2, "instance_id": "i", "topology": None},
        "epoch -1 with topology": {"member_epoch": -1},
        "epoch -1 of no group": {"member_epoch": -1, "topology": None},
        "epoch 1 of no group": {"member_epoch": 1, "topology": None},
        "epoch 1 with topology": {"member_epoch": 1},
        "pattern": {"topology": topology(subtopology("0", source_topic_regex=["a.*"]))},
        "internal topic": {"topology": topology(subtopology("0", "__consumer_offsets", "b", "__share_group_state"))},
        "internal sink": {
            "topology": topology(subtopology("0", topic, repartition_sink_topics=["__consumer_offsets"]))
        },
        "invalid names": {
            "topology": topology(
                subtopology("0", "a/b", topic, "", state_changelog_topics=[internal("c d")]),
                subtopology("1", "a/b", repartition_source_topics=[internal("..")]),
            )
        },
        "partitions of a changelog": {
            "topology": topology(subtopology("0", topic, state_changelog_topics=[internal("log", 3)]))
        },
        "no subtopology": {"topology": topology()},
        "no source": {"topology": topology(subtopology("0"))},
        "a subtopology twice": {"topology": topology(subtopology("0", topic), subtopology("0", topic))},
        "a tag twice": {"client_tags": [messages.KeyValue(key="a", value=value) for value in "bc"]},
        "an offset twice": {
            "task_offsets": [messages.TaskOffset(subtopology_id="0", partition=0, offset=n) for n in (1, 2)]
        },
    }
    for number, (label, fields) in enumerate(cases.items()):
        for version in (0, 1):
            request = joining(f"streams-invalid-{number}-{version}", "a", good)
            for name, value in fields.items():
                setattr(request, name, value)
            peer.ask(request, version, label)
        request.rack_id = " "
        peer.ask(request, NEWEST, f"{label}, blank rack")
    peer.ask(describe(""), label="empty group")
    peer.ask(describe("streams-invalid-none"), label="no such group")
    peer.ask(
        description.StreamsGroupTopologyDescriptionUpdateRequest(group_id="streams-invalid-0-1", member_id="a"),
        label="a description",
    )


@scenario
def a_streams_group_from_the_first_member_to_the_last(peer: Peer) -> None:
    group, topic = "streams-life", "streams-life"
    topics_for(peer, group, (topic, 4))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of), 0, "a joins")
    peer.ask(describe(group), label="one member")
    peer.ask(beat(group, "a", 2), label="a goes on")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1, 2, 3]}), label="a says what it has")
    peer.ask(beat(group, "a", 1), label="an old epoch")
    peer.ask(beat(group, "a", 1, active={"0": [7]}), label="an old epoch and a task that is none")
    peer.ask(beat(group, "a", 3), label="a later epoch")
    peer.ask(beat(group, "a", 2, active={"0": [4]}), label="no such task")
    peer.ask(beat(group, "a", 2, active={"0": [-1]}), label="a negative task")
    peer.ask(beat(group, "a", 2, standby={"1": [0]}), label="no such subtopology")
    peer.ask(beat(group, "b", 2), label="b is no member")
    peer.ask(joining(group, "b", of, rack_id="r"), label="b joins")
    peer.ask(describe(group, include_authorized_operations=True), 0, "two members")
    peer.ask(beat(group, "b", 3, active={}), label="b waits")
    peer.ask(beat(group, "a", 2), label="a is told to share")
    peer.ask(describe(group, include_topology_description=True), label="a has not given up")
    peer.ask(beat(group, "a", 2), label="a has not said what it has")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1, 2, 3]}), label="a has all still")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1]}), label="a has given up")
    peer.ask(beat(group, "a", 2, active={"0": [0]}), label="a has not got the answer")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1, 2]}), label="a has not got the answer and has more")
    peer.ask(beat(group, "b", 3, active={}), label="b shares")
    peer.ask(describe(group, "streams-life-none", group), label="stable")
    for member in "cde":
        peer.ask(joining(group, member, of), label=f"{member} joins")
    peer.ask(beat(group, "a", 3, active={"0": [0, 1]}), label="a is told to give up another")
    peer.ask(beat(group, "a", 3, active={"0": [0]}), label="a has given up another")
    peer.ask(beat(group, "c", 4, active={}), label="c goes on")
    peer.ask(joining(group, "b", of), label="b joins again")
    peer.ask(beat(group, "c", -1), label="c leaves")
    peer.ask(beat(group, "c", -1), label="c leaves again")
    peer.ask(describe(group), label="four members")
    for member in "abde":
        peer.ask(beat(group, member, -1), label=f"{member} leaves")
    peer.ask(describe(group), label="empty")
    peer.ask(joining(group, "a", of), label="a is back")
    note_group(peer, group)


@scenario
def what_a_streams_member_says_changes(peer: Peer) -> None:
    group, topic = "streams-changes", "streams-changes"
    topics_for(peer, group, (topic, 2))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of), label="a joins")
    changes: dict[str, dict[str, Any]] = {
        "the same": {"process_id": "process-a"},
        "a process": {"process_id": "other"},
        "a rack": {"rack_id": "r"},
        "a time-out": {"rebalance_timeout_ms": 1_000},
        "tags": {"client_tags": [messages.KeyValue(key="zone", value="z"), messages.KeyValue(key="b", value="c")]},
        "no tags": {"client_tags": []},
        "offsets": {
            "task_offsets": [messages.TaskOffset(subtopology_id="0", partition=n, offset=n) for n in (1, 0)],
            "task_end_offsets": [messages.TaskOffset(subtopology_id="9", partition=1, offset=8)],
        },
        "other offsets": {"task_offsets": []},
        "an instance": {"instance_id": "i"},
    }
    epoch = 2
    for label, fields in changes.items():
        answer = peer.ask(beat(group, "a", epoch, **fields), label=label)
        epoch = answer.member_epoch or epoch
        peer.ask(describe(group), label=label)
    note_group(peer, group)


@scenario
def static_streams_members(peer: Peer) -> None:
    group, topic = "streams-static", "streams-static"
    topics_for(peer, group, (topic, 2))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of, instance_id="i"), label="a joins")
    peer.ask(joining(group, "b", of, instance_id="i"), label="b wants the same instance")
    peer.ask(beat(group, "b", 2, instance_id="i"), label="b goes on as a")
    peer.ask(beat(group, "a", 2, instance_id="none"), label="no such instance")
    peer.ask(beat(group, "b", -2, instance_id="i"), label="b leaves for a while")
    peer.ask(beat(group, "b", -1, instance_id="i"), label="b leaves")
    peer.ask(beat(group, "b", -2, instance_id="none"), label="no such instance leaves")
    peer.ask(joining(group, "c", of), label="c joins")
    peer.ask(beat(group, "a", 2, instance_id="i", active={"0": [0]}), label="a shares")
    peer.ask(beat(group, "c", 3, active={}), label="c shares")
    peer.ask(beat(group, "a", -2, instance_id="i"), label="a leaves for a while")
    peer.ask(beat(group, "a", 3, instance_id="i"), label="a goes on")
    peer.ask(describe(group), label="a is away")
    peer.ask(beat(group, "c", 3, active={"0": [1]}), label="c goes on")
    peer.ask(joining(group, "d", of, instance_id="i", process_id="process-a"), label="d comes back as a")
    peer.ask(describe(group), label="d is back")
    peer.ask(beat(group, "d", -2, instance_id="i"), label="d leaves for a while")
    peer.ask(joining(group, "e", of, instance_id="i", process_id="process-e"), label="e comes back in another process")
    peer.ask(beat(group, "e", -1, instance_id="i"), label="e leaves")
    peer.ask(beat(group, "e", -1, instance_id="i"), label="e leaves again")
    peer.ask(beat(group, "c", -1), label="c leaves")
    note_group(peer, group)


@scenario
def endpoints_of_streams_members(peer: Peer) -> None:
    group, topic = "streams-endpoints", "streams-endpoints"
    peer.quietly(configured(GROUP_RESOURCE, group, streams_num_standby_replicas="1"))
    until_configured(peer, group, "streams.num.standby.replicas", "1")
    topics_for(peer, group, (topic, 4), (f"{topic}-2", 1), (f"{topic}-changelog", 4))
    of = topology(
        subtopology("0", topic, f"{topic}-2", state_changelog_topics=[internal(f"{topic}-changelog")]),
    )

    def at(host: str, port: int = 80) -> dict[str, Any]:
        return {"user_endpoint": messages.StreamsGroupHeartbeatRequestEndpoint(host=host, port=port)}

    peer.ask(joining(group, "a", of, **at("a")), label="a joins")
    peer.ask(beat(group, "a", 2), label="a goes on")
    peer.ask(joining(group, "b", of, **at("b"), endpoint_information_epoch=7), label="b joins")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1, 2, 3]}), label="a shares")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1]}), label="a has given up")
    peer.ask(beat(group, "b", 3, active={}), label="b shares")
    peer.ask(beat(group, "a", 3, endpoint_information_epoch=1), label="a asks for endpoints")
    peer.ask(beat(group, "a", 3, endpoint_information_epoch=1, **at("a")), label="a says the same endpoint")
    peer.ask(beat(group, "a", 3, endpoint_information_epoch=1, **at("a", 81)), label="a has another endpoint")
    peer.ask(joining(group, "c", of), label="c joins without endpoint")
    peer.ask(beat(group, "c", 5, active={}, endpoint_information_epoch=-1), label="c asks")
    peer.ask(joining(group, "a", of), label="a joins again without endpoint")
    peer.ask(beat(group, "b", -1), label="b leaves")
    peer.ask(beat(group, "c", 5, active={}, endpoint_information_epoch=-1), label="c asks again")
    peer.ask(describe(group), label="endpoints")


@scenario
def an_endpoint_while_topics_are_missing(peer: Peer) -> None:
    group = "streams-endpoints-none"
    of = topology(subtopology("0", "streams-endpoints-none"))
    endpoint = messages.StreamsGroupHeartbeatRequestEndpoint(host="a", port=80)
    peer.ask(joining(group, "a", of, user_endpoint=endpoint), label="a joins")
    peer.ask(describe(group), label="described")
    note_group(peer, group)


@scenario
def a_streams_application_is_shut_down(peer: Peer) -> None:
    group, topic = "streams-shutdown", "streams-shutdown"
    topics_for(peer, group, (topic, 2))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of, shutdown_application=True), label="a joins and requests it")
    peer.ask(beat(group, "a", 2), label="a goes on")
    peer.ask(joining(group, "b", of), label="b joins")
    peer.ask(beat(group, "b", 3, shutdown_application=True), label="b requests it")
    peer.ask(beat(group, "a", 2, shutdown_application=True), label="a requests it, too")
    peer.ask(beat(group, "b", 3), label="b goes on")
    peer.ask(beat(group, "b", -1), label="b leaves")
    peer.ask(beat(group, "a", 2), label="a is told still")
    peer.ask(beat(group, "a", -1), label="a leaves")
    peer.ask(joining(group, "a", of), label="a is back")
    peer.ask(joining(group, "b", of), label="b is back")
    peer.ask(beat(group, "b", -1, shutdown_application=True), label="b leaves and requests it")
    peer.ask(beat(group, "a", 6), label="a is told")


@scenario
def settings_of_a_streams_group(peer: Peer) -> None:
    group, topic = "streams-settings", "streams-settings"
    topics_for(peer, group, (topic, 3), (f"{topic}-changelog", 3))
    of = topology(subtopology("0", topic, state_changelog_topics=[internal(f"{topic}-changelog")]))
    peer.ask(joining(group, "a", of), label="a joins")
    peer.ask(joining(group, "b", of), label="b joins")
    peer.ask(beat(group, "a", 2, active={"0": [0, 1]}), label="a shares")
    refused = {"too many standby tasks": "streams_num_standby_replicas", "no such assignor": "streams_assignor_name"}
    for label, setting in refused.items():
        peer.ask(configured(GROUP_RESOURCE, group, **{setting: "9"}), label=label)
    peer.ask(configured(GROUP_RESOURCE, group, streams_num_warmup_replicas="0"), label="warm-ups")
    changes: dict[str, tuple[dict[str, str], Callable[[Any], bool]]] = {
        "standby tasks": ({"streams_num_standby_replicas": "1"}, lambda answer: answer.member_epoch == 4),
        "more than members": ({"streams_num_standby_replicas": "2"}, lambda answer: answer.member_epoch == 5),
        "tags": ({"streams_rack_aware_assignment_tags": "zone,cluster"}, lambda answer: answer.member_epoch == 6),
        "a heartbeat interval": (
            {"streams_heartbeat_interval_ms": "7000"},
            lambda answer: answer.heartbeat_interval_ms == 7_000,
        ),
        "a recovery lag": (
            {"streams_acceptable_recovery_lag": "123456789012"},
            lambda answer: answer.acceptable_recovery_lag == 123_456_789_012,
        ),
        "an offset interval": (
            {"streams_task_offset_interval_ms": "16000"},
            lambda answer: answer.task_offset_interval_ms == 16_000,
        ),
    }
    epoch = 3
    for label, (values, shows) in changes.items():
        peer.ask(configured(GROUP_RESOURCE, group, **values), label=label)
        answer = peer.until(beat(group, "a", epoch, active={"0": [0, 1]}), shows, f"{label} is known")
        peer.note(label, peer.normaliser.plain(answer, NEWEST))
        epoch = answer.member_epoch
        peer.ask(beat(group, "a", epoch, active={"0": [0, 1]}), 0, label)
        peer.ask(describe(group), label=label)
    tags = [messages.KeyValue(key="zone", value="z")]
    peer.ask(beat(group, "a", epoch, client_tags=tags), label="a has a tag")
    note_group(peer, group)


@scenario
def a_streams_assignment_waits(peer: Peer) -> None:
    """For members that may come, and for the interval between assignments."""
    group, topic = "streams-waits", "streams-waits"
    topics_for(peer, group, (topic, 2))
    of = topology(subtopology("0", topic))
    peer.quietly(configured(GROUP_RESOURCE, group, streams_initial_rebalance_delay_ms="1500"))
    until_configured(peer, group, "streams.initial.rebalance.delay.ms", "1500")
    peer.ask(joining(group, "a", of), label="a joins")
    peer.ask(joining(group, "b", of), label="b joins")
    peer.ask(beat(group, "a", 1, active={}), label="a waits")
    peer.ask(describe(group), label="waiting")
    peer.until(describe(group), lambda answer: answer.groups[0].assignment_epoch == 3, "the first assignment is made")
    peer.ask(beat(group, "a", 1, active={}), label="a gets tasks")
    peer.ask(beat(group, "b", 1, active={}), label="b gets tasks")
    peer.quietly(configured(GROUP_RESOURCE, group, streams_assignment_interval_ms="15000"))
    until_configured(peer, group, "streams.assignment.interval.ms", "15000")
    peer.ask(joining(group, "c", of), label="c joins soon")
    peer.ask(beat(group, "a", 3, active={"0": [0]}), label="a goes on")
    peer.ask(describe(group), label="not assigned yet")
    peer.quietly(configured(GROUP_RESOURCE, group, streams_assignment_interval_ms="0"))
    until_configured(peer, group, "streams.assignment.interval.ms", "0")
    peer.ask(beat(group, "a", 3, active={"0": [0]}), label="a goes on, and it is assigned")
    note_group(peer, group)


@scenario
def streams_members_that_die(peer: Peer) -> None:
    group, topic = "streams-deaths", "streams-deaths"
    topics_for(peer, group, (topic, 2))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of, rebalance_timeout_ms=500), label="a joins")
    peer.ask(joining(group, "b", of), label="b joins")
    peer.ask(beat(group, "a", 2), label="a is to give up a task")
    peer.until(describe(group), lambda answer: len(answer.groups[0].members) == 1, "a has not given it up")
    peer.ask(beat(group, "a", 2), label="a is fenced")
    peer.ask(beat(group, "b", 3, active={}), label="b has all")
    peer.quietly(
        configured(GROUP_RESOURCE, group, streams_heartbeat_interval_ms="100", streams_session_timeout_ms="500")
    )
    until_configured(peer, group, "streams.session.timeout.ms", "500")
    peer.ask(beat(group, "b", 4, active={}), label="b has a short session")
    peer.until(describe(group), lambda answer: not answer.groups[0].members, "b is fenced")
    peer.ask(describe(group), label="empty")
    note_group(peer, group)
