"""Transitions of brokers that change many partitions: in one decision where that is short, otherwise in pieces.

A broker may have a replica of every partition. So its partitions are decided on some at a time, each time on the newest
image, with turns of the event loop between them. What has changed meanwhile is found by looking again, and comes with
the last decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from kafkapy.turns import Turn
from kafkapy_controller.broker_transitions import (
    COMES_BEFORE_ITS_PARTITIONS,
    Transition,
    check_broker_epoch,
    decide_transition,
    partition_records,
    partitions_of,
    registration_records,
)
from kafkapy_controller.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.pending import Pending
    from kafkapy_controller.broker_transitions import PartitionKey
    from kafkapy_controller.image import BrokerImage, MetadataImage, PartitionImage
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.partition_changes import TopicRules

R = TypeVar("R")

PARTITIONS_PER_PIECE: Final = 200
"""About five milliseconds from the decision to the last follower, when all of them change."""


class Decider(Protocol):
    """The part of the controller that is needed here."""

    @property
    def image(self) -> MetadataImage:
        """The image of all appended records."""

    @property
    def topic_rules(self) -> TopicRules: ...

    def commit(self, decision: Decision[R]) -> Pending[R]: ...


async def carry_out(controller: Decider, broker: BrokerImage, transition: Transition) -> Pending[None]:
    """The transition of a registered broker.

    Raises KafkaError STALE_BROKER_EPOCH: the broker has registered anew meanwhile, or was unregistered.
    """
    broker_id = broker.broker_id
    if transition in COMES_BEFORE_ITS_PARTITIONS and _has_many(controller, broker_id, transition):
        records = registration_records(controller.image, broker_id, transition)
        if records:
            controller.commit(Decision(records, None))
    keys = await change_most_partitions(controller, broker, transition)
    check_broker_epoch(controller.image, broker_id, broker.epoch)
    return controller.commit(decide_transition(controller.image, controller.topic_rules, broker_id, transition, keys))


async def change_most_partitions(
    controller: Decider, broker: BrokerImage, transition: Transition
) -> list[PartitionKey]:
    """Commit the changes of the broker's partitions, except for the few that are returned: those of the last piece.

    Raises KafkaError STALE_BROKER_EPOCH, as `carry_out`.
    """
    broker_id = broker.broker_id
    return await change_in_pieces(
        controller,
        lambda image: partitions_of(image, broker_id, transition),
        lambda image, keys: partition_records(image, controller.topic_rules, broker_id, transition, keys),
        lambda image: check_broker_epoch(image, broker_id, broker.epoch),
    )


async def change_in_pieces(
    controller: Decider,
    find: Callable[[MetadataImage], list[PartitionKey]],
    records_of: Callable[[MetadataImage, Sequence[PartitionKey]], list[MetadataRecord]],
    check: Callable[[MetadataImage], object],
) -> list[PartitionKey]:
    """Commit the records of the partitions found, except for the few that are returned.

    `check` is called before each piece, and may raise a KafkaError.
    """
    keys = find(controller.image)
    if len(keys) <= PARTITIONS_PER_PIECE:
        return keys
    done: dict[PartitionKey, PartitionImage | None] = {}
    turn = Turn()
    for start in range(0, len(keys), PARTITIONS_PER_PIECE):
        piece = keys[start : start + PARTITIONS_PER_PIECE]
        check(controller.image)
        records = records_of(controller.image, piece)
        if records:
            controller.commit(Decision(records, None))
        for key in piece:
            done[key] = _partition(controller.image, key)
        await turn.share()
    image = controller.image
    return [key for key in find(image) if key not in done or _partition(image, key) is not done[key]]


def _has_many(controller: Decider, broker_id: int, transition: Transition) -> bool:
    return len(partitions_of(controller.image, broker_id, transition)) > PARTITIONS_PER_PIECE


def _partition(image: MetadataImage, key: PartitionKey) -> PartitionImage | None:
    topic_id, index = key
    topic = image.topics_by_id.get(topic_id)
    return topic.partitions[index] if topic is not None and index < len(topic.partitions) else None
