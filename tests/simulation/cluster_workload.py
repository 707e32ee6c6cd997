"""What clients and operators ask of a simulated cluster, chosen by the seed and known to the auditor."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkapy_controller.image import NO_LEADER
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, response_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch, split_batches
from kafkapy_wire.uuid import Uuid
from tests.simulation.cluster_auditor import ClusterAuditor, Key
from tests.simulation.cluster_network import BROKER_PORT, CONTROLLER_PORT, ClusterNetwork
from tests.simulation.cluster_node import ClusterNode
from tests.simulation.environment import EventQueue, Violation
from tests.simulation.tasks import EPOCH_MS

if TYPE_CHECKING:
    from kafkapy_controller.image import MetadataImage, PartitionImage

CLIENT_ID = 1000
"""In the network: nothing is ever cut between clients and nodes but by the loss of messages."""
ANSWER_TIMEOUT_MS = 2_000
ALL = -1


class _Batch(NamedTuple):
    """What a producer sends, as often as it takes."""

    data: bytes
    crc: int


class ClusterClients:
    """Producers, consumers, and an administrator."""

    def __init__(
        self,
        nodes: dict[int, ClusterNode],
        queue: EventQueue,
        network: ClusterNetwork,
        random: Random,
        auditor: ClusterAuditor,
        trace: Callable[[str], None],
        *,
        is_min_isr_two: bool,
    ) -> None:
        self.is_active = True
        self.administers = True
        self.acknowledged = 0
        self.read = 0
        self._nodes = nodes
        self._queue = queue
        self._network = network
        self._random = random
        self._auditor = auditor
        self._trace = trace
        self._is_min_isr_two = is_min_isr_two
        self._topics = 0
        self._values = 0
        self._producer_ids = 0
        self._idempotent: dict[Key, IdempotentProducer] = {}
        self._positions: dict[Key, int] = {}
        self._admin_pause_ms = random.choice([(100, 1_000), (500, 4_000)])

    def begin(self) -> None:
        self._queue.after(500, self._create_first)
        for act, pause_ms in (
            (self._produce, (5, 60)),
            (self._consume, (10, 100)),
            (self._administer, self._admin_pause_ms),
        ):
            self._queue.after(1_000, self._repeat(act, pause_ms))

    def _repeat(self, act: Callable[[], None], pause_ms: tuple[int, int]) -> Callable[[], None]:
        def go_on() -> None:
            if self.is_active:
                act()
            self._queue.after(self._random.randint(*pause_ms), go_on)

        return go_on

    # -- asking

    def ask(self, node_id: int, request: Message, then: Callable[[Any], None], *, at_controller: bool = False) -> None:
        """`then` is called with the answer, or with None if there is none in time."""
        key = ApiKey(request.__schema__.api_key)
        version = API_VERSIONS[key].max_version
        port = (CONTROLLER_PORT if at_controller else BROKER_PORT) + node_id
        is_over = False

        def reply(answer: bytes | None) -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                then(None if answer is None else decode(response_class(key), answer, version))

        body = bytes(encode(request, version))
        self._network.request(CLIENT_ID, f"node-{node_id}", port, key, version, body, reply)
        self._queue.after(ANSWER_TIMEOUT_MS, lambda: reply(None))

    def _some_image(self) -> MetadataImage | None:
        """What some node says of the metadata, which may be old."""
        live = [node for node in self._nodes.values() if node.has_quorum and node.image.topics]
        return self._random.choice(live).image if live else None

    def _pick(self) -> tuple[str, Key, PartitionImage] | None:
        """A topic's name, a partition, and what is said of it."""
        image = self._some_image()
        if image is None:
            return None
        name = self._random.choice(sorted(image.topics))
        topic = image.topics[name]
        index = self._random.randrange(len(topic.partitions))
        state = topic.partitions[index]
        return None if state.leader == NO_LEADER else (name, (topic.topic_id, index), state)

    # -- producers

    def _produce(self) -> None:
        picked = self._pick()
        if picked is None:
            return
        _, key, state = picked
        leader = state.leader
        chance = self._random.random()
        if chance < 0.35:
            producer = self._idempotent.get(key)
            if producer is None:
                producer = self._idempotent[key] = IdempotentProducer(self, key)
            producer.send(leader, state.leader_epoch)
            return
        acks = 1 if chance > 0.85 else ALL
        batch = self.new_batch(self._random.randint(1, 3))
        self.send(leader, key, batch, acks, lambda code, offset: self._sent(key, batch, acks, code, offset))

    def new_batch(self, count: int, **fields: int) -> _Batch:
        records = []
        for _ in range(count):
            self._values += 1
            records.append(NewRecord(EPOCH_MS, None, b"v%d" % self._values))
        data = build_batch(records, **fields)  # type: ignore[arg-type]
        header, _ = next(iter(split_batches(data)))
        return _Batch(data, header.crc)

    def send(self, leader: int, key: Key, batch: _Batch, acks: int, then: Callable[[int | None, int], None]) -> None:
        """`then` is called with the error code, or None without an answer, and the base offset."""
        request = ProduceRequest(
            acks=acks,
            timeout_ms=self._random.choice([300, 1_500]),
            topic_data=[
                TopicProduceData(
                    topic_id=key[0], partition_data=[PartitionProduceData(index=key[1], records=batch.data)]
                )
            ],
        )

        def answered(answer: Any) -> None:
            if answer is None:
                then(None, -1)
            else:
                data = answer.responses[0].partition_responses[0]
                then(data.error_code, data.base_offset)

        self.ask(leader, request, answered)

    def _sent(self, key: Key, batch: _Batch, acks: int, code: int | None, offset: int) -> None:
        if code == ErrorCode.NONE and acks == ALL:
            self.note_acknowledged(key, batch, offset)

    def note_acknowledged(self, key: Key, batch: _Batch, offset: int) -> None:
        self.acknowledged += 1
        self._auditor.acknowledged(key, offset, batch.crc)

    def new_producer_id(self) -> int:
        self._producer_ids += 1
        return self._producer_ids

    # -- consumers

    def _consume(self) -> None:
        image = self._some_image()
        if image is None:
            return
        name = self._random.choice(sorted(image.topics))
        topic = image.topics[name]
        index = self._random.randrange(len(topic.partitions))
        state = topic.partitions[index]
        key = (topic.topic_id, index)
        # Also of followers, as consumers in their rack read, and of brokers that only were replicas once.
        asked = state.leader if self._random.random() < 0.6 else self._random.choice(state.replicas)
        if asked == NO_LEADER:
            return
        offset = self._positions.get(key, 0)
        wanted = FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=1 << 20)
        request = FetchRequest(
            max_wait_ms=self._random.choice([0, 200]),
            min_bytes=1,
            max_bytes=1 << 20,
            session_epoch=-1,
            topics=[FetchTopic(topic_id=topic.topic_id, partitions=[wanted])],
        )

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code:
                return
            data = answer.responses[0].partitions[0]
            if data.error_code == ErrorCode.NONE and data.records:
                after = self._auditor.read(key, bytes(data.records), offset)
                self.read += after - offset
                self._positions[key] = max(after, self._positions.get(key, 0))

        self.ask(asked, request, answered)

    # -- the administrator

    def _create_first(self) -> None:
        """A topic that stays, asked for until it is there."""
        if any(node.has_quorum and "topic-1" in node.image.topics for node in self._nodes.values()):
            return
        self._topics = max(self._topics, 1)
        self._to_controller(self._creation("topic-1", 2))
        self._queue.after(300, self._create_first)

    def _creation(self, name: str, partitions: int) -> CreateTopicsRequest:
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=min(3, self._broker_count))
        if not self._is_min_isr_two:
            value = self._random.choice(["1", "2"])
            topic.configs = [CreatableTopicConfig(name="min.insync.replicas", value=value)]
            topic.replication_factor = self._random.randint(2, min(3, self._broker_count))
        return CreateTopicsRequest(topics=[topic], timeout_ms=1_000)

    @property
    def _broker_count(self) -> int:
        return sum(node.is_broker for node in self._nodes.values())

    def _to_controller(self, request: Message) -> None:
        controllers = [node for node in self._nodes.values() if node.is_controller and node.has_quorum]
        active = [node for node in controllers if node.quorum.controller.is_active]
        asked = active if active and self._random.random() < 0.9 else controllers
        if asked:
            self.ask(self._random.choice(asked).node_id, request, lambda _: None, at_controller=True)

    def _administer(self) -> None:
        if not self.administers:
            return
        image = self._some_image()
        if image is None:
            return
        name = self._random.choice(sorted(image.topics))
        count = len(image.topics[name].partitions)
        chance = self._random.random()
        if chance < 0.15 and len(image.topics) < 4:
            self._topics += 1
            self._trace(f"topic-{self._topics} is to be created")
            self._to_controller(self._creation(f"topic-{self._topics}", self._random.randint(1, 2)))
        elif chance < 0.25 and name != "topic-1":
            self._trace(f"{name} is to be deleted")
            state = DeleteTopicState(name=name, topic_id=Uuid(bytes(16)))
            self._to_controller(DeleteTopicsRequest(topics=[state], timeout_ms=1_000))
        elif chance < 0.6:
            self._reassign(name, self._random.randrange(count), len(image.topics[name].partitions[0].replicas))
        else:
            wanted = [TopicPartitions(topic=name, partitions=list(range(count)))]
            self._to_controller(ElectLeadersRequest(election_type=0, topic_partitions=wanted, timeout_ms=1_000))

    def _reassign(self, name: str, index: int, count: int) -> None:
        brokers = [node.node_id for node in self._nodes.values() if node.is_broker]
        replicas: list[int] | None = self._random.sample(brokers, count)
        if self._random.random() < 0.1:
            replicas = None  # cancels one that is under way
        self._trace(f"{name}-{index} is to be moved to {replicas}")
        self._to_controller(
            AlterPartitionReassignmentsRequest(
                timeout_ms=1_000,
                topics=[
                    ReassignableTopic(
                        name=name, partitions=[ReassignablePartition(partition_index=index, replicas=replicas)]
                    )
                ],
            )
        )

    def check_no_duplicates(self) -> None:
        """What an idempotent producer has sent is committed once."""
        for key, producer in self._idempotent.items():
            counts: dict[int, int] = {}
            for batch in self._auditor.history(key).committed:
                counts[batch.crc] = counts.get(batch.crc, 0) + 1
            for crc in producer.sent:
                if counts.get(crc, 0) > 1:
                    raise Violation(f"{key}: {crc} of an idempotent producer is there {counts[crc]} times")


