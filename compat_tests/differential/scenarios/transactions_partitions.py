"""AddPartitionsToTxn: for clients up to version 3, for brokers from 4 on, where it can also only ask (KIP-890)."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.offsets import list_offsets
from compat_tests.differential.transaction_log import note_stored
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState

FOR_BROKERS = range(4, 6)


@scenario
def every_version(peer: Peer) -> None:
    peer.create_topic("add-versions", 3)
    for version in range(6):
        producer = TransactionalProducer.ready(peer, f"add-versions-{version}")
        peer.ask(producer.add(version, {"add-versions": [0]}), version, "begins")
        peer.ask(producer.add(version, {"add-versions": [0]}), version, "again")
        peer.ask(producer.add(version, {"add-versions": [1, 0]}), version, "one more")
        peer.ask(producer.add(version, {"add-versions": [2, 2]}), version, "twice in a request")
        producer.described()
        note_stored(peer, producer.name)
        ended = producer.ended(committed=False, version=5 if version == 5 else 4)
        peer.ask(ended.add(version, {"add-versions": [1]}), version, "next transaction")
        producer.described("next transaction")


@scenario
def wrong_producers(peer: Peer) -> None:
    peer.create_topic("add-wrong")
    producer = TransactionalProducer.ready(peer, "add-wrong", epoch=1)
    where = {"add-wrong": [0]}
    for state in ("empty", "open"):
        for label, wrong in producer.wrongs().items():
            peer.ask_each(
                AddPartitionsToTxnRequest, lambda version, wrong=wrong: wrong.add(version, where), f"{state} {label}"
            )
            peer.ask_versions(wrong.verify(where), f"{state} {label}, verify", FOR_BROKERS)
        producer.described(state)
        if state == "empty":
            producer.opened("add-wrong", version=11)


@scenario
def unknown_partitions(peer: Peer) -> None:
    """One partition that does not exist keeps the others out."""
    peer.create_topic("add-unknown", 2)
    producer = TransactionalProducer.ready(peer, "add-unknown", epoch=1)
    cases: dict[str, dict[str, list[int]]] = {
        "unknown topic": {"add-unknown-not": [0, 1]},
        "unknown partition": {"add-unknown": [2]},
        "negative partition": {"add-unknown": [-1]},
        "invalid topic": {"add unknown": [0]},
        "empty topic": {"": [0]},
        "some known": {"add-unknown": [0, 7, 1], "add-unknown-not": [0]},
        "other topic unknown": {"add-unknown": [0, 1], "add-unknown-not": [0]},
        "internal topic": {"__consumer_offsets": [0]},
        "nothing": {},
        "no partitions": {"add-unknown": []},
        "no partitions of an unknown topic": {"add-unknown-not": []},
        "twice, and unknown": {"add-unknown": [0, 0, 7, 7]},
        "internal and unknown": {"__consumer_offsets": [0], "add-unknown-not": [0], "add-unknown": [0]},
        "unknown partition of an internal topic": {"__consumer_offsets": [77], "__share_group_state": [0]},
    }
    for label, topics in cases.items():
        for who, one in (("", producer), ("other id, ", producer.wrong(name="add-unknown-nobody"))):
            peer.ask_each(
                AddPartitionsToTxnRequest,
                lambda version, one=one, topics=topics: one.add(version, topics),
                f"{who}{label}",
            )
            peer.ask_versions(one.verify(topics), f"{who}{label}, verify", FOR_BROKERS)
    producer.described()
    state = {"__transaction_state": [0]}
    peer.ask_each(AddPartitionsToTxnRequest, lambda version: producer.add(version, state), "state topic", range(4))


@scenario
def verifying_only(peer: Peer) -> None:
    peer.create_topic("add-verify", 3)
    producer = TransactionalProducer.ready(peer, "add-verify")
    peer.ask_versions(producer.verify({"add-verify": [0]}), "nothing open", FOR_BROKERS)
    producer.opened("add-verify", 0, 1, version=11)
    for label, partitions in {"in": [0, 1], "one is in": [0, 2], "not in": [2], "twice": [0, 0]}.items():
        peer.ask_versions(producer.verify({"add-verify": partitions}), label, FOR_BROKERS)
        later = producer.wrong(epochs=1)
        peer.ask_versions(later.verify({"add-verify": partitions}), f"{label}, later epoch", FOR_BROKERS)
        peer.ask_each(
            AddPartitionsToTxnRequest,
            lambda version, later=later, partitions=partitions: later.add(version, {"add-verify": partitions}),
            f"{label}, later epoch",
        )
    producer.described("verified")
    producer.ended(committed=True, version=4)
    peer.ask_versions(producer.verify({"add-verify": [0, 1]}), "ended", FOR_BROKERS)
    producer.described("ended")


@scenario
def no_transaction_in_a_request(peer: Peer) -> None:
    connection = peer.connect()
    connection.be_patient(0.5)
    peer.ask(AddPartitionsToTxnRequest(transactions=[]), 5, connection=connection)


@scenario
def several_transactions_in_a_request(peer: Peer) -> None:
    peer.create_topic("add-several", 2)
    where = {"add-several": [0, 1]}
    for version in FOR_BROKERS:
        first = TransactionalProducer.ready(peer, f"add-several-{version}-1")
        second = TransactionalProducer.ready(peer, f"add-several-{version}-2")
        batched = {
            "one is nobody": [
                first.transaction({"add-several": [0]}),
                first.wrong(name=f"nobody-{version}").transaction(where),
                second.transaction({"add-several": [1]}),
            ],
            "one has another epoch": [first.wrong(epochs=1).transaction(where), second.transaction(where)],
            "one only asks": [first.transaction(where, verify_only=True), second.transaction(where)],
            "one does not know its partition": [
                first.transaction({"add-several": [0, 9]}),
                second.transaction({"add-several": [0]}, verify_only=True),
            ],
            "the same one twice": [first.transaction({"add-several": [0]}), first.transaction({"add-several": [1]})],
        }
        for label, transactions in batched.items():
            peer.ask(AddPartitionsToTxnRequest(transactions=transactions), version, label)
        first.described()
        second.described()


def deleted(peer: Peer, topic: str) -> None:
    """Delete the topic, and wait until its leader has heard of that."""
    peer.quietly(DeleteTopicsRequest(topics=[DeleteTopicState(name=topic)], timeout_ms=10_000))
    gone = list_offsets(topic, -1)
    peer.until(gone, lambda answer: answer.topics[0].partitions[0].error_code == 3, f"{topic} is gone")


@scenario
def the_topic_is_deleted_meanwhile(peer: Peer) -> None:
    """Where nothing is left to mark, a transaction ends without."""
    for produce_version, end_version in ((11, 4), (13, 5)):
        topic, name = f"add-deleted-{end_version}", f"add-deleted-{end_version}"
        peer.create_topic(topic)
        peer.create_topic(f"{topic}-kept")
        producer = TransactionalProducer.ready(peer, name)
        producer.opened(topic, version=produce_version).opened(f"{topic}-kept", version=produce_version)
        deleted(peer, topic)
        producer.described("deleted")
        peer.ask(producer.produce(min(produce_version, 12), topic, sequence=1), min(produce_version, 12), "deleted")
        peer.ask(producer.end(committed=True), end_version)
        producer.await_complete()
        producer.described("ended")
