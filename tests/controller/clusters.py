"""Images to decide on, and requests, built with defaults so that every option a test sets matters to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from kafkapy_controller.bootstrap import feature_records
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.features import SUPPORTED_FEATURES, features_of_new_cluster
from kafkapy_controller.image import EMPTY_IMAGE, Endpoint, MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import LATEST_METADATA_VERSION
from kafkapy_controller.partition_changes import TopicRules
from kafkapy_controller.registration import NodeRegistration, decide_start_broker
from kafkapy_controller.topics import TopicCreation, decide_create_topics
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreatableTopicConfigs,
    CreateTopicsRequest,
)
from kafkapy_wire.record_formats.metadata import BrokerRegistrationChangeRecord
from kafkapy_wire.uuid import Uuid, random_uuid


def directory_of(broker_id: int) -> Uuid:
    return Uuid(bytes(12) + (1000 + broker_id).to_bytes(4, "big"))


def replayed(image: MetadataImage, records: Iterable[MetadataRecord], offset: int, epoch: int = 1) -> MetadataImage:
    """The image after `records`, the last of which stands at `offset`."""
    delta = MetadataDelta(image)
    for record in records:
        delta.replay(record)
    return delta.apply(offset, epoch)


def apply(image: MetadataImage, records: Iterable[MetadataRecord], epoch: int = 1) -> MetadataImage:
    """The same, for records that follow those of the image."""
    records = list(records)
    return replayed(image, records, image.offset + len(records), epoch)


def registration(
    broker_id: int, *, rack: str | None = None, log_dirs: Sequence[Uuid] | None = None
) -> NodeRegistration:
    return NodeRegistration(
        node_id=broker_id,
        incarnation_id=random_uuid(),
        endpoints=[Endpoint("PLAINTEXT", f"host{broker_id}", 9092, 0)],
        features=SUPPORTED_FEATURES,
        rack=rack,
        log_dirs=[directory_of(broker_id)] if log_dirs is None else log_dirs,
    )


def cluster(
    broker_ids: Iterable[int] = (1,),
    *,
    fenced: Iterable[int] = (),
    racks: Mapping[int, str] | None = None,
    metadata_version: int = LATEST_METADATA_VERSION,
) -> MetadataImage:
    features = features_of_new_cluster({}, metadata_version, voters_in_log=True)
    image = apply(EMPTY_IMAGE, feature_records(features))
    for broker_id in broker_ids:
        registered = registration(broker_id, rack=(racks or {}).get(broker_id))
        image = apply(image, decide_start_broker(image, registered, image.offset + 1).records)
    for broker_id in fenced:
        epoch = image.brokers[broker_id].epoch
        image = apply(image, [BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=epoch, fenced=1)])
    return image


def rules(min_insync_replicas: int = 1, *, unclean: bool = False) -> TopicRules:
    """The settings of all topics."""
    return TopicRules(lambda _: min_insync_replicas, lambda _: unclean)


def topic(
    name: str = "orders",
    partitions: int = -1,
    replication: int = -1,
    *,
    assignments: Sequence[tuple[int, Sequence[int]]] = (),
    configs: Iterable[tuple[str, str | None]] = (),
) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=list(ids)) for index, ids in assignments
        ],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs],
    )


def create_request(*topics: CreatableTopic, validate_only: bool = False) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), validate_only=validate_only)


def creation(seed: int = 0, *, default_partition_count: int = 1, default_replication_factor: int = 1) -> TopicCreation:
    """Only retention.ms and min.insync.replicas exist, and their values are digits."""

    def describe(configs: Mapping[str, str]) -> list[CreatableTopicConfigs]:
        for name, value in configs.items():
            if name not in ("retention.ms", "min.insync.replicas"):
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Unknown topic config name: {name}")
            if not value.isdecimal():
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Invalid value {value} for configuration {name}")
        return [CreatableTopicConfigs(name=name, value=value) for name, value in configs.items()]

    return TopicCreation(
        default_partition_count=default_partition_count,
        default_replication_factor=default_replication_factor,
        describe_configs=describe,
        new_topic_id=random_uuid,
        random=Random(seed),
    )


def with_topics(image: MetadataImage, *topics: CreatableTopic) -> MetadataImage:
    decision = decide_create_topics(image, create_request(*topics), creation())
    assert all(result.error_code == ErrorCode.NONE for result in decision.response.topics), decision.response
    return apply(image, decision.records)
