"""What must hold of a simulated cluster after every event, and when the world is at peace."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from kafkapy.partitions.partition import Partition
from kafkapy_controller.image import NO_LEADER, BrokerImage, MetadataImage, PartitionImage
from kafkapy_wire.records import split_batches
from kafkapy_wire.uuid import Uuid
from tests.simulation.cluster_node import ClusterNode
from tests.simulation.environment import Violation

Key: TypeAlias = tuple[Uuid, int]
READ_BYTES = 1 << 24


class Batch(NamedTuple):
    """One batch of a log. The checksum is that of its records and the producer's fields."""

    base_offset: int
    end_offset: int
    epoch: int
    crc: int


class History:
    """One partition, as all nodes together know it."""

    def __init__(self) -> None:
        self.committed: list[Batch] = []
        self.written: dict[tuple[int, int], Batch] = {}  # by offset and leader epoch
        self.leaders: dict[int, int] = {}  # by leader epoch
        self.acknowledged: list[tuple[int, int]] = []  # (offset, checksum) of acks=all

    @property
    def end_offset(self) -> int:
        return self.committed[-1].end_offset if self.committed else 0

    def at(self, offset: int) -> Batch | None:
        """The committed batch that holds the offset."""
        low, high = 0, len(self.committed)
        while low < high:
            middle = (low + high) // 2
            if self.committed[middle].end_offset <= offset:
                low = middle + 1
            else:
                high = middle
        return self.committed[low] if low < len(self.committed) and self.committed[low].base_offset <= offset else None


