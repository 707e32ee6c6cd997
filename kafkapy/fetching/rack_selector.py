"""The rack-aware replica selector (KIP-392): a consumer is sent to a replica in its own rack.

Apache Kafka's org.apache.kafka.common.replica.RackAwareReplicaSelector. Only followers in the ISR that have the record
at the fetch offset are chosen, the most caught-up one first; without one in the consumer's rack the leader serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.partitions.partition import Partition
    from kafkapy_controller.image import BrokerImage

RACK_AWARE_SELECTOR: Final = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
LEADER: Final = -1


class RackSelector:
    """Chooses for one fetch of a consumer in `rack` that came to `listener_name`. Broker `node_id` leads."""

    __slots__ = ("_brokers", "_listener_name", "_node_id", "_rack")

    def __init__(self, rack: str, listener_name: str, brokers: Mapping[int, BrokerImage], node_id: int) -> None:
        self._rack = rack
        self._listener_name = listener_name
        self._brokers = brokers
        self._node_id = node_id

    def preferred(self, partition: Partition, fetch_offset: int) -> int:
        """The id of the follower that the consumer is to read from; -1: the leader."""
        followers = partition.followers
        if followers is None or self._is_near(self._node_id):
            return LEADER
        near = [
            (state.end_offset, state.caught_up_ms, replica)
            for replica, state in followers.having(fetch_offset).items()
            if self._is_near(replica)
        ]
        return max(near)[2] if near else LEADER

    def _is_near(self, broker_id: int) -> bool:
        broker = self._brokers.get(broker_id)
        return (
            broker is not None
            and not broker.fenced
            and broker.rack == self._rack
            and self._listener_name in broker.endpoints
        )
