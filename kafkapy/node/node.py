"""One node in one process: its settings and ports, and the order in which its parts start and stop.

A port that is open has a working broker, or controller, behind it. Ports are bound first, as their numbers are
registered. Then the metadata is loaded, and controllers are served, so that the quorum can elect a leader. A broker
registers and recovers its logs. In a cluster it then serves, and asks to be unfenced: it is asked for what it leads as
soon as it does. One that is alone loads its coordinators first.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import trio

from kafkapy.apis import CONTROLLER_API_MODULES
from kafkapy.bugs import Bugs
from kafkapy.clock import WallClock
from kafkapy.context import NodeContext, RequestContext
from kafkapy.errors import ShutdownError, StartupError
from kafkapy.housekeeping import Housekeeping
from kafkapy.metadata.active_controller import ActiveController
from kafkapy.metadata.broken import BrokenMetadata
from kafkapy.metadata.internal_topics import create_given_topics
from kafkapy.network.advertised import address_text
from kafkapy.network.client_watch import watch_clients
from kafkapy.network.dispatch import Dispatcher
from kafkapy.network.listeners import bind, listen
from kafkapy.network.logged_requests import log_requests
from kafkapy.network.server import Server, Service
from kafkapy.node.broker_part import BrokerPart
from kafkapy.node.quorum_part import QuorumPart
from kafkapy.node.throttle import throttle
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.topic_settings import TopicSettingsSource
from kafkapy.settings.current import CurrentSettings
from kafkapy.settings.errors import SettingsError
from kafkapy.suspension import Suspension
from kafkapy_log import LogDirectories, StoreError
from kafkapy_log.disk_errors import what_to_do
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from kafkapy.broker import Broker, NodeParts
    from kafkapy.clock import Clock
    from kafkapy.faults import FaultEngine
    from kafkapy.metadata.metadata_log import MetadataLog
    from kafkapy.partitions.log_cleaning import LogCleaning
    from kafkapy.peers import Peers
    from kafkapy.releases import ApiLimits
    from kafkapy.settings import Settings
    from kafkapy.settings.given import GivenTopic
    from kafkapy.settings.listeners import Listener
    from kafkapy.strictness import Strictness
    from kafkapy.tls.current import CurrentTls
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

logger = logging.getLogger("kafkapy.node")

# Connections wait so long for the coordinators to load. After that, requests get COORDINATOR_LOAD_IN_PROGRESS.
COORDINATORS_LOAD_SECONDS = 0.25
OTHER_BROKERS_SECONDS = 30  # how long the start waits for brokers that are to have replicas of given topics
OTHER_BROKERS_CHECK_SECONDS = 0.1
DRAIN_SECONDS = 0.05  # how long open requests may take after a stop was asked for
LEAVING_SECONDS = 0.2  # how long the other controllers may take to hear that this one resigns

Bound = list[tuple["Listener", "socket.socket"]]


class Node:
    """One process's node. Served within `started()`; `broker` has the parts that requests use."""

    broker: Broker
    """There once the node is up, for as long as it serves, if it is a broker."""
    parts: NodeParts
    directories: LogDirectories
    metadata_log: MetadataLog
    peers: Peers
    server: Server
    log_cleaning: LogCleaning
    housekeeping: Housekeeping

    def __init__(
        self,
        settings: Settings,
        data_directory: Path,
        *,
        log_directories: Sequence[Path] = (),
        durable: bool = True,
        kept: bool = True,
        clock: Clock | None = None,
        liveness_clock: Clock | None = None,
        random: Random | None = None,
        cluster_id: str | None = None,
        topics: Iterable[GivenTopic] = (),
        sockets: Mapping[str, socket.socket] | None = None,
        as_kafka: str | None = None,
        cap_apis: Mapping[str, int | None] | None = None,
        strict: Iterable[str] = (),
        faults: FaultEngine | None = None,
        must_be_alone: bool = False,
        credentials: Sequence[UserScramCredentialRecord] = (),
    ) -> None:
        """All data is in `data_directory`. With `log_directories` (log.dirs) replicas are in these, the metadata there.

        Without `durable` nothing waits for the disk. Without `kept` the logs are not closed cleanly at the end, only
        their descriptors: for a directory that is deleted then.

        All that clients can see goes by `clock`, the machine's time when there is none: dates, sessions of groups,
        retention. Elections, heartbeats and sessions of brokers, and replication go by `liveness_clock`, the same one
        unless there is another: a test that moves time must not have the nodes miss each other.

        Whatever is left to chance asks `random`, the machine's own when there is none. `cluster_id` is for a new
        directory: one that has an id keeps it. `topics` are made before anybody connects, if they are not there.
        `sockets` are bound ones, by listener name, for listeners that need not be bound here. Requests meet the
        `faults` of the engine, which may be that of other nodes, too.

        `must_be_alone`: refuse a directory whose quorum has other voters, which would be waited for. `credentials` of
        SCRAM users are in the metadata of a cluster that begins here.

        To clients the node is a broker of the release `as_kafka` (`2.8`); `cap_apis` has the highest versions of single
        APIs (`{"Fetch": 11}`; None: not served). `strict` names kindnesses to turn off (`kafkapy.strictness`). Raises
        SettingsError: there is no such release, API, version or kindness.
        """
        self._strictness = _strictness(strict)
        self.settings = CurrentSettings(_strict_settings(settings, self._strictness))
        self._cluster_id, self._topics = cluster_id, tuple(topics)
        self._faults, self._must_be_alone = faults, must_be_alone
        self._credentials, self._sockets = credentials, sockets or {}
        self.data_directory = data_directory
        self.log_directories = tuple(log_directories) or (data_directory,)
        self.durable = durable
        self.kept = kept
        """May be set to False while the node runs: its end is then that of a killed one."""
        self.bugs = Bugs()
        self.clock = clock or WallClock()
        self.liveness_clock = liveness_clock or self.clock
        self.clock.bugs = self.liveness_clock.bugs = self.bugs
        self.random = random or Random()
        self.disk = DiskWatch(data_directory, self.clock)
        self.api_limits = _api_limits(as_kafka, cap_apis or {})
        """What clients may use, if that is less than is served."""
        self.dispatcher = Dispatcher(limits=self.api_limits)
        """Of the listeners for clients and brokers."""
        self.controller_dispatcher = _controller_dispatcher()
        self.on_recovery: Callable[[int, int], None] = _show_no_progress
        """Called now and then, while what an unclean stop left is recovered: partitions done, of how many."""
        self.on_closing: Callable[[], None] = _ignore_closing
        """Called when the node has stopped serving and closes its logs, which may take the disk a while."""
        self.stopping = trio.Event()
        self.waits_for_others = False
        """Whether the start waits for other nodes of the cluster, which may take for ever; it can be cancelled then."""
        self._was_started = False
        self.tls: CurrentTls | None = None  # made at the start, if anything has TLS
        self._suspension = Suspension()

    @property
    def is_paused(self) -> bool:
        return self._suspension.is_on

    def pause(self) -> None:
        """Suspend the node, as SIGSTOP does a process: connections stay open, and nothing is answered or sent."""
        self._suspension.begin()
        for clock in {self.clock, self.liveness_clock}:
            clock.suspend()

    def resume(self) -> None:
        """Undo `pause`: what came meanwhile is read first, then timers fire that fell due."""
        self._suspension.end()
        for clock in {self.clock, self.liveness_clock}:
            clock.resume()

    def move_to_rack(self, rack: str | None) -> None:
        """From now on the node says that it stands there, when it registers again; this tells no controller."""
        self.settings.change(self.settings.now.with_rack(rack))
        if (lifecycle := self._broker_part.lifecycle) is not None:
            lifecycle.move_to_rack(rack)

    async def in_touch(self) -> None:
        """Wait until the active controller has taken a heartbeat of this broker, which has others in its cluster."""
        if (lifecycle := self._broker_part.lifecycle) is not None:
            await lifecycle.in_touch()

    @property
    def node_id(self) -> int:
        return self.settings.now.node.node_id

    @property
    def bootstrap_address(self) -> str:
        """`host:port` of the first listener for clients."""
        return address_text(self.settings.now.advertised_listeners[0])

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Node]:
        """Serve within the block; afterwards open requests get `DRAIN_SECONDS` and the logs are closed.

        What the block raises comes out as it is. A node is started once. Raises StartupError: it cannot start;
        ShutdownError: it has served and stopped, yet not cleanly. Their messages say what to do.
        """
        if self._was_started:
            raise RuntimeError("a node is started once: make another")
        self._was_started = True
        parts = ExitStack()  # closes in reverse order whatever was opened, even if the start failed half way
        cause: BaseException | None = None
        failure: Exception | None = None
        try:
            self._tell_what_has_no_effect()
            self.tls = _tls_of(self.settings)
            at_brokers, at_controllers = self._bind(parts)
            quorum = self._quorum = self._open(parts, listens=bool(at_controllers))
            if self._must_be_alone and not quorum.is_alone:
                raise StartupError(f"{self.data_directory} is of a quorum of several controllers: {quorum.voters_text}")
            async with trio.open_nursery() as nursery:
                for clock in {self.clock, self.liveness_clock}:
                    nursery.start_soon(clock.run)
                nursery.start_soon(self._stop_when_something_fails)
                nursery.start_soon(_follow_tls, self.tls)
                async with trio.open_nursery() as serving:
                    self.server = Server(self.parts, self.bugs, self._suspension)
                    quorum.peers.on_first = self.server.stop_lingering
                    await serving.start(partial(self.server.serve, self.stopping, drain_seconds=DRAIN_SECONDS))
                    if at_controllers:
                        self._meet_faults(self.controller_dispatcher, self.parts, parts)
                        self._serve(
                            at_controllers, Service(self.controller_dispatcher, partial(NodeContext, self.parts))
                        )
                    if not quorum.is_alone:
                        self.waits_for_others = True
                        await nursery.start(quorum.run, self.bugs)
                        await quorum.join()
                    if self.settings.now.quorum.is_broker:
                        await self._start_broker(parts, nursery, quorum, at_brokers)
                    elif quorum.is_alone:
                        nursery.start_soon(quorum.run, self.bugs)
                        await quorum.register_controller()
                    if self.settings.now.quorum.is_controller and not quorum.is_alone:
                        nursery.start_soon(quorum.keep_controller_registered)
                    self.waits_for_others = False
                    logger.info("node %d started", self.node_id)
                    yield self
                    logger.info("stopping")
                    await self._leave()
                    self.stopping.set()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            cause = _cause(group)
        finally:
            self.on_closing()
            try:
                parts.close()
            except (OSError, KafkaError) as error:
                failure = error  # raised here, it would hide the exception that the block has raised
        if cause is not None:
            raise cause
        if failure is not None:
            raise ShutdownError(
                f"the logs in {self.data_directory} could not be closed cleanly ({_words(failure)}): "
                f"{what_to_do(failure)}; the next start recovers them"
            ) from failure
        logger.info("stopped: the logs in %s are closed", self.data_directory)

    def _meet_faults(self, dispatcher: Dispatcher, node: NodeParts, parts: ExitStack) -> None:
        if self._faults is not None:
            parts.callback(self._faults.attach(node, dispatcher, self.server.connection_of))

    def _tell_what_has_no_effect(self) -> None:
        settings = self.settings.now
        if settings.given:
            from kafkapy.settings.support import lines_about

            for line in lines_about(settings.given, settings.settable_listener_names):
                logger.warning("%s", line)

    async def _create_topics(self, quorum: QuorumPart) -> None:
        """Create the given topics that do not exist. Raises StartupError: one cannot be created.

        In a cluster the brokers that are to have the replicas may start later than this one.
        """
        controller = ActiveController(self.broker.controller, self.broker.to_controller)
        deadline = trio.current_time() + (OTHER_BROKERS_SECONDS if quorum.has_others else 0)
        while self._topics:
            try:
                await create_given_topics(controller, self._topics)
                break
            except KafkaError as error:
                is_early = error.code is ErrorCode.INVALID_REPLICATION_FACTOR and trio.current_time() < deadline
                if not is_early:
                    raise StartupError(f"cannot create a topic of KAFKA_CREATE_TOPICS: {_words(error)}") from error
            await trio.sleep(OTHER_BROKERS_CHECK_SECONDS)

    async def _stop_when_something_fails(self) -> None:
        """Raises ShutdownError after the disk or the metadata log has failed and requests under way are answered."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_after, self.disk.failed, lambda: self.disk.failure)
            nursery.start_soon(self._stop_after, self.metadata_log.failed, self._why_metadata_failed)

    async def _stop_after(self, failed: trio.Event, why: Callable[[], str]) -> None:
        await failed.wait()
        self.stopping.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.hand_over)  # else what it leads would have no leader until its session ends
            nursery.start_soon(self.clock.sleep, DRAIN_SECONDS * 1_000)
        raise ShutdownError(why())

    def _why_metadata_failed(self) -> str:
        failure = self.metadata_log.failure
        if failure is not None and not isinstance(failure, OSError | KafkaError | BrokenMetadata):
            logger.error("the metadata log of node %d cannot go on", self.node_id, exc_info=failure)
        return f"the metadata log of node {self.node_id} cannot go on: {failure}"

    def _bind(self, parts: ExitStack) -> tuple[Bound, Bound]:
        """Bind the port of every listener: those of the broker, those of the controller.

        A port that the system chose goes into the settings.
        """
        at_brokers: Bound = []
        at_controllers: Bound = []
        ports: dict[str, int] = {}
        settings = self.settings.now
        for listener in settings.listeners:
            sock = self._sockets.get(listener.name) or bind(listener)
            sock.setblocking(False)
            parts.callback(sock.close)
            logger.info("listener %s: %s port %d", listener.name, listener.host or "*", sock.getsockname()[1])
            is_for_controllers = listener.name in settings.network.controller_listener_names
            (at_controllers if is_for_controllers else at_brokers).append((listener, sock))
            ports[listener.name] = sock.getsockname()[1]
        self.settings.change(settings.with_ports(ports))
        return at_brokers, at_controllers

    def _serve(self, bound: Bound, service: Service) -> None:
        """Open the ports. Raises StartupError: another process listens there since they were bound."""
        for listener, sock in bound:
            listen(listener, sock, backlog=self.settings.now.network.socket_listen_backlog_size)
        try:
            self.server.accept_at(bound, service, None if self.tls is None else self.tls.listener)
        except SettingsError as error:
            raise StartupError(str(error)) from error

    def _open(self, parts: ExitStack, *, listens: bool) -> QuorumPart:
        """Open the data directory and its metadata. Raises StartupError. Blocks."""
        self._topic_settings = TopicSettingsSource(self.settings)
        try:
            quorum = QuorumPart(
                self.settings,
                self.data_directory,
                self.log_directories,
                self._topic_settings,
                self.clock,
                self.liveness_clock,
                self.disk,
                random=self.random,
                cluster_id=self._cluster_id,
                durable=self.durable,
                listens=listens,
                limits=self.api_limits,
                suspension=self._suspension,
                strictness=self._strictness,
                tls=self.tls,
                credentials=self._credentials,
            )
        except (StoreError, BrokenMetadata) as error:
            raise StartupError(str(error)) from error
        except (KafkaError, MalformedMessage, OSError) as error:
            raise _unusable(self.data_directory, error) from error
        self.directories, self.metadata_log, self.parts = quorum.directories, quorum.metadata_log, quorum.parts
        self.peers = quorum.peers
        if self.settings.now.quorum.is_broker:
            self._broker_part = BrokerPart(
                quorum,
                self.settings,
                self._topic_settings,
                self.clock,
                self.liveness_clock,
                self.disk,
                self.bugs,
                log_paths=self.log_directories,
                random=self.random,
                durable=self.durable,
                on_recovery=self.on_recovery,
            )
        parts.callback(self._close_logs, quorum)
        parts.callback(quorum.peers.close)
        parts.callback(log_requests(self.dispatcher, quorum.parts.loggers))
        parts.callback(self._close_controller, quorum)
        return quorum

    def _close_logs(self, quorum: QuorumPart) -> None:
        """Close the logs, cleanly if they are kept: that is not known before the end. Raises OSError, StorageError."""
        if self.settings.now.quorum.is_broker:
            self._broker_part.close_logs(kept=self.kept)
        else:
            quorum.directories.close({} if self.kept else None, clean=self.kept)

    def _close_controller(self, quorum: QuorumPart) -> None:
        """If the directory is kept, the metadata gets to know that the broker of this node has stopped."""
        if self.kept:
            quorum.controller.close()
        else:
            quorum.metadata_log.resign()

    async def _start_broker(self, parts: ExitStack, nursery: trio.Nursery, quorum: QuorumPart, bound: Bound) -> None:
        """Start all that a broker needs, and serve. Raises StartupError."""
        part = self._broker_part
        try:
            await part.start(parts, nursery)
        except (StoreError, BrokenMetadata) as error:
            raise StartupError(str(error)) from error
        except (KafkaError, MalformedMessage, OSError) as error:
            raise _unusable(self.data_directory, error) from error
        broker = self.broker = part.broker
        if quorum.is_alone:  # before, its commits need no task
            nursery.start_soon(quorum.run, self.bugs)
        self.log_cleaning = part.log_cleaning
        self.housekeeping = Housekeeping(broker, self.directories, self.bugs, fsync=self.durable)
        nursery.start_soon(self.housekeeping.run)
        for each in (
            broker.flusher,
            broker.replication,
            broker.groups,
            broker.transactions,
            broker.share_coordinator,
            broker.sharing,
            broker.producer_ids,
        ):
            nursery.start_soon(each.run)
        for send in part.senders:
            nursery.start_soon(send)
        nursery.start_soon(self.log_cleaning.run)
        self._meet_faults(self.dispatcher, broker, parts)
        throttle(self.dispatcher, broker, self.server.connection_of)
        watch_clients(self.dispatcher, broker.told_clients)
        serve = partial(self._serve, bound, Service(self.dispatcher, partial(RequestContext, broker)))
        if not quorum.is_alone:
            # As in Apache Kafka, before the controller makes it lead anything. Until then clients are told of others.
            serve()
        await part.join()
        loaded = trio.Event()
        nursery.start_soon(self._load_coordinators, loaded)
        await self.clock.wait(loaded, COORDINATORS_LOAD_SECONDS * 1_000)
        await self._create_topics(quorum)
        if quorum.is_alone:  # then the first client finds all as it will be
            serve()

    async def hand_over(self) -> None:
        """Have other brokers lead what this one leads, if there are any; the node is to stop. Bounded in time."""
        if not self._quorum.has_others:
            return
        settings = self.settings.now
        lifecycle = self._broker_part.lifecycle if settings.quorum.is_broker else None
        if lifecycle is not None and settings.node.controlled_shutdown_enable:
            await lifecycle.hand_over()

    async def _leave(self) -> None:
        """Hand over what this node leads to others, if there are any."""
        await self.hand_over()
        if self._quorum.has_others:
            await self._quorum.leave(LEAVING_SECONDS)

    async def _load_coordinators(self, loaded: trio.Event) -> None:
        """Replay the topics of the coordinators. Raises StartupError."""
        try:
            for each in (self.broker.groups, self.broker.transactions, self.broker.share_coordinator):
                await each.load()
        except (KafkaError, OSError) as error:
            raise _unusable(self.data_directory, error) from error
        logger.debug("coordinators of groups, transactions and share partitions loaded")
        loaded.set()


def _unusable(directory: Path, error: KafkaError | MalformedMessage | OSError) -> StartupError:
    return StartupError(f"cannot use the data directory {directory} ({_words(error)}): {what_to_do(error)}")


def _api_limits(as_kafka: str | None, cap_apis: Mapping[str, int | None]) -> ApiLimits | None:
    """Raises SettingsError."""
    if as_kafka is None and not cap_apis:
        return None
    from kafkapy.releases import limits_of

    return limits_of(as_kafka, cap_apis)


async def _follow_tls(tls: CurrentTls | None) -> None:
    if tls is not None:
        await tls.run()


def _tls_of(settings: CurrentSettings) -> CurrentTls | None:
    """None: no listener has TLS, and no other node is asked with it. Raises StartupError: a store cannot be used."""
    if not any(settings.now.security_protocol(name).endswith("SSL") for name in settings.now.listener_names):
        return None
    from kafkapy.settings.given import with_origin
    from kafkapy.tls.current import CurrentTls

    try:
        return CurrentTls(settings)
    except SettingsError as error:
        raise StartupError(str(with_origin(error, settings.now.given))) from error


def _strictness(names: Iterable[str]) -> Strictness | None:
    """Raises SettingsError."""
    names = list(names)
    if not names:
        return None
    from kafkapy.strictness import strictness_of

    return strictness_of(names)


def _strict_settings(settings: Settings, strictness: Strictness | None) -> Settings:
    if strictness is None:
        return settings
    from kafkapy.strictness import as_in_kafka

    names = as_in_kafka(strictness)
    return settings.with_settings_of_kafka(names) if names else settings


def _controller_dispatcher() -> Dispatcher:
    """For requests of other nodes, and of tools that ask controllers."""
    return Dispatcher(CONTROLLER_API_MODULES, frozenset())


def _show_no_progress(_done: int, _count: int) -> None:
    """The default `progress`: shows nothing."""


def _ignore_closing() -> None:
    """The default callback at a stop: does nothing."""


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that made the tasks of a node stop; the exception group if there are several."""
    causes = group.split(trio.Cancelled)[1]
    if causes is None:
        return group
    cause: BaseException = causes
    while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]
    return cause


def _words(error: BaseException) -> str:
    return (error.message if isinstance(error, KafkaError) else None) or str(error)
