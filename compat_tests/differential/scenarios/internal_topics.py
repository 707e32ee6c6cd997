"""Groups and transactions while the topic of their coordinator does not exist.

FindCoordinator is not asked meanwhile: it has the topic created.
"""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.group_offsets import commit, fetch
from compat_tests.differential.scenarios.groups import beat, join, leave, sync
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest
from kafkapy_wire.messages.offset_commit import OffsetCommitRequest
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest
from kafkapy_wire.messages.produce import ProduceRequest

NOT_COORDINATOR = 16
GROUP, TOPIC = "no-offsets-topic", "no-internal-topics"
WHERE = {TOPIC: [0]}


def delete(peer: Peer, *names: str) -> None:
    answer = peer.quietly(
        DeleteTopicsRequest(topics=[DeleteTopicState(name=name) for name in names], timeout_ms=10_000)
    )
    assert not any(result.error_code for result in answer.responses), answer


def await_coordinators(peer: Peer) -> None:
    for key_type in (0, 1):
        find = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[GROUP])
        peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, "a coordinator")
    peer.until(beat(GROUP, 1, "x"), lambda answer: answer.error_code == 25, "groups are loaded")
    describe = DescribeTransactionsRequest(transactional_ids=[GROUP])
    peer.until(describe, lambda answer: answer.transaction_states[0].error_code == 105, "transactions are loaded")


@scenario
def deleted(peer: Peer) -> None:
    peer.create_topic(TOPIC)
    producer = TransactionalProducer.ready(peer, GROUP)
    peer.quietly(commit(peer, 9, GROUP, TOPIC, 7), 9)
    delete(peer, "__consumer_offsets", "__transaction_state")
    try:
        peer.until(beat(GROUP, 1, "x"), lambda answer: answer.error_code == NOT_COORDINATOR, "the group is gone")
        described = DescribeTransactionsRequest(transactional_ids=[GROUP])
        peer.until(
            described,
            lambda answer: answer.transaction_states[0].error_code == NOT_COORDINATOR,
            "the transaction is gone",
        )
        ask_about_groups(peer)
        ask_about_transactions(peer, producer)
    finally:
        await_coordinators(peer)
    peer.ask_each(OffsetFetchRequest, lambda version: fetch(peer, version, GROUP, WHERE), "when it is there again")


def ask_about_groups(peer: Peer) -> None:
    peer.ask_versions(join(GROUP), "new")
    peer.ask_versions(join(GROUP, "member"), "with an id")
    peer.ask_versions(join(GROUP, instance="static"), "static")
    peer.ask_versions(join(""), "without a group")
    peer.ask_versions(join(GROUP, session_ms=1), "too short a session")
    peer.ask_versions(sync(GROUP, 1, "member", protocol_type="consumer", protocol_name="range"))
    peer.ask_versions(beat(GROUP, 1, "member"))
    peer.ask_each(
        LeaveGroupRequest,
        lambda version: (
            LeaveGroupRequest(group_id=GROUP, member_id="member")
            if version < 3
            else leave(GROUP, MemberIdentity(member_id="member"))
        ),
    )
    for generation in (-1, 3):
        peer.ask_each(
            OffsetCommitRequest,
            lambda version, generation=generation: commit(peer, version, GROUP, TOPIC, 1, generation=generation),
            f"generation {generation}",
        )
    peer.ask_each(OffsetCommitRequest, lambda version: commit(peer, version, GROUP, "unknown", 1), "unknown topic")
    peer.ask_each(OffsetCommitRequest, lambda version: commit(peer, version, "", TOPIC, 1), "without a group")
    for stable in (False, True):
        peer.ask_each(
            OffsetFetchRequest,
            lambda version, stable=stable: fetch(peer, version, GROUP, WHERE, require_stable=stable),
            f"stable {stable}",
        )
    peer.ask_each(OffsetFetchRequest, lambda version: fetch(peer, version, GROUP, None), "all", range(2, 11))
    peer.ask_each(OffsetFetchRequest, lambda version: fetch(peer, version, "", WHERE), "without a group")
    peer.ask_versions(DescribeGroupsRequest(groups=[GROUP, "other", ""]))
    peer.ask_versions(DeleteGroupsRequest(groups_names=[GROUP, "other", ""]))
    peer.ask_versions(ListGroupsRequest())
    for topic in (TOPIC, "unknown"):
        partitions = [OffsetDeleteRequestPartition(partition_index=0)]
        request = OffsetDeleteRequest(
            group_id=GROUP, topics=[OffsetDeleteRequestTopic(name=topic, partitions=partitions)]
        )
        peer.ask_versions(request, topic)


def ask_about_transactions(peer: Peer, producer: TransactionalProducer) -> None:
    peer.ask_versions(producer.initialise(), "new")
    peer.ask_versions(producer.initialise(goes_on=True), "goes on")
    peer.ask_versions(producer.initialise(timeout_ms=0), "bad timeout")
    peer.ask_versions(producer.wrong(name="").initialise(), "without a name")
    peer.ask_each(AddPartitionsToTxnRequest, lambda version: producer.add(version, WHERE))
    peer.ask_versions(producer.verify(WHERE), "verify", range(4, 6))
    peer.ask_versions(producer.add_offsets(GROUP))
    peer.ask_versions(producer.commit_offsets(GROUP, {TOPIC: {0: 1}}))
    peer.ask_versions(producer.commit_offsets("", {TOPIC: {0: 1}}), "without a group")
    for committed in (False, True):
        peer.ask_versions(producer.end(committed=committed), f"commit {committed}")
    peer.ask_versions(DescribeTransactionsRequest(transactional_ids=[GROUP, "other", ""]))
    peer.ask_versions(ListTransactionsRequest())
    peer.ask_each(ProduceRequest, lambda version: producer.produce(version, TOPIC))


@scenario
def only_the_offsets_are_deleted(peer: Peer) -> None:
    """What asks the transaction coordinator alone goes on."""
    peer.create_topic(TOPIC + "-2")
    producer = TransactionalProducer.ready(peer, GROUP + "-2")
    delete(peer, "__consumer_offsets")
    try:
        peer.until(beat(GROUP, 1, "x"), lambda answer: answer.error_code == NOT_COORDINATOR, "the group is gone")
        peer.ask_versions(producer.add_offsets(GROUP))
        for version in range(6):
            peer.ask(producer.commit_offsets(GROUP, {TOPIC + "-2": {0: 1}}), version)
        producer = producer.ended(committed=True)
        producer.described("ended")
    finally:
        await_coordinators(peer)
