"""One node in one process: a broker, a controller, or both.

node.py          Node: settings and ports; the order in which its parts start and stop
quorum_part.py   what every node has: the data directory, its place in the quorum, the metadata
broker_part.py   what a broker has: partitions, coordinators, its registration
"""

from kafkapy.node.node import Node

__all__ = ["Node"]
