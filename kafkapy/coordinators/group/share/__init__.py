"""Share groups (KIP-932): members read the same partitions, and the coordinator tells each which.

kind.py             the share groups of one shard: replay, timers, topics that are deleted
requests.py         what the API handlers call; the state of new partitions is initialized in the background
offset_requests.py  start offsets: described, altered and deleted
membership.py       what a heartbeat decides: members that join, change, leave and are fenced
assigning.py        what each member is to read
timers.py           sessions
group.py            one group (member.py: one member, a value)
topic_states.py     which partitions have a state at the share coordinator, a value
describing.py       the answer to ShareGroupDescribe
records.py          Kafka's record formats (reading.py: their content)
"""
