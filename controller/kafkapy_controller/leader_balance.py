"""Elections that nobody asks for: of preferred leaders, and of leaders for partitions that have none.

Both look at every partition of the cluster, so that the caller takes the keys first, and then decides some at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

from kafkapy_controller.broker_transitions import PartitionKey
from kafkapy_controller.decision import Decision
from kafkapy_controller.image import NO_LEADER, MetadataImage
from kafkapy_controller.partition_changes import Election, PartitionChanges, TopicRules, all_partitions


def partitions_led_by_another(image: MetadataImage) -> list[PartitionKey]:
    """The partitions whose preferred replica, which is the first one, could lead and does not.

    As in Apache Kafka, leader.imbalance.per.broker.percentage does not count.
    """
    return [
        (topic.topic_id, index)
        for topic, index, p in all_partitions(image)
        if p.leader != (preferred := p.replicas[0])
        if preferred in p.isr and (broker := image.brokers.get(preferred)) is not None and broker.is_active
    ]


def partitions_to_recover(image: MetadataImage, rules: TopicRules) -> list[PartitionKey]:
    """The partitions without a leader for which one may be found.

    Either uncleanly, or cleanly: a former controller may have failed between a broker's unfencing and the elections.
    """
    return [
        (topic.topic_id, index)
        for topic, index, p in all_partitions(image)
        if p.leader == NO_LEADER
        and (rules.allows_unclean_election(topic.name) or _is_any_active(image, p.isr or p.eligible_leader_replicas))
    ]


def decide_elections(
    image: MetadataImage, rules: TopicRules, keys: Iterable[PartitionKey], election: Election | None
) -> Decision[int]:
    """Elect leaders of these partitions; the response is the number of those that have changed.

    `election` None: unclean if the topic allows that.
    """
    changes = PartitionChanges(image, rules)
    records = []
    for topic_id, index in keys:
        topic = image.topics_by_id.get(topic_id)
        if topic is not None and index < len(topic.partitions):
            record = changes.record(topic, index, election=election)
            if record is not None:
                records.append(record)
    return Decision(list(records), len(records))


def _is_any_active(image: MetadataImage, broker_ids: Iterable[int]) -> bool:
    return any((broker := image.brokers.get(broker_id)) is not None and broker.is_active for broker_id in broker_ids)
