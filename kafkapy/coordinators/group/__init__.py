"""The group coordinator: who is in a group, who owns which partition, and how far it has read.

coordinator.py       one node's groups: what the API handlers call (shards.py: how a request finds its group)
shard.py             the groups and offsets of one partition of `__consumer_offsets`; replay
group.py             what groups of every type have in common; kinds.py: which type owns which records
classic/             classic groups
consumer/            consumer groups (KIP-848); migration.py: from one to the other and back
share/, streams/     share groups (KIP-932), streams groups (KIP-1071)
typed_groups.py      the groups of one type in a shard; member_timers.py: their sessions
large_groups.py      assignments that a worker thread computes
assignors/           server-side assignors
unserved.py          stored groups of types that are not served, which are kept and listed
records.py           Kafka's record formats of offsets
offsets.py           committed offsets: commit, fetch, delete, expire; offset_store.py: in few bytes
"""

from kafkapy.coordinators.group.coordinator import GroupCoordinator

__all__ = ["GroupCoordinator"]
