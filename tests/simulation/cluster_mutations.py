"""Mistakes that a controller or a replication could make, each planted for the length of a `with`.

The simulation must find every one of them: that is how we know that it would find others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from kafkapy.fetching import reading, replica_reading
from kafkapy.high_watermark import HighWatermark
from kafkapy.metadata.controller import QuorumController
from kafkapy.metadata.loader import MetadataLoader
from kafkapy.metadata.metadata_log import MetadataLog
from kafkapy.partitions.followers import Followers
from kafkapy.partitions.partition import Partition
from kafkapy.partitions.replica import Replica, Role
from kafkapy.replication.fetcher import Fetcher
from kafkapy_controller import (
    broker_heartbeats,
    broker_transitions,
    delta,
    isr_changes,
    partition_changes,
    registration_requests,
)
from kafkapy_controller.broker_heartbeats import BrokerControlState
from kafkapy_controller.partition_changes import PartitionChanges
from kafkapy_log.producer_state import ProducerState

Plant = Callable[[], Any]


@contextmanager
def _all(*plants: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for plant in plants:
            stack.enter_context(plant)
        yield


# -- the leader of a partition


def _joins_too_early() -> Any:
    def may_join_isr(partition: Partition, replica_id: int) -> bool:
        return partition.followers is not None and partition.followers.may_join(replica_id, 0)

    return patch.object(Partition, "may_join_isr", may_join_isr)


def _commits_without_who_is_proposed() -> Any:
    def committable(followers: Followers, stored: int, end_offset: int, now_ms: int | None) -> int:
        states = followers._states
        return min([stored, *(states[each].end_offset for each in followers.isr if each in states)])

    return patch.object(Followers, "committable", committable)


def _shrinks_at_once() -> Any:
    """The high watermark moves before the controller has heard of the smaller ISR."""
    original = Partition._propose_isr

    def propose(partition: Partition, followers: Followers, isr: Any) -> None:
        members = tuple(isr)
        original(partition, followers, members)
        if len(members) < len(followers.isr):
            followers.isr = members
            partition._commit(None)

    return patch.object(Partition, "_propose_isr", propose)


def _fenced_leader_appends() -> Any:
    original = Partition._follow

    def follow(partition: Partition, state: Any) -> None:
        if partition.role is not Role.LEADER:
            original(partition, state)

    return patch.object(Partition, "_follow", follow)


def _leads_with_its_end_committed() -> Any:
    original = Partition._lead

    def lead(partition: Partition, state: Any, now_ms: int) -> None:
        original(partition, state, now_ms)
        partition.committed.advance(partition.log.log_end_offset)

    return patch.object(Partition, "_lead", lead)


def _reads_uncommitted() -> Any:
    original = reading.Reading._fill

    def fill(self: Any, data: Any, partition: Partition, wanted: Any, room: int) -> None:
        committed, partition.committed = partition.committed, HighWatermark(partition.log.log_end_offset)
        try:
            original(self, data, partition, wanted, room)
        finally:
            partition.committed = committed

    return patch.object(reading.Reading, "_fill", fill)


def _duplicates_are_stored() -> Any:
    original = ProducerState.check_produced

    def check(state: ProducerState, *arguments: Any) -> None:
        original(state, *arguments)

    return patch.object(ProducerState, "check_produced", check)


# -- followers


def _no_divergence() -> Any:
    return _all(
        patch.object(reading, "divergence_of", lambda *_: None),
        patch.object(replica_reading, "divergence_of", lambda *_: None),
    )


def _truncates_to_the_high_watermark() -> Any:
    """As before KIP-101."""
    original = Fetcher.add

    def add(fetcher: Fetcher, partition: Partition, *, now_ms: float, wall_ms: int) -> None:
        partition.truncate_to(partition.high_watermark, now_ms=wall_ms)
        original(fetcher, partition, now_ms=now_ms, wall_ms=wall_ms)

    return patch.object(Fetcher, "add", add)


def _follower_commits_its_end() -> Any:
    original = Replica.append_from_leader

    def append(replica: Replica, batches: Any, **fields: Any) -> None:
        original(replica, batches, **{**fields, "leader_high_watermark": 1 << 40})

    return patch.object(Replica, "append_from_leader", append)


# -- the controller


def _stale_alter_partition() -> Any:
    """Neither the leader's epoch nor the partition's is compared."""
    original = isr_changes._Deciding._checked_isr

    def checked_isr(deciding: Any, partition: Any, asked: Any) -> Any:
        asked.leader_epoch, asked.partition_epoch = partition.leader_epoch, partition.partition_epoch
        leader_id, deciding._leader_id = deciding._leader_id, partition.leader
        try:
            return original(deciding, partition, asked)
        finally:
            deciding._leader_id = leader_id

    return patch.object(isr_changes._Deciding, "_checked_isr", checked_isr)


def _any_replica_is_elected() -> Any:
    original = PartitionChanges._elect

    def elect(changes: PartitionChanges, before: Any, target: Any, eligible: Any, election: Any) -> Any:
        found = original(changes, before, target, eligible, election)
        if found.leader < 0:
            found = original(changes, before, target._replace(isr=target.replicas), eligible, election)
        return found

    return patch.object(PartitionChanges, "_elect", elect)


def _eligible_without_min_isr() -> Any:
    """Who leaves the ISR stays eligible, although records are committed without it."""
    original = PartitionChanges._eligible

    def eligible(changes: PartitionChanges, topic: Any, before: Any, target: Any) -> Any:
        gone = {*before.eligible_leader_replicas, *before.isr} - {*target.isr}
        return tuple(sorted({*original(changes, topic, before, target), *(gone & set(target.replicas))}))

    return patch.object(PartitionChanges, "_eligible", eligible)


def _leader_epoch_does_not_rise() -> Any:
    original = delta.merge_partition_change

    def merge(partition: Any, record: Any) -> Any:
        return original(partition, record)._replace(leader_epoch=partition.leader_epoch)

    return _all(
        patch.object(delta, "merge_partition_change", merge),
        patch.object(isr_changes, "merge_partition_change", merge),
    )


def _fenced_stays_in_sync() -> Any:
    original = broker_transitions.partitions_of

    def partitions_of(image: Any, broker_id: int, transition: Any) -> Any:
        if transition is broker_transitions.Transition.FENCING:
            return []
        return original(image, broker_id, transition)

    from kafkapy.metadata import broker_changes

    return _all(
        patch.object(broker_transitions, "partitions_of", partitions_of),
        patch.object(broker_changes, "partitions_of", partitions_of),
    )


def _moves_before_it_is_in_sync() -> Any:
    original = partition_changes._completed

    def completed(target: Any) -> Any:
        if target.adding_replicas:
            replicas = tuple(each for each in target.replicas if each not in target.removing_replicas)
            return target._replace(replicas=replicas, isr=replicas, adding_replicas=(), removing_replicas=())
        return original(target)

    return patch.object(partition_changes, "_completed", completed)


def _unfenced_too_early() -> Any:
    def next_of_fenced(_session: Any, request: Any) -> BrokerControlState:
        return BrokerControlState.SHUTDOWN_NOW if request.want_shut_down else BrokerControlState.UNFENCED

    return patch.object(broker_heartbeats, "_next_of_fenced", next_of_fenced)


def _shutdowns_are_clean() -> Any:
    original = registration_requests.shutdown_before

    def shutdown_before(*arguments: Any) -> Any:
        transition = broker_transitions.Transition
        found = original(*arguments)
        return transition.CLEAN_SHUTDOWN if found is transition.UNCLEAN_SHUTDOWN else found

    return patch("kafkapy.metadata.broker_control.shutdown_before", shutdown_before)


# -- the metadata log


def _publishes_what_is_not_committed() -> Any:
    original = MetadataLoader.load

    def load(loader: MetadataLoader, high_watermark: int, *piece_bytes: int) -> Iterator[None]:
        return original(loader, loader._log.log_end_offset if not loader._decided else high_watermark, *piece_bytes)

    return patch.object(MetadataLoader, "load", load)


def _keeps_what_it_decided() -> Any:
    return patch.object(MetadataLoader, "forget_decided", lambda _: None)


def _answers_before_the_commit() -> Any:
    return patch.object(MetadataLog, "when_committed", lambda log, release: (release(None), log._sync.ask())[0])


def _does_not_sync_at_the_start() -> Any:
    original = MetadataLog.start

    def start(log: MetadataLog) -> None:
        log._fsync = log._sync._fsync = False
        try:
            original(log)
        finally:
            log._fsync = log._sync._fsync = True

    return patch.object(MetadataLog, "start", start)


CLUSTER_MUTATIONS: dict[str, Plant] = {
    "a replica joins the ISR too early": _joins_too_early,
    "the high watermark is the leader's alone": lambda: patch.object(
        Followers, "committable", lambda followers, stored, end_offset, now_ms: stored
    ),
    "the high watermark does not wait for who is about to join": _commits_without_who_is_proposed,
    "the high watermark moves before the ISR has shrunk": _shrinks_at_once,
    "records are committed below min.insync.replicas": lambda: patch.object(
        Partition, "is_under_min_isr", property(lambda _: False)
    ),
    "a deposed leader still appends": _fenced_leader_appends,
    "a new leader takes its log's end for committed": _leads_with_its_end_committed,
    "consumers read above the high watermark": _reads_uncommitted,
    "an idempotent producer's duplicates are stored": _duplicates_are_stored,
    "leaders do not look for divergence": _no_divergence,
    "followers do not truncate": lambda: patch.object(Replica, "truncate_to_divergence", lambda *_, **__: None),
    "followers truncate to the high watermark": _truncates_to_the_high_watermark,
    "a follower takes its log's end for committed": _follower_commits_its_end,
    "a stale AlterPartition is accepted": _stale_alter_partition,
    "a replica that is not eligible is elected": _any_replica_is_elected,
    "who leaves the ISR stays eligible": _eligible_without_min_isr,
    "a new leader has the old epoch": _leader_epoch_does_not_rise,
    "a fenced broker stays in sync": _fenced_stays_in_sync,
    "a partition moves before its new replicas are in sync": _moves_before_it_is_in_sync,
    "a broker is unfenced before it has caught up": _unfenced_too_early,
    "an unclean shutdown is taken for a clean one": _shutdowns_are_clean,
    "metadata is published before it is committed": _publishes_what_is_not_committed,
    "a deposed controller keeps what it has decided": _keeps_what_it_decided,
    "the controller answers before the commit": _answers_before_the_commit,
    "a deposed controller goes on": lambda: patch.object(QuorumController, "_end", lambda _: None),
    "metadata of a killed process counts as synced": _does_not_sync_at_the_start,
}

FIRST_SEED: dict[str, int] = {
    "a replica joins the ISR too early": 1,
    "the high watermark does not wait for who is about to join": 4,
    "followers truncate to the high watermark": 13,
    "a stale AlterPartition is accepted": 64,
    "a fenced broker stays in sync": 4,
    "metadata is published before it is committed": 6,
    "a deposed controller keeps what it has decided": 6,
    "the controller answers before the commit": 1,
    "a deposed controller goes on": 6,
}
"""Where the search begins, so that the suite is short; 0 where seed 0 finds it. `--mutations 100 --anew` tells."""
