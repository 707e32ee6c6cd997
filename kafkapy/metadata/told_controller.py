"""Which broker clients are told to be the controller: requests for the active one are forwarded by any broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kafkapy_controller.image import MetadataImage

NOBODY: Final = -1


def told_controller(image: MetadataImage, leader_id: int, node_id: int) -> int:
    """The leader of the quorum if it is a running broker, too; otherwise this broker, or any other that runs.

    Clients look the id up among the brokers of the same answer, and wait for as long as it is not there. Apache Kafka
    tells any running broker.
    """
    for broker_id in (leader_id, node_id):
        broker = image.brokers.get(broker_id)
        if broker is not None and not broker.fenced:
            return broker_id
    running = image.unfenced_brokers()
    return running[0].broker_id if running else NOBODY
