"""The controller's decision about AlterPartition (KIP-497): leaders say who is in sync with them."""

from __future__ import annotations

from kafkapy_controller.broker_transitions import check_broker_epoch
from kafkapy_controller.decision import Decision
from kafkapy_controller.delta import merge_partition_change
from kafkapy_controller.image import LeaderRecoveryState, MetadataImage, PartitionImage, TopicImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.partition_changes import NO_LEADER_CHANGE, PartitionChanges, TopicRules
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionRequestPartitionData,
    AlterPartitionRequestTopicData,
    AlterPartitionResponse,
    AlterPartitionResponsePartitionData,
    AlterPartitionResponseTopicData,
    BrokerState,
)

FIRST_VERSION_WITH_BROKER_EPOCHS = 3
ANY_EPOCH = -1
"""A broker that does not know the epoch of its follower."""


def decide_alter_partition(
    image: MetadataImage, rules: TopicRules, request: AlterPartitionRequest, version: int
) -> Decision[AlterPartitionResponse]:
    """Records of the partitions whose ISR or recovery state changes, and a result for each that the request has.

    `version` is the request's. Raises KafkaError STALE_BROKER_EPOCH.
    """
    check_broker_epoch(image, request.broker_id, request.broker_epoch)
    deciding = _Deciding(image, rules, request.broker_id, version)
    response = AlterPartitionResponse(topics=[deciding.topic(asked) for asked in request.topics])
    return Decision(deciding.records, response)


class _Deciding:
    """One request, partition by partition."""

    def __init__(self, image: MetadataImage, rules: TopicRules, leader_id: int, version: int) -> None:
        self._image = image
        self._changes = PartitionChanges(image, rules)
        self._leader_id = leader_id
        self._has_broker_epochs = version >= FIRST_VERSION_WITH_BROKER_EPOCHS
        self.records: list[MetadataRecord] = []
        self._changed: dict[tuple[bytes, int], PartitionImage] = {}  # a request may name a partition twice

    def topic(self, asked: AlterPartitionRequestTopicData) -> AlterPartitionResponseTopicData:
        topic = self._image.topics_by_id.get(asked.topic_id)
        if topic is None:
            results = [_refused(each, ErrorCode.UNKNOWN_TOPIC_ID) for each in asked.partitions]
        else:
            results = [self._partition(topic, each) for each in asked.partitions]
        return AlterPartitionResponseTopicData(topic_id=asked.topic_id, partitions=results)

    def _partition(
        self, topic: TopicImage, asked: AlterPartitionRequestPartitionData
    ) -> AlterPartitionResponsePartitionData:
        index = asked.partition_index
        if not 0 <= index < len(topic.partitions):
            return _refused(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        partition = self._changed.get((topic.topic_id, index), topic.partitions[index])
        try:
            isr = self._checked_isr(partition, asked)
        except KafkaError as error:
            return _refused(asked, error.code)
        target = partition._replace(isr=isr, leader_recovery_state=asked.leader_recovery_state)
        record = self._changes.record(topic, index, target, before=partition)
        if record is not None:
            self.records.append(record)
            partition = self._changed[topic.topic_id, index] = merge_partition_change(partition, record)
            if record.leader not in (self._leader_id, NO_LEADER_CHANGE):
                # The reassignment is complete, and this broker has no replica any more.
                return _refused(asked, ErrorCode.NEW_LEADER_ELECTED)
        return AlterPartitionResponsePartitionData(
            partition_index=index,
            leader_id=partition.leader,
            leader_epoch=partition.leader_epoch,
            isr=list(partition.isr),
            leader_recovery_state=partition.leader_recovery_state,
            partition_epoch=partition.partition_epoch,
        )

    def _checked_isr(self, partition: PartitionImage, asked: AlterPartitionRequestPartitionData) -> tuple[int, ...]:
        """Raises KafkaError: the leader must not change its ISR so. The order of the checks is Apache Kafka's."""
        if asked.leader_epoch > partition.leader_epoch or asked.partition_epoch > partition.partition_epoch:
            # The broker knows more than this controller, so that it cannot be the active one.
            raise KafkaError(ErrorCode.NOT_CONTROLLER)
        if asked.leader_epoch < partition.leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        if self._leader_id != partition.leader:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        if asked.partition_epoch < partition.partition_epoch:
            raise KafkaError(ErrorCode.INVALID_UPDATE_VERSION)
        isr = asked.new_isr_with_epochs if self._has_broker_epochs else asked.new_isr
        if len(isr) > len(partition.replicas):
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        states = [
            each if isinstance(each, BrokerState) else BrokerState(broker_id=each, broker_epoch=ANY_EPOCH)
            for each in isr
        ]
        broker_ids = tuple([state.broker_id for state in states])
        members = set(broker_ids)
        if len(members) < len(broker_ids) or not members <= set(partition.replicas):
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        if partition.leader not in members:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        self._check_recovery(partition, asked, len(members))
        if not all(self._is_eligible(state) for state in states):
            raise KafkaError(ErrorCode.INELIGIBLE_REPLICA)
        return broker_ids

    def _check_recovery(
        self, partition: PartitionImage, asked: AlterPartitionRequestPartitionData, member_count: int
    ) -> None:
        """As `_checked_isr`. Differs: on a state that does not exist Apache Kafka's controller resigns."""
        state = asked.leader_recovery_state
        if state not in LeaderRecoveryState.__members__.values():
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        if state == LeaderRecoveryState.RECOVERING and (
            member_count > 1 or partition.leader_recovery_state == LeaderRecoveryState.RECOVERED
        ):
            raise KafkaError(ErrorCode.INVALID_REQUEST)

    def _is_eligible(self, state: BrokerState) -> bool:
        """Whether the broker runs, and is the incarnation that the leader has seen fetching (KIP-903)."""
        broker = self._image.brokers.get(state.broker_id)
        return broker is not None and broker.is_active and state.broker_epoch in (ANY_EPOCH, broker.epoch)


def _refused(asked: AlterPartitionRequestPartitionData, code: ErrorCode) -> AlterPartitionResponsePartitionData:
    return AlterPartitionResponsePartitionData(partition_index=asked.partition_index, error_code=code)
