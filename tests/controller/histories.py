"""Histories of metadata records of every kind: any that a cluster at a level of metadata.version may have."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from kafkapy_controller.bootstrap import feature_records
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.features import features_of_new_cluster
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResourceType, MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord, decode_metadata_record, encode_metadata_record
from kafkapy_controller.metadata_version import (
    CONTROLLER_REGISTRATION,
    CONTROLLER_UNREGISTRATION,
    CORDONED_LOG_DIRS,
    DELEGATION_TOKENS,
    DIRECTORY_ASSIGNMENT,
    ELIGIBLE_LEADER_REPLICAS,
    METADATA_TRANSACTIONS,
    SCRAM,
)
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid

NAMES = ("a", "b", "c.d", "c_d")


class History:
    """An image, and more and more records for it, each of which it can replay. All choices are those of `random`."""

    def __init__(self, random: Random, level: int) -> None:
        self._random = random
        self._ids = 0
        self.level = level
        self.records: list[MetadataRecord] = []
        self.image = EMPTY_IMAGE
        features = features_of_new_cluster({}, level, voters_in_log=True)
        for record in feature_records(features):
            self._take(record)

    def go_on(self, count: int) -> MetadataImage:
        """Add so many steps. No metadata transaction is left open."""
        for _ in range(count):
            begins = self.level >= METADATA_TRANSACTIONS and not self._random.randrange(8)
            if begins:
                self._take(m.BeginTransactionRecord(name="some"))
                for record in self._step():
                    self._take(record)
                aborts = not self._random.randrange(3)
                self._take(m.AbortTransactionRecord() if aborts else m.EndTransactionRecord())
            else:
                for record in self._step():
                    self._take(record)
        return self.image

    def _take(self, record: MetadataRecord) -> None:
        """As a replica reads it from the log."""
        read = decode_metadata_record(encode_metadata_record(record, self.level))
        self.records.append(read)
        self._replay(read)

    def _replay(self, record: MetadataRecord) -> None:
        delta = MetadataDelta(self.image)
        delta.replay(record)
        try:
            self.image = delta.apply(self.image.offset + 1, 1)
        except ValueError:  # a topic's partitions come one by one
            raise AssertionError(f"the history is not whole after {record}") from None

    def _step(self) -> list[MetadataRecord]:
        steps = [self._topic, self._topic, self._partition, self._partition, self._config, self._config, self._broker]
        steps += [self._broker_change, self._quota, self._producer_ids, self._acl, self._feature]
        if self.level >= CONTROLLER_REGISTRATION:
            steps.append(self._controller)
        if self.level >= SCRAM:
            steps.append(self._scram)
        if self.level >= DELEGATION_TOKENS:
            steps.append(self._token)
        if self.level >= ELIGIBLE_LEADER_REPLICAS:
            steps.append(lambda: iter([m.ClearElrRecord(topic_name=self._random.choice(("", "a")))]))
        return list(self._random.choice(steps)())

    # One of each kind

    def _topic(self) -> Iterator[MetadataRecord]:
        """Make it, or delete it."""
        name = self._random.choice(NAMES)
        known = self.image.topics.get(name)
        if known is not None:
            yield m.RemoveTopicRecord(topic_id=known.topic_id)
            return
        topic_id = self._id()
        yield m.TopicRecord(name=name, topic_id=topic_id)
        for index in range(self._random.randint(1, 3)):
            yield self._new_partition(topic_id, index)

    def _new_partition(self, topic_id: Uuid, index: int) -> m.PartitionRecord:
        replicas = self._brokers()
        with_elr = self.level >= ELIGIBLE_LEADER_REPLICAS
        return m.PartitionRecord(
            partition_id=index,
            topic_id=topic_id,
            replicas=replicas,
            isr=replicas[: self._random.randint(0, len(replicas))],
            removing_replicas=self._brokers(0),
            adding_replicas=self._brokers(0),
            leader=self._random.choice((-1, *replicas)),
            leader_recovery_state=self._random.randrange(2),
            leader_epoch=self._random.randrange(9),
            partition_epoch=self._random.randrange(9),
            directories=[self._id() for _ in replicas] if self.level >= DIRECTORY_ASSIGNMENT else [],
            eligible_leader_replicas=(self._brokers(0) or None) if with_elr else None,
            last_known_elr=(self._brokers(0) or None) if with_elr else None,
        )

    def _partition(self) -> Iterator[MetadataRecord]:
        if not self.image.topics:
            return
        topic = self._random.choice(list(self.image.topics.values()))
        if not self._random.randrange(3):
            yield self._new_partition(topic.topic_id, len(topic.partitions))
            return
        index = self._random.randrange(len(topic.partitions))
        replicas = list(topic.partitions[index].replicas)
        with_elr = self.level >= ELIGIBLE_LEADER_REPLICAS and self._random.randrange(2)
        yield m.PartitionChangeRecord(
            partition_id=index,
            topic_id=topic.topic_id,
            isr=self._random.choice((None, replicas)),
            leader=self._random.choice((-2, -1, replicas[0])),
            removing_replicas=self._random.choice((None, [], [9])),
            adding_replicas=self._random.choice((None, [], [9])),
            leader_recovery_state=self._random.randrange(-1, 2),
            eligible_leader_replicas=self._brokers(0) if with_elr else None,
            last_known_elr=self._brokers(0) if with_elr else None,
        )

    def _config(self) -> Iterator[MetadataRecord]:
        resources = [(int(ConfigResourceType.TOPIC), name) for name in self.image.topics]
        resources += [(int(ConfigResourceType.BROKER), ""), (int(ConfigResourceType.BROKER), "1")]
        resources += [(int(ConfigResourceType.GROUP), "g"), (int(ConfigResourceType.CLIENT_METRICS), "c")]
        kind, name = self._random.choice(resources)
        setting = self._random.choice(("retention.ms", "segment.bytes", "empty"))
        value = self._random.choice((None, "", "1", "2"))
        yield m.ConfigRecord(resource_type=kind, resource_name=name, name=setting, value=value)

    def _broker(self) -> Iterator[MetadataRecord]:
        """Register it, or unregister it."""
        broker_id = self._random.randrange(4)
        if broker_id in self.image.brokers and not self._random.randrange(3):
            yield m.UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=self.image.brokers[broker_id].epoch)
            return
        cordoned = self._random.choice((None, [], [self._id()])) if self.level >= CORDONED_LOG_DIRS else None
        yield m.RegisterBrokerRecord(
            broker_id=broker_id,
            incarnation_id=self._id(),
            broker_epoch=self.image.offset + 1,
            end_points=[m.BrokerEndpoint(name=n, host="host", port=9092, security_protocol=1) for n in ("A", "B")],
            features=[m.BrokerFeature(name="f", min_supported_version=0, max_supported_version=3)],
            rack=self._random.choice((None, "", "r1")),
            fenced=bool(self._random.randrange(2)),
            in_controlled_shutdown=bool(self._random.randrange(2)),
            log_dirs=[self._id()] if self.level >= DIRECTORY_ASSIGNMENT else [],
            cordoned_log_dirs=cordoned,
        )

    def _broker_change(self) -> Iterator[MetadataRecord]:
        if not self.image.brokers:
            return
        broker = self._random.choice(list(self.image.brokers.values()))
        match self._random.randrange(3):
            case 0:
                yield m.FenceBrokerRecord(id=broker.broker_id, epoch=broker.epoch)
            case 1:
                yield m.UnfenceBrokerRecord(id=broker.broker_id, epoch=broker.epoch)
            case _:
                yield m.BrokerRegistrationChangeRecord(
                    broker_id=broker.broker_id,
                    broker_epoch=broker.epoch,
                    fenced=self._random.randrange(-1, 2),
                    in_controlled_shutdown=self._random.randrange(2),
                    log_dirs=[self._id()] if self.level >= DIRECTORY_ASSIGNMENT else [],
                )

    def _controller(self) -> Iterator[MetadataRecord]:
        controller_id = self._random.randrange(3)
        if self.level >= CONTROLLER_UNREGISTRATION and controller_id in self.image.controllers:
            yield m.UnregisterControllerRecord(controller_id=controller_id)
            return
        yield m.RegisterControllerRecord(
            controller_id=controller_id,
            incarnation_id=self._id(),
            zk_migration_ready=bool(self._random.randrange(2)),
            end_points=[m.ControllerEndpoint(name="C", host="host", port=9093, security_protocol=0)],
            features=[m.ControllerFeature(name="f", min_supported_version=0, max_supported_version=3)],
        )

    def _quota(self) -> Iterator[MetadataRecord]:
        entity = self._random.choice(([("user", "u")], [("user", None), ("client-id", "c")], [("ip", None)]))
        yield m.ClientQuotaRecord(
            entity=[m.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
            key=self._random.choice(("producer_byte_rate", "consumer_byte_rate")),
            value=self._random.choice((0.5, 1e9)),
            remove=not self._random.randrange(3),
        )

    def _producer_ids(self) -> Iterator[MetadataRecord]:
        yield m.ProducerIdsRecord(broker_id=1, broker_epoch=2, next_producer_id=self.image.next_producer_id + 1000)

    def _acl(self) -> Iterator[MetadataRecord]:
        if self.image.acls and self._random.randrange(2):
            yield m.RemoveAccessControlEntryRecord(id=self._random.choice(list(self.image.acls)))
            return
        yield m.AccessControlEntryRecord(
            id=self._id(), resource_type=2, resource_name="a", principal="User:u", host="*"
        )

    def _scram(self) -> Iterator[MetadataRecord]:
        user, mechanism = self._random.choice(("alice", "bob")), self._random.choice((1, 2))
        if (user, mechanism) in self.image.scram_credentials and self._random.randrange(2):
            yield m.RemoveUserScramCredentialRecord(name=user, mechanism=mechanism)
            return
        yield m.UserScramCredentialRecord(
            name=user, mechanism=mechanism, salt=b"s", stored_key=b"k", server_key=b"v", iterations=4096
        )

    def _token(self) -> Iterator[MetadataRecord]:
        token_id = self._random.choice(("t1", "t2"))
        if token_id in self.image.delegation_tokens and self._random.randrange(2):
            yield m.RemoveDelegationTokenRecord(token_id=token_id)
            return
        yield m.DelegationTokenRecord(
            owner="User:u", requester="User:v", renewers=["User:w"], token_id=token_id, max_timestamp=self.image.offset
        )

    def _feature(self) -> Iterator[MetadataRecord]:
        yield m.FeatureLevelRecord(name="group.version", feature_level=self._random.randrange(2))

    # Values

    def _id(self) -> Uuid:
        self._ids += 1
        return Uuid((1_000 + self._ids).to_bytes(16, "big"))

    def _brokers(self, at_least: int = 1) -> list[int]:
        return [1, 2, 3][: self._random.randint(at_least, 3)]
