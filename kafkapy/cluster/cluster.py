"""The nodes of a cluster in one process: bound, started, stopped and killed."""

from __future__ import annotations

import logging
import socket
from contextlib import asynccontextmanager, suppress
from pathlib import PurePath
from typing import TYPE_CHECKING

import trio

from kafkapy.clock import WallClock
from kafkapy.errors import ShutdownError, StartupError
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy.settings.errors import SettingsError
from kafkapy_log.identity import read_identity
from kafkapy_wire.uuid import random_uuid, uuid_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from kafkapy.clock import Clock
    from kafkapy.cluster.members import Member
    from kafkapy.faults import FaultEngine
    from kafkapy.settings.given import GivenTopic
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

logger = logging.getLogger("kafkapy.cluster")

BROKER_LISTENER = "PLAINTEXT"
CONTROLLER_LISTENER = "CONTROLLER"
CONTROLLER_PORTS_FILE = "controller-ports"
OWN_SETTINGS = {
    "listeners": f"listener.security.protocol.map says what the two listeners speak, as in "
    f"{BROKER_LISTENER}:SASL_SSL,{CONTROLLER_LISTENER}:SSL",
    "controller.listener.names": f"it is {CONTROLLER_LISTENER}",
    "node.id": "nodes have the numbers from 1 on",
    "process.roles": "brokers are controllers, too, unless controllers of their own are asked for",
    "controller.quorum.voters": "they are the controllers of this cluster",
}
"""What a cluster sets at each node, whatever was given, and what to do instead."""
REPLICAS = 3
"""How many replicas topics have in a cluster that is large enough."""
ELECTION_TIMEOUT_MS = 100
"""Nodes of one process answer within a moment: a leader need not be waited for as long as over a network."""
HEARTBEAT_INTERVAL_MS = 500
SESSION_TIMEOUT_MS = 4_000
"""So long a killed broker is missed, and so long a cluster takes to come back that was killed as a whole: its brokers
may register again only when their old sessions are over. Less would take a busy process for a dead one."""


def check_none_is_own(names: Iterable[str]) -> None:
    """Raises SettingsError: one is a cluster's own, so that it would have no effect."""
    for name in names:
        if name in OWN_SETTINGS:
            raise SettingsError(f"{name} is set for each node: leave it out; {OWN_SETTINGS[name]}", name)


