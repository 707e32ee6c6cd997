"""The controller's decision about AssignReplicasToDirs (KIP-858): brokers say in which log directory a replica is."""

from __future__ import annotations

from collections.abc import Sequence

from kafkapy_controller.broker_transitions import check_broker_epoch
from kafkapy_controller.decision import Decision
from kafkapy_controller.delta import merge_partition_change
from kafkapy_controller.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT
from kafkapy_controller.partition_changes import BrokerTransition, Election, PartitionChanges, TopicRules
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestTopicData,
    AssignReplicasToDirsResponse,
    AssignReplicasToDirsResponseDirectoryData,
    AssignReplicasToDirsResponsePartitionData,
    AssignReplicasToDirsResponseTopicData,
)
from kafkapy_wire.uuid import Uuid


def decide_assign_replicas(
    image: MetadataImage, rules: TopicRules, request: AssignReplicasToDirsRequest
) -> Decision[AssignReplicasToDirsResponse]:
    """Records of the replicas that are in another directory than before, and a result for each that is named.

    A replica in a directory that has failed cannot lead and leaves the ISR.
    Raises KafkaError: UNSUPPORTED_VERSION, STALE_BROKER_EPOCH.
    """
    if image.metadata_version < DIRECTORY_ASSIGNMENT:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "Directory assignment is not supported yet.")
    broker = check_broker_epoch(image, request.broker_id, request.broker_epoch)
    deciding = _Deciding(image, rules, broker)
    response = AssignReplicasToDirsResponse(directories=[deciding.directory(each) for each in request.directories])
    return Decision(deciding.records, response)


class _Deciding:
    def __init__(self, image: MetadataImage, rules: TopicRules, broker: BrokerImage) -> None:
        self._image = image
        self._broker = broker
        self._changes = PartitionChanges(image, rules)
        self._leaving = PartitionChanges(image, rules, BrokerTransition(leaving=broker.broker_id))
        self.records: list[MetadataRecord] = []
        self._changed: dict[tuple[Uuid, int], PartitionImage] = {}

    def directory(self, asked: AssignReplicasToDirsRequestDirectoryData) -> AssignReplicasToDirsResponseDirectoryData:
        return AssignReplicasToDirsResponseDirectoryData(
            id=asked.id, topics=[self._topic(each, asked.id) for each in asked.topics]
        )

    def _topic(
        self, asked: AssignReplicasToDirsRequestTopicData, directory: Uuid
    ) -> AssignReplicasToDirsResponseTopicData:
        topic = self._image.topics_by_id.get(asked.topic_id)
        results = [
            AssignReplicasToDirsResponsePartitionData(
                partition_index=each.partition_index,
                error_code=(
                    ErrorCode.UNKNOWN_TOPIC_ID
                    if topic is None
                    else self._assign(topic, each.partition_index, directory)
                ),
            )
            for each in asked.partitions
        ]
        return AssignReplicasToDirsResponseTopicData(topic_id=asked.topic_id, partitions=results)

    def _assign(self, topic: TopicImage | None, index: int, directory: Uuid) -> ErrorCode:
        if topic is None:
            return ErrorCode.UNKNOWN_TOPIC_ID
        if not 0 <= index < len(topic.partitions):
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        broker_id = self._broker.broker_id
        partition = self._changed.get((topic.topic_id, index), topic.partitions[index])
        if broker_id not in partition.replicas:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        directories = tuple(
            [
                directory if replica == broker_id else known
                for replica, known in zip(partition.replicas, partition.directories, strict=True)
            ]
        )
        # An election here is a clean one: the replica was moved, nobody has failed.
        partition = self._apply(
            self._changes, topic, index, partition, partition._replace(directories=directories), Election.ONLINE
        )
        if not self._broker.has_online(directory):
            isr = _without(partition.isr, broker_id)
            self._apply(self._leaving, topic, index, partition, partition._replace(isr=isr), None)
        return ErrorCode.NONE

    def _apply(
        self,
        changes: PartitionChanges,
        topic: TopicImage,
        index: int,
        before: PartitionImage,
        target: PartitionImage,
        election: Election | None,
    ) -> PartitionImage:
        record = changes.record(topic, index, target, election, before=before)
        if record is None:
            return before
        self.records.append(record)
        after = self._changed[topic.topic_id, index] = merge_partition_change(before, record)
        return after


def _without(broker_ids: Sequence[int], broker_id: int) -> tuple[int, ...]:
    return tuple([other for other in broker_ids if other != broker_id])
