"""One broker-and-controller in one process: its parts, and the order in which they start and stop.

A listener that accepts has a working broker behind it: ports are bound first (their numbers are registered), then logs
and metadata are loaded, then connections are accepted.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, cast

import trio

from kafkapy.clock import Clock
from kafkapy.controller_driver import (
    METADATA_DIRECTORY,
    METADATA_TOPIC,
    BrokenMetadata,
    ControllerDriver,
    MetadataPublisher,
)
from kafkapy.coordinator_log import TopicCoordinatorLog
from kafkapy.coordinators.group import GroupCoordinator
from kafkapy.coordinators.transaction import MarkerWriter, PartitionEnlister, TransactionCoordinator
from kafkapy.disk_watch import DiskWatch
from kafkapy.dispatch import Dispatcher
from kafkapy.errors import ShutdownError, StartupError
from kafkapy.fetch_sessions import FetchSessionCache
from kafkapy.flushing import Flusher
from kafkapy.housekeeping import keep_house
from kafkapy.log_cleaning import LogCleaning
from kafkapy.partitions import PartitionManager
from kafkapy.producer_ids import ProducerIds
from kafkapy.server import Server, bind
from kafkapy.settings.listeners import SECURITY_PROTOCOLS
from kafkapy.settings.log_settings import log_settings
from kafkapy_controller.bootstrap import SUPPORTED_FEATURES
from kafkapy_controller.image import ConfigResourceType, Endpoint
from kafkapy_controller.registration import NodeRegistration
from kafkapy_controller.voters import LATEST_KRAFT_VERSION, QuorumMembership, Voter, VoterEndpoint
from kafkapy_log import LogStore, StoreError
from kafkapy_log.disk_errors import what_to_do
from kafkapy_wire.errors import KafkaError, MalformedMessage
from kafkapy_wire.uuid import parse_uuid, random_uuid

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kafkapy.faults import FaultDoor
    from kafkapy.settings import Settings
    from kafkapy.settings.broker import GroupCoordinatorSettings
    from kafkapy.settings.listeners import Listener
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_log import LogSettings, TopicPartition

logger = logging.getLogger("kafkapy.node")

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTION_TOPIC = "__transaction_state"
# Nobody connects to it while the quorum has one member; Kafka wants to see one when it boots on the directory.
DEFAULT_CONTROLLER_ENDPOINT = VoterEndpoint("CONTROLLER", "localhost", 9093)
# So long connections wait for the coordinators. Later their clients are told to come again, as by Apache Kafka.
COORDINATORS_LOAD_SECONDS = 0.25
RECOVERY_TURN_SECONDS = 0.05
DRAIN_SECONDS = 0.05  # how long open requests may take after a stop was asked for


class Node:
    """The parts of one node, for handlers to reach through their context. Served within `started()`."""

    def __init__(
        self, settings: Settings, data_directory: Path, *, durable: bool = True, clock: Clock | None = None
    ) -> None:
        """Without `durable` nothing waits for the disk: for directories that are thrown away."""
        self.settings = settings
        self.data_directory = data_directory
        self.durable = durable
        self.clock = clock or Clock()
        self.metadata = MetadataPublisher()
        self.dispatcher = Dispatcher()
        self.server = Server(self)
        self.disk = DiskWatch(data_directory, self.clock)
        self.flusher = Flusher(self.clock, self.disk)
        self.log_cleaning = LogCleaning(self)
        self.checkpoint_lock = trio.Lock()  # the latest offsets are to be written last
        self._coordinators_loaded = trio.Event()
        self.on_recovery: Callable[[int, int], None] = _tell_nobody
        """Called now and then, while what an unclean stop left is recovered: partitions done, of how many."""
        self.faults: FaultDoor | None = None
        self.stopping = trio.Event()
        self.fetch_sessions = FetchSessionCache(
            slots=settings.replication.max_incremental_fetch_session_cache_slots, eviction_ms=120_000
        )
        self.store: LogStore
        self.controller: ControllerDriver
        self.partitions: PartitionManager
        self.groups: GroupCoordinator
        self.transactions: TransactionCoordinator
        self.enlister: PartitionEnlister
        self.markers: MarkerWriter
        self.producer_ids: ProducerIds
        self.broker_epoch = -1
        self._was_started = False

    @property
    def node_id(self) -> int:
        return self.settings.node.node_id

    @property
    def cluster_id(self) -> str:
        return self.store.cluster_id

    @property
    def bootstrap_address(self) -> str:
        """`host:port` of the first listener for clients."""
        listener = self.settings.advertised_listeners[0]
        host = listener.host or "localhost"
        return f"[{host}]:{listener.port}" if ":" in host else f"{host}:{listener.port}"

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Node]:
        """Serve within the block; afterwards open requests get `DRAIN_SECONDS` and the logs are closed cleanly.

        What the block raises comes out as it is. A node is started once. Raises StartupError: it cannot start;
        ShutdownError: it has served and stopped, yet not cleanly. Their messages say what to do.
        """
        if self._was_started:
            raise RuntimeError("a node is started once: make another")
        self._was_started = True
        parts = ExitStack()  # closed in the reverse of the order in which they were opened, however far that came
        cause: BaseException | None = None
        failure: Exception | None = None
        try:
            listening = self._bind(parts)
            await self._bring_up(parts)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.clock.run)
                nursery.start_soon(keep_house, self)
                nursery.start_soon(self.flusher.run)
                nursery.start_soon(self.log_cleaning.run)
                nursery.start_soon(self._stop_when_the_disk_fails)
                nursery.start_soon(self._load_coordinators)
                with trio.move_on_after(COORDINATORS_LOAD_SECONDS):
                    await self._coordinators_loaded.wait()
                async with trio.open_nursery() as serving:
                    serving.start_soon(partial(self.server.serve, listening, drain_seconds=DRAIN_SECONDS))
                    yield self
                    self.stopping.set()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            cause = _cause(group)
        finally:
            try:
                parts.close()
            except (OSError, KafkaError) as error:
                failure = error  # raised from here it would hide what the block has raised
        if cause is not None:
            raise cause
        if failure is not None:
            raise ShutdownError(
                f"the logs in {self.data_directory} could not be closed cleanly ({_words(failure)}): "
                f"{what_to_do(_os_error(failure))}; the next start recovers them"
            ) from failure

    async def _stop_when_the_disk_fails(self) -> None:
        """Raises ShutdownError: the disk has failed, and requests under way have had their answers."""
        await self.disk.failed.wait()
        self.stopping.set()
        await trio.sleep(DRAIN_SECONDS)
        raise ShutdownError(self.disk.failure)

    def _bind(self, parts: ExitStack) -> list[tuple[Listener, socket.socket]]:
        """Bind every listener for clients; a port that the system chose goes into the settings."""
        listening: list[tuple[Listener, socket.socket]] = []
        ports: dict[str, int] = {}
        for listener in self.settings.listeners:
            if listener.name in self.settings.network.controller_listener_names:
                continue  # nobody else votes in a quorum of one
            if listener.security_protocol != "PLAINTEXT":
                raise StartupError(
                    f"listener {listener} wants {listener.security_protocol}, which kafkapy does not speak yet: "
                    "use PLAINTEXT"
                )
            sock = bind(listener, backlog=self.settings.network.socket_listen_backlog_size)
            parts.callback(sock.close)
            listening.append((listener, sock))
            ports[listener.name] = sock.getsockname()[1]
        self.settings = self.settings.with_ports(ports)
        return listening

    async def _bring_up(self, parts: ExitStack) -> None:
        """Everything that stands behind a listener. Raises StartupError."""
        try:
            self._open(parts)
            await self._recover()
            await self._take_part(parts)
        except (StoreError, BrokenMetadata) as error:
            raise StartupError(str(error)) from error
        except (KafkaError, MalformedMessage, OSError) as error:
            raise StartupError(
                f"cannot use the data directory {self.data_directory} ({_words(error)}): {what_to_do(_os_error(error))}"
            ) from error

    def _open(self, parts: ExitStack) -> None:
        """Logs and metadata from the disk. Blocks: nothing is served yet."""
        self.store = LogStore.open(
            self.data_directory,
            node_id=self.settings.node.node_id,
            now_ms=self.clock.now_ms(),
            settings_for=self._settings_for,
            fsync=self.durable,
            recover=False,
        )
        self.partitions = PartitionManager(self.store, self.settings.node.node_id, self.settings, self.clock, self.disk)
        if self.durable:
            self.partitions.flusher = self.flusher
        parts.callback(self._close_store)
        self._check_metadata_log()
        self.controller = ControllerDriver.open(
            self.store,
            self.settings.node.node_id,
            self._membership(),
            self.settings,
            self.metadata,
            self.clock,
            fsync=self.durable,
        )
        self.controller.report_to(self.disk)
        parts.callback(self.controller.close)
        self._follow_broker_settings(self.metadata.image)
        self.partitions.load(self.metadata.image)
        self.metadata.subscribe(self._follow_metadata)
        self.metadata.subscribe(self.log_cleaning.follow_metadata)

    async def _recover(self) -> None:
        """Recover every partition after an unclean stop. A turn at a time, so that it can be interrupted.

        Before anybody connects: a large log would hold up everybody once there are others. Raises StoreError.
        """
        count = self.store.unrecovered_count
        while remaining := self.store.unrecovered_count:
            self.on_recovery(count - remaining, count)
            self.store.recover(self.clock.now_ms(), partial(_is_past, perf_counter() + RECOVERY_TURN_SECONDS))
            await trio.lowlevel.checkpoint()
        if count:
            self.on_recovery(count, count)

    def _settings_for(self, topic_partition: TopicPartition) -> LogSettings:
        """What a log follows when it is opened. Nobody knows the topic's own before the metadata has been read."""
        if hasattr(self, "partitions"):
            return self.partitions.settings_for(topic_partition)
        expiration_ms = self.settings.transactions.producer_id_expiration_ms
        return log_settings(self.settings.topic_defaults, producer_id_expiration_ms=expiration_ms)

    def _check_metadata_log(self) -> None:
        """Without its records every topic in the directory would look like a deleted one. Raises StartupError."""
        log = self.store.get(METADATA_TOPIC, 0, now_ms=self.clock.now_ms())
        if log is not None and log.log_end_offset:
            return
        topics = sorted({topic for topic, _ in self.store if topic != METADATA_TOPIC})
        if topics or (log is not None and self.store.had_clean_shutdown):
            raise StartupError(
                f"{self.data_directory / METADATA_DIRECTORY} is missing or empty, although this directory was in use"
                f"{f' and holds topics ({topics[0]}, ...)' if topics else ''}: restore it from a copy, or name another "
                "directory"
            )

    def _membership(self) -> QuorumMembership:
        """The quorum of a new directory: this node alone, as `kafka-storage format --standalone` writes it."""
        voter = Voter(self.node_id, parse_uuid(self.store.directory_id), (self._controller_endpoint(),))
        return QuorumMembership(LATEST_KRAFT_VERSION, (voter,))

    def _controller_endpoint(self) -> VoterEndpoint:
        name = self.settings.network.controller_listener_names[0]
        own = next((listener for listener in self.settings.listeners if listener.name == name), None)
        return VoterEndpoint(name, own.host or "localhost", own.port) if own else DEFAULT_CONTROLLER_ENDPOINT

    async def _take_part(self, parts: ExitStack) -> None:
        """Register with the controller and bring up what needs metadata."""
        registration = NodeRegistration(
            node_id=self.settings.node.node_id,
            incarnation_id=random_uuid(),
            endpoints=[
                Endpoint(
                    listener.name,
                    listener.host,
                    listener.port,
                    SECURITY_PROTOCOLS.index(listener.security_protocol),
                )
                for listener in self.settings.advertised_listeners
            ],
            features=SUPPORTED_FEATURES,
            rack=self.settings.node.broker_rack,
            log_dirs=[parse_uuid(self.store.directory_id)],
        )
        controller = self._controller_endpoint()
        endpoint = Endpoint(controller.name, controller.host, controller.port, SECURITY_PROTOCOLS.index("PLAINTEXT"))
        await self.controller.register_controller(registration._replace(endpoints=[endpoint]))
        self.broker_epoch = await self.controller.register_broker(registration)
        self.producer_ids = ProducerIds(self.controller.allocate_producer_ids)
        self.groups = GroupCoordinator(
            cast("GroupCoordinatorSettings", CurrentGroupSettings(self)),
            self.clock,
            TopicCoordinatorLog(OFFSETS_TOPIC, self.partitions, self.clock, self._create_internal_topic),
            self.metadata,
        )
        parts.callback(self.groups.close)
        self.markers = MarkerWriter(self.partitions, self.groups, self.clock)
        self.transactions = TransactionCoordinator(
            lambda: self.settings.transactions,
            self.clock,
            TopicCoordinatorLog(TRANSACTION_TOPIC, self.partitions, self.clock, self._create_internal_topic),
            self.metadata,
            self.producer_ids.next,
            self.markers,
        )
        self.enlister = PartitionEnlister(self.transactions)
        parts.callback(self.transactions.close)

    async def _load_coordinators(self) -> None:
        """Replay what groups and transactions have stored. Raises StartupError."""
        try:
            await self.groups.load()
            await self.transactions.load()
        except (KafkaError, MalformedMessage, OSError) as error:
            raise StartupError(
                f"cannot use the data directory {self.data_directory} ({_words(error)}): {what_to_do(_os_error(error))}"
            ) from error
        self._coordinators_loaded.set()

    async def _create_internal_topic(self, name: str) -> None:
        await self.controller.create_missing_topics([name], self.settings)

    def _follow_metadata(self, _old: MetadataImage, image: MetadataImage, delta: MetadataDelta) -> None:
        if any(resource_type == ConfigResourceType.BROKER for resource_type, _ in delta.changed_configs):
            self._follow_broker_settings(image)
        self.partitions.follow_metadata(image, delta)
        if hasattr(self, "groups"):  # the first images come before it
            self.groups.follow_metadata(delta)
        if hasattr(self, "transactions"):
            self.transactions.follow_metadata(delta)

    def _follow_broker_settings(self, image: MetadataImage) -> None:
        """Lay what AlterConfigs changed over what the user gave."""
        self.settings = self.settings.with_dynamic(
            image.resource_configs(ConfigResourceType.BROKER, ""),
            image.resource_configs(ConfigResourceType.BROKER, str(self.settings.node.node_id)),
        )
        self.partitions.use_settings(self.settings)

    def _close_store(self) -> None:
        """Leave clean logs behind. Blocks."""
        self.store.close(self.partitions.high_watermarks(), broker_epoch=self.broker_epoch)


def _is_past(moment: float) -> bool:
    return perf_counter() > moment


def _tell_nobody(_done: int, _count: int) -> None:
    """Who embeds a node need not show progress."""


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception that made the tasks of a node stop; the group when there are several."""
    causes = group.split(trio.Cancelled)[1]
    if causes is None:
        return group
    cause: BaseException = causes
    while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]
    return cause


def _os_error(error: BaseException) -> BaseException | None:
    """What the disk itself said, behind an error that clients know."""
    return error.__cause__ if isinstance(error, KafkaError) else error


def _words(error: BaseException) -> str:
    return (error.message if isinstance(error, KafkaError) else None) or str(error)


class CurrentGroupSettings:
    """The groups' settings as they are at each use: AlterConfigs may change them."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __getattr__(self, name: str) -> object:
        return getattr(self._node.settings.groups, name)
