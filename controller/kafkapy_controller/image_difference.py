"""The records that lead from one image to a later one, when only the later image is known.

A follower that was away for long gets a snapshot instead of the log's records. Replayed over its old image, these
records give the new one, and the delta says to those who follow the metadata what has changed meanwhile: also what was
deleted, of which the snapshot says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from kafkapy_controller.image import ConfigResource, ConfigResourceType, MetadataImage, TopicImage
from kafkapy_controller.image_records import (
    broker_record,
    config_records,
    controller_record,
    partition_record,
    producer_ids_record,
    quota_records,
    topic_records,
)
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import LATEST_METADATA_VERSION
from kafkapy_wire.record_formats import metadata as m

K = TypeVar("K")
V = TypeVar("V")

# The records are not written anywhere, so that they may have all fields.
_LEVEL = LATEST_METADATA_VERSION


def difference(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    """Records which, replayed over `old`, give `new` but for its offset, epoch and kraft.version.

    `new` is a later image of the same cluster, in which no metadata transaction is open: so a topic id never gets
    fewer partitions, nor another name.
    """
    if old.open_transaction is not None:
        yield m.AbortTransactionRecord()  # its records count, or do not, in `new`
    yield from _features(old, new)
    yield from _nodes(old, new)
    yield from _topics(old, new)
    yield from _configs(old, new)
    yield from _quotas(old, new)
    if new.next_producer_id != old.next_producer_id:
        yield producer_ids_record(new.next_producer_id)
    yield from _security(old, new)


def _features(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    for name in old.features.keys() - new.features.keys():
        yield m.FeatureLevelRecord(name=name, feature_level=0)
    for name, feature_level in _changed(old.features, new.features):
        yield m.FeatureLevelRecord(name=name, feature_level=feature_level)
    if new.zk_migration_state != old.zk_migration_state:
        yield m.ZkMigrationStateRecord(zk_migration_state=new.zk_migration_state)


def _nodes(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    for broker_id in old.brokers.keys() - new.brokers.keys():
        yield m.UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=old.brokers[broker_id].epoch)
    for _, broker in _changed(old.brokers, new.brokers):
        yield broker_record(broker, _LEVEL)
    for controller_id in old.controllers.keys() - new.controllers.keys():
        yield m.UnregisterControllerRecord(controller_id=controller_id)
    for _, controller in _changed(old.controllers, new.controllers):
        yield controller_record(controller)


def _topics(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    """Deletions first, as another topic may have the name by now."""
    for topic_id in old.topics_by_id:
        if topic_id not in new.topics_by_id:
            yield m.RemoveTopicRecord(topic_id=topic_id)
    for topic_id, topic in new.topics_by_id.items():
        before = old.topics_by_id.get(topic_id)
        if before is None:
            yield from topic_records(topic, _LEVEL)
        elif before != topic:
            yield from _partitions(before, topic)


def _partitions(before: TopicImage, topic: TopicImage) -> Iterator[MetadataRecord]:
    known = len(before.partitions)
    for index, partition in enumerate(topic.partitions):
        if index >= known or partition != before.partitions[index]:
            yield partition_record(topic.topic_id, index, partition, _LEVEL)


def _configs(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    for resource, settings in old.configs.items():
        if resource not in new.configs and not _deleted_with_its_topic(resource, old, new):
            yield from config_records(resource, dict.fromkeys(settings))
    for resource, wanted in new.configs.items():
        current: Mapping[str, str] = {}
        if not _deleted_with_its_topic(resource, old, new):
            current = old.resource_configs(*resource)
        if wanted != current:
            yield from config_records(resource, dict.fromkeys(current.keys() - wanted.keys()))
            yield from config_records(resource, dict(_changed(current, wanted)))


def _deleted_with_its_topic(resource: ConfigResource, old: MetadataImage, new: MetadataImage) -> bool:
    """Whether the old settings of the resource are those of a topic that is deleted, and so are gone already."""
    resource_type, name = resource
    if resource_type != ConfigResourceType.TOPIC:
        return False
    topic = old.topics.get(name)
    return topic is not None and topic.topic_id not in new.topics_by_id


def _quotas(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    for entity, quotas in old.client_quotas.items():
        kept = new.client_quotas.get(entity, {})
        gone = {key: value for key, value in quotas.items() if key not in kept}
        yield from quota_records(entity, gone, remove=True)
    for entity, quotas in new.client_quotas.items():
        yield from quota_records(entity, dict(_changed(old.client_quotas.get(entity, {}), quotas)))


def _security(old: MetadataImage, new: MetadataImage) -> Iterator[MetadataRecord]:
    for acl_id in old.acls.keys() - new.acls.keys():
        yield m.RemoveAccessControlEntryRecord(id=acl_id)
    if new.acls:
        from kafkapy_controller.acl import acl_record

        for acl_id, acl in _changed(old.acls, new.acls):
            yield acl_record(acl_id, acl)
    for user, mechanism in old.scram_credentials.keys() - new.scram_credentials.keys():
        yield m.RemoveUserScramCredentialRecord(name=user, mechanism=mechanism)
    for _, credential in _changed(old.scram_credentials, new.scram_credentials):
        yield credential
    for token_id in old.delegation_tokens.keys() - new.delegation_tokens.keys():
        yield m.RemoveDelegationTokenRecord(token_id=token_id)
    for _, token in _changed(old.delegation_tokens, new.delegation_tokens):
        yield token


def _changed(old: Mapping[K, V], new: Mapping[K, V]) -> Iterator[tuple[K, V]]:
    """The entries of `new` that `old` has not."""
    missing = object()
    get: Callable[..., object] = old.get
    for key, value in new.items():
        if get(key, missing) != value:
            yield key, value
