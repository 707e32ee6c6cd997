"""One broker-and-controller in one process: its parts, and the order in which they start and stop.

A port that is open has a working broker behind it: ports are bound first (their numbers are registered), then logs and
metadata are loaded, and only then connections are accepted.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

import trio

from kafkapy.broker import Broker
from kafkapy.bugs import Bugs
from kafkapy.clock import WallClock
from kafkapy.coordinators.group import GroupCoordinator
from kafkapy.coordinators.topic_log import TopicCoordinatorLog
from kafkapy.coordinators.transaction import MarkerWriter, PartitionEnlister, TransactionCoordinator
from kafkapy.errors import ShutdownError, StartupError
from kafkapy.fetching.sessions import FetchSessionCache
from kafkapy.housekeeping import Housekeeping
from kafkapy.metadata.broken import BrokenMetadata
from kafkapy.metadata.dynamic_settings import DynamicSettings
from kafkapy.metadata.formatting import controller_endpoint, own_quorum
from kafkapy.metadata.internal_topics import create_given_topics, create_internal_topic
from kafkapy.metadata.metadata_log import METADATA_DIRECTORY
from kafkapy.metadata.producer_ids import ProducerIds
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.metadata.start import start_controller
from kafkapy.network.advertised import address_text
from kafkapy.network.dispatch import Dispatcher
from kafkapy.network.listeners import bind, listen
from kafkapy.network.server import Server
from kafkapy.partitions.checkpoints import Checkpoints
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.flushing import Flusher
from kafkapy.partitions.log_cleaning import LogCleaning
from kafkapy.partitions.manager import PartitionManager
from kafkapy.partitions.topic_settings import TopicSettingsSource
from kafkapy.settings.current import CurrentSettings
from kafkapy.settings.listeners import SECURITY_PROTOCOLS
from kafkapy_controller.features import SUPPORTED_FEATURES
from kafkapy_controller.image import Endpoint
from kafkapy_controller.registration import NodeRegistration
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, OFFSETS_TOPIC, TRANSACTION_TOPIC
from kafkapy_log import LogStore, StorageError, StoreError
from kafkapy_log.checkpoint_files import META_PROPERTIES
from kafkapy_log.disk_errors import what_to_do
from kafkapy_wire.errors import KafkaError, MalformedMessage
from kafkapy_wire.uuid import parse_uuid, random_uuid

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from kafkapy.clock import Clock
    from kafkapy.metadata.controller import QuorumController
    from kafkapy.metadata.metadata_log import MetadataLog
    from kafkapy.metadata.snapshot_generator import SnapshotGenerator
    from kafkapy.settings import Settings
    from kafkapy.settings.given import GivenTopic
    from kafkapy.settings.listeners import Listener

logger = logging.getLogger("kafkapy.node")

# Connections wait so long for the coordinators to load. After that, requests get COORDINATOR_LOAD_IN_PROGRESS.
COORDINATORS_LOAD_SECONDS = 0.25
RECOVERY_TURN_SECONDS = 0.05
DRAIN_SECONDS = 0.05  # how long open requests may take after a stop was asked for


class Node:
    """One process's node. Served within `started()`; `broker` has the parts that requests use."""

    broker: Broker
    """There once the node is up, for as long as it serves."""
    store: LogStore
    metadata_log: MetadataLog
    snapshot_generator: SnapshotGenerator
    server: Server
    log_cleaning: LogCleaning
    housekeeping: Housekeeping

    def __init__(
        self,
        settings: Settings,
        data_directory: Path,
        *,
        durable: bool = True,
        kept: bool = True,
        clock: Clock | None = None,
        random: Random | None = None,
        cluster_id: str | None = None,
        topics: Iterable[GivenTopic] = (),
    ) -> None:
        """Without `durable` nothing waits for the disk. Without `kept` the logs are not closed cleanly at the end, only
        their descriptors: for a directory that is deleted then.

        Whatever is left to chance asks `random`, the machine's own when there is none. `cluster_id` is for a new
        directory: one that has an id keeps it. `topics` are made before anybody connects, if they are not there.
        """
        self.settings = CurrentSettings(settings)
        self._cluster_id = cluster_id
        self._topics = tuple(topics)
        self.data_directory = data_directory
        self.durable = durable
        self.kept = kept
        self.bugs = Bugs()
        self.clock = clock or WallClock()
        self.clock.bugs = self.bugs
        self.random = random or Random()
        self.disk = DiskWatch(data_directory, self.clock)
        self.dispatcher = _dispatcher()
        self.on_recovery: Callable[[int, int], None] = _show_no_progress
        """Called now and then, while what an unclean stop left is recovered: partitions done, of how many."""
        self.on_closing: Callable[[], None] = _ignore_closing
        """Called when the node has stopped serving and closes its logs, which may take the disk a while."""
        self.stopping = trio.Event()
        self._was_started = False

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
            listening = self._bind(parts)
            self.broker = await self._bring_up(parts)
            self.housekeeping = Housekeeping(self.broker, self.store, self.bugs, fsync=self.durable)
            self.server = Server(self.broker, self.dispatcher, self.bugs)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.clock.run)
                nursery.start_soon(self.housekeeping.run)
                nursery.start_soon(self.metadata_log.run)
                nursery.start_soon(self.snapshot_generator.run, self.bugs)
                broker = self.broker
                for part in (broker.flusher, broker.groups, broker.transactions, broker.producer_ids):
                    nursery.start_soon(part.run)
                nursery.start_soon(self.log_cleaning.run)
                nursery.start_soon(self._stop_when_the_disk_fails)
                loaded = trio.Event()
                nursery.start_soon(self._load_coordinators, loaded)
                await self.clock.wait(loaded, COORDINATORS_LOAD_SECONDS * 1_000)
                await self._create_topics()
                async with trio.open_nursery() as serving:
                    self._listen(listening)
                    serve = partial(self.server.serve, listening, self.stopping, drain_seconds=DRAIN_SECONDS)
                    serving.start_soon(serve)
                    logger.info("node %d started", self.node_id)
                    yield self
                    logger.info("stopping")
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

    def _tell_what_has_no_effect(self) -> None:
        settings = self.settings.now
        if settings.given:
            from kafkapy.settings.support import lines_about

            for line in lines_about(settings.given, [listener.name for listener in settings.listeners]):
                logger.warning("%s", line)

    async def _create_topics(self) -> None:
        """Create the given topics that do not exist. Raises StartupError: one cannot be created."""
        try:
            await create_given_topics(self.broker.controller, self._topics)
        except KafkaError as error:
            raise StartupError(f"cannot create a topic of KAFKA_CREATE_TOPICS: {_words(error)}") from error

    async def _stop_when_the_disk_fails(self) -> None:
        """Raises ShutdownError after the disk has failed and requests under way are answered."""
        await self.disk.failed.wait()
        self.stopping.set()
        await self.clock.sleep(DRAIN_SECONDS * 1_000)
        raise ShutdownError(self.disk.failure)

    def _bind(self, parts: ExitStack) -> list[tuple[Listener, socket.socket]]:
        """Bind the port of every listener for clients. A port that the system chose goes into the settings."""
        listening: list[tuple[Listener, socket.socket]] = []
        ports: dict[str, int] = {}
        settings = self.settings.now
        for listener in settings.listeners:
            if listener.name in settings.network.controller_listener_names:
                continue  # a quorum of one voter has no other controller to connect
            if listener.security_protocol != "PLAINTEXT":
                raise StartupError(
                    f"listener {listener} wants {listener.security_protocol}, which kafkapy does not support yet: "
                    "use PLAINTEXT"
                )
            sock = bind(listener)
            parts.callback(sock.close)
            logger.info("listener %s: %s port %d", listener.name, listener.host or "*", sock.getsockname()[1])
            listening.append((listener, sock))
            ports[listener.name] = sock.getsockname()[1]
        self.settings.change(settings.with_ports(ports))
        return listening

    def _listen(self, listening: list[tuple[Listener, socket.socket]]) -> None:
        """Open the ports. Raises StartupError: another process listens there since they were bound."""
        for listener, sock in listening:
            listen(listener, sock, backlog=self.settings.now.network.socket_listen_backlog_size)

    async def _bring_up(self, parts: ExitStack) -> Broker:
        """Start everything that a request needs. Raises StartupError."""
        self._check_identity()
        try:
            topic_settings = TopicSettingsSource(self.settings)
            store = self.store = LogStore.open(
                self.data_directory,
                node_id=self.node_id,
                now_ms=self.clock.now_ms(),
                cluster_id=None if (self.data_directory / META_PROPERTIES).exists() else self._cluster_id,
                settings_for=topic_settings.of_log,
                tell=self.disk.damaged,
                fsync=self.durable,
                recover=False,
            )
            for file in store.unreadable_files:
                logger.warning("%s cannot be read (%s): %s", *file)
            if self._cluster_id not in (None, store.cluster_id):
                logger.warning(
                    "the data directory %s keeps its cluster id %s, although %s is asked for",
                    self.data_directory,
                    store.cluster_id,
                    self._cluster_id,
                )
            flusher = Flusher(self.clock, self.disk)
            partitions = PartitionManager(
                store, self.node_id, topic_settings, self.clock, self.disk, flusher if self.durable else None
            )
            closing = _Closing(store, partitions, kept=self.kept)
            parts.callback(closing.close)
            metadata = MetadataPublisher()
            controller = self._start_controller(store, metadata)
            parts.callback(controller.close)
            self._follow_metadata(metadata, partitions, store)
            await self._recover(store)
            closing.broker_epoch = await self._register(store, controller)
            return self._assemble(parts, store, partitions, flusher, metadata, controller)
        except (StoreError, BrokenMetadata) as error:
            raise StartupError(str(error)) from error
        except (KafkaError, MalformedMessage, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: KafkaError | MalformedMessage | OSError) -> StartupError:
        return StartupError(
            f"cannot use the data directory {self.data_directory} ({_words(error)}): {what_to_do(error)}"
        )

    def _start_controller(self, store: LogStore, metadata: MetadataPublisher) -> QuorumController:
        """The controller, with the metadata of the directory, or with that of a new cluster. Blocks."""
        self._check_metadata_log(store)
        controller, self.metadata_log, self.snapshot_generator = start_controller(
            store,
            self.node_id,
            own_quorum(self.settings.now, parse_uuid(store.directory_id)),
            self.settings,
            metadata,
            self.clock,
            random=self.random,
            fsync=self.durable,
        )
        self.metadata_log.report_to(self.disk)
        self.snapshot_generator.report_to(self.disk)
        return controller

    def _follow_metadata(self, metadata: MetadataPublisher, partitions: PartitionManager, store: LogStore) -> None:
        """Update the settings, then the partitions, then log cleaning with each new image, beginning with this one."""
        dynamic_settings = DynamicSettings(self.settings)
        dynamic_settings.load(metadata.image)
        partitions.load(metadata.image)
        self.settings.subscribe(partitions.follow_settings)
        self.log_cleaning = LogCleaning(
            self.settings, self.clock, partitions, store, self.disk, self.bugs, fsync=self.durable
        )
        metadata.subscribe(dynamic_settings.follow_metadata)
        metadata.subscribe(partitions.follow_metadata)
        metadata.subscribe(self.log_cleaning.follow_metadata)

    async def _recover(self, store: LogStore) -> None:
        """Recover every partition after an unclean stop. A turn at a time, so that it can be interrupted.

        This is done before the ports open: recovering a large log would hold up all clients. Raises StoreError.
        """
        count = store.unrecovered_count
        while remaining := store.unrecovered_count:
            self.on_recovery(count - remaining, count)
            store.recover(self.clock.now_ms(), partial(_is_past, perf_counter() + RECOVERY_TURN_SECONDS))
            await trio.lowlevel.checkpoint()
        if count:
            self.on_recovery(count, count)

    def _check_identity(self) -> None:
        """Refuse a directory that has metadata but no meta.properties: a new cluster id would not fit its metadata.

        Raises StartupError.
        """
        path = self.data_directory / META_PROPERTIES
        if not path.exists() and any((self.data_directory / METADATA_DIRECTORY).glob("*.log")):
            raise StartupError(
                f"{path} is missing, although this directory was in use: restore it from a copy, or name another "
                "directory"
            )

    def _check_metadata_log(self, store: LogStore) -> None:
        """Refuse a directory without metadata log: its topics would be taken for deleted ones. Raises StartupError."""
        log = store.get(CLUSTER_METADATA_TOPIC, 0, now_ms=self.clock.now_ms())
        if log is not None and log.log_end_offset:
            return
        topics = sorted({topic for topic, _ in store if topic != CLUSTER_METADATA_TOPIC})
        if topics or (log is not None and store.had_clean_shutdown):
            raise StartupError(
                f"{self.data_directory / METADATA_DIRECTORY} is missing or empty, although this directory was in use"
                f"{f' and holds topics ({topics[0]}, ...)' if topics else ''}: restore it from a copy, or name another "
                "directory"
            )

    async def _register(self, store: LogStore, controller: QuorumController) -> int:
        """Register with the controller. Returns the broker epoch."""
        settings = self.settings.now
        registration = NodeRegistration(
            node_id=self.node_id,
            incarnation_id=random_uuid(self.random),
            endpoints=[
                Endpoint(
                    listener.name,
                    listener.host,
                    listener.port,
                    SECURITY_PROTOCOLS.index(listener.security_protocol),
                )
                for listener in settings.advertised_listeners
            ],
            features=SUPPORTED_FEATURES,
            rack=settings.node.broker_rack,
            log_dirs=[parse_uuid(store.directory_id)],
        )
        address = controller_endpoint(settings)
        endpoint = Endpoint(address.name, address.host, address.port, SECURITY_PROTOCOLS.index("PLAINTEXT"))
        await controller.register_controller(registration._replace(endpoints=[endpoint])).wait()
        return await controller.register_broker(registration).wait()

    def _assemble(
        self,
        parts: ExitStack,
        store: LogStore,
        partitions: PartitionManager,
        flusher: Flusher,
        metadata: MetadataPublisher,
        controller: QuorumController,
    ) -> Broker:
        """The broker, with its coordinators, which need the broker epoch of a registered broker."""

        async def create_topic(name: str) -> None:
            await create_internal_topic(controller, name, self.settings.now)

        producer_ids = ProducerIds(controller.allocate_producer_ids)
        groups = GroupCoordinator(
            self.settings,
            self.clock,
            TopicCoordinatorLog(OFFSETS_TOPIC, partitions, self.clock, create_topic),
            metadata,
            self.random,
        )
        parts.callback(groups.close)
        markers = MarkerWriter(partitions, groups, self.clock)
        transactions = TransactionCoordinator(
            self.settings,
            self.clock,
            TopicCoordinatorLog(TRANSACTION_TOPIC, partitions, self.clock, create_topic),
            metadata,
            producer_ids.next,
            markers,
        )
        parts.callback(transactions.close)
        metadata.subscribe(groups.follow_metadata)
        metadata.subscribe(transactions.follow_metadata)
        return Broker(
            node_id=self.node_id,
            cluster_id=store.cluster_id,
            clock=self.clock,
            settings=self.settings,
            metadata=metadata,
            controller=controller,
            partitions=partitions,
            checkpoints=Checkpoints(store, partitions),
            flusher=flusher,
            disk=self.disk,
            fetch_sessions=FetchSessionCache(
                slots=self.settings.now.replication.max_incremental_fetch_session_cache_slots,
                eviction_ms=120_000,
                rng=self.random,
            ),
            groups=groups,
            transactions=transactions,
            enlister=PartitionEnlister(transactions),
            markers=markers,
            producer_ids=producer_ids,
        )

    async def _load_coordinators(self, loaded: trio.Event) -> None:
        """Replay the topics of the coordinators. Raises StartupError."""
        try:
            await self.broker.groups.load()
            await self.broker.transactions.load()
        except (KafkaError, OSError) as error:
            raise self._unusable(error) from error
        logger.debug("coordinators of groups and transactions loaded")
        loaded.set()


class _Closing:
    """Closes the logs; those that are kept cleanly, with the broker epoch once there is one."""

    def __init__(self, store: LogStore, partitions: PartitionManager, *, kept: bool) -> None:
        self._store = store
        self._partitions = partitions
        self._kept = kept
        self.broker_epoch = -1

    def close(self) -> None:
        """Blocks."""
        # The directory was lost and may be another broker's by now: write no file into it.
        if not self._kept or self._store.why_lost() is not None:
            with suppress(StorageError):  # the disk has failed for this log before; nobody opens these files again
                self._store.close(clean=False)
            return
        self._store.close(self._partitions.high_watermarks(), broker_epoch=self.broker_epoch)


def _dispatcher() -> Dispatcher:
    """The dispatcher; if debug lines are on, one that logs every request."""
    if logging.getLogger("kafkapy.requests").isEnabledFor(logging.DEBUG):
        from kafkapy.network.request_log import LoggingDispatcher

        return LoggingDispatcher()
    return Dispatcher()


def _is_past(moment: float) -> bool:
    return perf_counter() > moment


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
