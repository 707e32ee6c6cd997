"""Classic groups: JoinGroup, SyncGroup, Heartbeat and LeaveGroup, with a leader among the members that assigns.

kind.py       the classic groups of one shard: their records, their describe, and their life as a whole
protocol.py   what the four requests decide
rebalance.py  the phases of a rebalance and every timer of a group
group.py      one group and its rules (member.py, state.py)
records.py    Kafka's record format (group_record.py: that of a group with its members)
requests.py   what the API handlers call
"""
