"""Several nodes in one process: a cluster for a test or for a developer's machine.

Every node has its own ports, its own directory and its own place in the quorum, as in a process of its own. They talk
to one another by sockets only. `cluster.py`: the nodes, started and stopped; `members.py`: which nodes there are.
"""

from kafkapy.cluster.cluster import (
    BROKER_LISTENER,
    CONTROLLER_LISTENER,
    CONTROLLER_PORTS_FILE,
    OWN_SETTINGS,
    Cluster,
    check_none_is_own,
)
from kafkapy.cluster.members import CHANGED_MEMBERS_FILE, Member, MemberChanges, members_of

__all__ = [
    "BROKER_LISTENER",
    "CHANGED_MEMBERS_FILE",
    "CONTROLLER_LISTENER",
    "CONTROLLER_PORTS_FILE",
    "OWN_SETTINGS",
    "Cluster",
    "Member",
    "MemberChanges",
    "check_none_is_own",
    "members_of",
]
