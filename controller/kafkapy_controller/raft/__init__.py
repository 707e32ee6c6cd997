"""The KRaft quorum (KIP-595, 630, 853, 996) as a pure state machine: no socket, no file, no clock.

```
quorum         events in, effects out: the only module that its driver needs
core           the state of a node, and the only functions that change its role
roles          the roles and their state
voting         elections
following      fetching from the leader
leading        answering fetches, committing, changing the voters
description    the quorum as its leader sees it
epoch_history  the start offset of each leader epoch
messages, rpc  the messages between nodes, and their encoding in Kafka's protocol
```

`tests/simulation` runs it with crashes, lost messages and disk errors from a seed.
"""
