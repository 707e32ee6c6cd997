"""The transaction coordinator: who may write as which producer, and how each transaction ends (KIP-98, KIP-890).

coordinator.py       the transactional ids that this broker coordinates: what the API handlers call
shard.py             those of one partition of `__transaction_state`: decisions, replay
transaction.py       the state of one transactional id, and what each step makes of it
records.py           Kafka's record format of that topic
endings.py           from the decision to the last marker, in turns of the event loop
markers.py           commit and abort markers into the partitions that a transaction has written to
marker_channels.py   the same into partitions that other brokers lead
ports.py             what it needs of the rest of the node
enlisting.py         is this partition in the producer's transaction? asked before anything transactional is stored
remote_enlisting.py  the same, asked of coordinators on other brokers
"""

from kafkapy.coordinators.transaction.coordinator import TransactionCoordinator
from kafkapy.coordinators.transaction.enlisting import Enlisting, PartitionEnlister
from kafkapy.coordinators.transaction.markers import MarkerWriter

__all__ = ["Enlisting", "MarkerWriter", "PartitionEnlister", "TransactionCoordinator"]
