"""The PartitionChangeRecord of a partition whose replicas or in-sync replicas change, or whose leader is elected.

The steps are Apache Kafka's: complete the reassignment if that is possible, find the eligible leader replicas, elect a
leader, and write the fields that have changed.

Eligible leader replicas (ELR, KIP-966), where the feature is on: while the ISR is smaller than min.insync.replicas no
record is committed, so a replica that leaves the ISR then has everything that was ever committed. It becomes eligible,
and may lead once the ISR is empty. A broker that stopped without flushing its logs is no longer eligible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from kafkapy_controller.features import ELR_FEATURE
from kafkapy_controller.image import (
    MIGRATING_DIRECTORY,
    NO_LEADER,
    LeaderRecoveryState,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT, NO_EPOCH_FOR_A_SMALLER_ISR
from kafkapy_controller.placement import default_directory
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord
from kafkapy_wire.uuid import Uuid

NO_BROKER = -1
NO_LEADER_CHANGE = -2


class Election(Enum):
    """Which replicas may be elected."""

    ONLINE = auto()  # the present one as long as it may lead
    PREFERRED = auto()  # the first replica, if it may lead
    UNCLEAN = auto()  # any replica, if no other may lead: committed records may be lost


class TopicRules(NamedTuple):
    """Settings of topics that decide about their leaders. The shell knows them; each is called with a topic's name."""

    min_insync_replicas: Callable[[str], int]
    allows_unclean_election: Callable[[str], bool]
    """unclean.leader.election.enable"""


class BrokerTransition(NamedTuple):
    """What happens to a broker in the same decision, and is not in the image yet."""

    leaving: int = NO_BROKER
    """It cannot lead and is not in sync from now on: it is fenced, stops, or is unregistered."""
    joining: int = NO_BROKER
    """It can lead from now on: it is unfenced."""
    unclean_shutdown: int = NO_BROKER
    """As leaving; in addition its logs may have lost records, so that it is not eligible either."""


class _Elected(NamedTuple):
    leader: int
    is_unclean: bool
    """It may lack committed records."""


