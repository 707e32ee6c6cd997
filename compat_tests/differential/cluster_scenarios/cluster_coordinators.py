"""Groups and transactional ids: who coordinates them, what the others say, and what members see while that changes."""

from __future__ import annotations

from typing import Any

from compat_tests.differential.cluster_peer import EVERYBODY, ClusterPeer, Led, coordinated_by, elections
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import cluster_scenario
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.group_offsets import commit
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.groups import beat, join, joined, leave, stable, sync
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.message import Message
from kafkapy_wire.messages.delete_groups import DeleteGroupsRequest
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.leave_group import MemberIdentity
from kafkapy_wire.messages.list_groups import ListGroupsRequest
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)

NOT_COORDINATOR_YET = {14, 15, 16}
CONSUMER_OFFSETS, TRANSACTION_STATE = "__consumer_offsets", "__transaction_state"


@cluster_scenario
def coordinators_are_found(cluster: ClusterPeer) -> None:
    cluster.create_coordinators_topics()
    keys = [coordinated_by(node_id, "found") for node_id in EVERYBODY]
    for peer in cluster.running:
        for key_type in (0, 1, 9):
            peer.ask_each(
                FindCoordinatorRequest,
                lambda version, key_type=key_type: (
                    FindCoordinatorRequest(key=keys[1], key_type=key_type if version else 0)
                    if version < 4
                    else FindCoordinatorRequest(key_type=key_type, coordinator_keys=[*keys, ""])
                ),
                f"type {key_type}",
            )


def requests_of_groups(peer: Peer, group: str) -> dict[str, tuple[Message, int]]:
    """Each with a version."""
    member = MemberIdentity(member_id="nobody")
    partitions = [OffsetDeleteRequestPartition(partition_index=0)]
    return {
        "join": (join(group), 9),
        "join as member": (join(group, "nobody"), 9),
        "join as instance": (join(group, instance="i"), 5),
        "sync": (sync(group, 1, "nobody", protocol_type="consumer", protocol_name="range"), 5),
        "heartbeat": (beat(group, 1, "nobody"), 4),
        "leave": (leave(group, member), 5),
        "commit": (commit(peer, 9, group, "coordinated", 1), 9),
        "commit by id": (commit(peer, 10, group, "coordinated", 1), 10),
        "commit as member": (commit(peer, 9, group, "coordinated", 1, member="nobody", generation=3), 9),
        "fetch": (fetch_offsets(peer, 7, group, {"coordinated": [0]}), 7),
        "fetch by id": (fetch_offsets(peer, 10, group, {"coordinated": [0]}), 10),
        "fetch all": (fetch_offsets(peer, 9, group, None), 9),
        "describe": (DescribeGroupsRequest(groups=[group]), 6),
        "delete": (DeleteGroupsRequest(groups_names=[group]), 2),
        "delete offsets": (
            OffsetDeleteRequest(
                group_id=group, topics=[OffsetDeleteRequestTopic(name="coordinated", partitions=partitions)]
            ),
            0,
        ),
    }


@cluster_scenario
def groups_at_other_brokers(cluster: ClusterPeer) -> None:
    cluster.create_coordinators_topics()
    cluster.create_topic("coordinated", [1, 2, 3])
    for node_id in EVERYBODY:
        group = coordinated_by(node_id, "elsewhere")
        for peer in cluster.running:
            if peer is not cluster.at(node_id):
                for label, (request, version) in requests_of_groups(peer, group).items():
                    peer.ask(request, version, f"{label}, of {node_id}")
    groups = [coordinated_by(node_id, "kept") for node_id in EVERYBODY]
    for node_id, group in zip(EVERYBODY, groups, strict=True):
        cluster.at(node_id).quietly(commit(cluster.at(node_id), 10, group, "coordinated", 1), 10)
    for peer in cluster.running:
        peer.ask(DescribeGroupsRequest(groups=groups), label="groups of several coordinators")
        peer.ask(DeleteGroupsRequest(groups_names=["kept-never", *groups[:1]]), label="groups of several coordinators")
        answer = peer.quietly(ListGroupsRequest())
        answer.groups = [group for group in answer.groups if group.group_id.startswith("kept")]
        peer.note(f"ListGroups {peer.place}", peer.normaliser.plain(answer, 5))


