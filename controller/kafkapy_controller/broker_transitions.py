"""What becomes of partitions when a broker is fenced, unfenced, stops or is unregistered.

A broker may have a replica of every partition of the cluster, so each transition has two parts: the partitions that it
changes, by key, and the records of some of these partitions. A caller that has few partitions puts all records into one
decision; one that has many decides some at a time, and the registration's own record with the last of them. Then a
controller that takes over in between finds the transition not done, and begins it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto

from kafkapy_controller.decision import Decision
from kafkapy_controller.image import NO_LEADER, BrokerImage, MetadataImage, PartitionImage, TopicImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import CORDONED_LOG_DIRS, DIRECTORY_ASSIGNMENT
from kafkapy_controller.partition_changes import BrokerTransition, PartitionChanges, TopicRules, all_partitions
from kafkapy_controller.registration import FENCE, UNFENCE
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import BrokerRegistrationChangeRecord, UnregisterBrokerRecord
from kafkapy_wire.uuid import Uuid

IN_CONTROLLED_SHUTDOWN = 1

PartitionKey = tuple[Uuid, int]
"""(topic id, partition index)"""


class Transition(Enum):
    """What happens to a broker."""

    FENCING = auto()
    UNFENCING = auto()
    CONTROLLED_SHUTDOWN = auto()
    CLEAN_SHUTDOWN = auto()
    """Its earlier incarnation had stopped in order: everything that it acknowledged is on its disk."""
    UNCLEAN_SHUTDOWN = auto()
    """Its earlier incarnation was killed: its logs may have lost their last records."""
    UNREGISTERING = auto()


def check_broker_epoch(image: MetadataImage, broker_id: int, broker_epoch: int) -> BrokerImage:
    """The registration of the broker. Raises KafkaError STALE_BROKER_EPOCH: it has another epoch, or there is none."""
    broker = image.brokers.get(broker_id)
    if broker is None:
        raise KafkaError(ErrorCode.STALE_BROKER_EPOCH, f"No broker registration found for broker id {broker_id}")
    if broker.epoch != broker_epoch:
        raise KafkaError(
            ErrorCode.STALE_BROKER_EPOCH, f"Expected broker epoch {broker.epoch}, but got broker epoch {broker_epoch}"
        )
    return broker


def leads_partitions(image: MetadataImage, broker_id: int) -> bool:
    return any(partition.leader == broker_id for _, _, partition in all_partitions(image))


def partitions_of(image: MetadataImage, broker_id: int, transition: Transition) -> list[PartitionKey]:
    """The partitions that the transition may change."""
    if transition is Transition.UNFENCING:
        return [(topic.topic_id, index) for topic, index, p in all_partitions(image) if p.leader == NO_LEADER]
    if transition is Transition.UNCLEAN_SHUTDOWN:
        return [
            (topic.topic_id, index)
            for topic, index, p in all_partitions(image)
            if broker_id in p.isr or broker_id in p.eligible_leader_replicas
        ]
    return [(topic.topic_id, index) for topic, index, p in all_partitions(image) if broker_id in p.isr]


def partition_records(
    image: MetadataImage, rules: TopicRules, broker_id: int, transition: Transition, keys: Iterable[PartitionKey]
) -> list[MetadataRecord]:
    """The records of these partitions. Partitions that no longer exist are passed over."""
    if transition is Transition.UNFENCING:
        changes = PartitionChanges(image, rules, BrokerTransition(joining=broker_id))
        targets = ((topic, index, p) for topic, index, p in _found(image, keys) if p.leader == NO_LEADER)
    else:
        is_unclean = transition is Transition.UNCLEAN_SHUTDOWN
        changes = PartitionChanges(
            image,
            rules,
            BrokerTransition(unclean_shutdown=broker_id) if is_unclean else BrokerTransition(leaving=broker_id),
        )
        targets = ((topic, index, _without(p, broker_id)) for topic, index, p in _found(image, keys))
    records = (changes.record(topic, index, target) for topic, index, target in targets)
    return [record for record in records if record is not None]


def registration_records(image: MetadataImage, broker_id: int, transition: Transition) -> list[MetadataRecord]:
    """The record of the registration itself, if it is not as the transition wants it.

    There is none for a shutdown, as the next registration makes it known.
    """
    broker = image.brokers[broker_id]
    change = BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.epoch)
    match transition:
        case Transition.FENCING if not broker.fenced:
            change.fenced = FENCE
        case Transition.UNFENCING if broker.fenced:
            change.fenced = UNFENCE
        case Transition.CONTROLLED_SHUTDOWN if not broker.in_controlled_shutdown:
            change.in_controlled_shutdown = IN_CONTROLLED_SHUTDOWN
        case Transition.UNREGISTERING:
            return [UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=broker.epoch)]
        case _:
            return []
    return [change]


COMES_BEFORE_ITS_PARTITIONS = (Transition.UNFENCING, Transition.CONTROLLED_SHUTDOWN)
"""Transitions whose registration record stands before the records of the partitions.

