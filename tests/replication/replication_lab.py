"""Brokers with real logs whose followers fetch from the handlers of their leaders, without sockets, tasks or time.

A step of the lab has every follower send its next request, and every answer that is there taken. Requests and answers
pass the codec. The controller is played by the lab: it hands out metadata, and answers AlterPartition.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import trio

from kafkapy.apis import fetch, list_offsets, produce
from kafkapy.broker import Broker
from kafkapy.bugs import Bugs
from kafkapy.clock import ManualClock
from kafkapy.context import Client, RequestContext
from kafkapy.fetching.replication_quota import ReplicationQuota, Side
from kafkapy.fetching.sessions import FetchSessionCache
from kafkapy.partitions.checkpoints import Checkpoints
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.flushing import Flusher
from kafkapy.partitions.followers import IsrProposal, Proposer
from kafkapy.partitions.manager import PartitionManager
from kafkapy.partitions.partition import Partition
from kafkapy.partitions.topic_settings import TopicSettingsSource
from kafkapy.pending import Pending
from kafkapy.quotas.client_quotas import ClientQuotas
from kafkapy.replication.awaited_partitions import AwaitedPartitions
from kafkapy.replication.fetcher import Fetcher, Replica, Then
from kafkapy.replication.following import Following, Lane
from kafkapy.replication.isr_requests import IsrRequests
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import (
    BrokerImage,
    ConfigResourceType,
    Endpoint,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from kafkapy_log import LogDirectories, LogStore
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_partition import (
    AlterPartitionRequest,
    AlterPartitionResponse,
    AlterPartitionResponsePartitionData,
    AlterPartitionResponseTopicData,
)
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.records import NewRecord, Record, build_batch, decode_records, split_batches
from kafkapy_wire.uuid import Uuid
from tests.apis.topic_lab import Absent

TOPIC = "orders"
TOPIC_ID = Uuid(b"o" * 16)
LAG_MS = 10_000
BACKOFF_MS = 1_000
VERSIONS: dict[type[Message], int] = {FetchRequest: 17, ListOffsetsRequest: 11}
ANSWERS: dict[type[Message], type[Message]] = {FetchRequest: FetchResponse, ListOffsetsRequest: ListOffsetsResponse}
NOBODY = -1


class InFlight:
    """A request of a follower that is not answered yet."""

    def __init__(self, request: Message, answer: Pending[Any] | Message) -> None:
        self.request = request
        self.answer = answer


class LabBroker:
    """One broker. `live` is False between `crash` and `start`."""

    def __init__(self, lab: ReplicationLab, broker_id: int, directory: Path, given: dict[str, str]) -> None:
        self.lab = lab
        self.id = broker_id
        self.directory = directory
        self.settings = CurrentSettings(Settings({"node.id": str(broker_id), **given}))
        self.live = False
        self.epoch = 0
        self.in_flight: dict[Lane, InFlight] = {}

    def start(self) -> None:
        """Start on what is in the directory, with the lab's newest metadata."""
        lab, clock = self.lab, self.lab.clock
        topic_settings = TopicSettingsSource(self.settings)
        self.disk = DiskWatch(self.directory, clock)
        self.store = LogStore.open(
            self.directory,
            node_id=self.id,
            now_ms=clock.now_ms(),
            settings_for=topic_settings.of_log,
            fsync=False,
        )
        self.flusher = Flusher(clock, self.disk)
        self.directories = LogDirectories([self.store], self.store)
        self.partitions = PartitionManager(self.directories, self.id, topic_settings, clock, self.disk, self.flusher)
        self.isr_requests = IsrRequests(self.id)
        self.following = Following(
            self.id,
            self.settings,
            ReplicationQuota(Side.FOLLOWER, self.id, self.settings, clock),
            lambda: Replica(self.id, self.epoch),
        )
        self.partitions.replicate(self, self._note_role)
        if lab.replicate is not None:
            lab.replicate(self)
        absent: Any = Absent()
        metadata: Any = self
        self.broker = Broker(
            node_id=self.id,
            cluster_id=self.store.cluster_id,
            clock=clock,
            quotas=ClientQuotas(self.settings, clock),
            settings=self.settings,
            metadata=metadata,
            controller=absent,
            quorum=absent,
            to_controller=absent,
            partitions=self.partitions,
            directories=self.directories,
            checkpoints=WrittenAtOnce(self.directories, self.partitions, self.disk),
            flusher=absent,
            disk=self.disk,
            fetch_sessions=FetchSessionCache(
                slots=10, eviction_ms=60_000, rng=random.Random(self.id * 1_000 + self.epoch)
            ),
            replication=metadata,
            groups=absent,
            transactions=absent,
            share_coordinator=absent,
            client_metrics=absent,
            sharing=absent,
            enlister=absent,
            markers=absent,
            producer_ids=absent,
            told_clients=absent,
            refused_topics=absent,
        )
        self.liveness_clock = clock
        self.awaited = AwaitedPartitions(self.id, clock, self.partitions.is_live)
        self.leader_quota = ReplicationQuota(Side.LEADER, self.id, self.settings, clock)
        self.live = True
        self.epoch += 1
        self.image = lab.image
        self.partitions.load(self.image)
        clock.drain()

    def submit(self, partition: Proposer, proposal: IsrProposal) -> None:
        self.isr_requests.submit(partition, proposal)

    def _note_role(self, partition: Partition) -> None:
        self.following.note_role(partition, now_ms=self.lab.clock.monotonic_ms(), wall_ms=self.lab.clock.now_ms())

    def crash(self, *, clean: bool = False) -> None:
        """Stop at once; what the system has of the files stays. With `clean` as a node stops that is told to."""
        self.live = False
        for flight in self.in_flight.values():
            if isinstance(flight.answer, Pending):
                flight.answer.abandon()
        self.in_flight = {}
        self.lab.forget_requests_to(self)
        if clean:
            self.store.close(self.partitions.high_watermarks(), broker_epoch=self.epoch)
        else:
            self.store.write_checkpoints(self.partitions.high_watermarks())
            self.store.close(clean=False)

    def follow(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        self.partitions.follow_metadata(image, delta)
        self.awaited.follow_metadata(image, delta)

    def partition(self, index: int = 0) -> Partition:
        return self.partitions.replica(TOPIC, index)

    def records(self, index: int = 0) -> list[Record]:
        return records_of(self.partition(index))

    def values(self, index: int = 0) -> list[bytes | None]:
        return [record.value for record in self.records(index)]

    # -- as a server

    def handle(self, request: Message, version: int, client_id: str | None = None) -> Pending[Any] | Message:
        """The answer to a request that has passed the codec; pending if it waits."""
        context = RequestContext(self.broker, Client("PLAINTEXT", "127.0.0.1", 50_000, "127.0.0.1"))
        context.api_version = version
        context.client_id = client_id
        received = decode(type(request), encode(request, version), version)
        module: Any = {FetchRequest: fetch, ListOffsetsRequest: list_offsets, ProduceRequest: produce}[type(request)]
        answer: Any = module.handle(received, context)
        if inspect.iscoroutine(answer):

            async def wait() -> Any:
                return await answer

            answer = trio.run(wait)
        assert isinstance(answer, Pending | Message), answer
        return answer


class WrittenAtOnce(Checkpoints):
    """Without a worker thread."""

    async def write(self) -> None:
        self._directories.write_checkpoints(self._partitions.high_watermarks())


class LabClock(ManualClock):
    """Stands still; what is to be done in turns is done by `drain`."""

    def __init__(self) -> None:
        super().__init__(frozen=True)

    def drain(self) -> None:
        while self._in_turn:
            self._fire(self._in_turn.popleft())


class ReplicationLab:
    """Brokers 1, 2, 3, ... with one topic, which all of them have replicas of unless told otherwise."""

    def __init__(
        self,
        directory: Path,
        broker_count: int = 3,
        *,
        partition_count: int = 1,
        replicas: tuple[int, ...] | None = None,
        given: dict[str, str] | None = None,
        topic_settings: dict[str, str] | None = None,
        racks: Iterable[str | None] = (),
        replicate: Callable[[LabBroker], None] | None = None,
    ) -> None:
        """`replicate` is called with each broker that starts, and may have it replicate in another way."""
        self.replicate = replicate
        self.clock = LabClock()
        self.bugs = Bugs()
        self.on_step: Callable[[LabBroker, Then], None] = lambda _broker, _then: None
        """Called with each step of a follower's work on an answer."""
        self.cut: set[tuple[int, int]] = set()
        """(from, to) pairs of brokers between which nothing passes."""
        settings = {
            "replica.lag.time.max.ms": str(LAG_MS),
            "replica.fetch.backoff.ms": str(BACKOFF_MS),
            "replica.fetch.wait.max.ms": "500",
            **(given or {}),
        }
        ids = range(1, broker_count + 1)
        replicas = tuple(ids) if replicas is None else replicas
        rack_of = dict(zip(ids, racks, strict=False))
        state = PartitionImage(replicas, replicas, leader=replicas[0])
        topic = TopicImage(TOPIC, TOPIC_ID, (state,) * partition_count)
        self.image = MetadataImage(
            brokers={
                broker_id: BrokerImage(
                    broker_id,
                    1,
                    Uuid(bytes(15) + bytes([broker_id])),
                    {"PLAINTEXT": Endpoint("PLAINTEXT", f"host-{broker_id}", 9_092, 0)},
                    {},
                    rack=rack_of.get(broker_id),
                    fenced=False,
                )
                for broker_id in ids
            },
            topics={TOPIC: topic},
            topics_by_id={TOPIC_ID: topic},
            configs={(ConfigResourceType.TOPIC, TOPIC): topic_settings or {}},
        )
        self.brokers = {
            broker_id: LabBroker(self, broker_id, directory / f"broker-{broker_id}", settings) for broker_id in ids
        }
        for broker in self.brokers.values():
            broker.start()

    def __getitem__(self, broker_id: int) -> LabBroker:
        return self.brokers[broker_id]

    def close(self) -> None:
        for broker in self.brokers.values():
            if broker.live:
                broker.crash()

    # -- the controller

    def state(self, index: int = 0) -> PartitionImage:
        return self.image.topics[TOPIC].partitions[index]

    def publish(self, to: Iterable[int] | None = None) -> None:
        """Have brokers, by default all live ones, follow the newest metadata."""
        for broker in self.brokers.values():
            if broker.live and (to is None or broker.id in to):
                delta = MetadataDelta(broker.image)
                before, after = broker.image.topics[TOPIC], self.image.topics[TOPIC]
                changed = {
                    (TOPIC, index)
                    for index, state in enumerate(after.partitions)
                    if index >= len(before.partitions) or before.partitions[index] != state
                }
                broker.follow(self.image, _Changes(delta, changed))  # type: ignore[arg-type]

    def change(self, index: int = 0, *, to: Iterable[int] | None = None, tell: bool = True, **changes: Any) -> None:
        """Change a partition; a `leader` among the changes is an election."""
        state = self.state(index)
        epoch = state.leader_epoch + 1 if "leader" in changes else state.leader_epoch
        state = state._replace(leader_epoch=epoch, partition_epoch=state.partition_epoch + 1, **changes)
        partitions = list(self.image.topics[TOPIC].partitions)
        partitions[index] = state
        topic = TopicImage(TOPIC, TOPIC_ID, tuple(partitions))
        self.image = self.image._replace(
            topics={TOPIC: topic}, topics_by_id={TOPIC_ID: topic}, offset=self.image.offset + 1
        )
        if tell:
            self.publish(to)

    def register(self, broker_id: int, **changes: Any) -> None:
        """Change the registration of a broker."""
        brokers = dict(self.image.brokers)
        brokers[broker_id] = brokers[broker_id]._replace(**changes)
        self.image = self.image._replace(brokers=brokers, offset=self.image.offset + 1)

    def alter_partition(self, request: AlterPartitionRequest) -> AlterPartitionResponse:
        """What the controller answers: the checks of KIP-497 and KIP-903, without reassignments."""
        topics = []
        for topic in request.topics:
            answers = []
            for asked in topic.partitions:
                state = self.state(asked.partition_index)
                code = ErrorCode.NONE
                isr = tuple(member.broker_id for member in asked.new_isr_with_epochs)
                if asked.leader_epoch < state.leader_epoch:
                    code = ErrorCode.FENCED_LEADER_EPOCH
                elif asked.partition_epoch != state.partition_epoch:
                    code = ErrorCode.INVALID_UPDATE_VERSION
                elif state.leader != request.broker_id or not set(isr) <= set(state.replicas):
                    code = ErrorCode.INVALID_REQUEST
                elif any(
                    self.image.brokers[member.broker_id].fenced
                    or member.broker_epoch not in (-1, self.image.brokers[member.broker_id].epoch)
                    for member in asked.new_isr_with_epochs
                ):
                    code = ErrorCode.INELIGIBLE_REPLICA
                if not code:
                    self.change(asked.partition_index, tell=False, isr=isr)
                    state = self.state(asked.partition_index)
                answers.append(
                    AlterPartitionResponsePartitionData(
                        partition_index=asked.partition_index,
                        error_code=code,
                        leader_id=state.leader,
                        leader_epoch=state.leader_epoch,
                        isr=list(state.isr),
                        partition_epoch=state.partition_epoch,
                    )
                )
            topics.append(AlterPartitionResponseTopicData(topic_id=topic.topic_id, partitions=answers))
        return AlterPartitionResponse(topics=topics)

    # -- what goes between brokers

    def forget_requests_to(self, gone: LabBroker) -> None:
        """A broker has stopped: who waits for its answers hears of it."""
        for broker in self.brokers.values():
            for lane in [lane for lane in broker.in_flight if lane.source_id == gone.id]:
                del broker.in_flight[lane]
                broker.following.fetchers[lane].lost(self.clock.monotonic_ms())

    def step(self, broker: LabBroker, *, publish: bool = True) -> bool:
        """Have a broker send what it has to send, and take what has been answered. Returns whether anything was.

        Without `publish` the brokers do not hear of an ISR that was changed by it.
        """
        did = False
        for lane, fetcher in list(broker.following.fetchers.items()):
            did |= self._send(broker, lane, fetcher)
            did |= self._take(broker, lane, fetcher)
        if broker.isr_requests:
            request = broker.isr_requests.next_request(broker.epoch)
            version = 3
            received = decode(AlterPartitionRequest, encode(request, version), version)
            broker.isr_requests.take(self.alter_partition(received), self.clock.now_ms())
            if publish:
                self.publish()
            did = True
        return did

    def _send(self, broker: LabBroker, lane: Lane, fetcher: Fetcher) -> bool:
        if lane in broker.in_flight:
            return False
        request = fetcher.next_request(self.clock.monotonic_ms())
        if request is None:
            return False
        source = self.brokers[lane.source_id]
        if not source.live or (broker.id, source.id) in self.cut:
            fetcher.lost(self.clock.monotonic_ms())
            return True
        answer = source.handle(request, VERSIONS[type(request)], f"replica-fetcher-{lane.number}")
        broker.in_flight[lane] = InFlight(request, answer)
        return True

    def _take(self, broker: LabBroker, lane: Lane, fetcher: Fetcher) -> bool:
        flight = broker.in_flight.get(lane)
        if flight is None or (isinstance(flight.answer, Pending) and not flight.answer.settled):
            return False
        del broker.in_flight[lane]
        if (lane.source_id, broker.id) in self.cut:
            fetcher.lost(self.clock.monotonic_ms())
            return True
        answer = flight.answer.result() if isinstance(flight.answer, Pending) else flight.answer
        version = VERSIONS[type(flight.request)]
        received = decode(ANSWERS[type(flight.request)], encode(answer, version), version)
        self.take(broker, fetcher, flight.request, received)
        return True

    def take(self, broker: LabBroker, fetcher: Fetcher, request: Message, answer: Message) -> None:
        """Have a follower take an answer."""
        assert isinstance(request, FetchRequest | ListOffsetsRequest), request
        for then in fetcher.take(request, answer, now_ms=self.clock.monotonic_ms(), wall_ms=self.clock.now_ms()):
            self.on_step(broker, then)
            if then is Then.CHECKPOINT:
                broker.store.write_checkpoints(broker.partitions.high_watermarks())

    def run(self, *, steps: int = 200) -> None:
        """Step all brokers until nothing is left to be done without time passing."""
        for _ in range(steps):
            self.clock.drain()
            steps_done = [self.step(broker) for broker in self.brokers.values() if broker.live]
            if not any(steps_done):
                return
        raise AssertionError(f"replication does not come to rest within {steps} steps")

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass: what waits for longer is answered, and replication goes on."""
        left = milliseconds
        while left > 0:
            passed = min(left, 100)
            self.clock.advance(passed)
            left -= passed
            self.run()

    # -- clients

    def produce(
        self, broker_id: int, *values: bytes, index: int = 0, acks: int = -1
    ) -> Pending[ProduceResponse | None]:
        """The answer to a produce of one batch."""
        data = PartitionProduceData(index=index, records=batch(*values))
        request = ProduceRequest(
            acks=acks, timeout_ms=60_000, topic_data=[TopicProduceData(name=TOPIC, partition_data=[data])]
        )
        answer = self.brokers[broker_id].handle(request, 11)
        if not isinstance(answer, Pending):
            settled: Pending[Any] = Pending()
            settled.answer(answer)
            return settled
        return answer

    def fetch(
        self, broker_id: int, offset: int, *, index: int = 0, rack: str = "", version: int = 12, epoch: int = -1
    ) -> FetchResponse:
        """The answer to a consumer's fetch that does not wait."""
        asked = FetchPartition(
            partition=index, fetch_offset=offset, partition_max_bytes=1 << 20, current_leader_epoch=epoch
        )
        topic = FetchTopic(topic=TOPIC, topic_id=TOPIC_ID, partitions=[asked])
        request = FetchRequest(topics=[topic], max_bytes=1 << 20, rack_id=rack)
        answer = self.brokers[broker_id].handle(request, version)
        assert isinstance(answer, FetchResponse), answer
        return decode(FetchResponse, encode(answer, version), version)


class _Changes:
    """A delta that names the changed partitions only."""

    def __init__(self, delta: MetadataDelta, changed: set[tuple[str, int]]) -> None:
        self.base = delta.base
        self.deleted_topics: list[TopicImage] = []
        self.created_topics: list[str] = []
        self.changed_partitions = changed
        self.changed_configs: list[tuple[int, str]] = []


def batch(*values: bytes) -> bytes:
    return build_batch([NewRecord(0, None, value) for value in values])


def records_of(partition: Partition) -> list[Record]:
    """Every record in the log."""
    log = partition.log
    found: list[Record] = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 1 << 20)
        data = piece.read()
        offset = piece.next_offset
        piece.release()
        found += [record for _, one in split_batches(data) for record in decode_records(one)]
    return found


def code_of(answer: Pending[ProduceResponse | None]) -> ErrorCode | None:
    """The error code of a produce; None if it has no answer yet."""
    if not answer.settled:
        return None
    response = answer.result()
    assert response is not None
    return ErrorCode(response.responses[0].partition_responses[0].error_code)
