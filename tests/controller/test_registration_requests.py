"""BrokerRegistration, ControllerRegistration, UnregisterController: who may join, and what an incarnation means."""

from __future__ import annotations

import pytest

from kafkapy_controller.broker_transitions import Transition
from kafkapy_controller.features import ELR_FEATURE, KRAFT_VERSION, SUPPORTED_FEATURES
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_controller.partition_changes import TopicRules
from kafkapy_controller.registration_requests import (
    ENTRIES_MAX,
    check_broker_registration,
    decide_controller_registration,
    decide_register_broker,
    decide_start_among_others,
    decide_unregister_controller,
    shutdown_before,
    shutdown_of,
)
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest, Feature, Listener
from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest
from kafkapy_wire.messages.controller_registration import Listener as ControllerListener
from kafkapy_wire.record_formats.metadata import RegisterBrokerRecord
from kafkapy_wire.uuid import ZERO_UUID, Uuid, random_uuid

from .clusters import apply, cluster, directory_of, registration, rules, topic, with_topics

CLUSTER = "the-cluster"


def request(broker_id: int = 1, **fields: object) -> BrokerRegistrationRequest:
    asked = BrokerRegistrationRequest(
        broker_id=broker_id,
        cluster_id=CLUSTER,
        incarnation_id=random_uuid(),
        listeners=[Listener(name="PLAINTEXT", host="host", port=9092)],
        features=[
            Feature(name=name, min_supported_version=low, max_supported_version=high)
            for name, (low, high) in SUPPORTED_FEATURES.items()
        ],
        rack="a",
        log_dirs=[directory_of(broker_id)],
    )
    for name, value in fields.items():
        setattr(asked, name, value)
    return asked


def refusal(image: MetadataImage, asked: BrokerRegistrationRequest, *, has_session: bool = False) -> KafkaError:
    with pytest.raises(KafkaError) as refused:
        check_broker_registration(image, asked, cluster_id=CLUSTER, has_session=has_session)
    return refused.value


def registered(
    image: MetadataImage,
    asked: BrokerRegistrationRequest,
    *,
    version: int = 4,
    topic_rules: TopicRules | None = None,
) -> tuple[int, MetadataImage]:
    checked = check_broker_registration(image, asked, cluster_id=CLUSTER, has_session=False)
    shutdown = shutdown_before(image, asked, version)
    decision = decide_register_broker(image, topic_rules or rules(), checked, shutdown, image.offset + 1)
    return decision.response, apply(image, decision.records)


def test_a_new_broker_is_registered_fenced_with_the_offset_as_its_epoch() -> None:
    image = cluster([])
    epoch, after = registered(image, request(1))
    broker = after.brokers[1]
    assert (broker.epoch, broker.fenced, broker.rack, broker.log_dirs) == (epoch, True, "a", (directory_of(1),))
    assert epoch == after.offset == image.offset + 1
    assert broker.endpoints["PLAINTEXT"][:3] == ("PLAINTEXT", "host", 9092)
    assert dict(broker.features) == dict(SUPPORTED_FEATURES)
    assert broker.cordoned_log_dirs is None


def test_a_broker_of_another_cluster_is_refused() -> None:
    error = refusal(cluster([]), request(cluster_id="other"))
    assert error.code is ErrorCode.INCONSISTENT_CLUSTER_ID
    assert error.message == "Expected cluster ID the-cluster, but got cluster ID other"


def test_an_id_of_a_broker_that_lives_is_refused() -> None:
    image = cluster([1])
    assert refusal(image, request(1), has_session=True).code is ErrorCode.DUPLICATE_BROKER_REGISTRATION
    again = request(1, incarnation_id=image.brokers[1].incarnation_id)
    check_broker_registration(image, again, cluster_id=CLUSTER, has_session=True)
    check_broker_registration(image, request(1), cluster_id=CLUSTER, has_session=False)


def test_a_broker_of_zookeeper_is_refused() -> None:
    assert refusal(cluster([]), request(is_migrating_zk_broker=True)).code is ErrorCode.BROKER_ID_NOT_REGISTERED


