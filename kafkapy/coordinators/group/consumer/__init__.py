"""Consumer groups (KIP-848): the coordinator assigns, and members converge to it one by one, each at its own epoch.

kind.py            the consumer groups of one shard: replay, timers, metadata that changes
requests.py        what the API handlers call
membership.py      what a heartbeat decides: members that join, change, leave and are fenced
reconciliation.py  the next step of one member on its way to what it is to own
assigning.py       what each member is to own
group.py           one group (member.py: one member, a value; validation.py: who may commit)
subscriptions.py   who reads what, and whether that has changed
describing.py      the answer to ConsumerGroupDescribe
records.py         Kafka's record formats (reading.py: their content)
"""