The order of the others is the safe one for a controller that fails in between: a broker that is to be fenced stays
unfenced, and is fenced by the next controller, as long as partitions are left that it leads.
"""


def decide_transition(
    image: MetadataImage,
    rules: TopicRules,
    broker_id: int,
    transition: Transition,
    keys: Iterable[PartitionKey] | None = None,
) -> Decision[None]:
    """The whole transition, or the part of it that remains: `keys` are the partitions that may still change."""
    registration = registration_records(image, broker_id, transition)
    if keys is None:
        keys = partitions_of(image, broker_id, transition)
    partitions = partition_records(image, rules, broker_id, transition, keys)
    if transition in COMES_BEFORE_ITS_PARTITIONS:
        return Decision(registration + partitions, None)
    return Decision(partitions + registration, None)


def check_is_registered(image: MetadataImage, broker_id: int) -> BrokerImage:
    """The registration of the broker. Raises KafkaError BROKER_ID_NOT_REGISTERED."""
    broker = image.brokers.get(broker_id)
    if broker is None:
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, f"Broker ID {broker_id} is not currently registered")
    return broker


# Log directories of a broker that runs


def partitions_in_directories(image: MetadataImage, directories: Iterable[Uuid]) -> list[PartitionKey]:
    """The partitions with a replica in one of these log directories."""
    wanted = set(directories)
    return [
        (topic.topic_id, index) for topic, index, p in all_partitions(image) if not wanted.isdisjoint(p.directories)
    ]


def failed_directories(image: MetadataImage, broker: BrokerImage, offline: Iterable[Uuid]) -> list[Uuid]:
    """Those of the offline directories that the registration still names."""
    if image.metadata_version < DIRECTORY_ASSIGNMENT:
        return []
    named = set(offline)
    return [directory for directory in broker.log_dirs if directory in named]


def directory_records(
    image: MetadataImage, broker: BrokerImage, failed: Iterable[Uuid], cordoned: Iterable[Uuid] | None
) -> list[MetadataRecord]:
    """The registration without the failed directories, and with another set of cordoned ones (None: as they are).

    The partitions in a failed directory change before; see `partitions_in_directories`.
    """
    records: list[MetadataRecord] = []
    gone = set(failed)
    if gone:
        records.append(
            BrokerRegistrationChangeRecord(
                broker_id=broker.broker_id,
                broker_epoch=broker.epoch,
                log_dirs=[directory for directory in broker.log_dirs if directory not in gone],
            )
        )
    if cordoned is not None and image.metadata_version >= CORDONED_LOG_DIRS:
        wanted = list(cordoned)
        if broker.cordoned_log_dirs is None or set(broker.cordoned_log_dirs) != set(wanted):
            records.append(
                BrokerRegistrationChangeRecord(
                    broker_id=broker.broker_id, broker_epoch=broker.epoch, cordoned_log_dirs=wanted
                )
            )
    return records


def _found(image: MetadataImage, keys: Iterable[PartitionKey]) -> Iterator[tuple[TopicImage, int, PartitionImage]]:
    for topic_id, index in keys:
        topic = image.topics_by_id.get(topic_id)
        if topic is not None and index < len(topic.partitions):
            yield topic, index, topic.partitions[index]


def _without(partition: PartitionImage, broker_id: int) -> PartitionImage:
    """The partition without the broker in its ISR. The builder of its record says whether the ISR may become empty."""
    return partition._replace(isr=tuple([other for other in partition.isr if other != broker_id]))