class IdempotentProducer:
    """Sends one batch after the other to one partition, each until it is acknowledged (acks=all)."""

    def __init__(self, clients: ClusterClients, key: Key) -> None:
        self.sent: list[int] = []
        self._clients = clients
        self._key = key
        self._producer_id = clients.new_producer_id()
        self._sequence = 0
        self._batch: _Batch | None = None
        self._is_waiting = False
        self._leader_epoch = -1

    def send(self, leader: int, leader_epoch: int) -> None:
        """Clients do not go back to metadata that is older than what they know (KIP-320)."""
        if self._is_waiting or leader_epoch < self._leader_epoch:
            return
        self._leader_epoch = leader_epoch
        if self._batch is None:
            self._batch = self._clients.new_batch(
                1, producer_id=self._producer_id, producer_epoch=0, base_sequence=self._sequence
            )
            self.sent.append(self._batch.crc)
        self._is_waiting = True
        self._clients.send(leader, self._key, self._batch, ALL, self._answered)

    def _answered(self, code: int | None, offset: int) -> None:
        self._is_waiting = False
        assert self._batch is not None
        if code == ErrorCode.NONE:
            self._clients.note_acknowledged(self._key, self._batch, offset)
            self._batch = None
            self._sequence += 1
        elif code in (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.UNKNOWN_PRODUCER_ID):
            raise Violation(
                f"{self._key}: sequence {self._sequence} of producer {self._producer_id} is out of order, although all "
                "before it are acknowledged"
            )