@cluster_scenario
def transactions_at_other_brokers(cluster: ClusterPeer) -> None:
    cluster.create_coordinators_topics()
    cluster.create_topic("coordinated-txn", [1, 2, 3], [2, 3, 1])
    names = [coordinated_by(node_id, "txn") for node_id in EVERYBODY]
    for node_id, name in zip(EVERYBODY, names, strict=True):
        ready = TransactionalProducer.ready(cluster.at(node_id), name, epoch=1)
        for peer in cluster.running:
            if peer is cluster.at(node_id):
                continue
            at_other = TransactionalProducer(peer, name, ready.producer_id, ready.epoch)
            label = f"of {node_id}"
            peer.ask(at_other.initialise(), label=label)
            peer.ask(at_other.initialise(goes_on=True), label=f"{label}, goes on")
            for version in (3, 4, 5):
                peer.ask(at_other.add(version, {"coordinated-txn": [0, 1]}), version, label)
                peer.ask(at_other.add(version, {"coordinated-no": [0]}), version, f"{label}, no such topic")
            peer.ask(at_other.verify({"coordinated-txn": [0]}), label=f"{label}, verify")
            peer.ask(at_other.add_offsets("kept"), label=label)
            for version in (4, 5):
                for committed in (True, False):
                    peer.ask(at_other.end(committed=committed), version, f"{label}, {committed}")
            peer.ask(at_other.commit_offsets(coordinated_by(node_id, "kept"), {"coordinated-txn": {0: 1}}), label=label)
    for peer in cluster.running:
        peer.ask(DescribeTransactionsRequest(transactional_ids=[*names, "txn-nobody", ""]), label="all")
        answer = peer.quietly(ListTransactionsRequest())
        answer.transaction_states = [each for each in answer.transaction_states if each.transactional_id in names]
        peer.note(f"ListTransactions {peer.place}", peer.normaliser.plain(answer, 2))


@cluster_scenario
def markers_at_other_brokers(cluster: ClusterPeer) -> None:
    cluster.create_topic("markers", [1, 2], [2, 3])
    topics = [WritableTxnMarkerTopic(name="markers", partition_indexes=[0, 1])]
    marker = WritableTxnMarker(producer_id=77_000, producer_epoch=0, transaction_result=False, topics=topics)
    for peer in cluster.running:
        peer.ask_versions(WriteTxnMarkersRequest(markers=[marker]), "one of two here")


@cluster_scenario
def a_transaction_over_several_brokers(cluster: ClusterPeer) -> None:
    """Its coordinator is broker 3; leaders are 1 and 2; a producer of v2 has its partitions added by the leaders."""
    cluster.create_coordinators_topics()
    cluster.create_topic("several", [1, 2], [2, 3])
    for version, produce_version in ((5, 13), (4, 11)):
        name = coordinated_by(3, f"several-{version}")
        producer = TransactionalProducer.ready(cluster.at(3), name, epoch=1)
        for committed in (True, False):
            if version < 5:
                cluster.at(3).ask(producer.add(3, {"several": [0, 1]}), 3, f"v{version}")
            for index, node_id in ((0, 1), (1, 2), (0, 2), (1, 3)):
                request = TransactionalProducer(
                    cluster.at(node_id), name, producer.producer_id, producer.epoch
                ).produce(produce_version, "several", partition=index, sequence=0 if version == 5 or committed else 1)
                cluster.at(node_id).ask(request, produce_version, f"v{version}, partition {index}")
            producer.described(f"v{version} open")
            answer = cluster.at(3).ask(producer.end(committed=committed), version, f"v{version} {committed}")
            producer.await_complete()
            producer.described(f"v{version} {committed}")
            producer = producer.after(answer) if version == 5 else producer


def move_coordinator(cluster: ClusterPeer, topic: str, index: int, to: int) -> None:
    """Another broker leads this partition of a coordinators' topic, and all know."""
    order = {1: [1, 2, 3], 2: [2, 3, 1], 3: [3, 1, 2]}[to]
    cluster.at(1).quietly(moves(topic, (index, order)))
    cluster.at(1).quietly(elections(topic, index))
    cluster.await_led(topic, *(Led(to if each == index else each + 1) for each in range(3)))


def await_groups(peer: Peer, group: str) -> None:
    """The broker has loaded the group. Until then a heartbeat is answered as if all was well."""
    peer.until(
        DescribeGroupsRequest(groups=[group]),
        lambda answer: answer.groups[0].error_code not in NOT_COORDINATOR_YET,
        f"{group} is loaded",
    )


