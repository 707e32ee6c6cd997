"""What a node's server.properties says, written as Kafka's users write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compat_tests.ports import free_ports

BROKER_LISTENER, CONTROLLER_LISTENER = "PLAINTEXT", "CONTROLLER"

# Nodes are missed sooner than by default (9 s, 2 s, 30 s), so that tests are short. A busy machine has to keep up.
SETTINGS = {
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.request.timeout.ms": "1000",
    "replica.lag.time.max.ms": "5000",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.num.partitions": "6",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.num.partitions": "6",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
}


@dataclass(frozen=True)
class NodePlace:
    """A node before it is started: its id, roles and addresses, the same after each start."""

    node_id: int
    roles: str
    """`process.roles`."""
    host: str
    port: int
    controller_port: int

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"


def places_of(
    nodes: int, controllers: int | None = None, hosts: Sequence[str] = (), *, spare_brokers: int = 0
) -> list[NodePlace]:
    """So many brokers, which are controllers, too, if no number of controllers is given: those have the next ids.

    Last come the spare brokers. Each listens at its own of `hosts`, else at 127.0.0.1.
    """
    roles = ["broker,controller" if controllers is None else "broker"] * nodes + ["controller"] * (controllers or 0)
    roles += ["broker"] * spare_brokers
    ports = free_ports(2 * len(roles))
    return [
        NodePlace(
            node_id=n + 1,
            roles=each,
            host=hosts[n] if hosts else "127.0.0.1",
            port=ports[2 * n],
            controller_port=ports[2 * n + 1],
        )
        for n, each in enumerate(roles)
    ]


def server_properties(
    place: NodePlace, everybody: Sequence[NodePlace], log_dirs: Path, settings: Mapping[str, str]
) -> str:
    """The text of the file. `settings` win over what it would say by itself."""
    listeners = []
    if place.is_broker:
        listeners.append(f"{BROKER_LISTENER}://{place.bootstrap}")
    if place.is_controller:
        listeners.append(f"{CONTROLLER_LISTENER}://{place.host}:{place.controller_port}")
    voters = [f"{each.node_id}@{each.host}:{each.controller_port}" for each in everybody if each.is_controller]
    values = {
        "process.roles": place.roles,
        "node.id": str(place.node_id),
        "controller.quorum.voters": ",".join(voters),
        "listeners": ",".join(listeners),
        "controller.listener.names": CONTROLLER_LISTENER,
        "listener.security.protocol.map": f"{BROKER_LISTENER}:PLAINTEXT,{CONTROLLER_LISTENER}:PLAINTEXT",
        "log.dirs": str(log_dirs),
        **settings,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items() if value)
