"""What a broker has: its partitions, its coordinators, and its registration with the active controller."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import trio

from kafkapy.broker import Broker
from kafkapy.coordinators.group import GroupCoordinator
from kafkapy.coordinators.share import ShareCoordinator
from kafkapy.coordinators.topic_log import TopicCoordinatorLog
from kafkapy.coordinators.transaction import (
    MarkerWriter,
    PartitionEnlister,
    TransactionCoordinator,
)
from kafkapy.fetching.sessions import FetchSessionCache
from kafkapy.metadata.active_controller import ActiveController
from kafkapy.metadata.dynamic_settings import DynamicSettings
from kafkapy.metadata.internal_topics import create_internal_topic
from kafkapy.metadata.producer_ids import ProducerIds
from kafkapy.metadata.refused_topics import RefusedTopics
from kafkapy.network.complaints import Complaints
from kafkapy.node.directories_part import DirectoriesPart
from kafkapy.partitions.checkpoints import Checkpoints
from kafkapy.partitions.flushing import Flusher
from kafkapy.partitions.log_cleaning import LogCleaning
from kafkapy.partitions.manager import PartitionManager
from kafkapy.replication import Replication
from kafkapy.settings.listeners import SECURITY_PROTOCOLS
from kafkapy.sharing.sharing import Sharing
from kafkapy.telemetry.client_metrics import ClientMetrics
from kafkapy.told_clients import ToldClients
from kafkapy_controller.image import Endpoint
from kafkapy_controller.topic_names import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTION_TOPIC
from kafkapy_log import StorageError
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path
    from random import Random

    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.coordinators.transaction.ports import Markers
    from kafkapy.metadata.broker_lifecycle import BrokerLifecycle
    from kafkapy.node.quorum_part import QuorumPart
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.topic_settings import TopicSettingsSource
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import BrokerImage, MetadataImage
    from kafkapy_controller.producer_ids import ProducerIdBlock
    from kafkapy_log import LogDirectories

logger = logging.getLogger("kafkapy.node")
clients_logger = logging.getLogger("kafkapy.server")

RECOVERY_TURN_SECONDS = 0.05
FETCH_SESSION_EVICTION_MS = 120_000


class BrokerPart:
    """The parts of a broker, made in order by `start`."""

    broker: Broker
    log_cleaning: LogCleaning
    senders: tuple[Callable[[], Awaitable[None]], ...] = ()
    """What sends the transaction coordinator's requests to other brokers, to be run as tasks."""
    lifecycle: BrokerLifecycle | None = None
    """None in a quorum of one to which nobody can come: its controller registers the broker of its own process."""

    def __init__(
        self,
        quorum: QuorumPart,
        settings: CurrentSettings,
        topic_settings: TopicSettingsSource,
        clock: Clock,
        liveness_clock: Clock,
        disk: DiskWatch,
        bugs: Bugs,
        *,
        log_paths: Sequence[Path],
        random: Random,
        durable: bool,
        on_recovery: Callable[[int, int], None],
    ) -> None:
        """`log_paths`: the directories that log.dirs names, in their order."""
        self._quorum = quorum
        self._settings = settings
        self._clock = clock
        self._liveness_clock = liveness_clock
        self._disk = disk
        self._bugs = bugs
        self._random = random
        self._durable = durable
        self._on_recovery = on_recovery
        self._flusher = Flusher(clock, disk)
        self._partitions = PartitionManager(
            quorum.directories,
            settings.now.node.node_id,
            topic_settings,
            clock,
            disk,
            self._flusher if durable else None,
            keeps_fenced_fetches=quorum.parts.strictness is not None and quorum.parts.strictness.fenced_fetches,
        )
        self._checkpoints = Checkpoints(quorum.directories, self._partitions, disk)
        self._replication = Replication(
            settings.now.node.node_id,
            settings,
            clock,
            self._partitions,
            self._checkpoints,
            self._flusher if durable else None,
            disk,
            bugs,
            liveness_clock=liveness_clock,
            sources=quorum.peers,
            controller=quorum.channel,
            broker_epoch=lambda: self._epoch,
        )
        self._broker_epoch = -1
        self._heartbeats_matter = trio.Event()
        self._directories_part = DirectoriesPart(
            quorum,
            self._partitions,
            settings,
            clock,
            liveness_clock,
            disk,
            self._flusher if durable else None,
            bugs,
            self._checkpoints,
            log_paths=log_paths,
            tell=self._tell_of_directories,
        )

    @property
    def _epoch(self) -> int:
        """The broker epoch of the present registration; -1 before there is one."""
        return self._broker_epoch if self.lifecycle is None else self.lifecycle.epoch

    @property
    def _previous_epoch(self) -> int:
        """That of the last run, if it has ended in order and all that it left is there: it may lead then, as far as it
        was in sync (KIP-966). -1 otherwise."""
        directories = self._quorum.directories
        return -1 if directories.lost() else directories.previous_broker_epoch

    def close_logs(self, *, kept: bool) -> None:
        """Close the logs; those that are `kept` cleanly, with the broker epoch once there is one. Blocks.

        Raises OSError, StorageError: some could not be closed cleanly.
        """
        directories = self._quorum.directories
        # The directory was lost and may be another broker's by now: write no file into it.
        if not kept or directories.why_lost() is not None:
            with suppress(StorageError):  # the disk has failed for this log before; nobody opens these files again
                directories.close(clean=False)
            return
        # A start that was given up before the broker had registered leaves the marker as it was.
        epoch = directories.previous_broker_epoch if self._epoch < 0 else self._epoch
        directories.close(self._partitions.high_watermarks(), broker_epoch=epoch)

    async def start(self, parts: ExitStack, nursery: trio.Nursery) -> None:
        """Register the broker, recover its logs, follow the metadata; `join` comes when it can be asked.

        Raises StartupError, StoreError, KafkaError.
        """
        if self._quorum.is_alone:
            self._follow_metadata()
            await self._recover(self._quorum.directories)
            registration = self._quorum.registration(self._endpoints())
            await self._quorum.register_controller()
            self._broker_epoch = await self._quorum.controller.register_broker(
                registration, self._previous_epoch
            ).wait()
            self._assemble(parts)
            nursery.start_soon(self._follow_advertised_listeners)
            if self._quorum.metadata_log.network is not None:  # others may come, and one of them may lead then
                self._make_lifecycle()
            nursery.start_soon(self._keep_session)
            if self._quorum.directories.has_several:
                self._directories_part.start(nursery, lambda: self._epoch)
            return
        lifecycle = self.lifecycle = self._lifecycle()
        await lifecycle.register()
        nursery.start_soon(lifecycle.run)
        await lifecycle.caught_up()
        self._follow_metadata()
        self._directories_part.start(nursery, lambda: self._epoch)
        await self._recover(self._quorum.directories)
        self._assemble(parts)

    async def join(self) -> None:
        """Have a part in the partitions, in a cluster: returns when the controller has unfenced this broker.

        Clients and followers come as soon as they hear of it: before, the logs are recovered and the ports open.
        """
        if self.lifecycle is not None:
            self.lifecycle.ready()
            await self.lifecycle.unfenced()

    async def _follow_advertised_listeners(self) -> None:
        """While the broker is alone: where it is advertised becomes known as soon as that setting is changed.

        Among others it becomes known with the next start, as in Apache Kafka.
        """
        changed = trio.Event()
        self._settings.subscribe(lambda _: changed.set())
        while True:
            await changed.wait()
            changed = trio.Event()
            controller = self._quorum.controller
            if controller.is_active and not self._quorum.has_others:
                with suppress(KafkaError):  # the disk is full, which the disk watch has told
                    await controller.change_registration(self._settings.now.node.node_id, self._advertised).wait()

    async def _keep_session(self) -> None:
        """Send heartbeats once there is another node, whose controller may become the active one, or once log
        directories have failed or are cordoned, which heartbeats say.
        """

        def look(_image: MetadataImage, _delta: MetadataDelta) -> None:
            if self._quorum.has_others:
                self._heartbeats_matter.set()

        self._quorum.publisher.subscribe(look)
        await self._heartbeats_matter.wait()
        await (self.lifecycle or self._make_lifecycle()).run()

    def _make_lifecycle(self) -> BrokerLifecycle:
        """For a broker that the controller of its process has registered."""
        lifecycle = self.lifecycle = self._lifecycle()
        lifecycle.registered(self._broker_epoch)
        return lifecycle

    def _lifecycle(self) -> BrokerLifecycle:
        from kafkapy.metadata.broker_lifecycle import BrokerLifecycle

        return BrokerLifecycle(
            self._quorum.registration(self._endpoints()),
            self._quorum.directories.cluster_id,
            self._quorum.channel,
            self._quorum.publisher,
            self._settings,
            self._liveness_clock,
            previous_epoch=self._previous_epoch,
            directories=self._directories_part.states,
        )

    def _tell_of_directories(self) -> None:
        self._heartbeats_matter.set()
        if self.lifecycle is not None:
            self.lifecycle.directories_changed()

    def _advertised(self, broker: BrokerImage) -> BrokerImage:
        return broker._replace(endpoints={endpoint.name: endpoint for endpoint in self._endpoints()})

    def _endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(each.name, each.host, each.port, SECURITY_PROTOCOLS.index(each.security_protocol))
            for each in self._settings.now.advertised_listeners
        ]

    def _follow_metadata(self) -> None:
        """Update the settings, then the partitions, then log cleaning with each new image, beginning with this one."""
        metadata, partitions = self._quorum.publisher, self._partitions
        dynamic_settings = DynamicSettings(self._settings)
        dynamic_settings.load(metadata.image)
        partitions.load(metadata.image)
        self._settings.subscribe(partitions.follow_settings)
        self._directories_part.follow_settings(self._settings.now)
        self._settings.subscribe(self._directories_part.follow_settings)
        self.log_cleaning = LogCleaning(
            self._settings,
            self._clock,
            partitions,
            self._quorum.directories,
            self._disk,
            self._bugs,
            fsync=self._durable,
        )
        metadata.subscribe(dynamic_settings.follow_metadata)
        metadata.subscribe(partitions.follow_metadata)
        metadata.subscribe(self._replication.follow_metadata)
        metadata.subscribe(self.log_cleaning.follow_metadata)

    async def _recover(self, directories: LogDirectories) -> None:
        """Recover every partition after an unclean stop. A turn at a time, so that it can be interrupted.

        This is done before the ports open: recovering a large log would hold up all clients. Raises StoreError.
        """
        count, failed = directories.unrecovered_count, len(directories.failed)
        while remaining := directories.unrecovered_count:
            self._on_recovery(count - remaining, count)
            directories.recover(self._clock.now_ms(), partial(_is_past, perf_counter() + RECOVERY_TURN_SECONDS))
            await trio.lowlevel.checkpoint()
        for each in directories.failed[failed:]:
            logger.error("the log directory %s is offline: %s", each.path, each.reason)
        if count:
            self._on_recovery(count, count)

    def _assemble(self, parts: ExitStack) -> None:
        """The broker, with its coordinators."""
        quorum, settings = self._quorum, self._settings
        node_id = settings.now.node.node_id
        metadata, controller, partitions = quorum.publisher, quorum.controller, self._partitions

        async def create_topic(name: str) -> None:
            await create_internal_topic(active_controller, name, settings.now, len(metadata.image.brokers))

        async def allocate_producer_ids() -> ProducerIdBlock:
            return await active_controller.allocate_producer_ids(node_id, self._epoch)

        active_controller = ActiveController(controller, quorum.channel)
        strictness = quorum.parts.strictness
        refuses = strictness is not None and strictness.producer_id_blocks
        producer_ids = ProducerIds(allocate_producer_ids, refuses=refuses)
        groups = GroupCoordinator(
            settings,
            self._clock,
            TopicCoordinatorLog(
                OFFSETS_TOPIC,
                partitions,
                metadata,
                self._clock,
                create_topic,
                node_id=node_id,
                below_min_isr=strictness is not None and strictness.group_min_isr,
            ),
            metadata,
            self._random,
            joins_uncommitted=strictness is not None and strictness.group_min_isr,
            create_topics=active_controller.create_topics,
        )
        parts.callback(groups.close)
        markers = MarkerWriter(partitions, groups, self._clock)
        remote_enlister: RemoteEnlister | None = None
        all_markers: Markers = markers
        if quorum.metadata_log.network is not None:  # other brokers may come
            from kafkapy.coordinators.transaction.marker_channels import MarkerChannels
            from kafkapy.coordinators.transaction.remote_enlisting import RemoteEnlister

            all_markers = channels = MarkerChannels(markers, metadata, quorum.peers, settings, node_id=node_id)
            remote_enlister = RemoteEnlister(quorum.peers, settings)
            self.senders = (channels.run, remote_enlister.run)
        transactions = TransactionCoordinator(
            settings,
            self._clock,
            TopicCoordinatorLog(TRANSACTION_TOPIC, partitions, metadata, self._clock, create_topic, node_id=node_id),
            metadata,
            producer_ids.next,
            all_markers,
            ending_ms=0 if strictness is None else strictness.ending_ms,
        )
        parts.callback(transactions.close)
        share_coordinator = ShareCoordinator(
            settings,
            self._clock,
            TopicCoordinatorLog(SHARE_STATE_TOPIC, partitions, metadata, self._clock, create_topic, node_id=node_id),
            metadata,
        )
        parts.callback(share_coordinator.close)
        sharing = Sharing(
            share_coordinator,
            groups.shards,
            quorum.peers,
            active_controller,
            partitions,
            metadata,
            settings,
            self._clock,
            self._random,
            node_id=node_id,
            tells_of_released=strictness is None or not strictness.released_share_records,
        )
        parts.callback(sharing.close)
        metadata.subscribe(groups.follow_metadata)
        metadata.subscribe(transactions.follow_metadata)
        metadata.subscribe(share_coordinator.follow_metadata)
        metadata.subscribe(sharing.follow_metadata)
        client_metrics = ClientMetrics(settings, lambda: metadata.image)
        metadata.subscribe(client_metrics.follow_metadata)
        new_topics: NewTopics | None = None
        if strictness is not None and strictness.created_topics:
            from kafkapy.metadata.new_topics import NewTopics

            new_topics = NewTopics()
        self.broker = Broker(
            node_id=quorum.parts.node_id,
            cluster_id=quorum.parts.cluster_id,
            clock=self._clock,
            settings=settings,
            metadata=metadata,
            controller=controller,
            quorum=quorum.metadata_log,
            loggers=quorum.parts.loggers,
            quotas=quorum.parts.quotas,
            api_limits=quorum.parts.api_limits,
            strictness=strictness,
            authorizer=quorum.parts.authorizer,
            tokens=quorum.parts.tokens,
            new_topics=new_topics,
            to_controller=quorum.channel,
            partitions=partitions,
            directories=quorum.directories,
            checkpoints=self._checkpoints,
            flusher=self._flusher,
            disk=self._disk,
            client_metrics=client_metrics,
            fetch_sessions=FetchSessionCache(
                slots=settings.now.replication.max_incremental_fetch_session_cache_slots,
                eviction_ms=FETCH_SESSION_EVICTION_MS,
                rng=self._random,
            ),
            replication=self._replication,
            groups=groups,
            transactions=transactions,
            share_coordinator=share_coordinator,
            sharing=sharing,
            enlister=PartitionEnlister(transactions, remote_enlister, self._clock, settings, node_id=node_id),
            markers=markers,
            producer_ids=producer_ids,
            refused_topics=RefusedTopics(self._liveness_clock),
            told_clients=ToldClients(
                self._liveness_clock, settings, Complaints(clients_logger, self._liveness_clock).warn
            ),
        )


def _is_past(moment: float) -> bool:
    return perf_counter() > moment
