"""Registrations of brokers and controllers, and the elections when a broker starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kafkapy_controller.broker_transitions import (
    FENCE,
    UNFENCE,
    PartitionKey,
    Transition,
    partition_records,
    partitions_of,
)
from kafkapy_controller.decision import Decision
from kafkapy_controller.features import ELR_FEATURE, KRAFT_VERSION
from kafkapy_controller.image import (
    NO_LEADER,
    Endpoint,
    LeaderRecoveryState,
    MetadataImage,
    PartitionImage,
)
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import (
    CONTROLLER_REGISTRATION,
    CONTROLLER_UNREGISTRATION,
    CORDONED_LOG_DIRS,
    DIRECTORY_ASSIGNMENT,
    METADATA_VERSION,
)
from kafkapy_controller.partition_changes import TopicRules, all_partitions
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest
from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest
from kafkapy_wire.record_formats.metadata import (
    BrokerEndpoint,
    BrokerFeature,
    BrokerRegistrationChangeRecord,
    ControllerEndpoint,
    ControllerFeature,
    PartitionChangeRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    UnregisterControllerRecord,
)
from kafkapy_wire.uuid import Uuid, uuid_text

FIRST_VERSION_WITH_PREVIOUS_EPOCH = 3
"""Of BrokerRegistration. A broker that sends an older one cannot say that it has stopped in order."""

ENTRIES_MAX = 1_000
"""Listeners, features and log directories of one node. Its record must stay far below what a follower can fetch."""

SECURITY_PROTOCOLS = range(4)
"""0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL."""


class NodeRegistration(NamedTuple):
    """The registration that a node sends when it starts. `endpoints` are advertised ones."""

    node_id: int
    incarnation_id: Uuid
    endpoints: Sequence[Endpoint]
    features: Mapping[str, tuple[int, int]]
    rack: str | None = None
    log_dirs: Sequence[Uuid] = ()

    @classmethod
    def of_broker(cls, request: BrokerRegistrationRequest) -> NodeRegistration:
        return cls(
            node_id=request.broker_id,
            incarnation_id=request.incarnation_id,
            endpoints=[Endpoint(e.name, e.host, e.port, e.security_protocol) for e in request.listeners],
            features={f.name: (f.min_supported_version, f.max_supported_version) for f in request.features},
            rack=request.rack,
            log_dirs=request.log_dirs,
        )

    @classmethod
    def of_controller(cls, request: ControllerRegistrationRequest) -> NodeRegistration:
        return cls(
            node_id=request.controller_id,
            incarnation_id=request.incarnation_id,
            endpoints=[Endpoint(e.name, e.host, e.port, e.security_protocol) for e in request.listeners],
            features={f.name: (f.min_supported_version, f.max_supported_version) for f in request.features},
        )


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


def decide_controller_registration(image: MetadataImage, request: ControllerRegistrationRequest) -> Decision[None]:
    """As `decide_register_controller`, asked for by another node.

    Raises KafkaError: UNSUPPORTED_VERSION, INVALID_REGISTRATION.
    """
    if image.metadata_version < CONTROLLER_REGISTRATION:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            "The current MetadataVersion is too old to support controller registrations.",
        )
    registration = NodeRegistration.of_controller(request)
    _check_entries(registration)
    return decide_register_controller(image, registration)


def decide_unregister_controller(image: MetadataImage, controller_id: int, active_id: int) -> Decision[None]:
    """Remove the registration of a controller that will not return; `active_id` is this controller's.

    Raises KafkaError: INVALID_REQUEST, UNSUPPORTED_VERSION, CONTROLLER_ID_NOT_REGISTERED.
    """
    if controller_id == active_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Controller cannot unregister itself while it is active.")
    if image.metadata_version < CONTROLLER_UNREGISTRATION:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            "The current MetadataVersion is too old to support controller unregistration.",
        )
    if controller_id not in image.controllers:
        raise KafkaError(
            ErrorCode.CONTROLLER_ID_NOT_REGISTERED, f"Controller ID {controller_id} is not currently registered."
        )
    return Decision([UnregisterControllerRecord(controller_id=controller_id)], None)


# Brokers


def check_broker_registration(
    image: MetadataImage, request: BrokerRegistrationRequest, *, cluster_id: str, has_session: bool
) -> NodeRegistration:
    """The registration that the request asks for.

    `has_session`: the broker that is registered with the id is alive. Raises KafkaError: INCONSISTENT_CLUSTER_ID,
    DUPLICATE_BROKER_REGISTRATION, BROKER_ID_NOT_REGISTERED, INVALID_REGISTRATION, UNSUPPORTED_VERSION. The order of the
    checks is Apache Kafka's.
    """
    if request.cluster_id != cluster_id:
        raise KafkaError(
            ErrorCode.INCONSISTENT_CLUSTER_ID,
            f"Expected cluster ID {cluster_id}, but got cluster ID {request.cluster_id}",
        )
    existing = image.brokers.get(request.broker_id)
    if existing is not None and has_session and existing.incarnation_id != request.incarnation_id:
        raise KafkaError(
            ErrorCode.DUPLICATE_BROKER_REGISTRATION,
            "Another broker is registered with that broker id. If the broker was recently restarted this should "
            "self-resolve once the heartbeat manager expires the broker's session.",
        )
    if request.is_migrating_zk_broker:
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, "Controller does not support registering ZK brokers.")
    registration = NodeRegistration.of_broker(request)
    _check_entries(registration)
    if image.metadata_version >= DIRECTORY_ASSIGNMENT:
        _check_directories(image, registration)
    _check_features(image, registration)
    return registration


def _check_entries(registration: NodeRegistration) -> None:
    """What Apache Kafka's controller would fail on (it then answers UNKNOWN_SERVER_ERROR and resigns)."""
    for count, what in (
        (len(registration.endpoints), "listeners"),
        (len(registration.features), "features"),
        (len(registration.log_dirs), "log directories"),
    ):
        if count > ENTRIES_MAX:
            raise KafkaError(
                ErrorCode.INVALID_REGISTRATION, f"The request has {count} {what}, more than {ENTRIES_MAX}."
            )
    for endpoint in registration.endpoints:
        if endpoint.security_protocol not in SECURITY_PROTOCOLS:
            raise KafkaError(
                ErrorCode.INVALID_REGISTRATION,
                f"Unknown security protocol {endpoint.security_protocol} in listener {endpoint.name}",
            )


