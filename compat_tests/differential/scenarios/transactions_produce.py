"""Produce with transactional batches: what is stored, and what each version hears of what is not."""

from __future__ import annotations

import struct

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import patched, produce, stored
from compat_tests.differential.transactional_producer import NEVER_MEANT, TransactionalProducer
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

ALL = versions_of(ApiKey.PRODUCE)
ADDS = 12  # from this version on the request puts the partition into the transaction itself (KIP-890)


@scenario
def no_transaction_open(peer: Peer) -> None:
    peer.create_topic("tp-none")
    for version in ALL:
        producer = TransactionalProducer.ready(peer, f"tp-none-{version}")
        peer.ask(producer.produce(version, "tp-none"), version, "nothing begun")
        peer.ask(producer.produce(version, "tp-none"), version, "again")
        producer.described(f"v{version}")
        if version >= ADDS:
            producer = producer.ended(committed=True)
        else:
            producer.opened("tp-none", version=11).ended(committed=True, version=4)
        peer.ask(producer.produce(version, "tp-none", sequence=1), version, "the last one ended")
    stored(peer, "tp-none")


@scenario
def wrong_producers(peer: Peer) -> None:
    peer.create_topic("tp-wrong", 2)
    for state in ("empty", "open", "open elsewhere", "ended"):
        producer = TransactionalProducer.ready(peer, f"tp-wrong-{state.replace(' ', '-')}", epoch=1)
        if state != "empty":
            producer.opened("tp-wrong", 1 if state == "open elsewhere" else 0, version=11)
        if state == "ended":
            producer.ended(committed=True, version=4)
        for label, wrong in producer.wrongs().items():
            if label in ("no producer id", "no epoch"):
                continue  # no transactional batch
            peer.ask_each(
                ProduceRequest,
                lambda version, wrong=wrong: wrong.produce(version, "tp-wrong", sequence=1),
                f"{state} {label}",
            )
        other = TransactionalProducer.ready(peer, f"{producer.name}-other", epoch=1)
        mixed = producer.wrong(name=other.name)
        peer.ask_each(
            ProduceRequest,
            lambda version, mixed=mixed: mixed.produce(version, "tp-wrong", sequence=1),
            f"{state}, another's transactional id",
        )
        producer.described(state)
    for index in range(2):
        stored(peer, "tp-wrong", index)


@scenario
def no_producer_id_or_epoch(peer: Peer) -> None:
    peer.create_topic("tp-nobody")
    producer = TransactionalProducer.ready(peer, "tp-nobody")
    for label, one in producer.wrong(epochs=1).wrongs().items():
        if label in ("no producer id", "no epoch"):
            peer.ask_each(ProduceRequest, lambda version, one=one: one.produce(version, "tp-nobody"), label)
    stored(peer, "tp-nobody")


@scenario
def sequences(peer: Peer) -> None:
    """As for idempotent producers, and an old epoch's come back as INVALID_PRODUCER_EPOCH."""
    for version in ALL:
        topic = f"tp-sequences-{version}"
        peer.create_topic(topic, 2)
        producer = TransactionalProducer.ready(peer, topic, epoch=1).opened(topic, version=min(version, 11))
        for label, sequence in {
            "duplicate of the first": 0,
            "gap": 5,
            "next": 1,
            "duplicate": 1,
            "negative": -1,
        }.items():
            peer.ask(producer.produce(version, topic, sequence=sequence), version, label)
        if version < ADDS:
            peer.quietly(producer.add(3, {topic: [1]}), 3)
        peer.ask(producer.produce(version, topic, sequence=3, partition=1), version, "first of a partition, not from 0")
        peer.ask(producer.produce(version, topic, partition=1), version, "first of a partition")
        after = producer.ended(committed=True, version=5 if version >= ADDS else 4)
        if version < ADDS:
            peer.quietly(after.add(3, {topic: [0]}), 3)
        for label, sequence in {"gap": 7, "goes on": 2, "from 0": 0}.items():
            peer.ask(after.produce(version, topic, sequence=sequence), version, f"next transaction, {label}")
        peer.ask(producer.produce(version, topic, sequence=1), version, "duplicate of the transaction before")
        stored(peer, topic)
        stored(peer, topic, 1)


@scenario
def a_new_producer_begins_with_any_sequence(peer: Peer) -> None:
    """A partition that does not know the producer takes a first sequence that is not 0, depending on the version."""
    for version in ALL:
        topic = f"tp-first-{version}"
        peer.create_topic(topic)
        producer = TransactionalProducer.ready(peer, topic)
        if version < ADDS:
            peer.quietly(producer.add(3, {topic: [0]}), 3)
        for sequence in (3, 0, 1):
            peer.ask(producer.produce(version, topic, sequence=sequence), version, f"sequence {sequence}")
        stored(peer, topic)


@scenario
def without_a_transactional_id(peer: Peer) -> None:
    peer.create_topic("tp-anonymous")
    producer = TransactionalProducer.ready(peer, "tp-anonymous")
    for state in ("nothing open", "open"):
        for name in (None, ""):
            peer.ask_each(
                ProduceRequest,
                lambda version, name=name: produce(
                    peer, version, "tp-anonymous", producer.batch(sequence=1), transactional_id=name
                ),
                f"{state}, {name!r}",
            )
        producer.opened("tp-anonymous", version=11)
    producer.described()
    stored(peer, "tp-anonymous")


