"""The changes that a run of metadata records makes to an image, and the image after it.

Metadata changes only by replaying. A new image costs time in proportion to the change: large maps are layered, others
are copied when the first record touches them.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, TypeVar

from kafkapy_controller.image import (
    EMPTY_IMAGE,
    MIGRATING_DIRECTORY,
    BrokerImage,
    ConfigResource,
    ConfigResourceType,
    ControllerImage,
    Endpoint,
    LeaderRecoveryState,
    MetadataImage,
    PartitionImage,
    QuotaEntity,
    TopicImage,
)
from kafkapy_controller.layered_map import LayeredMap
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.topic_changes import TopicChange
from kafkapy_controller.topic_names import metric_name
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid

if TYPE_CHECKING:
    from kafkapy_controller.acl import Acl

NO_LEADER_CHANGE = -2
NO_RECOVERY_STATE_CHANGE = -1

K = TypeVar("K")
V = TypeVar("V")


class MetadataDelta:
    """Replays records over `base`; `apply` gives the next image.

    The changes, for subscribers of the metadata: `created_topics`, `deleted_topics`, `changed_partitions`,
    `changed_configs`, `changed_brokers`, `changed_features`, `changed_acls`. A topic created and deleted within one
    delta is in none.
    """

    __slots__ = (
        "_changed_configs",
        "_changed_topics",
        "_maps",
        "_next_producer_id",
        "_open_transaction",
        "_zk_migration_state",
        "base",
        "changed_acls",
        "changed_brokers",
        "changed_features",
        "deleted_topics",
    )

    def __init__(self, base: MetadataImage = EMPTY_IMAGE) -> None:
        self.base = base
        """The image before it."""
        self._changed_topics: dict[Uuid, TopicChange | None] = {}  # None: deleted
        self._changed_configs: dict[ConfigResource, dict[str, str]] = {}  # settings of each now; empty: none
        self._maps: dict[str, dict[Any, Any]] = {}
        self._next_producer_id = base.next_producer_id
        self._zk_migration_state = base.zk_migration_state
        self._open_transaction = None if base.open_transaction is None else list(base.open_transaction)
        self.deleted_topics: list[TopicImage] = []
        """As they were before."""
        self.changed_acls: dict[Uuid, Acl | None] = {}
        """None: deleted."""
        self.changed_brokers: set[int] = set()
        self.changed_features: set[str] = set()

    def replay(self, record: MetadataRecord) -> None:
        """Replay one record. Records of an open metadata transaction wait for its end (KIP-868).

        Raises KeyError: it changes a topic, partition or broker that does not exist; ValueError.
        """
        if self._open_transaction is None:
            _REPLAY[type(record)](self, record)
        elif isinstance(record, m.EndTransactionRecord):
            waiting, self._open_transaction = self._open_transaction, None
            for each in waiting:
                _REPLAY[type(each)](self, each)
        elif isinstance(record, m.AbortTransactionRecord):
            self._open_transaction = None
        else:
            self._open_transaction.append(record)

    def apply(self, offset: int, epoch: int) -> MetadataImage:
        """The image at `offset`, the offset of the last record replayed.

        Raises ValueError: records of a topic's partitions are missing.
        """
        changes: dict[str, Any] = dict(self._maps)
        if self._changed_topics:
            changes |= self._apply_topics()
        if self._changed_configs:
            changes["configs"] = self._apply_configs()
        if self.changed_acls:
            changes["acls"] = _with_changes(LayeredMap.of(self.base.acls), self.changed_acls)
        if self._open_transaction is not None:
            changes["open_transaction"] = tuple(self._open_transaction)
        elif self.base.open_transaction is not None:
            changes["open_transaction"] = None
        return self.base._replace(
            offset=offset,
            epoch=epoch,
            next_producer_id=self._next_producer_id,
            zk_migration_state=self._zk_migration_state,
            **changes,
        )

    @property
    def created_topics(self) -> list[str]:
        """Names, in the order of their records. One that was deleted and created again is also in `deleted_topics`."""
        known = self.base.topics_by_id
        return [change.name for topic_id, change in self._changed_topics.items() if change and topic_id not in known]

    @property
    def changed_configs(self) -> AbstractSet[ConfigResource]:
        return self._changed_configs.keys()

    @property
    def changed_partitions(self) -> list[tuple[str, int]]:
        """(topic, partition) of every partition that is new or differs from the base image."""
        changed: list[tuple[str, int]] = []
        for topic_id, change in self._changed_topics.items():
            if change is not None:
                before = self.base.topics_by_id.get(topic_id)
                changed += [(change.name, index) for index in change.differing(before.partitions if before else ())]
        return changed

    def _apply_topics(self) -> dict[str, Any]:
        base, changed = self.base, {}
        for topic_id, change in self._changed_topics.items():
            if change is not None:
                changed[topic_id] = TopicImage(change.name, topic_id, change.partitions())
        by_name = {topic.name: topic for topic in changed.values()}
        # Deletions first: a topic that was created again under its name must not be removed with the old one.
        gone = self.deleted_topics
        return {
            "topics": LayeredMap.of(base.topics).changed(by_name, [topic.name for topic in gone]),
            "topics_by_id": LayeredMap.of(base.topics_by_id).changed(changed, [topic.topic_id for topic in gone]),
            "names_by_metric_name": self._names_by_metric_name(),
        }

    def _names_by_metric_name(self) -> Mapping[str, tuple[str, ...]]:
        names = LayeredMap.of(self.base.names_by_metric_name)
        changed: dict[str, tuple[str, ...]] = {}
        for topic in self.deleted_topics:
            name = topic.name
            if (metric := metric_name(name)) is not None:
                changed[metric] = tuple(
                    [other for other in changed.get(metric, names.get(metric, ())) if other != name]
                )
        for name in self.created_topics:
            if (metric := metric_name(name)) is not None:
                # In order: who has read a snapshot does not know which of them was made first.
                changed[metric] = tuple(sorted((*changed.get(metric, names.get(metric, ())), name)))
        return _with_changes(names, changed)

    def _apply_configs(self) -> Mapping[ConfigResource, Mapping[str, str]]:
        return _with_changes(LayeredMap.of(self.base.configs), self._changed_configs)

    def _map(self, name: str, base: Mapping[K, V]) -> dict[K, V]:
        """The delta's own copy of a map of the image, made at its first use."""
        copy = self._maps.get(name)
        if copy is None:
            copy = self._maps[name] = dict(base)
        return copy

    # Topics and partitions

    def _replay_topic(self, record: m.TopicRecord) -> None:
        self._changed_topics[record.topic_id] = TopicChange(record.name)

    def _replay_remove_topic(self, record: m.RemoveTopicRecord) -> None:
        name = self._topic(record.topic_id).name
        before = self.base.topics_by_id.get(record.topic_id)
        if before is not None:
            self._changed_topics[record.topic_id] = None
            self.deleted_topics.append(before)
        else:
            del self._changed_topics[record.topic_id]
        # A topic's settings are deleted with it, without records of their own.
        resource = (int(ConfigResourceType.TOPIC), name)
        if self._configs(resource):
            self._changed_configs[resource] = {}

    def _topic(self, topic_id: Uuid) -> TopicChange:
        """The topic as replayed so far, ready to be changed. Raises KeyError: no such topic id."""
        change = self._changed_topics.get(topic_id)
        if change is None:
            if topic_id in self._changed_topics:
                raise KeyError(topic_id)
            topic = self.base.topics_by_id[topic_id]
            change = self._changed_topics[topic_id] = TopicChange(topic.name, topic.partitions)
        return change

    def _replay_partition(self, record: m.PartitionRecord) -> None:
        replicas = tuple(record.replicas)
        self._topic(record.topic_id)[record.partition_id] = PartitionImage(
            replicas=replicas,
            isr=tuple(record.isr),
            leader=record.leader,
            leader_epoch=record.leader_epoch,
            partition_epoch=record.partition_epoch,
            # Before record version 1 there were no directories: a replica's directory is unknown then.
            directories=tuple(record.directories) or (MIGRATING_DIRECTORY,) * len(replicas),
            removing_replicas=tuple(record.removing_replicas),
            adding_replicas=tuple(record.adding_replicas),
            leader_recovery_state=record.leader_recovery_state,
            eligible_leader_replicas=tuple(record.eligible_leader_replicas or ()),
            last_known_elr=tuple(record.last_known_elr or ()),
        )

    def _replay_partition_change(self, record: m.PartitionChangeRecord) -> None:
        partitions = self._topic(record.topic_id)
        partitions[record.partition_id] = merge_partition_change(partitions[record.partition_id], record)

    def _replay_clear_elr(self, record: m.ClearElrRecord) -> None:
        """Remove the eligible leader replicas (KIP-966) of one topic, or of all topics if the record names none."""
        names = {topic_id: topic.name for topic_id, topic in self.base.topics_by_id.items()}
        for topic_id, change in self._changed_topics.items():
            if change is None:
                names.pop(topic_id, None)
            else:
                names[topic_id] = change.name
        for topic_id, name in names.items():
            if record.topic_name in ("", name):
                self._clear_elr(topic_id)

    def _clear_elr(self, topic_id: Uuid) -> None:
        partitions = self._topic(topic_id)
        for index, partition in partitions.items():
            if partition.eligible_leader_replicas or partition.last_known_elr:
                partitions[index] = partition._replace(
                    eligible_leader_replicas=(), last_known_elr=(), partition_epoch=partition.partition_epoch + 1
                )

    # Nodes

    def _replay_register_broker(self, record: m.RegisterBrokerRecord) -> None:
        self._put_broker(
            BrokerImage(
                broker_id=record.broker_id,
                epoch=record.broker_epoch,
                incarnation_id=record.incarnation_id,
                endpoints=_endpoints(record.end_points),
                features={f.name: (f.min_supported_version, f.max_supported_version) for f in record.features},
                rack=record.rack,
                fenced=record.fenced,
                in_controlled_shutdown=record.in_controlled_shutdown,
                log_dirs=tuple(record.log_dirs),
                cordoned_log_dirs=None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
            )
        )

    def _replay_unregister_broker(self, record: m.UnregisterBrokerRecord) -> None:
        del self._map("brokers", self.base.brokers)[record.broker_id]
        self.changed_brokers.add(record.broker_id)

    def _replay_fence_broker(self, record: m.FenceBrokerRecord) -> None:
        self._put_broker(self._broker(record.id)._replace(fenced=True))

    def _replay_unfence_broker(self, record: m.UnfenceBrokerRecord) -> None:
        self._put_broker(self._broker(record.id)._replace(fenced=False))

    def _replay_broker_registration_change(self, record: m.BrokerRegistrationChangeRecord) -> None:
        broker = self._broker(record.broker_id)
        if record.fenced:  # 1 fences, -1 unfences, 0 leaves it
            broker = broker._replace(fenced=record.fenced > 0)
        if record.in_controlled_shutdown:
            broker = broker._replace(in_controlled_shutdown=record.in_controlled_shutdown > 0)
        if record.log_dirs:
            broker = broker._replace(log_dirs=tuple(record.log_dirs))
        if record.cordoned_log_dirs is not None:
            broker = broker._replace(cordoned_log_dirs=tuple(record.cordoned_log_dirs))
        self._put_broker(broker)

    def _broker(self, broker_id: int) -> BrokerImage:
        return self._map("brokers", self.base.brokers)[broker_id]

    def _put_broker(self, broker: BrokerImage) -> None:
        self._map("brokers", self.base.brokers)[broker.broker_id] = broker
        self.changed_brokers.add(broker.broker_id)

    def _replay_register_controller(self, record: m.RegisterControllerRecord) -> None:
        self._map("controllers", self.base.controllers)[record.controller_id] = ControllerImage(
            controller_id=record.controller_id,
            incarnation_id=record.incarnation_id,
            endpoints=_endpoints(record.end_points),
            features={f.name: (f.min_supported_version, f.max_supported_version) for f in record.features},
            zk_migration_ready=record.zk_migration_ready,
        )

    def _replay_unregister_controller(self, record: m.UnregisterControllerRecord) -> None:
        del self._map("controllers", self.base.controllers)[record.controller_id]

    # Settings, features, producer ids

    def _replay_config(self, record: m.ConfigRecord) -> None:
        resource = (record.resource_type, record.resource_name)
        settings = self._changed_configs.get(resource)
        if settings is None:
            settings = self._changed_configs[resource] = dict(self._configs(resource))
        if record.value is None:
            settings.pop(record.name, None)
        else:
            settings[record.name] = record.value

    def _configs(self, resource: ConfigResource) -> Mapping[str, str]:
        changed = self._changed_configs.get(resource)
        return self.base.resource_configs(*resource) if changed is None else changed

    def _replay_feature_level(self, record: m.FeatureLevelRecord) -> None:
        features = self._map("features", self.base.features)
        if record.feature_level == 0:
            features.pop(record.name, None)
        else:
            features[record.name] = record.feature_level
        self.changed_features.add(record.name)

    def _replay_producer_ids(self, record: m.ProducerIdsRecord) -> None:
        self._next_producer_id = record.next_producer_id

    # Security and quotas

    def _replay_client_quota(self, record: m.ClientQuotaRecord) -> None:
        quotas = self._map("client_quotas", self.base.client_quotas)
        entity: QuotaEntity = tuple(sorted(((e.entity_type, e.entity_name) for e in record.entity), key=lambda e: e[0]))
        values = dict(quotas.get(entity, {}))
        if record.remove:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
        if values:
            quotas[entity] = values
        else:
            quotas.pop(entity, None)

    def _replay_user_scram_credential(self, record: m.UserScramCredentialRecord) -> None:
        self._map("scram_credentials", self.base.scram_credentials)[record.name, record.mechanism] = record

    def _replay_remove_user_scram_credential(self, record: m.RemoveUserScramCredentialRecord) -> None:
        self._map("scram_credentials", self.base.scram_credentials).pop((record.name, record.mechanism), None)

    def _replay_access_control_entry(self, record: m.AccessControlEntryRecord) -> None:
        from kafkapy_controller.acl import acl_of

        self.changed_acls[record.id] = acl_of(record)

    def _replay_remove_access_control_entry(self, record: m.RemoveAccessControlEntryRecord) -> None:
        self.changed_acls[record.id] = None

    def _replay_delegation_token(self, record: m.DelegationTokenRecord) -> None:
        self._map("delegation_tokens", self.base.delegation_tokens)[record.token_id] = record

    def _replay_remove_delegation_token(self, record: m.RemoveDelegationTokenRecord) -> None:
        self._map("delegation_tokens", self.base.delegation_tokens).pop(record.token_id, None)

    def _replay_zk_migration(self, record: m.ZkMigrationStateRecord) -> None:
        self._zk_migration_state = record.zk_migration_state

    # The metadata log itself

    def _replay_begin_transaction(self, _: m.BeginTransactionRecord) -> None:
        self._open_transaction = []

    def _replay_nothing(self, _: MetadataRecord) -> None:
        """For NoOpRecord, and for the end of a transaction that began before the snapshot."""


