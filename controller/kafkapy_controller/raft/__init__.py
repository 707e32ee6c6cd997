"""The KRaft quorum (KIP-595, 630, 853, 996) as a pure state machine: no socket, no file, no clock.

```
quorum         events in, effects out: what drives it needs no other module
core           what a node knows, and the changes of its role: the only writers of it
roles          the roles, and what each knows
voting         how a leader is found
following      fetching from the leader
leading        answering fetches, committing, changing who votes
description    the quorum as its leader sees it
epoch_history  which leader epoch began where in the log
messages, rpc  what nodes say to each other, and how Kafka encodes it
```

`tests/simulation` runs it under every misfortune that a seed can think of.
"""