@pytest.mark.parametrize(
    ("log_dirs", "message"),
    [
        ([], "No directories specified in request"),
        ([ZERO_UUID], "Reserved directory ID in request"),
        ([directory_of(1), directory_of(1)], "Duplicate directory ID in request"),
    ],
)
def test_log_directories_that_cannot_be(log_dirs: list[Uuid], message: str) -> None:
    error = refusal(cluster([]), request(log_dirs=log_dirs))
    assert (error.code, error.message) == (ErrorCode.INVALID_REGISTRATION, message)
    _, after = registered(cluster([], metadata_version=16), request(log_dirs=log_dirs))
    assert after.brokers[1].log_dirs == (), "the level has no directories"


def test_a_directory_of_another_broker_is_refused() -> None:
    error = refusal(cluster([2]), request(log_dirs=[directory_of(2)]))
    assert error.code is ErrorCode.INVALID_REGISTRATION
    assert error.message is not None
    assert error.message.startswith("Broker 2 is already registered with directory ")


def features(**ranges: tuple[int, int]) -> list[Feature]:
    merged = {**SUPPORTED_FEATURES, **{name.replace("_", "."): range_ for name, range_ in ranges.items()}}
    return [
        Feature(name=name, min_supported_version=low, max_supported_version=high)
        for name, (low, high) in merged.items()
        if high >= 0
    ]


def test_a_broker_must_support_every_finalized_level() -> None:
    image = cluster([])
    error = refusal(image, request(features=features(group_version=(0, 0))))
    assert error.code is ErrorCode.UNSUPPORTED_VERSION
    assert error.message == (
        "Unable to register because the broker does not support finalized version 1 of group.version. The broker wants "
        "a version between 0 and 0, inclusive."
    )
    assert refusal(image, request(features=features(group_version=(0, -1)))).code is ErrorCode.UNSUPPORTED_VERSION
    error = refusal(image, request(features=features(metadata_version=(0, -1))))
    assert error.message == "Request features do not contain 'metadata.version'"
    assert error.code is ErrorCode.INVALID_REGISTRATION
    no_kraft = request(features=[f for f in features() if f.name != KRAFT_VERSION])
    check_broker_registration(image, no_kraft, cluster_id=CLUSTER, has_session=False)
    assert refusal(image._replace(kraft_version=1), no_kraft).code is ErrorCode.UNSUPPORTED_VERSION


def test_what_no_record_can_hold_is_refused() -> None:
    listeners = [Listener(name=str(n), host="host", port=9092) for n in range(ENTRIES_MAX + 1)]
    assert refusal(cluster([]), request(listeners=listeners)).code is ErrorCode.INVALID_REGISTRATION
    odd = [Listener(name="A", host="host", port=9092, security_protocol=9)]
    assert refusal(cluster([]), request(listeners=odd)).code is ErrorCode.INVALID_REGISTRATION


# Incarnations


def test_the_same_incarnation_keeps_its_epoch_and_state() -> None:
    image = cluster([1])
    before = image.brokers[1]
    asked = request(1, incarnation_id=before.incarnation_id, listeners=[Listener(name="A", host="new", port=1)])
    epoch, after = registered(image, asked)
    assert (epoch, after.brokers[1].epoch, after.brokers[1].fenced) == (before.epoch, before.epoch, False)
    assert list(after.brokers[1].endpoints) == ["A"]


def isr(image: MetadataImage) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    partition = image.topics["a"].partitions[0]
    return partition.isr, partition.eligible_leader_replicas, partition.leader


def test_a_broker_that_stopped_in_order_stays_eligible() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1, 2])]))
    asked = request(1, previous_broker_epoch=image.brokers[1].epoch)
    assert shutdown_before(image, asked, 4) is Transition.CLEAN_SHUTDOWN
    _, after = registered(image, asked, topic_rules=rules(min_insync_replicas=2))
    assert isr(after) == ((2,), (1,), 2)
    assert after.brokers[1].fenced


def test_a_broker_that_was_killed_does_not() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1, 2])]))
    two = rules(min_insync_replicas=2)
    for asked, version in (
        (request(1), 4),
        (request(1, previous_broker_epoch=image.brokers[1].epoch - 1), 4),
        (request(1, previous_broker_epoch=image.brokers[1].epoch), 2),  # which has no such field
    ):
        assert shutdown_before(image, asked, version) is Transition.UNCLEAN_SHUTDOWN
        _, after = registered(image, asked, version=version, topic_rules=two)
        assert isr(after) == ((2,), (), 2)
    no_elr = image._replace(features={name: n for name, n in image.features.items() if name != ELR_FEATURE})
    _, after = registered(no_elr, request(1), topic_rules=two)
    assert isr(after) == ((2,), (), 2)