def _with_changes(base: LayeredMap[K, V], changes: Mapping[K, V | None]) -> LayeredMap[K, V]:
    """The map with these changes; empty values are removed from it."""
    present = {key: value for key, value in changes.items() if value}
    return base.changed(present, [key for key, value in changes.items() if not value and key in base])


def merge_partition_change(partition: PartitionImage, record: m.PartitionChangeRecord) -> PartitionImage:
    """The partition after `record`: fields that the record leaves out stay, the partition epoch rises by one."""
    elected = record.leader != NO_LEADER_CHANGE
    recovery_changes = record.leader_recovery_state != NO_RECOVERY_STATE_CHANGE
    return PartitionImage(
        replicas=_changed(partition.replicas, record.replicas),
        isr=_changed(partition.isr, record.isr),
        leader=record.leader if elected else partition.leader,
        # A record with a leader is an election, even of the same broker: followers must truncate (KIP-101).
        leader_epoch=partition.leader_epoch + 1 if elected else partition.leader_epoch,
        partition_epoch=partition.partition_epoch + 1,
        directories=_changed(partition.directories, record.directories),
        removing_replicas=_changed(partition.removing_replicas, record.removing_replicas),
        adding_replicas=_changed(partition.adding_replicas, record.adding_replicas),
        leader_recovery_state=(
            LeaderRecoveryState(record.leader_recovery_state) if recovery_changes else partition.leader_recovery_state
        ),
        eligible_leader_replicas=_changed(partition.eligible_leader_replicas, record.eligible_leader_replicas),
        last_known_elr=_changed(partition.last_known_elr, record.last_known_elr),
    )