class PartitionChanges:
    """Makes the records of partitions that change, for decisions on one image."""

    def __init__(self, image: MetadataImage, rules: TopicRules, transition: BrokerTransition | None = None) -> None:
        self._image = image
        self._rules = rules
        self._transition = BrokerTransition() if transition is None else transition
        self._has_elr = bool(image.features.get(ELR_FEATURE, 0))

    def record(
        self,
        topic: TopicImage,
        index: int,
        target: PartitionImage | None = None,
        election: Election | None = None,
        *,
        before: PartitionImage | None = None,
    ) -> PartitionChangeRecord | None:
        """The record that changes a partition into `target`, with a new leader if needed; None if nothing changes.

        `target` has the replicas, their directories, the ISR, the recovery state, and the adding and removing replicas;
        the leader and the eligible replicas are chosen here. Directories of added replicas are chosen here, too.
        `election` None: unclean if the topic allows that. `before` is how the partition is now, if the image does not
        say so.
        """
        before = topic.partitions[index] if before is None else before
        target = _completed(before if target is None else target)
        if target.replicas != before.replicas:
            target = target._replace(directories=self._directories(before, target.replicas))
        eligible = self._eligible(topic, before, target) if self._has_elr else ()
        if election is None:
            is_unclean_allowed = self._rules.allows_unclean_election(topic.name)
            election = Election.UNCLEAN if is_unclean_allowed else Election.ONLINE
        elected = self._elect(before, target, eligible, election)
        record = PartitionChangeRecord(partition_id=index, topic_id=topic.topic_id)
        isr, recovery = target.isr, target.leader_recovery_state
        if elected.leader != before.leader:
            record.leader = elected.leader
            if elected.is_unclean:
                isr, eligible = (elected.leader,), ()
                if target.leader_recovery_state == before.leader_recovery_state:
                    recovery = LeaderRecoveryState.RECOVERING
            elif elected.leader in eligible:
                isr = (elected.leader,)
                eligible = tuple([broker_id for broker_id in eligible if broker_id != elected.leader])
        elif not set(before.replicas) <= set(target.replicas):
            # A removed replica may still be fetching: the new leader epoch ends that.
            record.leader = before.leader
        if isr != before.isr and (isr or self._has_elr):  # without ELR the last one in sync stays in the ISR
            record.isr = list(isr)
            if (
                record.leader == NO_LEADER_CHANGE
                and self._image.metadata_version < NO_EPOCH_FOR_A_SMALLER_ISR
                and not set(before.isr) <= set(isr)
            ):
                record.leader = before.leader
        if eligible != before.eligible_leader_replicas:
            record.eligible_leader_replicas = list(eligible)
        self._note_last_leader(record, before)
        if self._image.metadata_version >= DIRECTORY_ASSIGNMENT and target.directories != before.directories:
            record.directories = list(target.directories)
        if target.replicas != before.replicas:
            record.replicas = list(target.replicas)
        if target.removing_replicas != before.removing_replicas:
            record.removing_replicas = list(target.removing_replicas)
        if target.adding_replicas != before.adding_replicas:
            record.adding_replicas = list(target.adding_replicas)
        if recovery != before.leader_recovery_state:
            record.leader_recovery_state = recovery
        return None if record == PartitionChangeRecord(partition_id=index, topic_id=topic.topic_id) else record

    def _directories(self, before: PartitionImage, replicas: tuple[int, ...]) -> tuple[Uuid, ...]:
        known = dict(zip(before.replicas, before.directories, strict=False))
        return tuple(
            [
                known[broker_id] if broker_id in known else default_directory(self._image, broker_id)
                for broker_id in replicas
            ]
        )

    def _eligible(self, topic: TopicImage, before: PartitionImage, target: PartitionImage) -> tuple[int, ...]:
        minimum = min(self._rules.min_insync_replicas(topic.name), len(topic.partitions[0].replicas))
        if len(target.isr) >= minimum:
            return ()
        lost = self._transition.unclean_shutdown
        candidates = {*before.eligible_leader_replicas, *before.isr} - {*target.isr, lost}
        # Apache Kafka keeps a replica that a completed reassignment has removed. It cannot be elected either way.
        return tuple(sorted(candidates & set(target.replicas)))

    def _elect(
        self, before: PartitionImage, target: PartitionImage, eligible: tuple[int, ...], election: Election
    ) -> _Elected:
        candidates = target.isr or eligible
        if election is Election.PREFERRED:
            order: tuple[int, ...] = (target.replicas[0], before.leader, *target.replicas)
        else:
            order = (before.leader, *target.replicas)
        for broker_id in order:
            if broker_id in candidates and self._can_lead(before, broker_id):
                return _Elected(broker_id, False)
        last = before.last_known_elr
        if self._has_elr and not candidates and len(last) == 1 and self._can_lead(before, last[0]):
            return _Elected(last[0], True)  # no other replica has more records (KIP-966)
        if election is Election.UNCLEAN:
            for broker_id in target.replicas:
                if self._can_lead(before, broker_id):
                    return _Elected(broker_id, True)
        return _Elected(NO_LEADER, False)

    def _can_lead(self, before: PartitionImage, broker_id: int) -> bool:
        """Whether the broker runs, does not stop, and has its replica in a directory that is online."""
        leaving, joining, unclean_shutdown = self._transition
        broker = self._image.brokers.get(broker_id)
        if broker is None or broker_id in (leaving, unclean_shutdown):
            return False
        if broker_id != joining and not broker.is_active:
            return False
        directories = dict(zip(before.replicas, before.directories, strict=False))
        return broker.has_online(directories.get(broker_id, MIGRATING_DIRECTORY))  # an added replica has none yet

    def _note_last_leader(self, record: PartitionChangeRecord, before: PartitionImage) -> None:
        """Remember who led last when nobody does: if everybody else has lost records, it is the one to elect."""
        if not self._has_elr:
            return
        if record.leader == NO_LEADER and not before.last_known_elr and before.leader != NO_LEADER:
            record.last_known_elr = [before.leader]
        elif record.leader >= 0 and before.last_known_elr:
            record.last_known_elr = []


def is_reassigned(partition: PartitionImage) -> bool:
    """Whether its replicas are being changed."""
    return bool(partition.adding_replicas or partition.removing_replicas)


def all_partitions(image: MetadataImage) -> Iterator[tuple[TopicImage, int, PartitionImage]]:
    """Each with its topic and index."""
    for topic in image.topics.values():
        for index, partition in enumerate(topic.partitions):
            yield topic, index, partition


def _completed(target: PartitionImage) -> PartitionImage:
    """The partition after its reassignment, if that is complete: all new replicas, and one that stays, are in sync."""
    if not is_reassigned(target):
        return target
    removing = set(target.removing_replicas)
    replicas = tuple([broker_id for broker_id in target.replicas if broker_id not in removing])
    isr = tuple([broker_id for broker_id in target.isr if broker_id not in removing])
    if not replicas or not isr or not set(target.adding_replicas) <= set(isr):
        return target
    if len(target.adding_replicas) < len(removing) and not set(replicas) <= set(isr):
        # Replicas are taken away: all that stay must be in sync, otherwise fewer copies remain than were asked for.
        return target
    return target._replace(replicas=replicas, isr=isr, adding_replicas=(), removing_replicas=())
