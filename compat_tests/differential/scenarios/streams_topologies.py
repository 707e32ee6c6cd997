"""Topologies of streams groups (KIP-1071), and the topics behind them."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.streams_groups import (
    NEWEST,
    TOPIC_RESOURCE,
    beat,
    describe,
    internal,
    joining,
    know,
    note_group,
    subtopology,
    topics_for,
    topology,
)
from kafkapy_wire.messages import streams_group_heartbeat as messages
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic


@scenario
def internal_topics_are_created(peer: Peer) -> None:
    group, topic = "streams-internal", "streams-internal"
    of = topology(
        subtopology(
            "0",
            topic,
            repartition_sink_topics=[f"{topic}-repartition"],
            state_changelog_topics=[internal(f"{topic}-0-changelog", cleanup_policy="compact", retention_ms="1000000")],
        ),
        subtopology(
            "1",
            repartition_source_topics=[internal(f"{topic}-repartition", cleanup_policy="delete")],
            state_changelog_topics=[internal(f"{topic}-1-changelog", 0, 1, cleanup_policy="compact")],
        ),
    )
    answer = peer.ask(joining(group, "a", of), label="without source")
    peer.ask(describe(group), label="without source")
    peer.ask(ListGroupsRequest(states_filter=["NotReady"], types_filter=["streams"]), label="not ready")
    peer.ask(ListGroupsRequest(states_filter=["not_ready"], types_filter=["streams"]), label="not ready, otherwise")
    peer.ask(beat(group, "a", answer.member_epoch, active={"7": [7]}), label="tasks while not ready")
    peer.create_topic(topic, 3)
    peer.until(
        beat(group, "a", answer.member_epoch, active={}),
        lambda answer: not answer.status or answer.status[0].status_code != 1,
        "the source topic is known",
    )
    for name in ("repartition", "0-changelog", "1-changelog"):
        peer.await_topic(f"{topic}-{name}", 3)
    ready = peer.until(
        beat(group, "a", 3, active={}), lambda answer: not answer.status or answer.error_code, "the topics are known"
    )
    peer.note("ready", [ready.error_code, ready.member_epoch])
    described = peer.quietly(describe(group)).groups[0]
    peer.note("state", described.group_state)
    peer.note("topology", peer.normaliser.plain(described.topology, NEWEST))
    peer.note("members", peer.normaliser.plain(described.members[0].assignment, NEWEST))
    names = [f"{topic}-{name}" for name in ("repartition", "0-changelog", "1-changelog")]
    peer.ask(MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names]), label="internal topics")
    peer.ask(
        DescribeConfigsRequest(
            resources=[
                DescribeConfigsResource(
                    resource_type=TOPIC_RESOURCE,
                    resource_name=name,
                    configuration_keys=["cleanup.policy", "retention.ms", "message.timestamp.type"],
                )
                for name in names
            ]
        ),
        label="their settings",
    )


@scenario
def topologies_that_do_not_fit(peer: Peer) -> None:
    group, topic = "streams-unfit", "streams-unfit"
    together = messages.CopartitionGroup(source_topics=[0, 1])
    cases = {
        "no copartitions": topology(subtopology("0", f"{topic}-1", f"{topic}-2")),
        "copartitions": topology(subtopology("0", f"{topic}-1", f"{topic}-2", copartition_groups=[together])),
        "missing sources": topology(subtopology("0", *(f"{topic}-none-{n}" for n in (5, 2, 9, 1)))),
        "a repartition topic of another size": topology(
            subtopology(
                "0",
                f"{topic}-3",
                repartition_source_topics=[internal(f"{topic}-r", 2)],
                copartition_groups=[messages.CopartitionGroup(source_topics=[0], repartition_source_topics=[0])],
            )
        ),
        "a repartition topic that nobody writes to": topology(
            subtopology("0", repartition_source_topics=[internal(f"{topic}-r2")])
        ),
        "a copartition that is none": topology(
            subtopology("0", f"{topic}-1", copartition_groups=[messages.CopartitionGroup(source_topics=[5])])
        ),
    }
    sources = [(f"{topic}-{count}", count) for count in (1, 2, 3)]
    for name, partitions in sources:
        peer.create_topic(name, partitions)
    for number, (label, of) in enumerate(cases.items()):
        know(peer, f"{group}-{number}", *(name for name, _ in sources))
        peer.ask(joining(f"{group}-{number}", "a", of), label=label)
        peer.ask(describe(f"{group}-{number}"), label=label)
        note_group(peer, f"{group}-{number}")


@scenario
def internal_topics_that_cannot_be_created(peer: Peer) -> None:
    group, topic = "streams-uncreatable", "streams-uncreatable"
    topics_for(peer, group, (topic, 2))
    of = topology(
        subtopology(
            "0", topic, state_changelog_topics=[internal(f"{topic}-changelog", 0, 1, cleanup_policy="nonsense")]
        )
    )
    peer.ask(joining(group, "a", of), label="a joins")
    failed = peer.until(
        beat(group, "a", 2, active={}),
        lambda answer: answer.status and "failed" in answer.status[0].status_detail,
        "the creation fails",
    )
    peer.note("status", peer.normaliser.plain(failed, NEWEST))


@scenario
def other_topologies_than_the_groups(peer: Peer) -> None:
    group, topic = "streams-topology", "streams-topology"
    topics_for(peer, group, (topic, 2), (f"{topic}-2", 2))
    one = subtopology("0", topic)
    two = subtopology("1", f"{topic}-2")
    peer.ask(joining(group, "a", topology(one, two, epoch=3)), label="a joins")
    peer.ask(joining(group, "b", topology(two, one, epoch=3)), label="in another order")
    peer.ask(joining(group, "c", topology(one, epoch=3)), label="another one")
    peer.ask(joining(group, "d", topology(one, two, epoch=4)), label="of a later epoch")
    peer.ask(joining(group, "e", topology(one, epoch=2)), label="of an earlier epoch")
    peer.ask(beat(group, "e", 4), label="e goes on")
    peer.ask(joining(group, "a", topology(one, epoch=1)), label="a is back with an earlier one")
    peer.ask(describe(group), label="three members")
    note_group(peer, group)


@scenario
def topics_of_a_streams_group_change(peer: Peer) -> None:
    group, topic = "streams-topics", "streams-topics"
    topics_for(peer, group, (topic, 1))
    of = topology(subtopology("0", topic))
    peer.ask(joining(group, "a", of), label="a joins")
    grown = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name=topic, count=2, assignments=None)], timeout_ms=10_000
    )
    peer.quietly(grown)
    peer.until(beat(group, "a", 2), lambda answer: answer.member_epoch > 2 or answer.error_code, "another partition")
    peer.ask(beat(group, "a", 3), label="two tasks")
    peer.ask(describe(group), label="two tasks")
    peer.quietly(DeleteTopicsRequest(topics=[DeleteTopicState(name=topic)], timeout_ms=10_000))
    peer.until(beat(group, "a", 3), lambda answer: answer.status or answer.error_code, "the topic is gone")
    peer.ask(beat(group, "a", 3), label="no topic")
    peer.ask(describe(group), label="no topic")
