"""Defaults of kafkapy that differ from Kafka's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

FEWER_TURNS = "fewer turns for a megabyte: less CPU, twice the rate (--strict socket-buffers)"
WORKS_ON_ONE_NODE = "works on one node; Kafka's default holds if the settings name other nodes"

# Name -> (our default, Kafka's, why). They count as given in the node's properties file: DescribeConfigs calls them
# STATIC_BROKER_CONFIG, with Kafka's own default behind them. A value of the user's always wins.
DIFFERENT_DEFAULTS: Mapping[str, tuple[str, str | None, str]] = {
    "controller.listener.names": ("CONTROLLER", None, "Kafka has no default; this is the name everyone gives"),
    "group.initial.rebalance.delay.ms": (
        "0",
        "3000",
        "the first group is there at once; nobody waits for more members (--strict initial-rebalance-delay)",
    ),
    "group.streams.initial.rebalance.delay.ms": (
        "0",
        "3000",
        "a streams application has its tasks at once (--strict initial-rebalance-delay)",
    ),
    "listeners": (
        "PLAINTEXT://localhost:9092",
        "PLAINTEXT://:9092",
        "a test broker is open to the network only if you ask for it",
    ),
    "node.id": ("1", None, "Kafka has no default; a node alone needs none"),
    "offsets.topic.replication.factor": ("1", "3", WORKS_ON_ONE_NODE),
    "process.roles": ("broker,controller", None, "Kafka has no default; a node alone is both"),
    "socket.receive.buffer.bytes": ("409600", "102400", FEWER_TURNS),
    "socket.send.buffer.bytes": ("409600", "102400", FEWER_TURNS),
    "share.coordinator.state.topic.min.isr": ("1", "2", WORKS_ON_ONE_NODE),
    "share.coordinator.state.topic.replication.factor": ("1", "3", WORKS_ON_ONE_NODE),
    "transaction.state.log.min.isr": ("1", "2", WORKS_ON_ONE_NODE),
    "transaction.state.log.replication.factor": ("1", "3", WORKS_ON_ONE_NODE),
}


def different_defaults(*, has_others: bool, but: Collection[str] = ()) -> Mapping[str, str]:
    """Those that hold, without those in `but`; `has_others`: the settings name other nodes."""
    return {
        name: ours
        for name, (ours, _, why) in DIFFERENT_DEFAULTS.items()
        if name not in but and not (has_others and why == WORKS_ON_ONE_NODE)
    }


def of_several_nodes() -> Mapping[str, str]:
    """Kafka's defaults that take the place of ours where the settings name other nodes."""
    return {
        name: kafkas for name, (_, kafkas, why) in DIFFERENT_DEFAULTS.items() if kafkas and why == WORKS_ON_ONE_NODE
    }


def kafkas(names: Collection[str]) -> Mapping[str, str]:
    """Kafka's defaults of these settings."""
    return {name: default for name, (_, default, _) in DIFFERENT_DEFAULTS.items() if name in names and default}
