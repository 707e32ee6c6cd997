"""Several nodes as processes, and unmodified clients and tools that use them while nodes come and go.

properties     what a node's server.properties says
node_process   one node: started, stopped, killed, paused, its disk emptied
processes      all of them: one cluster, whoever its nodes are
namespaces     a network of their own for them, which can be cut
looking        what admin clients see of the cluster: leaders, in-sync replicas, the controller
sending        records in and out, in one call
load           producers and groups that work while something is done to the cluster

Nodes that live in the tests' own process: `tests/cluster/cluster_in_thread.py`.
"""
