"""The shell of the controller: its files, its order of events, and the requests it decides.

A decision takes these steps, the first three without a wait between them, so that decisions see each other's results:

1. decide, on the image that includes everything appended so far;
2. append the records to `__cluster_metadata-0` as one batch;
3. replay them into the next image;
4. where `fsync` is asked for, wait until they are on the disk: decisions that come meanwhile share the next flush;
5. publish the image: every subscriber has followed it when the answer leaves.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import trio

from kafkapy_controller.bootstrap import decide_bootstrap, feature_records
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage
from kafkapy_controller.metadata_batches import SnapshotId, build_snapshot, read_batches, read_snapshot
from kafkapy_controller.quorum import Append, Effects, Flushed, NotAppended, Quorum, Start, Stop
from kafkapy_controller.quorum_state import QuorumState, decode_quorum_state, encode_quorum_state
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_controller.voters import QuorumMembership
from kafkapy_log import LogSettings
from kafkapy_log.durable_files import replace_file
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage
from kafkapy_wire.uuid import ONE_UUID, random_uuid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.settings import Settings
    from kafkapy_controller.image import ConfigResource
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.producer_ids import ProducerIdBlock
    from kafkapy_controller.registration import NodeRegistration
    from kafkapy_controller.topics import TopicCreation
    from kafkapy_log import LogStore, PartitionLog
    from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
    from kafkapy_wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
    from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
    from kafkapy_wire.records import Record

logger = logging.getLogger("kafkapy.controller")

METADATA_DIRECTORY = "__cluster_metadata-0"
METADATA_TOPIC_ID = ONE_UUID
BOOTSTRAP_FILE = "bootstrap.checkpoint"
QUORUM_STATE_FILE = "quorum-state"
REPLAY_READ_BYTES = 1 << 20
DESCRIBED_TOPICS_MAX = 100


class BrokenMetadata(Exception):
    """The metadata directory is not one that this node can start from. The message says what to do."""


class _Decided(NamedTuple):
    """What is appended and waits to be committed."""

    image: MetadataImage
    delta: MetadataDelta


class ControllerDriver:
    """The quorum of one that this node is. Made by `open`; the log store closes its log."""

    def __init__(
        self, directory: Path, quorum: Quorum, log: PartitionLog, image: MetadataImage, publisher: MetadataPublisher,
        clock: Clock, random: Random, *, fsync: bool,
    ) -> None:  # fmt: skip
        self._directory = directory
        self._quorum = quorum
        self._log = log
        self._image = image  # of everything appended; the publisher's is of everything committed
        self._publisher = publisher
        self._clock = clock
        self._random = random
        self._fsync = fsync
        self._disk: DiskWatch | None = None
        self._decided: deque[_Decided] = deque()
        self._flush_done: trio.Event | None = None
        self._creation: tuple[Settings, TopicCreation] | None = None
        self._broker: tuple[int, int] = (-1, -1)  # id and epoch of the broker in this process

    @classmethod
    def open(
        cls,
        store: LogStore,
        node_id: int,
        membership: QuorumMembership,
        settings: Settings,
        publisher: MetadataPublisher,
        clock: Clock,
        *,
        random: Random | None = None,
        fsync: bool = False,
    ) -> ControllerDriver:
        """Read what is there, become leader of a new epoch, bootstrap what is new, publish the image. Blocks.

        `membership` is for a new directory; one that has a snapshot or log with voters in it keeps those.
        Raises BrokenMetadata; KafkaError KAFKA_STORAGE_ERROR; OSError.
        """
        directory = store.directory / METADATA_DIRECTORY
        bootstrap_file = store.directory / BOOTSTRAP_FILE
        now_ms = clock.now_ms()
        is_new = (CLUSTER_METADATA_TOPIC, 0) not in store
        log_settings = _log_settings(settings)
        log = store.create(CLUSTER_METADATA_TOPIC, 0, METADATA_TOPIC_ID, now_ms=now_ms, settings=log_settings)
        log.update_settings(log_settings)  # a store that had to recover has opened it with others
        if is_new:
            _format(directory, bootstrap_file, membership, now_ms)
        try:
            loaded = _Loader(directory, membership)
            loaded.read_snapshot()
            loaded.read_log(log)
            state_file = directory / QUORUM_STATE_FILE
            state = decode_quorum_state(state_file.read_text()) if state_file.exists() else QuorumState()
            quorum = Quorum(
                node_id, state, loaded.membership, log_end_offset=log.log_end_offset, last_epoch=log.latest_leader_epoch
            )
            bootstrap = _read_bootstrap(bootstrap_file)
        except (MalformedMessage, ValueError, KeyError) as error:
            raise BrokenMetadata(
                f"{directory} cannot be read ({error}): restore it from a copy, or start with an empty directory"
            ) from error
        driver = cls(directory, quorum, log, loaded.image, publisher, clock, random or Random(), fsync=fsync)
        driver._start(bootstrap, settings)
        return driver

    def _start(self, bootstrap: Sequence[MetadataRecord], settings: Settings) -> None:
        self._execute(self._quorum.step(Start(), self._clock.now_ms()))
        if self._image.open_transaction is not None:
            from kafkapy_wire.record_formats.metadata import AbortTransactionRecord

            self._append([AbortTransactionRecord(reason="the controller stopped within the transaction")])
        if not self._image.metadata_version:
            min_insync_replicas = settings.topic_defaults.min_insync_replicas
            self._append(decide_bootstrap(bootstrap, min_insync_replicas).records)
        self._decided.clear()
        if self._fsync:
            self._log.flushing.flush()
        self._quorum.step(Flushed(self._quorum.log_end_offset), self._clock.now_ms())
        self._publisher.image = self._image
        logger.debug("leads the quorum in epoch %d at offset %d", self._quorum.epoch, self._quorum.log_end_offset)

    def report_to(self, disk: DiskWatch) -> None:
        """Whom to tell what the disk refuses. Before that a refusal ends the start, which says so."""
        self._disk = disk

    def close(self) -> None:
        """Fence the broker of this process and resign: no request is decided any more. The store closes the log."""
        from kafkapy_controller.registration import decide_stop_broker

        records = decide_stop_broker(self._image, self._broker[0]).records
        if records and not self._log.has_failed:
            try:
                self._append(records)
            except KafkaError as error:  # then the next start finds it as after a kill
                logger.info("cannot note the end of this run: %s", error.message)
        self._quorum.step(Stop(), self._clock.now_ms())

    @property
    def leader_id(self) -> int:
        return self._quorum.leader_id

    @property
    def epoch(self) -> int:
        """Of the quorum."""
        return self._quorum.epoch

    @property
    def log(self) -> PartitionLog:
        """`__cluster_metadata-0`, to be read only."""
        return self._log

    # Requests

    async def create_topics(self, request: CreateTopicsRequest, settings: Settings) -> CreateTopicsResponse:
        from kafkapy_controller.topics import decide_create_topics

        decision = decide_create_topics(self._image, request, self._topic_creation(settings))
        await self._commit(decision.records)
        return decision.response

    async def delete_topics(self, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
        from kafkapy_controller.topics import decide_delete_topics

        decision = decide_delete_topics(self._image, request)
        await self._commit(decision.records)
        return decision.response

    async def create_partitions(self, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
        from kafkapy_controller.topics import decide_create_partitions

        decision = decide_create_partitions(self._image, request, self._random)
        await self._commit(decision.records)
        return decision.response

    async def alter_configs(
        self, changes: Mapping[ConfigResource, Mapping[str, str | None]], validate_only: bool = False
    ) -> None:
        """Set settings; None takes one away. The values have been checked. Nothing happens with `validate_only`."""
        from kafkapy_controller.configs import decide_alter_configs

        if not validate_only:
            await self._commit(decide_alter_configs(self._image, changes).records)

    async def allocate_producer_ids(self) -> ProducerIdBlock:
        """The next block, as (first id, length), for the broker of this process."""
        from kafkapy_controller.producer_ids import decide_allocate_producer_ids

        decision = decide_allocate_producer_ids(self._image, *self._broker)
        await self._commit(decision.records)
        return decision.response

    async def register_controller(self, registration: NodeRegistration) -> None:
        from kafkapy_controller.registration import decide_register_controller

        await self._commit(decide_register_controller(registration).records)

    async def register_broker(self, registration: NodeRegistration) -> int:
        """Register and unfence the broker of this process; it leads its partitions again. Returns the broker epoch."""
        from kafkapy_controller.registration import decide_start_broker

        decision = decide_start_broker(self._image, registration, self._quorum.log_end_offset)
        await self._commit(decision.records)
        self._broker = (registration.node_id, decision.response)
        return decision.response

    async def create_missing_topics(self, names: Iterable[str], settings: Settings) -> None:
        """Make topics because someone asks for them: those of the coordinators with their own settings.

        Raises KafkaError with the first failure. A topic that exists is none: someone else may have been faster.
        """
        from kafkapy.metadata.internal_topics import topic_to_create
        from kafkapy_wire.messages.create_topics import CreateTopicsRequest

        request = CreateTopicsRequest(topics=[topic_to_create(name, settings) for name in names])
        response = await self.create_topics(request, settings)
        for result in response.topics:
            if result.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
                raise KafkaError(ErrorCode(result.error_code), result.error_message)

    def _topic_creation(self, settings: Settings) -> TopicCreation:
        creation = self._creation
        if creation is None or creation[0] is not settings:
            creation = self._creation = (settings, topic_creation(settings, self._random))
        return creation[1]

    # From a decision to the published image

    async def _commit(self, records: Sequence[MetadataRecord]) -> None:
        """Append the records of a decision and return when they, and all it was decided on, are committed.

        A refusal has no records, but may rest on what is not committed yet: the topic that "already exists".
        Raises KafkaError KAFKA_STORAGE_ERROR: the disk has no room or has failed. As a rule the decision does not hold
        then; when only the flush failed, and a later one succeeds, it will.
        """
        if records:
            self._append(records)
        end_offset = self._quorum.log_end_offset
        if not self._fsync:
            self._flushed(end_offset)
        while self._quorum.high_watermark < end_offset:
            if self._flush_done is not None:
                await self._flush_done.wait()
            elif self._log.has_failed:
                # Another decision's flush has failed. The kernel may have dropped the pages: another proves nothing.
                raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"the log of {METADATA_DIRECTORY} has failed")
            else:
                await self._flush()

    def _append(self, records: Iterable[MetadataRecord]) -> None:
        records = list(records)
        delta = MetadataDelta(self._image)
        for record in records:
            delta.replay(record)
        effects = self._quorum.step(Append(records, self._image.metadata_version), self._clock.now_ms())
        try:
            self._execute(effects)
        except KafkaError as error:
            self._quorum.step(NotAppended(self._log.log_end_offset), self._clock.now_ms())
            self._tell_disk(error.__cause__)
            raise
        if self._disk is not None and self._disk.refusing:
            self._disk.accepted(self._log.topic_partition)
        self._image = delta.apply(self._quorum.log_end_offset - 1, self._quorum.epoch)
        self._decided.append(_Decided(self._image, delta))

    def _execute(self, effects: Effects) -> None:
        if effects.quorum_state is not None:
            membership = self._quorum.membership
            content = encode_quorum_state(effects.quorum_state, membership.kraft_version, membership.voter_ids)
            replace_file(self._directory / QUORUM_STATE_FILE, content.encode(), fsync=self._fsync)
        if effects.batch is not None:
            # As it stands: the quorum has put offsets and epoch into the batch.
            self._log.append_as_follower(effects.batch, now_ms=self._clock.now_ms())
            assert self._log.log_end_offset == self._quorum.log_end_offset
        if effects.high_watermark is not None:
            while self._decided and self._decided[0].image.offset < effects.high_watermark:
                self._publisher.publish(*self._decided.popleft())

    def _flushed(self, end_offset: int) -> None:
        self._execute(self._quorum.step(Flushed(end_offset), self._clock.now_ms()))

    async def _flush(self) -> None:
        """Flush what is appended now. Shielded: others count on it, and it ends with the disk's answer."""
        self._flush_done = trio.Event()
        try:
            flush = self._log.flushing.begin()
            if flush is not None:
                error: OSError | None = None
                with trio.CancelScope(shield=True):
                    try:
                        await trio.to_thread.run_sync(flush.sync)
                    except OSError as failure:
                        error = failure
                self._log.flushing.end(flush, error)
                if error is not None:
                    raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"{METADATA_DIRECTORY}: {error}") from error
            self._flushed(self._log.recovery_point)
        except KafkaError as failed:
            self._tell_disk(failed.__cause__)
            raise
        finally:
            self._flush_done.set()
            self._flush_done = None

    def _tell_disk(self, cause: BaseException | None) -> None:
        if self._disk is not None:
            self._disk.tell(self._log, cause)  # type: ignore[arg-type]