class Cluster:
    """Nodes in one process, each in a directory of its own below `directory`. Served within `started()`."""

    def __init__(
        self,
        directory: Path,
        members: Sequence[Member],
        *,
        settings: Mapping[str, str] | None = None,
        host: str = "localhost",
        port: int = 0,
        durable: bool = True,
        kept: bool = True,
        cluster_id: str | None = None,
        topics: Iterable[GivenTopic] = (),
        new_clock: Callable[[], Clock] | None = None,
        as_kafka: str | None = None,
        cap_apis: Mapping[str, int | None] | None = None,
        strict: Sequence[str] = (),
        faults: FaultEngine | None = None,
        must_be_alone: bool = False,
        credentials: Sequence[UserScramCredentialRecord] = (),
    ) -> None:
        """`settings` hold for all nodes. Brokers listen at `port`, `port + 1`, ...; at free ports if it is 0.

        `durable`, `kept`, `topics`, `as_kafka`, `cap_apis`, `strict`, `faults`, `must_be_alone` and `credentials`: see
        `Node`. A directory that has a cluster keeps its id. Every node has a clock of its own, made by `new_clock`;
        among themselves the nodes then go by the machine's time.
        """
        self.directory = directory
        self.members = tuple(members)
        self.nodes: dict[int, Node] = {}
        """The nodes that were started, by id."""
        self._given = dict(settings or {})
        self._host = host
        self._port = port
        self._durable = durable
        self._kept = kept
        self._cluster_id = cluster_id
        self._topics = tuple(topics)
        self._new_clock = new_clock
        self._as_kafka = as_kafka
        self._cap_apis = cap_apis
        self._strict = strict
        self._faults = faults
        self._must_be_alone = must_be_alone
        self._credentials = credentials
        self._addresses: dict[tuple[int, str], tuple[str, int]] = {}
        self._nursery: trio.Nursery | None = None
        self._stops: dict[int, _Stop] = {}
        self.failures: dict[int, ShutdownError] = {}
        """Why nodes have ended by themselves, by id: the others go on."""

    @property
    def running(self) -> Collection[int]:
        """The ids of the nodes that serve."""
        return self._stops.keys()

    @property
    def cluster_id(self) -> str:
        return next(iter(self.nodes.values())).directories.cluster_id

    @property
    def bootstrap_servers(self) -> str:
        """`host:port,host:port`: the brokers, whether they run or not."""
        brokers = [address for (_, name), address in self._addresses.items() if name == BROKER_LISTENER]
        return ",".join(f"{host}:{port}" for host, port in brokers)

    def addresses(self, node_id: int) -> list[tuple[str, int]]:
        """(host, port) of every listener of a node, whether it runs or not."""
        return [address for (known, _), address in self._addresses.items() if known == node_id]

    def broker_address(self, node_id: int) -> str | None:
        """`host:port` where clients connect to a node; None: it is no broker."""
        address = self._addresses.get((node_id, BROKER_LISTENER))
        return None if address is None else f"{address[0]}:{address[1]}"

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Cluster]:
        """All nodes serve within the block. Raises StartupError, ShutdownError: see `Node.started`."""
        self._cluster_id = self._own_cluster_id()
        sockets = self._bind()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                async with trio.open_nursery() as starting:
                    for member in self.members:
                        starting.start_soon(self._start, member, sockets[member.node_id])
                yield self
                await self.stop()
        except BaseExceptionGroup as group:
            raise _only(group) from group
        finally:
            self._nursery = None
            _close(sockets)

    async def start(self, node_id: int) -> Node:
        """Start a node again that was stopped or killed, at the addresses that it had."""
        if node_id in self._stops:
            raise RuntimeError(f"node {node_id} runs already")
        member = next(each for each in self.members if each.node_id == node_id)
        names = [name for known, name in self._addresses if known == node_id]
        bound: dict[str, socket.socket] = {}
        try:
            for name in names:
                bound[name] = _bound(*self._addresses[node_id, name])
            await self._start(member, bound)
        except BaseException:
            _close({node_id: bound})
            raise
        return self.nodes[node_id]

    async def stop(self, node_id: int | None = None) -> None:
        """Stop a node in order, so that others take its partitions over; without an id all of them, brokers first."""
        if node_id is not None:
            await self._stops[node_id].stop()
            return
        stops = list(self._stops.values())
        for steps in ([each.hand_over for each in stops], [each.stop for each in stops]):
            async with trio.open_nursery() as nursery:
                for step in steps:
                    nursery.start_soon(step)

    async def kill(self, node_id: int) -> None:
        """End a node as SIGKILL does: nobody is told, connections break, and nothing more is written."""
        await self._stops[node_id].kill()

    def pause(self, node_id: int) -> None:
        """Suspend a node, as SIGSTOP does: see `Node.pause`. It has to run."""
        self.nodes[node_id].pause()

    def resume(self, node_id: int) -> None:
        """Undo `pause`."""
        self.nodes[node_id].resume()

    def move_to_rack(self, node_id: int, rack: str | None) -> None:
        """What a node says of its rack from now on; the controller is to be told."""
        self.members = tuple(each._replace(rack=rack) if each.node_id == node_id else each for each in self.members)
        if node_id in self._stops:
            self.nodes[node_id].move_to_rack(rack)

    def check_can_restart(self, _what_not: str) -> None:
        """It can: see `kafkapy.control.cluster.ControlledCluster`."""

    def _own_cluster_id(self) -> str:
        for member in self.members:
            identity = read_identity(self._log_directories_of(member.node_id)[0])
            if identity is not None:
                return identity.cluster_id
        return self._cluster_id or uuid_text(random_uuid())

    def directory_of(self, node_id: int) -> Path:
        """Where a node of this id has its data: with several log.dirs they are below it."""
        return self.directory / f"node-{node_id}"

    def _log_directories_of(self, node_id: int) -> tuple[Path, Sequence[Path]]:
        """That of the metadata log, and those of log.dirs. Of what the settings name only the last parts count."""
        base = self.directory_of(node_id)
        named = [each.strip() for each in self._given.get("log.dirs", "").split(",") if each.strip()]
        metadata = self._given.get("metadata.log.dir", named[0] if named else "")
        if len(dict.fromkeys([*named, metadata])) < 2:
            return base, (base,)
        return base / PurePath(metadata).name, [base / PurePath(each).name for each in named]

    def _bind(self) -> dict[int, dict[str, socket.socket]]:
        """Bound sockets by node id and listener: all ports are known before the first node starts.

        Raises StartupError: a port is taken.
        """
        sockets: dict[int, dict[str, socket.socket]] = {}
        port = self._port
        ports_before = self._controller_ports_before()
        try:
            for member in self.members:
                bound = sockets[member.node_id] = {}
                if "broker" in member.roles:
                    bound[BROKER_LISTENER] = _bound(self._host, port)
                    port += port > 0
                if "controller" in member.roles:
                    bound[CONTROLLER_LISTENER] = _bound_again(self._host, ports_before.get(member.node_id, 0))
                for name, sock in bound.items():
                    self._addresses[member.node_id, name] = (self._host, sock.getsockname()[1])
        except BaseException:
            _close(sockets)
            raise
        self._note_controller_ports()
        return sockets

    def _controller_ports_before(self) -> dict[int, int]:
        """The port of each controller in the last run: at kraft.version 1 the metadata says where the voters are."""
        try:
            lines = (self.directory / CONTROLLER_PORTS_FILE).read_text().splitlines()
            return {int(node_id): int(port) for node_id, port in map(str.split, lines)}
        except (FileNotFoundError, ValueError):
            return {}

    def _note_controller_ports(self) -> None:
        ports = {node_id: port for (node_id, name), (_, port) in self._addresses.items() if name == CONTROLLER_LISTENER}
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{node_id} {port}\n" for node_id, port in ports.items())
        (self.directory / CONTROLLER_PORTS_FILE).write_text(lines)

    def _settings_of(self, member: Member) -> Settings:
        """Kafka's settings of one node."""
        brokers = sum("broker" in each.roles for each in self.members)
        replicas = str(min(REPLICAS, brokers))
        own = {name: address for (node_id, name), address in self._addresses.items() if node_id == member.node_id}
        voters = [each.node_id for each in self.members if "controller" in each.roles]
        values = {
            "default.replication.factor": replicas,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": str(min(2, brokers)),
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": str(min(2, brokers)),
            "controller.quorum.election.timeout.ms": str(ELECTION_TIMEOUT_MS),
            "broker.heartbeat.interval.ms": str(HEARTBEAT_INTERVAL_MS),
            "broker.session.timeout.ms": str(SESSION_TIMEOUT_MS),
            **self._given,
            "node.id": str(member.node_id),
            "process.roles": member.roles,
            "controller.listener.names": CONTROLLER_LISTENER,
            "controller.quorum.voters": ",".join(
                f"{node_id}@{host}:{port}"
                for node_id in voters
                for host, port in [self._addresses[node_id, CONTROLLER_LISTENER]]
            ),
            "listeners": ",".join(f"{name}://{host}:{port}" for name, (host, port) in own.items()),
        }
        if member.rack is not None:
            values["broker.rack"] = member.rack
        return Settings.parse(values)

    async def _start(self, member: Member, sockets: Mapping[str, socket.socket]) -> None:
        assert self._nursery is not None, "the cluster does not run"
        metadata_directory, log_directories = self._log_directories_of(member.node_id)
        node = Node(
            self._settings_of(member),
            metadata_directory,
            log_directories=log_directories,
            durable=self._durable,
            kept=self._kept,
            clock=None if self._new_clock is None else self._new_clock(),
            liveness_clock=None if self._new_clock is None else WallClock(),
            cluster_id=self._cluster_id,
            topics=self._topics if member is self.members[0] else (),
            sockets=sockets,
            as_kafka=self._as_kafka,
            cap_apis=self._cap_apis,
            strict=self._strict,
            faults=self._faults,
            must_be_alone=self._must_be_alone,
            credentials=self._credentials,
        )
        stop = _Stop(node)
        await self._nursery.start(self._serve, node, stop)

    async def _serve(self, node: Node, stop: _Stop, task_status: trio.TaskStatus[None]) -> None:
        try:
            with stop.scope:
                async with node.started():
                    self.nodes[node.node_id] = node
                    self._stops[node.node_id] = stop
                    task_status.started()
                    await stop.asked.wait()
        except ShutdownError as error:
            logger.error("node %d has ended: %s", node.node_id, error)
            self.failures[node.node_id] = error
        finally:
            self._stops.pop(node.node_id, None)
            stop.done.set()