@scenario
def batches_that_are_not_transactional(peer: Peer) -> None:
    """From the producer that has a transaction open, or none, with and without its transactional id."""
    for state in ("open", "nothing open", "open elsewhere"):
        topic = f"tp-plain-{state.replace(' ', '-')}"
        peer.create_topic(topic, 2)
        producer = TransactionalProducer.ready(peer, topic)
        if state != "nothing open":
            producer.opened(topic, 1 if state == "open elsewhere" else 0, version=11)
        sequence = 1 if state == "open" else 0
        for name in (None, producer.name):
            for version in ALL:
                plain = producer.batch(sequence=sequence, is_transactional=False)
                answer = peer.ask(
                    produce(peer, version, topic, plain, transactional_id=name), version, f"{state}, {name}"
                )
                sequence += not answer.responses[0].partition_responses[0].error_code
        producer.described(state)
        stored(peer, topic)


@scenario
def acks(peer: Peer) -> None:
    peer.create_topic("tp-acks")
    for version in (8, 11, 13):
        producer = TransactionalProducer.ready(peer, f"tp-acks-{version}").opened("tp-acks", version=min(version, 11))
        peer.ask(producer.produce(version, "tp-acks", sequence=1, acks=1), version, "acks 1")
        for label, one in (("acks 0", producer), ("acks 0, later epoch", producer.wrong(epochs=1))):
            connection = peer.connect()
            connection.post(one.produce(version, "tp-acks", sequence=2, acks=0), version)
            after = MetadataRequest(topics=[], allow_auto_topic_creation=False)
            peer.ask(after, 12, f"after {label} v{version}", connection)
        producer.described()
    stored(peer, "tp-acks")


@scenario
def several_partitions(peer: Peer) -> None:
    """Each has its own answer, whoever of them is in the transaction."""
    peer.create_topic("tp-several", 3)
    for version in (8, 11, 12):
        producer = TransactionalProducer.ready(peer, f"tp-several-{version}").opened("tp-several", 1, version=11)
        other = TransactionalProducer.ready(peer, f"tp-several-{version}-other")

        def ask(label: str, *batches: bytes, version: int = version, name: str = producer.name) -> None:
            request = ProduceRequest(
                transactional_id=name,
                acks=-1,
                timeout_ms=5_000,
                topic_data=[
                    TopicProduceData(
                        name="tp-several",
                        partition_data=[
                            PartitionProduceData(index=index, records=records) for index, records in enumerate(batches)
                        ],
                    )
                ],
            )
            peer.ask(request, version, label)

        good = producer.batch(sequence=1)
        ask("one is in", producer.batch(), good, producer.batch())
        ask("gap in one", producer.batch(), producer.batch(sequence=9), producer.batch(sequence=1))
        ask("two producers", producer.batch(sequence=1), other.batch(), producer.batch(sequence=2), other.batch())
        ask("two epochs", producer.batch(sequence=1), producer.wrong(epochs=1).batch(), producer.batch(sequence=2))
        ask("one unknown", good, good, producer.batch(sequence=2), producer.batch())
        ask("one plain", other.batch(is_transactional=False), producer.batch(sequence=3))
        producer.described(f"v{version}")
    for index in range(3):
        stored(peer, "tp-several", index)


@scenario
def producers_that_the_partition_does_not_know(peer: Peer) -> None:
    """Nobody has initialised this producer id: the coordinator has to say no, whatever the batch says."""
    peer.create_topic("tp-unknown")
    unknown = TransactionalProducer.ready(peer, "tp-unknown").wrong(producer_ids=NEVER_MEANT)
    for sequence in (0, 3):
        peer.ask_each(
            ProduceRequest,
            lambda version, sequence=sequence: unknown.produce(version, "tp-unknown", sequence=sequence),
            f"sequence {sequence}",
        )
    stored(peer, "tp-unknown")


@scenario
def bytes_that_are_not_one_batch(peer: Peer) -> None:
    """They are refused before the coordinator is asked: nothing is put into a transaction for them."""
    for version in (8, 11, 12, 13):
        topic = f"tp-bytes-{version}"
        peer.create_topic(topic)
        producer = TransactionalProducer.ready(peer, topic)
        good = producer.batch()
        for label, records in {
            "two batches": good + producer.batch(sequence=1),
            "cut": good[:-3],
            "magic 1": patched(good, 16, b"\x01"),
            "unknown codec": patched(good, 21, struct.pack(">h", 0x10 | 6)),
            "wrong CRC": patched(good, 17, bytes(4), crc=False),
            "control batch": patched(good, 21, struct.pack(">h", 0x30)),
        }.items():
            peer.ask(produce(peer, version, topic, records, transactional_id=topic), version, label)
            producer.described(f"v{version} {label}")


@scenario
def a_duplicate_before_the_first_batch_of_a_transaction(peer: Peer) -> None:
    """Clients up to version 11, whose epoch stays: a batch of the transaction before is sent once more."""
    for version in (8, 11):
        topic = f"tp-duplicate-{version}"
        peer.create_topic(topic)
        producer = TransactionalProducer.ready(peer, topic).opened(topic, version=11).ended(committed=True, version=4)
        peer.quietly(producer.add(3, {topic: [0]}), 3)
        for label, sequence in {"duplicate": 0, "next": 1, "duplicate again": 0}.items():
            peer.ask(producer.produce(version, topic, sequence=sequence), version, label)
