"""A cluster whose nodes are processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from compat_tests.apache_kafka import CLUSTER_ID
from compat_tests.cluster.namespaces import Namespaces
from compat_tests.cluster.node_process import APACHE, KAFKAPY, NodeProcess
from compat_tests.cluster.properties import SETTINGS, places_of, server_properties


class ClusterProcesses:
    """Nodes 1, 2, ..., each a process with a server.properties of its own; static voters, one cluster id for all.

    `controllers`: so many nodes are controllers only, and the others only brokers. `apache`: the ids of the nodes that
    are Apache Kafka's. `settings` by Kafka's names, for all nodes, `own_settings` for one by its id. With `namespaces`
    each node has an address of its own, which can be cut off. With `voters_in_log` the metadata log has the voters
    (kraft.version 1, KIP-853): in the beginning that is the first controller alone. `spare_brokers` more nodes are no
    part of the cluster until they are added, and again when they were taken away. `variables` are in the environment of
    all nodes, `format_options` given to the tool that formats their directories.
    """

    def __init__(
        self,
        directory: Path,
        nodes: int = 3,
        *,
        controllers: int | None = None,
        apache: Collection[int] = (),
        settings: Mapping[str, str] | None = None,
        own_settings: Mapping[int, Mapping[str, str]] | None = None,
        namespaces: Namespaces | None = None,
        voters_in_log: bool = False,
        spare_brokers: int = 0,
        variables: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        hosts = namespaces.hosts if namespaces is not None else ()
        places = places_of(nodes, controllers, hosts, spare_brokers=spare_brokers)
        values = {**SETTINGS, **(settings or {})}
        controllers_at = [f"{each.host}:{each.controller_port}" for each in places if each.is_controller]
        first = next(each.node_id for each in places if each.is_controller)
        if voters_in_log:
            values |= {
                "controller.quorum.voters": "",
                "controller.quorum.bootstrap.servers": ",".join(controllers_at),
            }
        self.cluster_id = CLUSTER_ID
        self.namespaces = namespaces
        everybody = {
            place.node_id: NodeProcess(
                APACHE if place.node_id in apache else KAFKAPY,
                place,
                directory / f"node-{place.node_id}",
                server_properties(
                    place,
                    places,
                    directory / f"node-{place.node_id}" / "data",
                    {**values, **(own_settings or {}).get(place.node_id, {})},
                ),
                cluster_id=CLUSTER_ID,
                within=namespaces.within(place.host) if namespaces is not None else (),
                format_options=(*format_options, *(_voter_options(place.node_id == first) if voters_in_log else ())),
                variables=variables,
            )
            for place in places
        }
        count = len(places) - spare_brokers
        self.nodes = dict(list(everybody.items())[:count])
        self.spares = dict(list(everybody.items())[count:])
        self._everybody = list(everybody.values())

    def add_spare(self) -> NodeProcess:
        """A spare broker becomes a node of the cluster; the caller starts it."""
        node_id = min(self.spares)
        node = self.nodes[node_id] = self.spares.pop(node_id)
        return node

    def make_spare(self, node_id: int) -> None:
        """A node that does not run is no part of the cluster any more, and has an empty disk."""
        self.nodes[node_id].empty_disk()
        self.spares[node_id] = self.nodes.pop(node_id)

    @property
    def brokers(self) -> list[NodeProcess]:
        return [node for node in self.nodes.values() if node.place.is_broker]

    @property
    def bootstrap(self) -> str:
        """`host:port,host:port`: all brokers, whether they run or not."""
        return ",".join(node.bootstrap for node in self.brokers)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, order: Iterable[int] | None = None) -> None:
        """Start all nodes, by these ids in this order, and wait until all serve."""
        nodes = [self.nodes[node_id] for node_id in (self.nodes if order is None else order)]
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait_until_ready()

    def close(self) -> None:
        """Kill what runs."""
        for node in self._everybody:
            node.close()

    def output(self) -> str:
        """What each node printed, for a failure message."""
        return "\n".join(f"node {node.node_id} printed:\n{node.output()}" for node in self._everybody)

    def bugs(self) -> str:
        return "\n".join(bugs for node in self._everybody if (bugs := node.bugs()))


def _voter_options(is_first: bool) -> tuple[str, ...]:
    return ("--standalone",) if is_first else ("--no-initial-controllers",)