@cluster_scenario
def a_group_moves(cluster: ClusterPeer) -> None:
    cluster.create_coordinators_topics()
    cluster.create_topic("group-moves", [1, 2, 3])
    old, new = cluster.at(1), cluster.at(2)
    group, rebalancing, unsynced = (coordinated_by(1, f"moves-{kind}") for kind in ("stable", "rebalances", "syncs"))

    member, first = stable(old, group)
    old.normaliser.name_text(member, "<first member>")
    old.ask(commit(old, 10, group, "group-moves", 7, member=member, generation=first), label="before")

    joined(old, rebalancing)
    generation, follower = two_members(old, unsynced)
    posted = [
        old.post(join(rebalancing, joining_id(old, rebalancing)), 9, "joins beside a member that is silent"),
        old.post(sync(unsynced, generation, follower), 4, "waits for its leader"),
    ]
    cluster.meanwhile("the coordinator moves")
    move_coordinator(cluster, CONSUMER_OFFSETS, 0, to=2)
    for pending in posted:
        pending.answer()
    for label, request in {
        "heartbeat": beat(group, first, member),
        "commit": commit(old, 10, group, "group-moves", 8, member=member, generation=first),
        "join": join(group, member),
        "find": FindCoordinatorRequest(key_type=0, coordinator_keys=[group]),
    }.items():
        old.ask(request, label=f"{label} at the old one")
    await_groups(new, group)
    new.ask(beat(group, first, member), label="at the new one")
    new.ask(DescribeGroupsRequest(groups=[group, rebalancing, unsynced]), label="at the new one")
    new.ask(fetch_offsets(new, 10, group, {"group-moves": [0]}), label="at the new one")
    new.ask(commit(new, 10, group, "group-moves", 9, member=member, generation=first), label="at the new one")
    new.ask(beat(group, first + 1, member), label="other generation")
    new.ask(beat(rebalancing, 1, "nobody"), label="the one that rebalanced")
    move_coordinator(cluster, CONSUMER_OFFSETS, 0, to=1)
    new.ask(beat(group, first, member), label="after it has moved back")
    await_groups(old, group)
    old.ask(beat(group, first, member), label="after it has moved back")
    old.ask(fetch_offsets(old, 10, group, {"group-moves": [0]}), label="after it has moved back")
    old.ask(leave(group, MemberIdentity(member_id=member)), label="after it has moved back")


@cluster_scenario
def a_transaction_moves(cluster: ClusterPeer) -> None:
    cluster.create_coordinators_topics()
    cluster.create_topic("txn-moves", [1, 2, 3], [2, 3, 1])
    old, new = cluster.at(1), cluster.at(2)
    for version, produce_version in ((5, 13), (4, 11)):
        name = coordinated_by(1, f"txn-moves-{version}")
        producer = TransactionalProducer.ready(old, name, epoch=1)
        producer.opened("txn-moves", 0, version=produce_version)
        move_coordinator(cluster, TRANSACTION_STATE, 0, to=2)
        for label, request, asked_version in (
            ("init", producer.initialise(), 5),
            ("init that goes on", producer.initialise(goes_on=True), 5),
            ("add", producer.add(3, {"txn-moves": [1]}), 3),
            ("verify", producer.verify({"txn-moves": [0]}), 5),
            ("offsets", producer.add_offsets("kept"), 4),
            ("end", producer.end(committed=True), version),
            ("find", FindCoordinatorRequest(key_type=1, coordinator_keys=[name]), 6),
        ):
            old.ask(request, asked_version, f"v{version}: {label} at the old one")
        moved = TransactionalProducer(new, name, producer.producer_id, producer.epoch)
        new.until(
            DescribeTransactionsRequest(transactional_ids=[name]),
            lambda answer: answer.transaction_states[0].error_code not in NOT_COORDINATOR_YET,
            "the new coordinator has loaded it",
        )
        moved.described(f"v{version} at the new one")
        goes_on = TransactionalProducer(cluster.at(1), name, producer.producer_id, producer.epoch)
        cluster.at(1).ask(
            goes_on.produce(produce_version, "txn-moves", partition=0, sequence=1), produce_version, "goes on"
        )
        ended = new.ask(moved.end(committed=True), version, "at the new one")
        moved.await_complete()
        moved.described(f"v{version} ended")
        following = moved.after(ended) if version == 5 else moved
        move_coordinator(cluster, TRANSACTION_STATE, 0, to=1)
        new.ask(following.initialise(), label=f"v{version} after it has moved back")
        back = TransactionalProducer(old, name, following.producer_id, following.epoch)
        old.until(
            DescribeTransactionsRequest(transactional_ids=[name]),
            lambda answer: answer.transaction_states[0].error_code not in NOT_COORDINATOR_YET,
            "the old coordinator has loaded it",
        )
        old.ask(back.initialise(), label=f"v{version} after it has moved back")


def joining_id(peer: Peer, group: str) -> str:
    """A member id for who joins."""
    answer = peer.quietly(join(group))
    assert answer.member_id, answer
    peer.normaliser.name_text(answer.member_id, f"<who joins {group}>")
    return str(answer.member_id)


def two_members(peer: Peer, group: str) -> tuple[int, str]:
    """A generation of two members, neither of which has its assignment: its number, and the one that does not lead."""
    leader = joined(peer, group).member_id
    peer.normaliser.name_text(leader, f"<leader of {group}>")
    member = joining_id(peer, group)
    beside, again = peer.connect(), peer.connect()
    first = beside.post(join(group, member), 9)
    peer.until(
        DescribeGroupsRequest(groups=[group]),
        lambda answer: answer.groups[0].group_state == "PreparingRebalance",
        f"{group} waits for its leader",
    )
    second = again.post(join(group, leader), 9)
    answer: Any = beside.receive(ApiKey.JOIN_GROUP, 9, first)
    assert answer.error_code == 0, answer
    again.receive(ApiKey.JOIN_GROUP, 9, second)
    return answer.generation_id, member