def topic_creation(settings: Settings, random: Random) -> TopicCreation:
    """What decisions about topics need of these settings."""
    from kafkapy.settings.alter import check_topic
    from kafkapy.settings.describe import describe_topic
    from kafkapy_controller.topics import TopicCreation
    from kafkapy_wire.messages.create_topics import CreatableTopicConfigs

    # Most topics are made without settings of their own, or many with the same: 33 entries each are worth keeping.
    described: dict[tuple[tuple[str, str], ...], list[CreatableTopicConfigs]] = {}

    def describe(configs: Mapping[str, str]) -> list[CreatableTopicConfigs]:
        key = tuple(sorted(configs.items()))
        entries = described.get(key)
        if entries is None:
            if len(described) >= DESCRIBED_TOPICS_MAX:
                described.clear()
            entries = described[key] = [
                CreatableTopicConfigs(
                    name=entry.name,
                    value=entry.value,
                    read_only=entry.read_only,
                    config_source=entry.source,
                    is_sensitive=entry.is_sensitive,
                )
                for entry in describe_topic(settings, configs)
            ]
        return entries

    return TopicCreation(
        default_partition_count=settings.topics.num_partitions,
        default_replication_factor=settings.topics.default_replication_factor,
        check_configs=partial(check_topic, settings),
        describe_configs=describe,
        new_topic_id=random_uuid,
        random=random,
    )


