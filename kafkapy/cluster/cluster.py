"""The nodes of a cluster in one process: bound, started, stopped and killed."""

from __future__ import annotations

import logging
import socket
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import PurePath
from typing import TYPE_CHECKING

import trio

from kafkapy.clock import WallClock
from kafkapy.cluster.members import Member, MemberChanges
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
        """Once it has started without those that were removed, and with those that were added."""
        self.started_with = tuple(members)
        self.on_members: Callable[[], object] = _ignore_members
        """Called when nodes were added or removed."""
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
        """By node id and listener; those of nodes that were removed, too: they may come back."""
        self._waiting_sockets: dict[int, dict[str, socket.socket]] = {}
        """Bound ones of nodes that were added and not started yet."""
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
        brokers = [self.broker_address(member.node_id) for member in self.members if "broker" in member.roles]
        return ",".join(filter(None, brokers))

    @property
    def changes(self) -> MemberChanges:
        """In what its nodes differ from those that it was started with."""
        return MemberChanges.between(self.started_with, self.members)

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
        self.members = tuple(MemberChanges.read(self.directory).applied_to(self.started_with, self.directory))
        self._tell_of_strangers()
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
            _close(self._waiting_sockets)

    async def start(self, node_id: int) -> Node:
        """Start a node again that was stopped or killed, at the addresses that it had."""
        if node_id in self._stops:
            raise RuntimeError(f"node {node_id} runs already")
        member = next(each for each in self.members if each.node_id == node_id)
        bound = self._waiting_sockets.pop(node_id, {})
        try:
            for name in [name for known, name in self._addresses if known == node_id and name not in bound]:
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

    def new_member(self, rack: str | None, taken: Collection[int]) -> Member:
        """A broker that can be added. Its id is the lowest above those of the start that is free: it is not `taken`,
        and no directory is left of an earlier node.
        """
        first = max(each.node_id for each in self.started_with) + 1
        members = {each.node_id for each in self.members}
        for node_id in count(first):
            if node_id not in members and node_id not in taken and not self.directory_of(node_id).exists():
                return Member(node_id, "broker", rack)
        raise AssertionError

    def set_members(self, members: Iterable[Member]) -> None:
        """Have these nodes from now on, also after the next start: those that are new can be started. Those that are
        gone must not run; what they have stored stays.

        Controllers stay the same. Raises StartupError: a port is taken, or the change cannot be noted in the directory.
        """
        members = sorted(members)
        before, after = ({each.node_id for each in some} for some in (self.members, members))
        assert not (before - after) & self._stops.keys(), "what runs is a member"
        for node_id in sorted(after - before):
            sock = self._bound_for_another(node_id)
            self._waiting_sockets[node_id] = {BROKER_LISTENER: sock}
            self._addresses[node_id, BROKER_LISTENER] = (self._host, sock.getsockname()[1])
        for node_id in before - after:
            self.nodes.pop(node_id, None)
            _close({node_id: self._waiting_sockets.pop(node_id, {})})
        self.members = tuple(members)
        self.on_members()
        self._note_changes()

    def _note_changes(self) -> None:
        self.changes.write(self.directory, fsync=self._durable)

    def _bound_for_another(self, node_id: int) -> socket.socket:
        """Where it was before; a new one after the others if they have neighbouring ports. Raises StartupError."""
        before = self._addresses.get((node_id, BROKER_LISTENER))
        is_awaited = self._port > 0 or any(each.node_id == node_id for each in self.started_with)
        port = 0 if before is None else before[1]
        if self._port and not port:
            port = 1 + max(port for (_, name), (_, port) in self._addresses.items() if name == BROKER_LISTENER)
        return (_bound if is_awaited else _bound_again)(self._host, port)

    def move_to_rack(self, node_id: int, rack: str | None) -> None:
        """What a node says of its rack from now on; the controller is to be told."""
        self.members = tuple(each._replace(rack=rack) if each.node_id == node_id else each for each in self.members)
        if node_id in self._stops:
            self.nodes[node_id].move_to_rack(rack)
        if any(each.node_id == node_id for each in self.changes.added):  # no argument of the next start has its rack
            self._note_changes()

    def check_can_restart(self, _what_not: str) -> None:
        """It can: see `kafkapy.control.cluster.ControlledCluster`."""

    def _tell_of_strangers(self) -> None:
        """Directories that no node of this cluster has: what only they have is not served."""
        known = {self.directory_of(member.node_id) for member in self.members}
        for path in sorted(self.directory.glob("node-*")):
            if path not in known and path.name.removeprefix("node-").isdecimal():
                logger.warning("%s belongs to no node of this cluster: what is there is not served", path)

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
            removed = set(self.changes.removed)
            for member in sorted({*self.started_with, *self.members}):
                if member.node_id in removed:
                    port += port > 0 and "broker" in member.roles  # the others keep theirs
                    continue
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
        brokers = sum("broker" in each.roles for each in self.started_with)
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
            topics=self._topics if member.node_id == self.started_with[0].node_id else (),
            sockets=sockets,
            as_kafka=self._as_kafka,
            cap_apis=self._cap_apis,
            strict=self._strict,
            faults=self._faults,
            must_be_alone=self._must_be_alone and "controller" in member.roles,
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


def _ignore_members() -> None:
    """The default callback when nodes were added or removed: does nothing."""


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
