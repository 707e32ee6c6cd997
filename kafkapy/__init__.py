"""kafkapy: a Kafka broker in Python, on trio, that speaks the real protocol and keeps Kafka's own files.

The map of this package (docs/architecture.md has the whole):

    cli/            the command line                  settings/       Kafka's settings, typed at the door
    node.py         wires the parts of one process    server.py       listeners; connection.py, one task a client
    dispatch.py     from a frame to an answer         apis/           one module an API key
    partitions.py   the partitions this broker leads  coordinators/   groups and their offsets
    metadata/       the cluster's metadata; decides   clock.py        what time it is, and timers
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
