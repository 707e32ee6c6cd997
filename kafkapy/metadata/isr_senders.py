"""Which request for ISRs was the latest of each broker.

A broker asks again on a new connection when an answer does not come. If the controller's process was paused, or the
network has held the first copy back, that copy may be read after the second one: after the controller has refused the
ISR, and the leader has gone on to commit records without the replica that was to be added. Nothing has changed
meanwhile, so that the partition epoch does not tell the late copy from a new request; the connection that it comes
by does, since its broker has given that up. Apache Kafka takes such a copy.
"""

from __future__ import annotations

from kafkapy.errors import CloseConnection

Order = tuple[int, int]
"""The number of the connection, which is higher for later ones, and the request's correlation id."""


class IsrSenders:
    """Of the brokers that are registered; to be asked about each AlterPartition of the broker's present epoch."""

    def __init__(self) -> None:
        self._latest: dict[int, tuple[int, Order]] = {}
        """Broker epoch and request, by broker id."""

    def check(self, broker_id: int, broker_epoch: int, order: Order) -> None:
        """Raises CloseConnection: a later request of the broker has come before, or the same one."""
        latest = self._latest.get(broker_id)
        if latest is not None and latest[0] == broker_epoch and latest[1] >= order:
            raise CloseConnection(f"an AlterPartition of broker {broker_id} is older than one that has come before")
        self._latest[broker_id] = broker_epoch, order
