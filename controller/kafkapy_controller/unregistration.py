"""The controller's decision about UnregisterBroker."""

from __future__ import annotations

from kafkapy_controller.broker_transitions import Transition, check_is_registered, decide_transition
from kafkapy_controller.decision import Decision
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.partition_changes import TopicRules


def decide_unregister_broker(image: MetadataImage, rules: TopicRules, broker_id: int) -> Decision[None]:
    """Remove the registration of a broker that will not return; it leaves every ISR and leads no partition.

    Raises KafkaError: BROKER_ID_NOT_REGISTERED.
    """
    check_is_registered(image, broker_id)
    return decide_transition(image, rules, broker_id, Transition.UNREGISTERING)