@pytest.mark.parametrize(
    ("told", "ended", "version", "shutdown"),
    [
        (3, 3, 4, Transition.CLEAN_SHUTDOWN),
        (3, 2, 4, Transition.UNCLEAN_SHUTDOWN),
        (-1, -1, 4, Transition.UNCLEAN_SHUTDOWN),
        (3, 3, 2, Transition.UNCLEAN_SHUTDOWN),  # a version without the field
    ],
)
def test_a_run_that_was_never_unfenced_may_have_left_the_marker_of_the_run_before(
    told: int, ended: int, version: int, shutdown: Transition
) -> None:
    asked = request(1, previous_broker_epoch=told)
    assert shutdown_before(cluster([1, 2]), asked, version, ended) is shutdown


def test_the_registration_comes_last_in_its_decision() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1, 2])]))
    checked = check_broker_registration(image, request(1), cluster_id=CLUSTER, has_session=False)
    decision = decide_register_broker(image, rules(), checked, Transition.UNCLEAN_SHUTDOWN, image.offset + 1)
    assert isinstance(decision.records[-1], RegisterBrokerRecord)
    assert len(decision.records) == 2


# A broker in the process of the only controller, while others run


def test_it_is_registered_and_unfenced_at_once_and_its_partitions_are_led_by_others() -> None:
    image = with_topics(cluster([1, 2]), topic("a", assignments=[(0, [1, 2])]), topic("alone", assignments=[(0, [1])]))
    for previous_epoch, eligible in ((image.brokers[1].epoch, (1,)), (-1, ())):
        shutdown = shutdown_of(image, 1, previous_epoch)
        decision = decide_start_among_others(
            image, rules(min_insync_replicas=2), registration(1), shutdown, image.offset + 1
        )
        after = apply(image, decision.records)
        assert (after.brokers[1].epoch, after.brokers[1].fenced) == (decision.response, False)
        assert isr(after) == ((2,), eligible, 2)
        alone = after.topics["alone"].partitions[0]
        assert (alone.leader, alone.isr) == (1, (1,))
        assert alone.leader_recovery_state == (0 if eligible else 1), "its last records may be lost"


# Controllers


def test_a_controller_registers_again_and_again() -> None:
    asked = ControllerRegistrationRequest(
        controller_id=3001,
        incarnation_id=random_uuid(),
        listeners=[ControllerListener(name="CONTROLLER", host="host", port=9093)],
    )
    image = cluster([])
    for host in ("host", "other"):
        asked.listeners[0].host = host
        image = apply(image, decide_controller_registration(image, asked).records)
        assert image.controllers[3001].endpoints["CONTROLLER"].host == host
    asked.listeners[0].security_protocol = 9
    with pytest.raises(KafkaError) as refused:
        decide_controller_registration(image, asked)
    assert refused.value.code is ErrorCode.INVALID_REGISTRATION
    older = image._replace(features={METADATA_VERSION: 14})
    with pytest.raises(KafkaError) as refused:
        decide_controller_registration(older, asked)
    assert refused.value.code is ErrorCode.UNSUPPORTED_VERSION


def test_a_controller_is_unregistered_by_another() -> None:
    asked = ControllerRegistrationRequest(controller_id=3001, incarnation_id=random_uuid())
    image = cluster([])
    image = apply(image, decide_controller_registration(image, asked).records)
    after = apply(image, decide_unregister_controller(image, 3001, 3000).records)
    assert after.controllers == {}
    for of, controller_id, code in (
        (image, 3000, ErrorCode.INVALID_REQUEST),
        (image, 9, ErrorCode.CONTROLLER_ID_NOT_REGISTERED),
        (image._replace(features={METADATA_VERSION: 32}), 3001, ErrorCode.UNSUPPORTED_VERSION),
    ):
        with pytest.raises(KafkaError) as refused:
            decide_unregister_controller(of, controller_id, 3000)
        assert refused.value.code is code
