"""The controller's decision about UnregisterBroker."""

from __future__ import annotations

from kafkapy_controller.decision import Decision
from kafkapy_controller.image import MetadataImage, PartitionImage
from kafkapy_controller.partition_changes import partition_change
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord, UnregisterBrokerRecord
from kafkapy_wire.uuid import Uuid


def decide_unregister_broker(image: MetadataImage, broker_id: int) -> Decision[None]:
    """Remove the registration of a broker that will not return; it leaves every ISR and leads no partition.

    Raises KafkaError: BROKER_ID_NOT_REGISTERED.
    """
    broker = image.brokers.get(broker_id)
    if broker is None:
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, f"Broker ID {broker_id} is not currently registered")
    unregistered = UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=broker.epoch)
    without = image._replace(brokers={other: each for other, each in image.brokers.items() if other != broker_id})
    changes = [
        change
        for topic in image.topics.values()
        for index, partition in enumerate(topic.partitions)
        if broker_id in partition.isr
        or broker_id == partition.leader
        or broker_id in partition.eligible_leader_replicas
        if (change := _without_broker(without, topic.topic_id, index, partition, broker_id)) is not None
    ]
    return Decision([*changes, unregistered], None)


def _without_broker(
    image: MetadataImage, topic_id: Uuid, index: int, partition: PartitionImage, broker_id: int
) -> PartitionChangeRecord | None:
    """The partition without the broker. If it is alone in the ISR, it stays there (KIP-966)."""
    isr = tuple([other for other in partition.isr if other != broker_id])
    eligible = tuple([other for other in partition.eligible_leader_replicas if other != broker_id])
    target = partition._replace(isr=isr or partition.isr, eligible_leader_replicas=eligible)
    return partition_change(image, topic_id, index, partition, target)
