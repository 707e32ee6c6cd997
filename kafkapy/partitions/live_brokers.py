"""The other brokers of the cluster, as far as a leader must know them: their epochs, and who may join an ISR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_controller.image import BrokerImage, MetadataImage

UNKNOWN_BROKER_EPOCH: Final = -1


class LiveBrokers:
    """The registrations in the newest image. One object a node: every partition that it leads asks it."""

    __slots__ = ("_brokers",)

    def __init__(self) -> None:
        self._brokers: Mapping[int, BrokerImage] = {}

    def use(self, image: MetadataImage) -> None:
        """Use this image from now on."""
        self._brokers = image.brokers

    def is_alive(self, broker_id: int) -> bool:
        """Whether the broker is registered and unfenced."""
        broker = self._brokers.get(broker_id)
        return broker is not None and not broker.fenced

    def is_stale(self, broker_id: int, broker_epoch: int) -> bool:
        """Whether a request with this broker epoch comes from an earlier run of the broker (KIP-903); -1: not known."""
        broker = self._brokers.get(broker_id)
        return broker is not None and not broker.fenced and -1 < broker_epoch < broker.epoch

    def may_join_isr(self, broker_id: int, broker_epoch: int | None) -> bool:
        """Whether the controller would take the broker into an ISR: it is unfenced, is not shutting down, and has
        fetched with its present `broker_epoch` (-1: with none, which any epoch matches; None: has not fetched).
        """
        broker = self._brokers.get(broker_id)
        if broker is None or broker_epoch is None or broker.fenced or broker.in_controlled_shutdown:
            return False
        return broker_epoch in (UNKNOWN_BROKER_EPOCH, broker.epoch)