def _changed(old: tuple[V, ...], new: Iterable[V] | None) -> tuple[V, ...]:
    return old if new is None else tuple(new)


def _endpoints(registered: Iterable[m.BrokerEndpoint] | Iterable[m.ControllerEndpoint]) -> dict[str, Endpoint]:
    return {e.name: Endpoint(e.name, e.host, e.port, e.security_protocol) for e in registered}


_REPLAY: dict[type[MetadataRecord], Callable[[MetadataDelta, Any], None]] = {
    m.AbortTransactionRecord: MetadataDelta._replay_nothing,
    m.AccessControlEntryRecord: MetadataDelta._replay_access_control_entry,
    m.BeginTransactionRecord: MetadataDelta._replay_begin_transaction,
    m.BrokerRegistrationChangeRecord: MetadataDelta._replay_broker_registration_change,
    m.ClearElrRecord: MetadataDelta._replay_clear_elr,
    m.ClientQuotaRecord: MetadataDelta._replay_client_quota,
    m.ConfigRecord: MetadataDelta._replay_config,
    m.DelegationTokenRecord: MetadataDelta._replay_delegation_token,
    m.EndTransactionRecord: MetadataDelta._replay_nothing,
    m.FeatureLevelRecord: MetadataDelta._replay_feature_level,
    m.FenceBrokerRecord: MetadataDelta._replay_fence_broker,
    m.NoOpRecord: MetadataDelta._replay_nothing,
    m.PartitionChangeRecord: MetadataDelta._replay_partition_change,
    m.PartitionRecord: MetadataDelta._replay_partition,
    m.ProducerIdsRecord: MetadataDelta._replay_producer_ids,
    m.RegisterBrokerRecord: MetadataDelta._replay_register_broker,
    m.RegisterControllerRecord: MetadataDelta._replay_register_controller,
    m.RemoveAccessControlEntryRecord: MetadataDelta._replay_remove_access_control_entry,
    m.RemoveDelegationTokenRecord: MetadataDelta._replay_remove_delegation_token,
    m.RemoveTopicRecord: MetadataDelta._replay_remove_topic,
    m.RemoveUserScramCredentialRecord: MetadataDelta._replay_remove_user_scram_credential,
    m.TopicRecord: MetadataDelta._replay_topic,
    m.UnfenceBrokerRecord: MetadataDelta._replay_unfence_broker,
    m.UnregisterBrokerRecord: MetadataDelta._replay_unregister_broker,
    m.UnregisterControllerRecord: MetadataDelta._replay_unregister_controller,
    m.UserScramCredentialRecord: MetadataDelta._replay_user_scram_credential,
    m.ZkMigrationStateRecord: MetadataDelta._replay_zk_migration,
}
