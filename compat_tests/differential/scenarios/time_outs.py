"""Time-outs of every API at their bounds: negative ones, the least, the greatest; and when the answers come."""

from __future__ import annotations

from compat_tests.differential.cluster_peer import elections
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.cluster_changes import moves
from compat_tests.differential.scenarios.fetch import fetch, filled, partition
from compat_tests.differential.scenarios.fetch_waiting import answered
from compat_tests.differential.scenarios.group_offsets import commit
from compat_tests.differential.scenarios.groups import beat, join, leave, stable, sync
from compat_tests.differential.scenarios.produce import batch, produce
from compat_tests.differential.scenarios.topics import create, topic
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.leave_group import MemberIdentity
from kafkapy_wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest
from kafkapy_wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

LEAST, GREATEST = -(2**31), 2**31 - 1
UNKNOWN_MEMBER_ID = 25
BOUNDS = (LEAST, LEAST + 1, -1_000, -1, 0, 1, GREATEST - 1, GREATEST)


@scenario
def produces(peer: Peer) -> None:
    peer.create_topic("bounds-produce")
    for timeout_ms in BOUNDS:
        for acks in (1, -1):
            request = produce(peer, 13, "bounds-produce", batch(b"v"), acks=acks)
            request.timeout_ms = timeout_ms
            peer.ask(request, label=f"in {timeout_ms} ms, acks {acks}")


@scenario
def fetches(peer: Peer) -> None:
    filled(peer, "bounds-fetch", batches=1)
    waiting = []
    for max_wait_ms in BOUNDS:
        for min_bytes in (LEAST, -1, 0, 1, GREATEST):
            for offset in (0, 2):
                there = offset == 0 and min_bytes < GREATEST
                if max_wait_ms > 10_000 and min_bytes > 0 and not there:
                    continue  # nothing would end that wait
                asked = fetch(
                    peer, 18, "bounds-fetch", partition(0, offset), max_wait_ms=max_wait_ms, min_bytes=min_bytes
                )
                label = f"from {offset}, in {max_wait_ms} ms, {min_bytes} bytes"
                waiting.append(peer.post(asked, 18, label))
    answered(waiting)
    waiting = []
    for max_wait_ms in (GREATEST - 1, GREATEST):
        asked = fetch(peer, 18, "bounds-fetch", partition(0, 2), max_wait_ms=max_wait_ms, min_bytes=1)
        waiting.append(peer.post(asked, 18, f"in {max_wait_ms} ms, until a record comes"))
    peer.meanwhile("a record comes")
    peer.quietly(produce(peer, 13, "bounds-fetch", batch(b"more")), 13)
    answered(waiting)


@scenario
def topics_and_partitions(peer: Peer) -> None:
    for number, timeout_ms in enumerate(BOUNDS):
        if timeout_ms == 1:
            continue  # either may be in time, or not
        name = f"bounds-topic-{number}"
        peer.ask(create(topic(name), timeout_ms=timeout_ms), label=f"in {timeout_ms} ms")
        if timeout_ms > 0:
            peer.await_topic(name)
        grow = CreatePartitionsRequest(topics=[CreatePartitionsTopic(name=name, count=2)], timeout_ms=timeout_ms)
        peer.ask(grow, label=f"in {timeout_ms} ms")
        elected, moved = elections(name, 0, 1), moves(name, (0, [1]), (1, None))
        elected.timeout_ms = moved.timeout_ms = timeout_ms
        peer.ask(elected, label=f"in {timeout_ms} ms")
        peer.ask(moved, label=f"in {timeout_ms} ms")
        gone = DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], timeout_ms=timeout_ms)
        peer.ask(gone, label=f"in {timeout_ms} ms")
        peer.ask(ListPartitionReassignmentsRequest(topics=None, timeout_ms=timeout_ms), label=f"in {timeout_ms} ms")
        key = FeatureUpdateKey(feature="group.version", max_version_level=1)
        same = UpdateFeaturesRequest(feature_updates=[key], timeout_ms=timeout_ms)
        peer.ask(same, label=f"in {timeout_ms} ms")


@scenario
def deletions_of_records(peer: Peer) -> None:
    filled(peer, "bounds-records", batches=4)
    for number, timeout_ms in enumerate(BOUNDS):
        one = DeleteRecordsPartition(partition_index=0, offset=min(number, 8))
        request = DeleteRecordsRequest(
            topics=[DeleteRecordsTopic(name="bounds-records", partitions=[one])], timeout_ms=timeout_ms
        )
        peer.ask(request, label=f"in {timeout_ms} ms")


@scenario
def sessions_and_rebalances_of_groups(peer: Peer) -> None:
    for session_ms in (LEAST, -1, 0, 99, 100, 1_800_000, 1_800_001, GREATEST):
        peer.ask_versions(join("bounds-session", session_ms=session_ms), f"session {session_ms}", (2, 5, 9))
    for number, rebalance_ms in enumerate(BOUNDS):
        group = f"bounds-rebalance-{number}"
        first = peer.ask(join(group, rebalance_ms=rebalance_ms), label=f"rebalance {rebalance_ms}")
        peer.ask(join(group, first.member_id, rebalance_ms=rebalance_ms), label=f"rebalance {rebalance_ms}, known")
        if rebalance_ms <= 1:  # so much time it has for its SyncGroup, too
            gone = beat(group, 1, first.member_id)
            peer.until(gone, lambda answer: answer.error_code == UNKNOWN_MEMBER_ID, f"out of {group}")
        peer.ask(sync(group, 1, first.member_id, first.member_id), 4, f"rebalance {rebalance_ms}")
        peer.ask(beat(group, 1, first.member_id), label=f"rebalance {rebalance_ms}")
        peer.ask(leave(group, MemberIdentity(member_id=first.member_id)), label=f"rebalance {rebalance_ms}")


@scenario
def a_second_member_and_the_time_of_the_rebalance(peer: Peer) -> None:
    """The first member does not come again: it has as long as the longest rebalance time-out in the group."""
    waiting = []
    for rebalance_ms in (2_500, 3_500):
        for second_ms in (LEAST, 0, 2_000, 3_500):
            group = f"bounds-second-{rebalance_ms}-{second_ms}"
            stable(peer, group, rebalance_ms=rebalance_ms)
            known = peer.quietly(join(group, rebalance_ms=second_ms)).member_id
            waiting.append(peer.post(join(group, known, rebalance_ms=second_ms), 9, f"{rebalance_ms}, {second_ms}"))
    answered(waiting)


@scenario
def offsets_that_are_kept_for_a_time(peer: Peer) -> None:
    peer.create_topic("bounds-retention")
    for retention_time_ms in (-(2**63), -2, -1, 0, 1, 2**63 - 1):
        for version in (2, 3, 4):
            request = commit(peer, version, f"bounds-retention-{version}", "bounds-retention", 5)
            request.retention_time_ms = retention_time_ms
            peer.ask(request, version, f"for {retention_time_ms} ms")


@scenario
def transactions(peer: Peer) -> None:
    for timeout_ms in (*BOUNDS, 899_999, 900_000, 900_001):
        for transactional_id in (None, "bounds-transactions"):
            request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=timeout_ms)
            if transactional_id and 0 < timeout_ms <= 900_000:
                continue  # those that are taken are another scenario's
            peer.ask_versions(request, f"{transactional_id} in {timeout_ms} ms")
    for duration in (-(2**63), -2, 2**63 - 1):
        listing = ListTransactionsRequest(duration_filter=duration, transactional_id_pattern="no-such-thing")
        peer.ask(listing, label=f"longer than {duration} ms")
