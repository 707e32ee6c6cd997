"""Streams groups (KIP-1071): the broker knows the topology of a Kafka Streams application and assigns its tasks.

kind.py             the streams groups of one shard: replay, timers, topics that change
requests.py         what the API handlers call
internal_topics.py  repartition and changelog topics, created in the background
membership.py       what a heartbeat decides: members that join, change and go on
leaving.py          members that leave or are fenced
identity.py         which member a heartbeat is of, and whether it may speak
topologies.py       the group's topology: told, stored, matched with the topics that exist
assigning.py        what each member is to have: the target, made by the assignor
reconciliation.py   the next step of one member on its way to its target
answering.py        the answer to a heartbeat; endpoints.py: who has which partitions, for interactive queries
group.py            one group (member.py: one member, a value; tasks.py: tasks)
owners.py           which process has which task now
validation.py       who may commit and fetch offsets
group_settings.py   the settings of one group
timers.py           sessions, time to give up tasks, the delay of the first assignment
describing.py       the answer to StreamsGroupDescribe
records.py          Kafka's record formats (reading.py: their content)
topology/           from a stored topology and the topics that exist to tasks and missing topics
"""
