"""Nodes in a world that is played by a seed: events in one queue, no clock, no socket.

environment.py   the network, the disks, the clocks, and what happens to them
The quorum alone, with its state machine and nothing else of a node:
quorum_node.py   one node: the quorum and what a shell does for it
workload.py      what clients and operators ask, and misfortune
auditor.py       what must hold after every event, and at quiet times
mutations.py     mistakes that it must find
simulation.py    all together; `python -m tests.simulation --seeds N` is the long form
Whole clusters, with the real shells, controllers, partitions, replication and logs of nodes:
tasks.py         what stands in for trio: tasks of processes that pause, die and have clocks of their own
cluster_network.py, cluster_node.py, cluster_workload.py, cluster_misfortune.py, cluster_auditor.py,
cluster_mutations.py, cluster_simulation.py: as above; `python -m tests.simulation --cluster --seeds N`
"""
