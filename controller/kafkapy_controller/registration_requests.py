"""Nodes that register: whether they may, and what a new incarnation of a broker means for its partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sized

from kafkapy_controller.broker_transitions import (
    PartitionKey,
    Transition,
    decide_transition,
    partition_records,
    partitions_of,
)
from kafkapy_controller.decision import Decision
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.features import ELR_FEATURE, KRAFT_VERSION
from kafkapy_controller.image import Endpoint, MetadataImage
from kafkapy_controller.metadata_version import (
    CONTROLLER_REGISTRATION,
    CONTROLLER_UNREGISTRATION,
    DIRECTORY_ASSIGNMENT,
    METADATA_VERSION,
)
from kafkapy_controller.partition_changes import TopicRules
from kafkapy_controller.registration import NodeRegistration, broker_record, decide_register_controller
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest
from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest
from kafkapy_wire.record_formats.metadata import UnregisterControllerRecord
from kafkapy_wire.uuid import Uuid, uuid_text

NO_EPOCH = -1
FIRST_VERSION_WITH_PREVIOUS_EPOCH = 3
"""Of BrokerRegistration. A broker that sends an older one cannot say that it has stopped in order."""

ENTRIES_MAX = 1_000
"""Listeners, features and log directories of one node. Its record must stay far below what a follower can fetch."""

SECURITY_PROTOCOLS = range(4)
"""0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL."""


# Controllers


def decide_controller_registration(image: MetadataImage, request: ControllerRegistrationRequest) -> Decision[None]:
    """As `decide_register_controller`, asked for by another node.

    Raises KafkaError: UNSUPPORTED_VERSION, INVALID_REGISTRATION.
    """
    if image.metadata_version < CONTROLLER_REGISTRATION:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "The version of API is not supported.")
    _check_counts(listeners=request.listeners, features=request.features)
    registration = _of_controller(request)
    _check_protocols(registration)
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

    `has_session`: the broker that is registered with the id is alive, as far as its heartbeats tell. One that shows by
    its shutdown marker that it is this broker's next run, and that the last one has ended, need not wait for the end of
    the session, as it has to with Apache Kafka: a rolling restart is faster by a session for each node.

    Raises KafkaError: INCONSISTENT_CLUSTER_ID, DUPLICATE_BROKER_REGISTRATION, BROKER_ID_NOT_REGISTERED,
    INVALID_REGISTRATION, UNSUPPORTED_VERSION. The order of the checks is Apache Kafka's.
    """
    if request.cluster_id != cluster_id:
        raise KafkaError(
            ErrorCode.INCONSISTENT_CLUSTER_ID,
            f"Expected cluster ID {cluster_id}, but got cluster ID {request.cluster_id}",
        )
    existing = image.brokers.get(request.broker_id)
    if (
        existing is not None
        and has_session
        and existing.incarnation_id != request.incarnation_id
        and existing.epoch != request.previous_broker_epoch
    ):
        raise KafkaError(
            ErrorCode.DUPLICATE_BROKER_REGISTRATION,
            "Another broker is registered with that broker id. If the broker was recently restarted this should "
            "self-resolve once the heartbeat manager expires the broker's session.",
        )
    if request.is_migrating_zk_broker:
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, "Controller does not support registering ZK brokers.")
    _check_counts(listeners=request.listeners, features=request.features, log_directories=request.log_dirs)
    registration = _of_broker(request)
    _check_protocols(registration)
    if image.metadata_version >= DIRECTORY_ASSIGNMENT:
        _check_directories(image, registration)
    _check_features(image, registration)
    return registration


def _check_counts(**entries: Sized) -> None:
    """Before anything is made of them. Raises KafkaError INVALID_REGISTRATION."""
    for what, listed in entries.items():
        if len(listed) > ENTRIES_MAX:
            raise KafkaError(
                ErrorCode.INVALID_REGISTRATION,
                f"The request has {len(listed)} {what.replace('_', ' ')}, more than {ENTRIES_MAX}.",
            )


