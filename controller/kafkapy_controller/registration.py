"""Registrations of brokers and controllers, and the elections when a broker starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kafkapy_controller import image_records
from kafkapy_controller.decision import Decision
from kafkapy_controller.image import (
    MIGRATING_DIRECTORY,
    NO_LEADER,
    UNASSIGNED_DIRECTORY,
    BrokerImage,
    Endpoint,
    LeaderRecoveryState,
    MetadataImage,
    PartitionImage,
)
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import (
    CONTROLLER_REGISTRATION,
    CORDONED_LOG_DIRS,
    DIRECTORY_ASSIGNMENT,
)
from kafkapy_wire.record_formats.metadata import (
    BrokerEndpoint,
    BrokerFeature,
    BrokerRegistrationChangeRecord,
    ControllerEndpoint,
    ControllerFeature,
    PartitionChangeRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
)
from kafkapy_wire.uuid import Uuid

FENCE = 1
UNFENCE = -1


class NodeRegistration(NamedTuple):
    """The registration that a node sends when it starts. `endpoints` are advertised ones."""

    node_id: int
    incarnation_id: Uuid
    endpoints: Sequence[Endpoint]
    features: Mapping[str, tuple[int, int]]
    rack: str | None = None
    log_dirs: Sequence[Uuid] = ()
    has_failed_dirs: bool = False
    """Of a broker: a log directory is offline, so that replicas which are in none of `log_dirs` cannot serve."""


# Controllers


def decide_register_controller(image: MetadataImage, registration: NodeRegistration) -> Decision[None]:
    """Register a controller; no records if metadata.version has none for it."""
    if image.metadata_version < CONTROLLER_REGISTRATION:
        return Decision([], None)
    record = RegisterControllerRecord(
        controller_id=registration.node_id,
        incarnation_id=registration.incarnation_id,
        zk_migration_ready=False,
        end_points=[
            ControllerEndpoint(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for e in registration.endpoints
        ],
        features=[
            ControllerFeature(name=name, min_supported_version=low, max_supported_version=high)
            for name, (low, high) in registration.features.items()
        ],
    )
    return Decision([record], None)


# Brokers


def broker_record(image: MetadataImage, registration: NodeRegistration, broker_epoch: int) -> RegisterBrokerRecord:
    """Of its log directories the record says what the level of metadata.version can say."""
    return RegisterBrokerRecord(
        broker_id=registration.node_id,
        incarnation_id=registration.incarnation_id,
        broker_epoch=broker_epoch,
        end_points=[
            BrokerEndpoint(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for e in registration.endpoints
        ],
        features=[
            BrokerFeature(name=name, min_supported_version=low, max_supported_version=high)
            for name, (low, high) in registration.features.items()
        ],
        rack=registration.rack,
        fenced=True,
        log_dirs=list(registration.log_dirs) if image.metadata_version >= DIRECTORY_ASSIGNMENT else [],
    )


# The only broker of a cluster, in the process of the only controller


def has_other_brokers(image: MetadataImage, broker_id: int) -> bool:
    """Whether another broker runs, as far as is known."""
    return any(not broker.fenced for broker in image.brokers.values() if broker.broker_id != broker_id)


def decide_start_broker(image: MetadataImage, registration: NodeRegistration, next_offset: int) -> Decision[int]:
    """Register a broker that starts, unfence it, and make it leader where possible; the response is its broker epoch.

    In general there are three steps (BrokerRegistration, heartbeats until the broker has caught up, then unfencing);
    this broker has caught up from the start, and nobody else can lead its partitions, so that it keeps them even if it
    was killed. The broker epoch is the registration's own offset, `next_offset`, so that no two share one.
    """
    registered = broker_record(image, registration, next_offset)
    if image.metadata_version >= CORDONED_LOG_DIRS:
        registered.cordoned_log_dirs = []  # otherwise the broker's first heartbeat says it
    unfenced = BrokerRegistrationChangeRecord(broker_id=registration.node_id, broker_epoch=next_offset, fenced=UNFENCE)
    elections = [
        change
        for topic in image.topics.values()
        for index, partition in enumerate(topic.partitions)
        if (change := _elect(topic.topic_id, index, partition, registration)) is not None
    ]
    records: list[MetadataRecord] = [registered, unfenced, *elections]
    return Decision(records, next_offset)


def decide_change_registration(
    image: MetadataImage, broker_id: int, change: Callable[[BrokerImage], BrokerImage]
) -> Decision[None]:
    """Register the broker with other endpoints, or in another rack; its epoch, and whatever it leads, stay."""
    broker = image.brokers.get(broker_id)
    if broker is None or (changed := change(broker)) == broker:
        return Decision([], None)
    return Decision([image_records.broker_record(changed, image.metadata_version)], None)


def decide_stop_broker(image: MetadataImage, broker_id: int) -> Decision[None]:
    """Fence the broker at its clean stop.

    Otherwise an Apache Kafka that starts on the directory next takes the broker for alive and refuses its
    registration until the session has timed out. Its partitions keep it as leader: with no other broker there is nobody
    to take over, and `decide_start_broker` raises their epochs.
    """
    broker = image.brokers.get(broker_id)
    if broker is None or broker.fenced:
        return Decision([], None)
    record = BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.epoch, fenced=FENCE)
    return Decision([record], None)


def _elect(
    topic_id: Uuid, index: int, partition: PartitionImage, registration: NodeRegistration
) -> PartitionChangeRecord | None:
    """Make the broker leader of partitions that it led when it stopped, and of those without a leader that it may lead.

    The leader epoch rises even if the leader stays: unflushed records of the last run may be lost, and a follower or
    consumer notices that only by the epoch (KIP-101, KIP-320). A replica in a directory that is offline does not lead.
    """
    broker_id = registration.node_id
    if partition.leader not in (broker_id, NO_LEADER) or broker_id not in partition.replicas:
        return None
    change = PartitionChangeRecord(partition_id=index, topic_id=topic_id, leader=broker_id)
    if registration.has_failed_dirs and not _is_online(partition, registration):
        change.leader = NO_LEADER
        return None if partition.leader == NO_LEADER else change
    if broker_id in partition.isr:
        return change
    # Nobody is in sync. A broker of the ELR has all that was committed (KIP-966), so that it can lead; the last one
    # known to have led may have lost records, but there is nobody better, and it says so.
    if broker_id in partition.eligible_leader_replicas:
        change.eligible_leader_replicas = [b for b in partition.eligible_leader_replicas if b != broker_id]
    elif not partition.isr and not partition.eligible_leader_replicas and partition.last_known_elr == (broker_id,):
        change.leader_recovery_state = LeaderRecoveryState.RECOVERING
    else:
        return None
    change.isr = [broker_id]
    change.last_known_elr = []
    return change


def _is_online(partition: PartitionImage, registration: NodeRegistration) -> bool:
    directories = dict(zip(partition.replicas, partition.directories, strict=False))
    directory = directories[registration.node_id]
    return directory in registration.log_dirs or directory in (MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY)
