"""A quorum in a world that is played by a seed: events in one queue, no clock, no socket, no file.

environment.py   the network, the disks, the clocks, and what happens to them
quorum_node.py   one node: the quorum and what a shell does for it
workload.py      what clients and operators ask
auditor.py       what must hold after every event, and at quiet times
simulation.py    all together; `python -m tests.simulation --seeds N` is the long form
"""
