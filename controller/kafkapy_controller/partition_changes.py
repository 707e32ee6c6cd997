"""The PartitionChangeRecord of a partition whose replicas change or whose leader is elected.

The steps are Apache Kafka's: complete the reassignment if that is possible, elect a leader among the remaining
replicas, and write the fields that have changed.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from kafkapy_controller.image import (
    MIGRATING_DIRECTORY,
    NO_LEADER,
    LeaderRecoveryState,
    MetadataImage,
    PartitionImage,
)
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT
from kafkapy_controller.placement import default_directory
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord
from kafkapy_wire.uuid import Uuid


class Election(Enum):
    """Which replicas may be elected."""

    ONLINE = auto()  # the present one as long as it may lead
    PREFERRED = auto()  # the first replica, if it may lead
    UNCLEAN = auto()  # any replica, if no other may lead: committed records may be lost


class _Elected(NamedTuple):
    leader: int
    is_unclean: bool
    """It may lack committed records."""


def partition_change(
    image: MetadataImage,
    topic_id: Uuid,
    index: int,
    before: PartitionImage,
    target: PartitionImage,
    election: Election = Election.ONLINE,
) -> PartitionChangeRecord | None:
    """The record that changes `before` into `target`, with a new leader if needed; None if nothing changes.

    `target` has the replicas, the ISR, and the adding and removing replicas; leader and directories are chosen here.
    """
    target = _completed(target)
    if target.replicas != before.replicas:
        directories = tuple([_directory_of(image, before, broker_id) for broker_id in target.replicas])
        target = target._replace(directories=directories)
    target = _with_leader(target, _elect(image, target, election))
    record = PartitionChangeRecord(partition_id=index, topic_id=topic_id)
    if target.isr != before.isr:
        record.isr = list(target.isr)
    if target.replicas != before.replicas:
        record.replicas = list(target.replicas)
        if image.metadata_version >= DIRECTORY_ASSIGNMENT:
            record.directories = list(target.directories)
    if target.adding_replicas != before.adding_replicas:
        record.adding_replicas = list(target.adding_replicas)
    if target.removing_replicas != before.removing_replicas:
        record.removing_replicas = list(target.removing_replicas)
    if target.eligible_leader_replicas != before.eligible_leader_replicas:
        record.eligible_leader_replicas = list(target.eligible_leader_replicas)
    if target.last_known_elr != before.last_known_elr:
        record.last_known_elr = list(target.last_known_elr)
    if target.leader_recovery_state != before.leader_recovery_state:
        record.leader_recovery_state = target.leader_recovery_state
    # A removed replica may still be fetching: the new leader epoch ends that.
    if target.leader != before.leader or not set(before.replicas) <= set(target.replicas):
        record.leader = target.leader
    return None if record == PartitionChangeRecord(partition_id=index, topic_id=topic_id) else record


def is_reassigned(partition: PartitionImage) -> bool:
    """Whether its replicas are being changed."""
    return bool(partition.adding_replicas or partition.removing_replicas)


def _completed(target: PartitionImage) -> PartitionImage:
    """The partition after its reassignment, if that is complete: all new replicas, and one that stays, are in sync."""
    if not is_reassigned(target):
        return target
    removing = set(target.removing_replicas)
    replicas = tuple([broker_id for broker_id in target.replicas if broker_id not in removing])
    isr = tuple([broker_id for broker_id in target.isr if broker_id not in removing])
    if not replicas or not isr or not set(target.adding_replicas) <= set(isr):
        return target
    return target._replace(
        replicas=replicas,
        isr=isr,
        adding_replicas=(),
        removing_replicas=(),
        eligible_leader_replicas=tuple([b for b in target.eligible_leader_replicas if b not in removing]),
    )


def _directory_of(image: MetadataImage, partition: PartitionImage, broker_id: int) -> Uuid:
    known = dict(zip(partition.replicas, partition.directories, strict=False))
    return known[broker_id] if broker_id in known else default_directory(image, broker_id)


def _elect(image: MetadataImage, target: PartitionImage, election: Election) -> _Elected:
    directories = dict(zip(target.replicas, target.directories, strict=False))

    def is_online(broker_id: int) -> bool:
        return image.is_online(broker_id, directories.get(broker_id, MIGRATING_DIRECTORY))

    def may_lead(broker_id: int) -> bool:
        return (broker_id in target.isr or broker_id in target.eligible_leader_replicas) and is_online(broker_id)

    if election is Election.PREFERRED and may_lead(target.replicas[0]):
        return _Elected(target.replicas[0], False)
    for broker_id in (target.leader, *target.replicas):
        if may_lead(broker_id):
            return _Elected(broker_id, False)
    nobody_is_in_sync = not target.isr and not target.eligible_leader_replicas
    if nobody_is_in_sync and len(target.last_known_elr) == 1 and is_online(target.last_known_elr[0]):
        return _Elected(target.last_known_elr[0], True)  # the last leader: no other replica has more records (KIP-966)
    if election is Election.UNCLEAN:
        for broker_id in target.replicas:
            if is_online(broker_id):
                return _Elected(broker_id, True)
    return _Elected(NO_LEADER, False)


def _with_leader(target: PartitionImage, elected: _Elected) -> PartitionImage:
    leader = elected.leader
    if leader == target.leader:
        return target
    target = target._replace(leader=leader)
    if elected.is_unclean:
        return target._replace(
            isr=(leader,),
            leader_recovery_state=LeaderRecoveryState.RECOVERING,
            eligible_leader_replicas=(),
            last_known_elr=(),
        )
    if leader != NO_LEADER and leader not in target.isr:
        eligible = tuple([b for b in target.eligible_leader_replicas if b != leader])
        return target._replace(isr=(leader,), eligible_leader_replicas=eligible, last_known_elr=())
    return target
