"""The share coordinator: how far each share group has come in each partition, in `__share_group_state` (KIP-932).

coordinator.py     the share partitions that this broker coordinates: what the API handlers and leaders call
persister.py       the state for group coordinators and leaders, whichever broker coordinates it
state_requests.py  the same in requests to other brokers
shard.py           those of one partition of `__share_group_state`: decisions, replay
share_state.py     what is stored of one share partition, and what each update makes of it
state_batches.py   runs of records in the same delivery state: combined, pruned
records.py         Kafka's record format of that topic: snapshots and updates
"""

from kafkapy.coordinators.share.coordinator import ShareCoordinator
from kafkapy.coordinators.share.share_partition_key import SharePartitionKey

__all__ = ["ShareCoordinator", "SharePartitionKey"]