class _Loader:
    """Reads a metadata directory into an image."""

    def __init__(self, directory: Path, membership: QuorumMembership) -> None:
        self._directory = directory
        self.membership = membership
        self.image = EMPTY_IMAGE
        self.next_offset = 0

    def read_snapshot(self) -> None:
        """Take in the newest snapshot, if there is one. The one at offset 0 only names the voters."""
        snapshots = filter(None, (SnapshotId.parse(path.name) for path in self._directory.iterdir()))
        newest = max(snapshots, default=None)
        if newest is None:
            return
        delta = MetadataDelta()
        for batch in read_snapshot((self._directory / newest.file_name).read_bytes()):
            self._take_control_records(batch.control_records)
            for record in batch.records:
                delta.replay(record)
        self.image = delta.apply(newest.end_offset - 1, newest.epoch)
        self.next_offset = newest.end_offset

    def read_log(self, log: PartitionLog) -> None:
        """Replay from the snapshot's end to the log's, in pieces of `REPLAY_READ_BYTES`."""
        if log.log_end_offset < self.next_offset:
            raise ValueError(f"its log ends at {log.log_end_offset}, before its snapshot at {self.next_offset}")
        if log.log_start_offset > self.next_offset:
            raise ValueError(f"its log starts at {log.log_start_offset}, and no snapshot says what was before")
        offset = self.next_offset
        while offset < log.log_end_offset:
            piece = log.read(offset, REPLAY_READ_BYTES)
            data = piece.read()
            piece.release()
            delta = MetadataDelta(self.image)
            epoch = self.image.epoch
            for batch in read_batches(data):
                # A read begins at the batch that holds the offset; a snapshot may end within one.
                skip = max(self.next_offset - batch.base_offset, 0)
                self._take_control_records(batch.control_records[skip:])
                for record in batch.records[skip:]:
                    delta.replay(record)
                offset, epoch = batch.last_offset + 1, batch.epoch
            self.image = delta.apply(offset - 1, epoch)

    def _take_control_records(self, records: Sequence[Record]) -> None:
        for record in records:
            self.membership = self.membership.replay(record)


def _format(directory: Path, bootstrap_file: Path, membership: QuorumMembership, now_ms: int) -> None:
    """What `kafka-storage format` leaves in a new directory."""
    if not bootstrap_file.exists():
        replace_file(bootstrap_file, build_snapshot(feature_records(), None, 0, now_ms=now_ms), fsync=False)
    if membership.kraft_version > 0:
        snapshot = build_snapshot([], membership, 0, now_ms=now_ms, last_contained_ms=now_ms)
        replace_file(directory / SnapshotId(0, 0).file_name, snapshot, fsync=False)


def _read_bootstrap(file: Path) -> list[MetadataRecord]:
    """The features that the cluster begins with: as it was formatted, or this release's."""
    if not file.exists():
        return feature_records()
    return [record for batch in read_snapshot(file.read_bytes()) for record in batch.records]


def _log_settings(settings: Settings) -> LogSettings:
    return LogSettings(
        segment_bytes=settings.node.metadata_log_segment_bytes,
        segment_ms=settings.node.metadata_log_segment_ms,
        retention_bytes=-1,
        retention_ms=-1,
        delete=False,
    )