def _check_directories(image: MetadataImage, registration: NodeRegistration) -> None:
    code = ErrorCode.INVALID_REGISTRATION
    if not registration.log_dirs:
        raise KafkaError(code, "No directories specified in request")
    if any(_is_reserved(directory) for directory in registration.log_dirs):
        raise KafkaError(code, "Reserved directory ID in request")
    if len(set(registration.log_dirs)) != len(registration.log_dirs):
        raise KafkaError(code, "Duplicate directory ID in request")
    owners = {
        directory: broker.broker_id
        for broker in image.brokers.values()
        if broker.broker_id != registration.node_id
        for directory in broker.log_dirs
    }
    for directory in registration.log_dirs:
        if directory in owners:
            raise KafkaError(
                code, f"Broker {owners[directory]} is already registered with directory {uuid_text(directory)}"
            )


def _is_reserved(directory: Uuid) -> bool:
    """Whether KIP-858 keeps the id for itself: the first hundred."""
    return int.from_bytes(directory, "big") < 100


def _check_features(image: MetadataImage, registration: NodeRegistration) -> None:
    finalized = {**image.features, KRAFT_VERSION: image.kraft_version}
    for name, (low, high) in registration.features.items():
        _check_range(name, finalized.get(name, 0), low, high)
    if METADATA_VERSION not in registration.features:
        raise KafkaError(ErrorCode.INVALID_REGISTRATION, "Request features do not contain 'metadata.version'")
    for name, level in finalized.items():
        if level and name not in registration.features:
            _check_range(name, level, 0, 0)


def _check_range(name: str, level: int, low: int, high: int) -> None:
    if not low <= level <= high:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            f"Unable to register because the broker does not support finalized version {level} of {name}. The broker "
            f"wants a version between {low} and {high}, inclusive.",
        )


