"""WriteTxnMarkers, as another coordinator or `kafka-transactions abort` sends it."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.produce import stored
from compat_tests.differential.transactional_producer import NEVER_MEANT, TransactionalProducer
from kafkapy_wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)

VERSIONS = range(1, 3)


def marker(
    producer: TransactionalProducer,
    topics: dict[str, list[int]],
    *,
    commit: bool = False,
    coordinator_epoch: int = 0,
    transaction_version: int = 0,
) -> WritableTxnMarker:
    return WritableTxnMarker(
        producer_id=producer.producer_id,
        producer_epoch=producer.epoch,
        transaction_result=commit,
        coordinator_epoch=coordinator_epoch,
        transaction_version=transaction_version,
        topics=[WritableTxnMarkerTopic(name=name, partition_indexes=found) for name, found in topics.items()],
    )


def write(*markers: WritableTxnMarker) -> WriteTxnMarkersRequest:
    return WriteTxnMarkersRequest(markers=list(markers))


def producers(topic: str, index: int = 0) -> DescribeProducersRequest:
    return DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[index])])


def seen(peer: Peer, topic: str, label: str) -> None:
    """Write down what there is to read of committed records, and what the partition knows of its producers."""
    peer.ask(fetch(peer, 18, topic, partition(), isolation_level=1), label=label)
    peer.ask(producers(topic), label=label)


@scenario
def every_version(peer: Peer) -> None:
    for version in VERSIONS:
        for commit in (True, False):
            topic = f"markers-{version}-{commit}"
            peer.create_topic(topic)
            producer = TransactionalProducer.ready(peer, topic).opened(topic)
            peer.ask(write(marker(producer, {topic: [0]}, commit=commit)), version, f"commit {commit}")
            seen(peer, topic, f"commit {commit}")
            peer.ask(write(marker(producer, {topic: [0]}, commit=commit)), version, f"commit {commit} again")
            stored(peer, topic)


@scenario
def unknown_partitions(peer: Peer) -> None:
    peer.create_topic("markers-known", 2)
    producer = TransactionalProducer.ready(peer, "markers-unknown").opened("markers-known", 0, 1)
    for version in VERSIONS:
        cases: dict[str, dict[str, list[int]]] = {
            "unknown topic": {"markers-not": [0]},
            "unknown partition": {"markers-known": [7, -1]},
            "invalid topic": {"markers not": [0]},
            "empty topic": {"": [0]},
            "known and unknown": {"markers-known": [0, 7], "markers-not": [0]},
            "no partitions": {"markers-known": []},
        }
        for label, topics in cases.items():
            peer.ask(write(marker(producer, topics)), version, label)
        peer.ask(write(marker(producer, {})), version, "no topics")
        peer.ask(write(), version, "no markers")
    for index in range(2):
        stored(peer, "markers-known", index)


@scenario
def epochs_of_producers(peer: Peer) -> None:
    """Up to transaction version 1 the epoch may stay, from 2 on it has to be a newer one (KIP-890)."""
    for transaction_version in (0, 1, 2, 3):
        for is_open in (True, False):
            topic = f"markers-epochs-{transaction_version}-{is_open}"
            peer.create_topic(topic)
            producer = TransactionalProducer.ready(peer, topic, epoch=2).opened(topic)
            if not is_open:
                producer = producer.ended(committed=True, version=4)
            for epochs in (-1, 0, 1, 1, 0, 3):
                request = write(
                    marker(producer.wrong(epochs=epochs), {topic: [0]}, transaction_version=transaction_version)
                )
                peer.ask(request, 2, f"{topic} {epochs:+}")
            seen(peer, topic, topic)
            stored(peer, topic)


@scenario
def epochs_of_coordinators(peer: Peer) -> None:
    """A coordinator of before is fenced."""
    peer.create_topic("markers-coordinators")
    producer = TransactionalProducer.ready(peer, "markers-coordinators").opened("markers-coordinators")
    for version in VERSIONS:
        for coordinator_epoch in (0, 5, 4, 5, -1, 6):
            request = write(marker(producer, {"markers-coordinators": [0]}, coordinator_epoch=coordinator_epoch))
            peer.ask(request, version, f"coordinator epoch {coordinator_epoch}")
    seen(peer, "markers-coordinators", "at last")


@scenario
def unknown_producers(peer: Peer) -> None:
    peer.create_topic("markers-nobody")
    producer = TransactionalProducer.ready(peer, "markers-nobody")
    for version in VERSIONS:
        for producer_ids, label in ((0, "has written nothing"), (1_000_000 + version, "unknown")):
            one = producer.wrong(producer_ids=producer_ids, epochs=version)
            peer.ask(write(marker(one, {"markers-nobody": [0]}, commit=True)), version, label)
    stored(peer, "markers-nobody")
    peer.ask(producers("markers-nobody"))


@scenario
def negative_ids_and_epochs(peer: Peer) -> None:
    peer.create_topic("markers-negative")
    for producer_id, epoch in ((-1, 0), (5, -1)):
        one = TransactionalProducer(peer, "", producer_id, epoch)
        peer.ask(write(marker(one, {"markers-negative": [0]})), 2, f"producer id {producer_id} epoch {epoch}")
    stored(peer, "markers-negative")


@scenario
def several_markers_in_a_request(peer: Peer) -> None:
    peer.create_topic("markers-several", 2)
    first = TransactionalProducer.ready(peer, "markers-several-1").opened("markers-several", 0, 1)
    second = TransactionalProducer.ready(peer, "markers-several-2").opened("markers-several", 0)
    first.described()  # so that the transcript knows them in this order
    second.described()
    third = first.wrong(producer_ids=NEVER_MEANT)
    request = write(
        marker(third, {"markers-not": [0]}),
        marker(first, {"markers-several": [0]}, commit=True),
        marker(third, {"markers-not": [1]}),
        marker(second, {"markers-several": [0, 9]}),
        marker(first, {"markers-several": [1]}, commit=True),
    )
    peer.ask(request)
    for index in range(2):
        peer.ask(fetch(peer, 18, "markers-several", partition(index), isolation_level=1), label=f"partition {index}")


@scenario
def never_answered_by_apache_kafka(peer: Peer) -> None:
    peer.create_topic("markers-silence")
    producer = TransactionalProducer.ready(peer, "markers-silence").opened("markers-silence")
    for label, request in {
        "twice": write(marker(producer, {"markers-silence": [0, 0]})),
        "the last has no partition": write(marker(producer, {"markers-silence": [0]}), marker(producer, {})),
    }.items():
        connection = peer.connect()
        connection.be_patient(0.5)
        peer.ask(request, label=label, connection=connection)


@scenario
def the_producer_after_a_marker_it_did_not_ask_for(peer: Peer) -> None:
    """`kafka-transactions abort` on one partition: the coordinator still has the transaction open."""
    for produce_version in (11, 13):
        topic = f"markers-aborted-{produce_version}"
        peer.create_topic(topic)
        producer = TransactionalProducer.ready(peer, topic).opened(topic, version=produce_version)
        peer.ask(write(marker(producer, {topic: [0]}, transaction_version=1)), 2, "abort")
        peer.ask(producer.produce(produce_version, topic, sequence=1), produce_version, "goes on")
        seen(peer, topic, "goes on")
        peer.ask(producer.end(committed=True), 4 if produce_version == 11 else 5, "commit")
        producer.await_complete()
        stored(peer, topic)


@scenario
def offsets_of_groups(peer: Peer) -> None:
    """A marker in `__consumer_offsets` settles the offsets that were committed in the transaction."""
    peer.create_topic("markers-offsets")
    everywhere = {"__consumer_offsets": [0, 1, 2, 3]}
    for version in VERSIONS:
        for commit in (True, False):
            group = f"markers-group-{version}-{commit}"
            producer = TransactionalProducer.ready(peer, group)
            peer.ask(producer.commit_offsets(group, {"markers-offsets": {0: 7}}), label=group)
            asked = fetch_offsets(peer, 10, group, {"markers-offsets": [0]}, require_stable=True)
            peer.ask(asked, label=f"{group} open")
            request = write(marker(producer, everywhere, commit=commit, transaction_version=0))
            peer.ask(request, version, group)
            peer.ask(asked, label=f"{group} ended")
    unknown = TransactionalProducer(peer, "", 987_654, 0)
    for version in VERSIONS:
        peer.ask(write(marker(unknown, {"__consumer_offsets": [0, 44]})), version, "unknown producer")