def _check_protocols(registration: NodeRegistration) -> None:
    """What Apache Kafka's controller would fail on (it then answers UNKNOWN_SERVER_ERROR and resigns)."""
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


def shutdown_before(
    image: MetadataImage, request: BrokerRegistrationRequest, version: int, ended_epoch: int = NO_EPOCH
) -> Transition | None:
    """How the former incarnation of the broker has ended; None: it has not, this is the same one.

    `version` is the request's. `ended_epoch`: the former incarnation, which was never unfenced, has found that the one
    before it had ended in order in that epoch. If its disk still says so, it has ended in order itself, before it heard
    that it was registered. Apache Kafka takes that for a crash, after which the broker may not lead.
    """
    existing = image.brokers.get(request.broker_id)
    if existing is not None and existing.incarnation_id == request.incarnation_id:
        return None
    has_previous_epoch = version >= FIRST_VERSION_WITH_PREVIOUS_EPOCH
    previous_epoch = request.previous_broker_epoch if has_previous_epoch else NO_EPOCH
    if previous_epoch == ended_epoch != NO_EPOCH:
        return Transition.CLEAN_SHUTDOWN
    return shutdown_of(image, request.broker_id, previous_epoch)


def shutdown_of(image: MetadataImage, broker_id: int, previous_epoch: int) -> Transition:
    """How the broker's last incarnation has ended, if its disk says that it has stopped in order in that epoch."""
    existing = image.brokers.get(broker_id)
    is_clean = existing is not None and previous_epoch == existing.epoch
    if is_clean or not image.features.get(ELR_FEATURE, 0):
        return Transition.CLEAN_SHUTDOWN
    return Transition.UNCLEAN_SHUTDOWN


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
        record = broker_record(image, registration, existing.epoch)
        record.fenced, record.in_controlled_shutdown = existing.fenced, existing.in_controlled_shutdown
        return Decision([record], existing.epoch)
    if keys is None:
        keys = partitions_of(image, registration.node_id, shutdown)
    records = partition_records(image, rules, registration.node_id, shutdown, keys)
    return Decision([*records, broker_record(image, registration, next_offset)], next_offset)


def decide_start_among_others(
    image: MetadataImage, rules: TopicRules, registration: NodeRegistration, shutdown: Transition, next_offset: int
) -> Decision[int]:
    """Register and unfence a broker in the process of the only controller, while other brokers run.

    It has caught up from the start, so that this is one decision. `shutdown` says how it has stopped. The response is
    its broker epoch, `next_offset`.
    """
    registered = decide_register_broker(image, rules, registration, shutdown, next_offset)
    delta = MetadataDelta(image)
    for record in registered.records:
        delta.replay(record)
    after = delta.apply(next_offset + len(registered.records) - 1, image.epoch)
    unfenced = decide_transition(after, rules, registration.node_id, Transition.UNFENCING)
    return Decision([*registered.records, *unfenced.records], next_offset)


def _of_broker(request: BrokerRegistrationRequest) -> NodeRegistration:
    return NodeRegistration(
        node_id=request.broker_id,
        incarnation_id=request.incarnation_id,
        endpoints=[Endpoint(e.name, e.host, e.port, e.security_protocol) for e in request.listeners],
        features={f.name: (f.min_supported_version, f.max_supported_version) for f in request.features},
        rack=request.rack,
        log_dirs=request.log_dirs,
    )


def _of_controller(request: ControllerRegistrationRequest) -> NodeRegistration:
    return NodeRegistration(
        node_id=request.controller_id,
        incarnation_id=request.incarnation_id,
        endpoints=[Endpoint(e.name, e.host, e.port, e.security_protocol) for e in request.listeners],
        features={f.name: (f.min_supported_version, f.max_supported_version) for f in request.features},
    )