class _Stop:
    """How one node is ended, and when it is."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.asked = trio.Event()
        self.scope = trio.CancelScope()
        self.done = trio.Event()

    async def hand_over(self) -> None:
        """While its controllers run, a broker is told at once that it may stop.

        A node that ends meanwhile, since its disk failed or it was killed, has no clock that would end the wait. One
        that is paused goes on first.
        """
        self._node.resume()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_done, nursery.cancel_scope)
            await self._node.hand_over()
            nursery.cancel_scope.cancel()

    async def _cancel_when_done(self, scope: trio.CancelScope) -> None:
        await self.done.wait()
        scope.cancel()

    async def stop(self) -> None:
        self._node.resume()
        self.asked.set()
        await self.done.wait()

    async def kill(self) -> None:
        self._node.kept = False
        self.scope.cancel()
        await self.done.wait()


def _bound(host: str, port: int) -> socket.socket:
    from kafkapy.network.listeners import bind
    from kafkapy.settings.listeners import Listener

    return bind(Listener(BROKER_LISTENER, host, port, "PLAINTEXT"))


def _bound_again(host: str, port: int) -> socket.socket:
    """At this port, or at a free one if another process has it now."""
    if port:
        with suppress(StartupError):
            return _bound(host, port)
    return _bound(host, 0)


def _close(sockets: Mapping[int, Mapping[str, socket.socket]]) -> None:
    for bound in sockets.values():
        for sock in bound.values():
            sock.close()


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the cluster: those that it has caused are cancellations."""
    causes = group.split(trio.Cancelled)[1] or group
    while isinstance(causes, BaseExceptionGroup):
        first = next((each for each in causes.exceptions if isinstance(each, StartupError)), causes.exceptions[0])
        if not isinstance(first, BaseExceptionGroup):
            return first
        causes = first
    return causes
