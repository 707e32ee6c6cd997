"""kafkapy: a Kafka broker in Python, on trio, that speaks the real protocol and keeps Kafka's own files.

The rooms of this package, from the top down (docs/architecture.md has the whole, and the way of a request):

    cli/           the command line; client/ is its Kafka client, history/ the checker behind `kafkapy check`
    node           the parts of one process, and the order in which they start and stop
    housekeeping   chores by the clock
    network/       sockets, frames, requests and answers in order
    apis/          one module an API key; context: what a handler gets beside its request; broker: the parts it may use
    producing/     from a Produce to the partitions; fetching/: from the partitions to a Fetch
    coordinators/  groups and transactions, in their internal topics
    metadata/      the cluster's metadata: its log, the controller, the images
    partitions/    the replicas of this broker
    settings/      Kafka's settings, typed at the door
    clock, pending, high_watermark, turns, bugs, errors      small things that all of them use
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