def shutdown_before(image: MetadataImage, request: BrokerRegistrationRequest, version: int) -> Transition | None:
    """How the former incarnation of the broker has ended; None: it has not, this is the same one.

    `version` is the request's.
    """
    existing = image.brokers.get(request.broker_id)
    if existing is not None and existing.incarnation_id == request.incarnation_id:
        return None
    if not image.features.get(ELR_FEATURE, 0):
        return Transition.CLEAN_SHUTDOWN
    is_clean = (
        version >= FIRST_VERSION_WITH_PREVIOUS_EPOCH
        and existing is not None
        and request.previous_broker_epoch == existing.epoch
    )
    return Transition.CLEAN_SHUTDOWN if is_clean else Transition.UNCLEAN_SHUTDOWN


def decide_register_broker(
    image: MetadataImage,
    rules: TopicRules,
    registration: NodeRegistration,
    shutdown: Transition | None,
    next_offset: int,
    keys: Iterable[PartitionKey] | None = None,
) -> Decision[int]:
    """Register a broker that `check_broker_registration` has let pass; the response is its broker epoch.

    A new incarnation is fenced until its heartbeats say that it has caught up, and is taken out of the ISRs that the
    former one was in; `keys` are the partitions that may still have to change for that, None: all of the broker.
    The same incarnation keeps its epoch and its state.
    """
    existing = image.brokers.get(registration.node_id)
    if shutdown is None:
        assert existing is not None, registration
        record = _broker_record(image, registration, existing.epoch)
        record.fenced, record.in_controlled_shutdown = existing.fenced, existing.in_controlled_shutdown
        return Decision([record], existing.epoch)
    if keys is None:
        keys = partitions_of(image, registration.node_id, shutdown)
    records = partition_records(image, rules, registration.node_id, shutdown, keys)
    return Decision([*records, _broker_record(image, registration, next_offset)], next_offset)


def _broker_record(image: MetadataImage, registration: NodeRegistration, broker_epoch: int) -> RegisterBrokerRecord:
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


# The only broker of a cluster, beside its controller


def decide_start_broker(image: MetadataImage, registration: NodeRegistration, next_offset: int) -> Decision[int]:
    """Register a broker that starts, unfence it, and make it leader where possible; the response is its broker epoch.

    For a cluster with one broker, beside its only controller. In general there are three steps (BrokerRegistration,
    heartbeats until the broker has caught up, then unfencing); this broker has caught up from the start, and nobody
    else can lead its partitions, so that it keeps them even if it was killed. The broker epoch is the registration's
    own offset, `next_offset`, so that no two registrations share one.
    """
    registered = _broker_record(image, registration, next_offset)
    if image.metadata_version >= CORDONED_LOG_DIRS:
        registered.cordoned_log_dirs = []  # otherwise the broker's first heartbeat says it
    unfenced = BrokerRegistrationChangeRecord(broker_id=registration.node_id, broker_epoch=next_offset, fenced=UNFENCE)
    elections = [
        change
        for topic, index, partition in all_partitions(image)
        if (change := _elect(topic.topic_id, index, partition, registration.node_id)) is not None
    ]
    records: list[MetadataRecord] = [registered, unfenced, *elections]
    return Decision(records, next_offset)


def decide_stop_broker(image: MetadataImage, broker_id: int) -> Decision[None]:
    """Fence the only broker at its clean stop.

    Otherwise an Apache Kafka that starts on the directory next takes the broker for alive and refuses its
    registration until the session has timed out. Its partitions keep it as leader: with no other broker there is nobody
    to take over, and `decide_start_broker` raises their epochs.
    """
    broker = image.brokers.get(broker_id)
    if broker is None or broker.fenced:
        return Decision([], None)
    record = BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.epoch, fenced=FENCE)
    return Decision([record], None)


def _elect(topic_id: Uuid, index: int, partition: PartitionImage, broker_id: int) -> PartitionChangeRecord | None:
    """Make the broker leader of partitions that it led when it stopped, and of those without a leader that it may lead.

    The leader epoch rises even if the leader stays: unflushed records of the last run may be lost, and a follower or
    consumer notices that only by the epoch (KIP-101, KIP-320).
    """
    if partition.leader not in (broker_id, NO_LEADER) or broker_id not in partition.replicas:
        return None
    change = PartitionChangeRecord(partition_id=index, topic_id=topic_id, leader=broker_id)
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