class Copy:
    """The log of one replica, as it was last seen."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.checked = 0  # so many batches are those that are committed

    @property
    def end_offset(self) -> int:
        return self.batches[-1].end_offset if self.batches else 0


class _Seen(NamedTuple):
    """A replica of a running process, when it was last looked at."""

    end_offset: int
    truncations: int
    high_watermark: int
    leads: bool
    leader_epoch: int


class ClusterAuditor:
    """Sees all nodes at once, which no node does."""

    def __init__(self, nodes: dict[int, ClusterNode]) -> None:
        self.histories: dict[Key, History] = {}
        self.newest = MetadataImage()
        """The newest committed image that any node has published."""
        self.suspects: dict[int, int] = {}
        """Brokers whose disk has lost something, and the highest broker epoch that they had before: until they are in
        sync again."""
        self.trace: Callable[[str], None] = lambda _: None
        self._nodes = nodes
        self._images: dict[int, MetadataImage] = {}
        self._image_of: dict[int, MetadataImage] = {}
        self._copies: dict[tuple[int, Key], Copy] = {}
        self._caught_up: dict[int, int] = {}
        self._seen: dict[int, tuple[int, dict[Partition, _Seen]]] = {}
        self._partitions_of_newest: dict[Key, PartitionImage] = {}

    def history(self, key: Key) -> History:
        history = self.histories.get(key)
        if history is None:
            history = self.histories[key] = History()
        return history

    def partition(self, key: Key) -> PartitionImage | None:
        """As the newest committed metadata has it."""
        return self._partitions_of_newest.get(key)

    def lost_disk(self, node_id: int) -> None:
        """The disk of a broker has lost something: what its copies have is not known."""
        broker = self.newest.brokers.get(node_id)
        self.suspects[node_id] = -1 if broker is None else broker.epoch
        for node, key in list(self._copies):
            if node == node_id:
                del self._copies[node, key]

    # After every event

    def check(self) -> None:
        for node in self._nodes.values():
            if node.is_touched:
                node.is_touched = False
                self._check_node(node)

    def _check_node(self, node: ClusterNode) -> None:
        if node.bugs.count:
            raise Violation(f"node {node.node_id} has a bug: {node.bugs.kept}") from node.bugs.kept[0].error
        if not node.has_quorum:
            return
        if node.quorum.metadata_log.failure is not None:
            failure = node.quorum.metadata_log.failure
            raise Violation(f"the metadata log of node {node.node_id} has failed: {failure!r}") from failure
        durable, synced = node.quorum.metadata_log.quorum.durable_offset, node.quorum.metadata_log.log.recovery_point
        if durable > synced:
            raise Violation(f"node {node.node_id} counts its metadata as durable up to {durable}: {synced} is synced")
        image = node.image
        if image is not self._image_of.get(node.node_id):
            self._image_of[node.node_id] = image
            self._check_image(node, image)
        generation, seen = self._seen.get(node.node_id, (-1, {}))
        if generation != node.generation:
            seen = {}
        still: dict[Partition, _Seen] = {}
        for partition in node.partitions():
            log = partition.log
            now = _Seen(
                log.log_end_offset,
                log._files.truncations,
                partition.high_watermark,
                partition.leads,
                partition.leader_epoch,
            )
            before = seen.get(partition)
            if before != now:
                self._check_partition(node, partition, before, now)
            still[partition] = now
        self._seen[node.node_id] = (node.generation, still)

    # Metadata

    def _check_image(self, node: ClusterNode, image: MetadataImage) -> None:
        if image.offset < 0:
            return
        known = self._images.setdefault(image.offset, image)
        if known is not image and not _are_equal(known, image):
            raise Violation(
                f"node {node.node_id} has another image at offset {image.offset}: {_difference(known, image)}"
            )
        if image.offset > self.newest.offset:
            before, self.newest = self._partitions_of_newest, image
            self._partitions_of_newest = {}
            for topic in image.topics.values():
                for index, state in enumerate(topic.partitions):
                    key = (topic.topic_id, index)
                    self._partitions_of_newest[key] = state
                    if before.get(key) != state:
                        self.trace(f"    {image.offset}: {topic.name}-{index} {said_of(state)}")
            for node_id, epoch in list(self.suspects.items()):
                self._check_suspect(node_id, epoch)
            for broker in image.brokers.values():
                self._check_broker(broker)
            for key, state in self._partitions_of_newest.items():
                if before.get(key) != state:
                    self._check_state(key, state, before.get(key))

    def _check_state(self, key: Key, state: PartitionImage, before: PartitionImage | None) -> None:
        if not set(state.isr) <= set(state.replicas):
            raise Violation(f"{key}: the ISR {state.isr} is not within the replicas {state.replicas}")
        if state.leader != NO_LEADER:
            if state.leader not in state.isr:
                raise Violation(f"{key}: {state.leader} leads and is not in the ISR {state.isr}")
            broker = self.newest.brokers.get(state.leader)
            if broker is None or broker.fenced:
                raise Violation(f"{key}: {state.leader} leads and is fenced")
        if before is not None:
            if state.partition_epoch <= before.partition_epoch or state.leader_epoch < before.leader_epoch:
                raise Violation(f"{key}: its epochs do not rise from {before} to {state}")
            if state.leader != before.leader and state.leader_epoch == before.leader_epoch:
                raise Violation(f"{key}: epoch {state.leader_epoch} has leaders {before.leader} and {state.leader}")
        self._check_in_sync(key)

    def _check_broker(self, broker: BrokerImage) -> None:
        """A broker has a part in its partitions only once it knows of its registration."""
        node = self._nodes[broker.broker_id]
        if broker.fenced or node.broker_epoch != broker.epoch or self._caught_up.get(broker.broker_id) == broker.epoch:
            return
        self._caught_up[broker.broker_id] = broker.epoch
        if node.image.offset < broker.epoch:
            raise Violation(f"broker {broker.broker_id} is unfenced, and has metadata up to {node.image.offset} alone")

    def _check_suspect(self, node_id: int, epoch: int) -> None:
        """It is none any more once it has registered again and is in sync everywhere."""
        broker = self.newest.brokers.get(node_id)
        if broker is None or broker.epoch <= epoch or broker.fenced:
            return
        if all(node_id in state.isr for state in self._partitions_of_newest.values() if node_id in state.replicas):
            del self.suspects[node_id]

    def has_all(self, node_id: int, key: Key) -> bool:
        """Whether the log of a replica has every record that is committed."""
        history = self.histories.get(key)
        if history is None or not history.committed:
            return True
        copy = self._copies.get((node_id, key))
        if copy is None or len(copy.batches) < len(history.committed):
            return False
        if copy.checked < len(history.committed):
            start, end = copy.checked, len(history.committed)
            if copy.batches[start:end] != history.committed[start:end]:
                return False
            copy.checked = end
        return True

    def _check_in_sync(self, key: Key) -> None:
        """Who is in sync, or eligible, has every committed record. A disk that has lost some is not known to anybody
        before its broker has registered again."""
        state = self._partitions_of_newest.get(key)
        if state is None:
            return
        for node_id in (*state.isr, *state.eligible_leader_replicas):
            if not self.has_all(node_id, key) and not self._is_excused(node_id):
                copy = self._copies.get((node_id, key))
                raise Violation(
                    f"{key}: replica {node_id} is in {said_of(state)}, and its log ends at "
                    f"{None if copy is None else copy.end_offset}: {self.histories[key].end_offset} is committed"
                )

    def _is_excused(self, node_id: int) -> bool:
        if node_id not in self.suspects:
            return False
        broker = self.newest.brokers.get(node_id)
        return broker is None or broker.epoch <= self.suspects[node_id]

    # Partitions

    def _check_partition(self, node: ClusterNode, partition: Partition, before: _Seen | None, now: _Seen) -> None:
        key = (partition.topic_id, partition.index)
        history = self.history(key)
        where = f"{partition} at node {node.node_id}"
        if now.leads:
            first = history.leaders.setdefault(now.leader_epoch, node.node_id)
            if first != node.node_id:
                raise Violation(f"{where}: epoch {now.leader_epoch} has two leaders, {first} and {node.node_id}")
        if now.high_watermark > now.end_offset:
            raise Violation(f"{where}: the high watermark {now.high_watermark} is above the log's end {now.end_offset}")
        if before is not None and now.high_watermark < before.high_watermark:
            raise Violation(f"{where}: the high watermark falls from {before.high_watermark} to {now.high_watermark}")
        copy = self._copies.get((node.node_id, key))
        if copy is None:
            copy = self._copies[node.node_id, key] = Copy()
        if before is None or before.end_offset != now.end_offset or before.truncations != now.truncations:
            self._take_copy(where, node, partition, copy, history, before, now)
        self._check_committed(where, copy, history, now.high_watermark, key)
        begins_to_lead = now.leads and (before is None or not before.leads or before.leader_epoch != now.leader_epoch)
        if begins_to_lead and not self.has_all(node.node_id, key):
            state = self._partitions_of_newest.get(key)
            if state is not None and state.leader_epoch == now.leader_epoch:  # otherwise its time is over
                raise Violation(
                    f"{where} begins to lead epoch {now.leader_epoch} with a log that ends at {copy.end_offset}, and "
                    f"{history.end_offset} is committed"
                )

    def _take_copy(
        self,
        where: str,
        node: ClusterNode,
        partition: Partition,
        copy: Copy,
        history: History,
        before: _Seen | None,
        now: _Seen,
    ) -> None:
        if before is None or before.truncations != now.truncations or copy.end_offset > now.end_offset:
            copy.batches, copy.checked = [], 0
        if copy.end_offset < now.end_offset:
            piece = partition.log.read(copy.end_offset, READ_BYTES)
            data = piece.read()
            piece.release()
            for header, _ in split_batches(data):
                batch = Batch(header.base_offset, header.last_offset + 1, header.partition_leader_epoch, header.crc)
                known = history.written.setdefault((batch.base_offset, batch.epoch), batch)
                if known != batch:
                    raise Violation(f"{where} has {batch} where another replica has {known}")
                copy.batches.append(batch)

    def _check_committed(self, where: str, copy: Copy, history: History, high_watermark: int, key: Key) -> None:
        committed = history.committed
        count = copy.checked
        moved = False
        while count < len(copy.batches) and copy.batches[count].end_offset <= high_watermark:
            batch = copy.batches[count]
            if count < len(committed):
                if batch != committed[count]:
                    raise Violation(f"{where} commits {batch} where {committed[count]} was committed")
            else:
                committed.append(batch)
                moved = True
            count += 1
        copy.checked = count
        if moved:
            self._check_in_sync(key)

    # What clients see

    def acknowledged(self, key: Key, offset: int, crc: int) -> None:
        """A producer has heard that its batch is committed (acks=all)."""
        history = self.history(key)
        if key not in self._partitions_of_newest:
            return  # its leader has committed it and heard of the deletion within one event
        batch = history.at(offset)
        if (
            batch is None
        ):  # a process that was paused does much in one event: it may be committed since it was looked at
            self.check()
            batch = history.at(offset)
        if batch is None or batch.crc != crc or batch.base_offset != offset:
            raise Violation(f"{key}: {crc} at {offset} is acknowledged, and {batch} is committed")
        history.acknowledged.append((offset, crc))

    def read(self, key: Key, data: bytes, offset: int) -> int:
        """A consumer has read these batches; returns the offset after them."""
        history = self.history(key)
        for header, _ in split_batches(data):
            batch = Batch(header.base_offset, header.last_offset + 1, header.partition_leader_epoch, header.crc)
            if history.at(batch.base_offset) != batch:
                raise Violation(f"{key}: a consumer reads {batch} where {history.at(batch.base_offset)} is committed")
            offset = batch.end_offset
        return offset

    # At peace

    def check_agreement(self) -> None:
        """At peace: one controller, every broker unfenced, every partition led, all replicas in sync and equal."""
        nodes = list(self._nodes.values())
        active = [node.node_id for node in nodes if node.quorum.controller.is_active]
        if len(active) != 1:
            raise Violation(f"at peace the active controllers are {active}")
        newest = self.newest
        for node in nodes:
            if node.image.offset != newest.offset:
                raise Violation(
                    f"at peace node {node.node_id} has metadata up to {node.image.offset} of {newest.offset}"
                )
            if node.is_broker and (not node.serves_brokers or newest.brokers[node.node_id].fenced):
                raise Violation(f"at peace broker {node.node_id} does not serve")
        for topic in newest.topics.values():
            for index, state in enumerate(topic.partitions):
                self._check_quiet(f"{topic.name}-{index}", (topic.topic_id, index), state)

    def _check_quiet(self, name: str, key: Key, state: PartitionImage) -> None:
        if state.leader == NO_LEADER:
            raise Violation(f"at peace {name} has no leader: {said_of(state)}")
        if set(state.adding_replicas) & set(state.removing_replicas):
            return  # as in Apache Kafka 4.4.0, a reassignment that takes back a part of another never ends
        if set(state.isr) != set(state.replicas) or state.adding_replicas or state.removing_replicas:
            raise Violation(f"at peace {name} has {said_of(state)}")
        history = self.history(key)
        for node_id in state.replicas:
            node = self._nodes[node_id]
            partition = next((p for p in node.partitions() if (p.topic_id, p.index) == key), None)
            if partition is None:
                if history.committed and node_id != state.leader:
                    raise Violation(f"at peace node {node_id} does not have {name}")
                continue
            if partition.leads != (node_id == state.leader) or partition.leader_epoch != state.leader_epoch:
                raise Violation(
                    f"at peace node {node_id} leads {name}: {partition.leads}, and the metadata says {state}"
                )
            if partition.log.log_end_offset != history.end_offset:
                raise Violation(
                    f"at peace {name} ends at {partition.log.log_end_offset} at node {node_id}: "
                    f"{history.end_offset} is committed"
                )
            if partition.high_watermark != history.end_offset:
                raise Violation(
                    f"at peace node {node_id} knows {partition.high_watermark} as committed of {name}, of "
                    f"{history.end_offset}"
                )


def said_of(state: PartitionImage) -> str:
    """The state of a partition in one line."""
    text = f"leader {state.leader}/{state.leader_epoch} isr {state.isr} of {state.replicas}"
    for name in ("adding_replicas", "removing_replicas", "eligible_leader_replicas", "last_known_elr"):
        if getattr(state, name):
            text += f" {name.split('_')[0]} {getattr(state, name)}"
    if state.leader_recovery_state:
        text += " recovering"
    return text


def _are_equal(one: MetadataImage, other: MetadataImage) -> bool:
    return not _difference(one, other)


def _difference(one: MetadataImage, other: MetadataImage) -> str:
    for name in ("epoch", "topics", "brokers", "controllers", "configs", "features", "next_producer_id"):
        mine, others = getattr(one, name), getattr(other, name)
        if mine is not others and mine != others:
            if hasattr(mine, "items") and dict(mine.items()) == dict(others.items()):
                continue
            return f"{name}: {mine} and {others}"
    return ""
