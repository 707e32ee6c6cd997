"""Whole transactions, as producers of either protocol make them; `transactions_*` has the single requests, and errors.

Before KIP-890 a producer adds partitions and groups by requests of their own, and keeps its epoch. Since then Produce
and TxnOffsetCommit add what they write to, and each end raises the epoch.
"""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.groups import stable
from compat_tests.differential.scenarios.offsets import list_offsets
from compat_tests.differential.scenarios.produce import stored
from compat_tests.differential.transaction_log import note_stored
from compat_tests.differential.transactional_producer import TransactionalProducer


def seen(peer: Peer, topic: str, producer: TransactionalProducer, label: str) -> None:
    """Write down what the coordinator and a consumer of committed records know."""
    producer.described(label)
    peer.ask(list_offsets(topic, -1, isolation_level=1), label=f"{producer.name} {label}, stable")
    peer.ask(fetch(peer, 18, topic, partition(), isolation_level=1), label=f"{producer.name} {label}, committed only")


@scenario
def in_the_old_way(peer: Peer) -> None:
    """AddPartitionsToTxn v3, Produce v11, EndTxn v4."""
    topic = "txn-old"
    peer.create_topic(topic, 2)
    for committed in (True, False):
        producer = TransactionalProducer.ready(peer, f"txn-old-{committed}")
        for n in range(2):
            peer.ask(producer.add(3, {topic: [0, 1]}), 3, f"{committed} {n}")
            for index in range(2):
                peer.ask(producer.produce(11, topic, b"v", partition=index, sequence=n), 11, f"{committed} {n} {index}")
            seen(peer, topic, producer, f"open {n}")
            peer.ask(producer.end(committed=committed), 4, f"{committed} {n}")
            producer.await_complete()
            seen(peer, topic, producer, f"ended {n}")
        note_stored(peer, producer.name)
    stored(peer, topic)


@scenario
def in_the_new_way(peer: Peer) -> None:
    """Produce v13, EndTxn v5."""
    topic = "txn-new"
    peer.create_topic(topic, 2)
    producer = TransactionalProducer.ready(peer, topic)
    for n, committed in enumerate((True, False, True)):
        for index in range(2):
            peer.ask(producer.produce(13, topic, b"v", partition=index), 13, f"{n} {index}")
        peer.ask(producer.produce(13, topic, b"w", sequence=1), 13, f"{n} once more")
        seen(peer, topic, producer, f"open {n}")
        following = producer.after(peer.ask(producer.end(committed=committed), 5, f"{n}"))
        producer.await_complete()
        producer = following
        seen(peer, topic, producer, f"ended {n}")
    note_stored(peer, producer.name)
    stored(peer, topic)


@scenario
def consume_transform_produce(peer: Peer) -> None:
    """A member of a group commits what it has read together with what it writes (KIP-447)."""
    peer.create_topic("txn-in")
    for produce_version, commit_version, end_version in ((11, 4, 4), (13, 5, 5)):
        topic, group = f"txn-out-{end_version}", f"txn-group-{end_version}"
        peer.create_topic(topic)
        member, generation = stable(peer, group)
        producer = TransactionalProducer.ready(peer, topic)
        for n, committed in enumerate((True, False, True)):
            sequence = n if end_version < 5 else 0
            if end_version < 5:
                peer.ask(producer.add(3, {topic: [0]}), 3, f"{n}")
            peer.ask(producer.produce(produce_version, topic, sequence=sequence), produce_version, f"{n}")
            if end_version < 5:
                peer.ask(producer.add_offsets(group), 3, f"{n}")
            offsets = {"txn-in": {0: n + 1}}
            committing = producer.commit_offsets(group, offsets, member=member, generation=generation)
            peer.ask(committing, commit_version, f"{n}")
            producer.described(f"open {n}")
            following = producer.after(peer.ask(producer.end(committed=committed), end_version, f"{n}"))
            producer.await_complete()
            producer = following if end_version >= 5 else producer
            peer.ask(fetch_offsets(peer, 10, group, {"txn-in": [0]}, require_stable=True), 10, f"{n}")
        stored(peer, topic)
        note_stored(peer, topic)
