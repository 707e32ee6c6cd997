"""Idempotent producers, each error in each version of Produce; `produce.sequences` has the story of one producer."""

from __future__ import annotations

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import batch, new_producer, produce, stored
from compat_tests.differential.transactional_producer import now_ms
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

ALL = versions_of(ApiKey.PRODUCE)
SEQUENCE_MAX = 2**31 - 1
EPOCH_MAX = 32_767


class IdempotentProducer:
    """A fresh producer id; `send` asks in one version."""

    def __init__(self, peer: Peer, topic: str) -> None:
        self.peer = peer
        self.topic = topic
        self.producer_id = new_producer(peer)

    def batch(self, sequence: int, count: int = 1, epoch: int = 0) -> bytes:
        return batch(
            *[b"v"] * count,
            timestamp=now_ms(),
            producer_id=self.producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
        )

    def send(
        self, version: int, label: str, sequence: int, count: int = 1, *, epoch: int = 0, partition: int = 0
    ) -> None:
        records = self.batch(sequence, count, epoch)
        request = produce(self.peer, version, self.topic, records, partition=partition)
        self.peer.ask(request, version, f"{label}, sequence {sequence}, epoch {epoch}")


def producers(topic: str) -> DescribeProducersRequest:
    return DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[0])])


@scenario
def every_error_in_every_version(peer: Peer) -> None:
    for version in ALL:
        topic = f"idempotence-{version}"
        peer.create_topic(topic)
        producer = IdempotentProducer(peer, topic)
        producer.send(version, "first", 0, 2, epoch=1)
        producer.send(version, "duplicate", 0, 2, epoch=1)
        producer.send(version, "part of it", 1, epoch=1)
        producer.send(version, "overlaps it", 1, 2, epoch=1)
        producer.send(version, "gap", 3, epoch=1)
        producer.send(version, "negative", -1, epoch=1)
        producer.send(version, "old epoch", 2, epoch=0)
        producer.send(version, "next epoch, not from 0", 2, epoch=2)
        producer.send(version, "next epoch", 0, epoch=2)
        producer.send(version, "duplicate of the epoch before", 0, 2, epoch=1)
        producer.send(version, "goes on in the epoch before", 2, epoch=1)
        producer.send(version, "goes on", 1, epoch=2)
        peer.ask(producers(topic), label=topic)
        stored(peer, topic)


@scenario
def the_last_five_batches_are_known(peer: Peer) -> None:
    for version in (3, 8, 13):
        topic = f"idempotence-five-{version}"
        peer.create_topic(topic, 2)
        producer = IdempotentProducer(peer, topic)
        for n in range(7):
            producer.send(version, "first time", n * 2, 2)
        for n in range(7):
            producer.send(version, "second time", n * 2, 2)
        producer.send(version, "two of them in one", 10, 4)
        producer.send(version, "on the other partition", 12, 2, partition=1)
        producer.send(version, "on the other partition, next", 14, 2, partition=1)
        stored(peer, topic)


@scenario
def a_producer_the_partition_does_not_know(peer: Peer) -> None:
    """It may begin with any sequence and any epoch: what it wrote before may have been deleted (KIP-360)."""
    peer.create_topic("idempotence-unknown")
    for sequence, epoch in (
        (0, 0),
        (7, 0),
        (SEQUENCE_MAX, 0),
        (0, EPOCH_MAX),
        (7, EPOCH_MAX),
        (-1, 0),
        (0, -1),
        (-1, -1),
    ):
        for version in (3, 8, 13):
            producer = IdempotentProducer(peer, "idempotence-unknown")
            producer.send(version, "first", sequence, epoch=epoch)
            producer.send(version, "again", sequence, epoch=epoch)
    stored(peer, "idempotence-unknown")


@scenario
def sequences_wrap(peer: Peer) -> None:
    """After 2147483647 comes 0, also in the middle of a batch, and duplicates are known across it."""
    peer.create_topic("idempotence-wrap")
    for version in (3, 13):
        producer = IdempotentProducer(peer, "idempotence-wrap")
        producer.send(version, "near the end", SEQUENCE_MAX - 1)
        producer.send(version, "over the end", SEQUENCE_MAX, 3)
        producer.send(version, "duplicate of it", SEQUENCE_MAX, 3)
        producer.send(version, "duplicate before it", SEQUENCE_MAX - 1)
        producer.send(version, "from 0", 0)
        producer.send(version, "next", 2)
        producer.send(version, "duplicate over the end", SEQUENCE_MAX, 3)
        exact = IdempotentProducer(peer, "idempotence-wrap")
        exact.send(version, "ends with the last", SEQUENCE_MAX - 1, 2)
        exact.send(version, "next", 1)
        exact.send(version, "from 0", 0, 2)
        peer.ask(producers("idempotence-wrap"), label=f"v{version}")
    stored(peer, "idempotence-wrap")


@scenario
def epochs_end(peer: Peer) -> None:
    peer.create_topic("idempotence-epochs")
    producer = IdempotentProducer(peer, "idempotence-epochs")
    for label, epoch, sequence in (
        ("first", EPOCH_MAX - 1, 0),
        ("last epoch", EPOCH_MAX, 0),
        ("wrapped", 0, 0),
        ("negative", -1, 1),
        ("last epoch", EPOCH_MAX, 1),
    ):
        for version in (8, 13):
            producer.send(version, label, sequence, epoch=epoch)
    stored(peer, "idempotence-epochs")


@scenario
def records_are_deleted(peer: Peer) -> None:
    """What is known of a producer stays, and a duplicate is told from a batch that is gone."""
    peer.create_topic("idempotence-deleted")
    producer = IdempotentProducer(peer, "idempotence-deleted")
    for n in range(3):
        producer.send(13, "before", n)
    for offset in (2, -1):
        partitions = [DeleteRecordsPartition(partition_index=0, offset=offset)]
        cut = DeleteRecordsTopic(name="idempotence-deleted", partitions=partitions)
        peer.ask(DeleteRecordsRequest(topics=[cut], timeout_ms=5_000), label=f"below {offset}")
        for version in (3, 8, 13):
            for sequence in (0, 2, 9):
                producer.send(version, f"below {offset}", sequence)
        peer.ask(producers("idempotence-deleted"), label=f"below {offset}")
    producer.send(13, "goes on", 3)


@scenario
def several_producers_in_a_request(peer: Peer) -> None:
    """Each partition has its own answer, and its own sequences."""
    peer.create_topic("idempotence-several", 3)
    first = IdempotentProducer(peer, "idempotence-several")
    second = IdempotentProducer(peer, "idempotence-several")
    for version in (8, 12):
        for label, batches in {
            "one each": [first.batch(0), second.batch(0), batch(b"plain", timestamp=now_ms())],
            "again": [first.batch(0), second.batch(0), batch(b"plain", timestamp=now_ms())],
            "one has a gap": [first.batch(1), second.batch(5), first.batch(0)],
            "two batches in one": [first.batch(1) + first.batch(2), second.batch(1)],
        }.items():
            data = [PartitionProduceData(index=index, records=records) for index, records in enumerate(batches)]
            topic = TopicProduceData(name="idempotence-several", partition_data=data)
            request = ProduceRequest(acks=-1, timeout_ms=5_000, topic_data=[topic])
            peer.ask(request, version, label)
    for partition in range(3):
        stored(peer, "idempotence-several", partition)
