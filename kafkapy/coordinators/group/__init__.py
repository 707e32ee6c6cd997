"""The group coordinator: who is in a group, who owns which partition, and how far it has read.

coordinator.py       one node's groups: what the API handlers call
shard.py             the groups and offsets of one partition of `__consumer_offsets`; replay
records.py           Kafka's record formats of that topic
offsets.py           committed offsets: commit, fetch, delete, expire; offset_store.py: in few bytes
classic_group.py     a classic group and its rules (classic_member.py, classic_state.py)
classic_protocol.py  JoinGroup, SyncGroup, Heartbeat, LeaveGroup
unserved_groups.py   stored groups of the newer protocols, which are kept and listed
rebalance.py         the phases of a rebalance and every timer of a classic group
"""

from kafkapy.coordinators.group.coordinator import GroupCoordinator, refused_join

__all__ = ["GroupCoordinator", "refused_join"]
