"""The metadata records that make an image, for a snapshot: in the order in which Apache Kafka writes them.

The records are those of a level of metadata.version. What that level cannot express is left out, as Apache Kafka does:
a cluster at that level has nothing of it, unless its level was lowered with a loss of metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kafkapy_controller.image import (
    BrokerImage,
    ConfigResource,
    ControllerImage,
    MetadataImage,
    PartitionImage,
    QuotaEntity,
    TopicImage,
)
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import (
    BROKER_REGISTRATION_OF_MIGRATION,
    CONTROLLER_REGISTRATION,
    CORDONED_LOG_DIRS,
    DELEGATION_TOKENS,
    DIRECTORY_ASSIGNMENT,
    ELIGIBLE_LEADER_REPLICAS,
    METADATA_VERSION,
    SCRAM,
)
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid

NO_BROKER = -1
"""In a snapshot the record of the producer ids names no broker that got the last block."""


def image_records(image: MetadataImage) -> Iterator[MetadataRecord]:
    """Records which, replayed over the empty image, give `image` but for its offset, epoch and kraft.version.

    They are those of the image's own level of metadata.version. No metadata transaction may be open in it.
    """
    assert image.open_transaction is None, "records of an open metadata transaction are not in effect"
    level = image.metadata_version
    yield from _features(image)
    for broker in image.brokers.values():
        yield broker_record(broker, level)
    if level >= CONTROLLER_REGISTRATION:
        yield from map(controller_record, image.controllers.values())
    for topic in image.topics.values():
        yield from topic_records(topic, level)
    for resource, settings in image.configs.items():
        yield from config_records(resource, settings)
    for entity, quotas in image.client_quotas.items():
        yield from quota_records(entity, quotas)
    if image.next_producer_id:
        yield producer_ids_record(image.next_producer_id)
    if image.acls:
        from kafkapy_controller.acl import acl_record

        for acl_id, acl in image.acls.items():
            yield acl_record(acl_id, acl)
    if level >= SCRAM:
        yield from image.scram_credentials.values()
    if level >= DELEGATION_TOKENS:
        yield from image.delegation_tokens.values()


def _features(image: MetadataImage) -> Iterator[MetadataRecord]:
    """metadata.version is the first, since it says what the records after it may have."""
    yield m.FeatureLevelRecord(name=METADATA_VERSION, feature_level=image.metadata_version)
    for name, feature_level in image.features.items():
        if name != METADATA_VERSION:
            yield m.FeatureLevelRecord(name=name, feature_level=feature_level)
    if image.zk_migration_state and image.metadata_version >= BROKER_REGISTRATION_OF_MIGRATION:
        # Releases that migrate from ZooKeeper wrote it and need it; Apache Kafka 4 ignores it.
        yield m.ZkMigrationStateRecord(zk_migration_state=image.zk_migration_state)


def broker_record(broker: BrokerImage, level: int) -> m.RegisterBrokerRecord:
    cordoned = broker.cordoned_log_dirs if level >= CORDONED_LOG_DIRS else None
    return m.RegisterBrokerRecord(
        broker_id=broker.broker_id,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[
            m.BrokerEndpoint(name=name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for name, e in broker.endpoints.items()
        ],
        features=[
            m.BrokerFeature(name=name, min_supported_version=lowest, max_supported_version=highest)
            for name, (lowest, highest) in broker.features.items()
        ],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=list(broker.log_dirs) if level >= DIRECTORY_ASSIGNMENT else [],
        cordoned_log_dirs=None if cordoned is None else list(cordoned),
    )


def controller_record(controller: ControllerImage) -> m.RegisterControllerRecord:
    return m.RegisterControllerRecord(
        controller_id=controller.controller_id,
        incarnation_id=controller.incarnation_id,
        zk_migration_ready=controller.zk_migration_ready,
        end_points=[
            m.ControllerEndpoint(name=name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for name, e in controller.endpoints.items()
        ],
        features=[
            m.ControllerFeature(name=name, min_supported_version=lowest, max_supported_version=highest)
            for name, (lowest, highest) in controller.features.items()
        ],
    )


def topic_records(topic: TopicImage, level: int) -> Iterator[MetadataRecord]:
    yield m.TopicRecord(name=topic.name, topic_id=topic.topic_id)
    for index, partition in enumerate(topic.partitions):
        yield partition_record(topic.topic_id, index, partition, level)


def partition_record(topic_id: Uuid, index: int, partition: PartitionImage, level: int) -> m.PartitionRecord:
    with_elr = level >= ELIGIBLE_LEADER_REPLICAS
    return m.PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing_replicas),
        adding_replicas=list(partition.adding_replicas),
        leader=partition.leader,
        leader_recovery_state=partition.leader_recovery_state,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=list(partition.directories) if level >= DIRECTORY_ASSIGNMENT else [],
        eligible_leader_replicas=_unless_empty(partition.eligible_leader_replicas) if with_elr else None,
        last_known_elr=_unless_empty(partition.last_known_elr) if with_elr else None,
    )


def config_records(resource: ConfigResource, settings: Mapping[str, str | None]) -> Iterator[m.ConfigRecord]:
    """A value of None takes the setting away."""
    resource_type, resource_name = resource
    for name, value in settings.items():
        yield m.ConfigRecord(resource_type=resource_type, resource_name=resource_name, name=name, value=value)


def quota_records(
    entity: QuotaEntity, quotas: Mapping[str, float], *, remove: bool = False
) -> Iterator[m.ClientQuotaRecord]:
    for key, value in quotas.items():
        yield m.ClientQuotaRecord(
            entity=[m.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
            key=key,
            value=value,
            remove=remove,
        )


def producer_ids_record(next_producer_id: int) -> m.ProducerIdsRecord:
    return m.ProducerIdsRecord(broker_id=NO_BROKER, broker_epoch=-1, next_producer_id=next_producer_id)


def _unless_empty(broker_ids: Iterable[int]) -> list[int] | None:
    return list(broker_ids) or None
