"""What a test asks of running nodes from outside their protocol: to look, to wait, to move time, to start afresh.

An operation is an `async def` whose first argument are the `ControlledNodes`; it runs on the nodes' event loop, and
takes and returns the plain values of `values`. It works on the nodes themselves, without sockets: neither faults, nor
recordings, nor the security of listeners meet it. `operations` is the table of all of them, for every door: the test
kit's objects in the same process, its pipe to another process, HTTP, the command line.

nodes          the nodes that operations work on, and requests to them
values         what operations take and return
topics, records, groups, transactions, connections      looking at them and changing them
waits          until something is so
time, clocks   the nodes' clocks
faults, recording   the doors to these rooms
members        nodes that are stopped, killed, started again, wiped
leadership     who leads a partition, who coordinates a group
state          a fresh cluster within milliseconds; snapshots and going back to them
operations     the table
"""
