"""Three brokers to compare with three others: any request goes to any of them, and one transcript keeps the answers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self

from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.differential.peer import LATEST_TIMESTAMP, Answer, Peer
from compat_tests.differential.plain import Normaliser
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kafkapy_wire.messages.describe_groups import DescribeGroupsRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponsePartition
from kafkapy_wire.uuid import parse_uuid

CHANGE_SECONDS_MAX = 60.0
"""For what a cluster does by itself: it misses a broker, and takes it back."""
EVERYBODY = (1, 2, 3)
COORDINATORS_TOPICS = ("__consumer_offsets", "__transaction_state")


class Led(NamedTuple):
    """What is waited for of a partition."""

    leader: int | None
    """-1: none; None: any."""
    isr: Sequence[int] | None = None
    """In any order; None: whoever is in it."""


class ClusterPeer:
    """One of the two clusters, as the scenarios see it; its brokers are 1, 2 and 3, and 1 is the controller."""

    def __init__(self, name: str, processes: ClusterProcesses) -> None:
        self.name = name
        self.transcript: list[Answer] = []
        self.topic_ids: dict[str, bytes] = {}
        self._processes = processes
        self._paused: set[int] = set()
        ports, data_dirs = {}, {}
        for node in processes.nodes.values():
            ports[node.place.port] = f"<port of {node.node_id}>"
            ports[node.place.controller_port] = f"<controller's port of {node.node_id}>"
            data_dirs[node.log_dir] = f"<data directory of {node.node_id}>"
        self.normaliser = Normaliser("127.0.0.1", ports, data_dirs)
        for node in processes.nodes.values():
            properties = (node.log_dir / "meta.properties").read_text().splitlines()
            (directory_id,) = (line.partition("=")[2] for line in properties if line.startswith("directory.id="))
            self.normaliser.name_uuid(parse_uuid(directory_id), f"the directory of {node.node_id}")
        self._peers, self._controllers = {}, {}
        for node_id, node in processes.nodes.items():
            self._peers[node_id] = self._peer_of(node_id, node.place.port, f"at {node_id}")
            self._controllers[node_id] = self._peer_of(node_id, node.place.controller_port, f"at controller {node_id}")

    def _peer_of(self, node_id: int, port: int, place: str) -> Peer:
        peer = Peer(f"{self.name} {node_id}", "127.0.0.1", port, None, self.transcript, place)
        peer.normaliser = self.normaliser
        peer.topic_ids = self.topic_ids
        return peer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for peer in (*self._peers.values(), *self._controllers.values()):
            peer.__exit__(kind, error, trace)

    def at(self, node_id: int) -> Peer:
        return self._peers[node_id]

    @property
    def controllers(self) -> list[Peer]:
        """The controllers' listeners of all nodes; the first one's controller is the active one."""
        return list(self._controllers.values())

    @property
    def running(self) -> list[Peer]:
        """The brokers that answer."""
        running = (node.node_id for node in self._processes.nodes.values() if node.runs)
        return [self._peers[node_id] for node_id in running if node_id not in self._paused]

    def meanwhile(self, what: str) -> None:
        """As `Peer.meanwhile`, for what was posted to any broker."""
        for peer in self._peers.values():
            peer.meanwhile(what)

    # Processes

    def stop(self, node_id: int) -> None:
        """SIGTERM: the broker gives its leaderships away before it ends."""
        self._processes.nodes[node_id].stop()
        self.at(node_id).reconnect()

    def kill(self, node_id: int) -> None:
        self._processes.nodes[node_id].kill()
        self.at(node_id).reconnect()

    def pause(self, node_id: int) -> None:
        """SIGSTOP: it takes connections and does not answer."""
        self._processes.nodes[node_id].pause()
        self._paused.add(node_id)

    def resume(self, node_id: int) -> None:
        self._processes.nodes[node_id].resume()
        self._paused.discard(node_id)

    def start(self, *node_ids: int) -> None:
        """Return when they serve, and everybody knows that they do."""
        for node_id in node_ids:
            self._processes.nodes[node_id].start(wait=False)
        for node_id in node_ids:
            self._processes.nodes[node_id].wait_until_ready()
        self.await_brokers(*(peer for peer, node in self._processes.nodes.items() if node.runs))

    def restore(self) -> None:
        """Everybody runs again, for the scenarios to come, even if this one has failed."""
        ended = [node_id for node_id, node in self._processes.nodes.items() if not node.runs]
        if ended:
            self.start(*ended)

    # Waiting, quietly

    def await_brokers(self, *node_ids: int) -> None:
        """Every running broker tells clients of these brokers, and no others."""
        for peer in self.running:
            _until(
                partial(peer.quietly, MetadataRequest(topics=[])),
                lambda answer: {broker.node_id for broker in answer.brokers} == set(node_ids),
                f"{peer.name} knows the brokers {node_ids}",
            )

    def await_led(self, topic: str, *partitions: Led) -> None:
        """Every running broker says that the partitions are led like this, and those with a replica know it."""
        topics = [MetadataRequestTopic(name=topic)]
        request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)

        def as_wanted(answer: Any) -> bool:
            (found,) = answer.topics
            by_index = {each.partition_index: each for each in found.partitions}
            return len(by_index) == len(partitions) and all(
                wanted.leader in (None, by_index[index].leader_id)
                and (wanted.isr is None or set(by_index[index].isr_nodes) == set(wanted.isr))
                for index, wanted in enumerate(partitions)
            )

        for peer in self.running:
            answer = _until(partial(peer.quietly, request), as_wanted, f"{peer.name}: {topic} is led by {partitions}")
            self.topic_ids[topic] = answer.topics[0].topic_id
            self.normaliser.name_uuid(answer.topics[0].topic_id, topic)
        answer = self.running[0].quietly(request)
        for partition in answer.topics[0].partitions:
            self._await_roles(topic, partition)

    def _await_roles(self, topic: str, partition: MetadataResponsePartition) -> None:
        """Each replica knows the leader epoch, and the leader leads.

        Apache Kafka's brokers tell clients of a change a moment before they make it.
        """
        asked = ListOffsetsPartition(
            partition_index=partition.partition_index,
            current_leader_epoch=partition.leader_epoch,
            timestamp=LATEST_TIMESTAMP,
        )
        request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[asked])])
        for node_id in partition.replica_nodes:
            if self.at(node_id) in self.running:
                expected = ErrorCode.NONE if node_id == partition.leader_id else ErrorCode.NOT_LEADER_OR_FOLLOWER
                _until(
                    partial(self.at(node_id).quietly, request),
                    partial(_has_code, expected),
                    f"{self.name} {node_id} knows the leader of {topic}-{partition.partition_index}",
                )

    def await_replicas(self, topic: str, index: int, replicas: Sequence[int]) -> None:
        """Every running broker says that these are the replicas, in this order."""
        request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)

        def as_wanted(answer: Any) -> bool:
            found = {each.partition_index: each.replica_nodes for each in answer.topics[0].partitions}
            return bool(found.get(index) == list(replicas))

        for peer in self.running:
            _until(partial(peer.quietly, request), as_wanted, f"{peer.name}: replicas of {topic} {replicas}")

    def await_high_watermarks(self, topic: str) -> None:
        """Every replica in sync knows what is committed: leaders tell it late, with records or after a wait."""
        request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
        (found,) = self.running[0].quietly(request).topics
        for partition in found.partitions:
            if partition.leader_id >= 0:
                wanted = FetchPartition(partition=partition.partition_index, fetch_offset=0, partition_max_bytes=1)
                fetch = FetchRequest(topics=[FetchTopic(topic_id=found.topic_id, partitions=[wanted])])
                _until(
                    partial(self._high_watermarks, fetch, partition.isr_nodes),
                    lambda offsets: len(offsets) == 1,
                    f"{self.name}: everybody knows what is committed in {topic}",
                )

    def _high_watermarks(self, fetch: FetchRequest, node_ids: Sequence[int]) -> set[int]:
        answers = [self.at(node_id).quietly(fetch) for node_id in node_ids]
        return {answer.responses[0].partitions[0].high_watermark for answer in answers}

    def create_coordinators_topics(self) -> None:
        """Partition 0 of each is led by broker 1, partition 1 by 2, partition 2 by 3."""
        for name in COORDINATORS_TOPICS:
            self.at(1).quietly(creation(name, [1, 2, 3], [2, 3, 1], [3, 1, 2], config={"cleanup.policy": "compact"}))
            self.await_led(name, *(Led(None, EVERYBODY) for _ in EVERYBODY))
            self.at(1).quietly(elections(name, 0, 1, 2))
            self.await_led(name, Led(1, EVERYBODY), Led(2, EVERYBODY), Led(3, EVERYBODY))
        for node_id in EVERYBODY:
            for key_type, kind in enumerate(("group", "id")):
                key = coordinated_by(node_id, f"ready-{kind}")
                find = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
                for peer in self.running:
                    peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, f"a coordinator of {key}")
            at_work = DescribeGroupsRequest(groups=[coordinated_by(node_id, "ready-group")])
            self.at(node_id).until(at_work, lambda answer: answer.groups[0].error_code != 14, "groups are loaded")
            ids = DescribeTransactionsRequest(transactional_ids=[coordinated_by(node_id, "ready-id")])
            self.at(node_id).until(ids, lambda answer: answer.transaction_states[0].error_code != 14, "ids are loaded")

    def create_topic(self, name: str, *replicas: Sequence[int], config: Mapping[str, str] | None = None) -> None:
        """A topic whose partitions have these replicas, each led by the first one, when this returns."""
        created = self.at(1).quietly(creation(name, *replicas, config=config))
        assert [topic.error_code for topic in created.topics] == [0], created
        self.await_led(name, *(Led(each[0], each) for each in replicas))


def coordinated_by(node_id: int, name: str) -> str:
    """A group or transactional id that this broker coordinates first; it begins with `name`."""
    found = (f"{name}-{n}" for n in itertools.count())
    return next(each for each in found if abs(java_hash(each)) % 3 == node_id - 1)


def elections(topic: str, *partitions: int, election_type: int = 0) -> ElectLeadersRequest:
    chosen = [TopicPartitions(topic=topic, partitions=list(partitions))]
    return ElectLeadersRequest(election_type=election_type, topic_partitions=chosen)


def java_hash(text: str) -> int:
    """`String.hashCode`, which says in which partition of the coordinators' topic a name is."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value - (1 << 32) if value & (1 << 31) else value


def creation(name: str, *replicas: Sequence[int], config: Mapping[str, str] | None = None) -> CreateTopicsRequest:
    assignments = [
        CreatableReplicaAssignment(partition_index=index, broker_ids=list(ids)) for index, ids in enumerate(replicas)
    ]
    configs = [CreatableTopicConfig(name=key, value=value) for key, value in (config or {}).items()]
    topic = CreatableTopic(
        name=name, num_partitions=-1, replication_factor=-1, assignments=assignments, configs=configs
    )
    return CreateTopicsRequest(topics=[topic], timeout_ms=10_000)


def _has_code(expected: ErrorCode, answer: Any) -> bool:
    return bool(answer.topics[0].partitions[0].error_code == expected)


def _until(ask: Callable[[], Any], done: Callable[[Any], bool], what: str) -> Any:
    deadline = time.monotonic() + CHANGE_SECONDS_MAX
    while not done(answer := ask()):
        assert time.monotonic() < deadline, f"{what}: {answer!r}"
        time.sleep(0.02)
    return answer
