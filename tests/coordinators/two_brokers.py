"""Two brokers with real logs and coordinators. The metadata, the fetches of followers, and what goes wrong between the
brokers are played by hand, so that a test decides what each of them knows, and when.

Each hears of new metadata in its own time (`hear`), and follows a leader by `replicate`. The connections between them
call the handlers of the other one; `fate` decides what becomes of each request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from random import Random
from typing import Any

import trio
import trio.testing

from kafkapy.apis import API_MODULES
from kafkapy.apis.served import Api, answer_of
from kafkapy.broker import Broker
from kafkapy.clock import ManualClock
from kafkapy.context import Client, RequestContext
from kafkapy.coordinators.group import GroupCoordinator
from kafkapy.coordinators.topic_log import TopicCoordinatorLog
from kafkapy.coordinators.transaction import (
    MarkerWriter,
    PartitionEnlister,
    TransactionCoordinator,
)
from kafkapy.coordinators.transaction.marker_channels import MarkerChannels
from kafkapy.coordinators.transaction.remote_enlisting import RemoteEnlister
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.manager import PartitionManager
from kafkapy.partitions.partition import Partition
from kafkapy.partitions.topic_settings import TopicSettingsSource
from kafkapy.peers import PeerUnavailable
from kafkapy.pending import Pending, settled
from kafkapy.quotas.client_quotas import ClientQuotas
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.topic_names import OFFSETS_TOPIC, TRANSACTION_TOPIC
from kafkapy_log import LogDirectories, LogStore
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, response_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.message import Message
from kafkapy_wire.record_formats.metadata import PartitionChangeRecord, PartitionRecord, TopicRecord
from kafkapy_wire.records import Record, decode_records, read_batch_header, split_batches
from kafkapy_wire.records.batch import BatchHeader
from kafkapy_wire.uuid import Uuid
from tests.apis.topic_lab import Absent
from tests.controller.clusters import cluster

FIRST, SECOND = 1, 2
BOTH = (FIRST, SECOND)
DATA_TOPIC = "t"
PARTITION_COUNTS = {OFFSETS_TOPIC: 2, TRANSACTION_TOPIC: 2, DATA_TOPIC: 3}
START_MS = 1_700_000_000_000
FETCH_BYTES = 1 << 20


class Fate(Enum):
    """What becomes of a request between brokers."""

    ANSWERED = auto()
    REQUEST_LOST = auto()
    ANSWER_LOST = auto()


class OneBroker:
    """The parts of one broker that coordinators need."""

    def __init__(self, lab: TwoBrokers, node_id: int, directory: Path) -> None:
        directory.mkdir()
        self.node_id = node_id
        self.heard = 0  # batches of metadata
        clock, settings = lab.clock, lab.settings
        self.metadata = metadata = MetadataPublisher()
        metadata.image = cluster(BOTH)
        topics = TopicSettingsSource(settings)
        self.store = LogStore.open(directory, node_id=node_id, now_ms=START_MS, settings_for=topics.of_log, fsync=False)
        disk = DiskWatch(directory, clock)
        directories = LogDirectories([self.store], self.store)
        self.partitions = partitions = PartitionManager(directories, node_id, topics, clock, disk)
        partitions.load(metadata.image)

        def log(topic: str) -> TopicCoordinatorLog:
            return TopicCoordinatorLog(topic, partitions, metadata, clock, lab.create_nothing, node_id=node_id)

        self.groups = GroupCoordinator(settings, clock, log(OFFSETS_TOPIC), metadata, lab.random)
        markers = MarkerWriter(partitions, self.groups, clock)
        peers = _Peers(lab, node_id)
        self.channels = MarkerChannels(markers, metadata, peers, settings, node_id=node_id)
        self.transactions = TransactionCoordinator(
            settings, clock, log(TRANSACTION_TOPIC), metadata, lab.next_producer_id, self.channels
        )
        self.remote = RemoteEnlister(peers, settings)
        self.enlister = PartitionEnlister(self.transactions, self.remote, clock, settings, node_id=node_id)
        for follow in (partitions, self.groups, self.transactions):
            metadata.subscribe(follow.follow_metadata)
        absent: Any = Absent()
        self.broker = Broker(
            node_id=node_id,
            cluster_id="a-cluster",
            clock=clock,
            quotas=ClientQuotas(settings, clock),
            settings=settings,
            metadata=metadata,
            controller=absent,
            quorum=absent,
            to_controller=absent,
            partitions=partitions,
            directories=directories,
            checkpoints=absent,
            flusher=absent,
            disk=disk,
            fetch_sessions=absent,
            replication=absent,
            groups=self.groups,
            transactions=self.transactions,
            share_coordinator=absent,
            client_metrics=absent,
            sharing=absent,
            enlister=self.enlister,
            markers=markers,
            producer_ids=absent,
            told_clients=absent,
            refused_topics=absent,
        )

    def start(self, nursery: trio.Nursery) -> None:
        for part in (self.groups, self.transactions, self.channels, self.remote):
            nursery.start_soon(part.run)

    def close(self) -> None:
        self.groups.close()
        self.transactions.close()
        self.store.close(clean=False)

    def context(self, version: int) -> RequestContext:
        context = RequestContext(self.broker, Client("PLAINTEXT", "127.0.0.1", 50_000, "127.0.0.1"))
        context.api_version = version
        return context

    def replica(self, topic: str, index: int) -> Partition:
        return self.partitions.replica(topic, index)

    async def ask(self, request: Message, version: int | None = None) -> Any:
        """What it answers, encoded and decoded as on the wire."""
        key = ApiKey(request.__schema__.api_key)
        version = API_VERSIONS[key].max_version if version is None else version
        received = decode(request_class(key), encode(request, version), version)
        answer = await answer_of(Api(key, API_MODULES[key]), received, self.context(version))
        return decode(response_class(key), encode(answer, version), version)


class _Peers:
    def __init__(self, lab: TwoBrokers, node_id: int) -> None:
        self._lab = lab
        self._node_id = node_id

    def broker(self, broker_id: int, purpose: str) -> _Peer:
        assert broker_id != self._node_id, f"{purpose}: it asks itself"
        if broker_id in self._lab.down:
            raise PeerUnavailable(f"broker {broker_id} is not running")
        return _Peer(self._lab, broker_id)


class _Peer:
    def __init__(self, lab: TwoBrokers, broker_id: int) -> None:
        self._lab = lab
        self._broker_id = broker_id

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        assert timeout_ms > 0
        self._lab.asked.append((self._broker_id, request))
        fate = self._lab.fate(request)
        await trio.lowlevel.checkpoint()
        if fate is not Fate.REQUEST_LOST:
            answer: Message = await self._lab.brokers[self._broker_id].ask(request)
            await self._lab.on_the_way_back(request)
            if fate is Fate.ANSWERED:
                return answer
        raise PeerUnavailable(f"{fate.name}")


def answered(_: Message) -> Fate:
    return Fate.ANSWERED


class TwoBrokers:
    """Both brokers have a replica of every partition, and both are in every ISR."""

    def __init__(self, directory: Path, *, seed: int = 0, settings: dict[str, str] | None = None) -> None:
        self.random = Random(seed)
        self.clock = ManualClock(frozen=True)
        self.settings = CurrentSettings(Settings(settings or {}))
        self.fate: Callable[[Message], Fate] = answered
        self.down: set[int] = set()
        self.asked: list[tuple[int, Message]] = []
        self.producer_ids = 0
        self.nursery: trio.Nursery
        self._held: tuple[type[Message], trio.Event] | None = None
        self._batches: list[list[MetadataRecord]] = []
        self._topic_ids = {topic: Uuid(topic.encode().ljust(16, b"-")[:16]) for topic in PARTITION_COUNTS}
        self.leaders: dict[tuple[str, int], tuple[int, int]] = {}
        """(topic, partition) -> leader, leader epoch, as the controller knows them."""
        self._alone: set[tuple[str, int]] = set()  # their leader has the only replica
        self.brokers = {node_id: OneBroker(self, node_id, directory / str(node_id)) for node_id in BOTH}

    async def create_nothing(self, topic: str) -> None:
        raise AssertionError(f"{topic} is there")

    def next_producer_id(self) -> Pending[int]:
        self.producer_ids += 1
        return settled(self.producer_ids)

    @contextmanager
    def closing(self) -> Iterator[TwoBrokers]:
        try:
            yield self
        finally:
            for broker in self.brokers.values():
                broker.close()

    # -- metadata

    def create_topics(self) -> None:
        """Leaders alternate, beginning with the first broker."""
        records: list[MetadataRecord] = []
        for topic, count in PARTITION_COUNTS.items():
            topic_id = self._topic_ids[topic]
            records.append(TopicRecord(name=topic, topic_id=topic_id))
            for index in range(count):
                leader = BOTH[index % 2]
                self.leaders[topic, index] = (leader, 0)
                records.append(
                    PartitionRecord(
                        partition_id=index,
                        topic_id=topic_id,
                        replicas=[*BOTH],
                        isr=[*BOTH],
                        leader=leader,
                        leader_epoch=0,
                    )
                )
        self._batches.append(records)

    def move(self, topic: str, index: int, leader: int | None = None) -> None:
        """The controller elects the other broker, or the one that is named; both hear of it later."""
        now, epoch = self.leaders[topic, index]
        if leader is None:
            leader = FIRST + SECOND - now
        self.leaders[topic, index] = (leader, epoch + 1)
        self._batches.append(
            [PartitionChangeRecord(partition_id=index, topic_id=self._topic_ids[topic], leader=leader)]
        )

    def hand_over(self, topic: str, index: int) -> None:
        """The controller leaves the partition to the follower alone, as at the end of a reassignment."""
        now, epoch = self.leaders[topic, index]
        left = FIRST + SECOND - now
        self.leaders[topic, index] = (left, epoch + 1)
        self._alone.add((topic, index))
        self._batches.append(
            [
                PartitionChangeRecord(
                    partition_id=index, topic_id=self._topic_ids[topic], leader=left, replicas=[left], isr=[left]
                )
            ]
        )

    def hear(self, node_id: int, count: int = 1 << 30) -> None:
        """A broker learns of so many more changes."""
        broker = self.brokers[node_id]
        for records in self._batches[broker.heard : broker.heard + count]:
            delta = MetadataDelta(broker.metadata.image)
            for record in records:
                delta.replay(record)
            broker.heard += 1
            image = delta.apply(broker.metadata.image.offset + len(records), 1)
            broker.metadata.publish(image, delta)

    def knows_all(self, node_id: int) -> bool:
        return self.brokers[node_id].heard == len(self._batches)

    # -- replication

    def replicate(self, topic: str, index: int) -> None:
        """One fetch of the follower, if there is one and both know who leads."""
        if (topic, index) in self._alone:
            return
        node_id, epoch = self.leaders[topic, index]
        leader = self.brokers[node_id].replica(topic, index)
        follower_id = FIRST + SECOND - node_id
        follower = self.brokers[follower_id].replica(topic, index)
        if not leader.leads or follower.leads or not leader.leader_epoch == follower.leader_epoch == epoch:
            return
        now_ms = self.clock.now_ms()
        latest = follower.log.leader_epochs.latest_epoch
        if latest >= 0:
            follower.truncate_to_divergence(*leader.log.end_offset_for_epoch(latest), now_ms=now_ms)
        offset = follower.log.log_end_offset
        leader.follower_fetched(follower_id, offset, now_ms=now_ms)
        piece = leader.log.read(offset, FETCH_BYTES)
        follower.append_from_leader(
            piece.read() if piece.length else b"",
            leader_high_watermark=leader.high_watermark,
            leader_log_start_offset=leader.log.log_start_offset,
            now_ms=now_ms,
        )
        piece.release()

    def replicate_all(self) -> None:
        for topic, index in self.partitions():
            self.replicate(topic, index)

    def hold(self, kind: type[Message]) -> trio.Event:
        """Answers to requests of that kind are held back until the event is set."""
        event = trio.Event()
        self._held = (kind, event)
        return event

    async def on_the_way_back(self, request: Message) -> None:
        if self._held is not None and isinstance(request, self._held[0]):
            await self._held[1].wait()

    def partitions(self) -> list[tuple[str, int]]:
        return sorted(self.leaders)

    async def settle(self) -> None:
        """Everything heals, and time passes until nothing is left to do."""
        self.fate = answered
        self.down.clear()
        for _ in range(30):
            for node_id in BOTH:
                self.hear(node_id)
            await self.quiet()
            for _ in range(2):
                self.replicate_all()
            await self.quiet()
            self.clock.advance(1_000)
            for broker in self.brokers.values():
                await broker.transactions.abort_timed_out()

    async def quiet(self) -> None:
        await trio.testing.wait_all_tasks_blocked()

    # -- what tests look at

    def leader(self, topic: str, index: int) -> OneBroker:
        return self.brokers[self.leaders[topic, index][0]]

    def stored(self, topic: str, index: int) -> list[tuple[BatchHeader, list[Record]]]:
        """The batches of the partition, as its leader has them."""
        log = self.leader(topic, index).replica(topic, index).log
        batches = []
        offset = log.log_start_offset
        while offset < log.log_end_offset:
            piece = log.read(offset, FETCH_BYTES)
            data = piece.read()
            offset = piece.next_offset
            piece.release()
            batches += [(read_batch_header(batch), list(decode_records(batch))) for _, batch in split_batches(data)]
        return batches


async def with_brokers(lab: TwoBrokers, test: Callable[[], Any]) -> None:
    """Run `test` with both brokers at work and the topics there."""
    with lab.closing():
        async with trio.open_nursery() as nursery:
            lab.nursery = nursery
            nursery.start_soon(lab.clock.run)  # time stands still, but longer work is done in turns
            for broker in lab.brokers.values():
                broker.start(nursery)
            lab.create_topics()
            for node_id in BOTH:
                lab.hear(node_id)
            await lab.quiet()
            await test()
            nursery.cancel_scope.cancel()


def begin(lab: TwoBrokers, test: Callable[[], Any]) -> None:
    trio.run(with_brokers, lab, test)
