"""EndTxn: from every state, with every epoch, either way; and what a repeated request hears."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.produce import stored
from compat_tests.differential.transaction_log import note_stored
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.end_txn import EndTxnRequest

OLD_WAY = 4  # EndTxn up to this version: the epoch stays
NEW_WAY = 5  # each end raises the epoch (KIP-890)
PRODUCE_OF_WAY = {OLD_WAY: 11, NEW_WAY: 13}
ERRORS_DIFFER = (1, 2, 4, 5)  # INVALID_PRODUCER_EPOCH before 2, PRODUCER_FENCED from then on


def in_state(peer: Peer, state: str, name: str, topic: str, way: int) -> TransactionalProducer:
    """A producer that has an epoch before its own, with its transaction in the state."""
    producer = TransactionalProducer.ready(peer, name, epoch=1)
    if state == "Empty":
        return producer
    producer.opened(topic, version=PRODUCE_OF_WAY[way])
    if state == "Ongoing":
        return producer
    return producer.ended(committed=state == "CompleteCommit", version=way)


def every_epoch(peer: Peer, state: str) -> None:
    topic = f"end-{state.lower()}"
    peer.create_topic(topic)
    for way in (OLD_WAY, NEW_WAY):
        for version in ERRORS_DIFFER:
            for committed in (True, False):
                for epochs in (-1, 0, 1):
                    label = f"{'commit' if committed else 'abort'} begun the way of v{way}, epoch {epochs:+}"
                    name = f"{topic}-{way}-{version}-{committed}-{epochs}"
                    producer = in_state(peer, state, name, topic, way)
                    answer = peer.ask(producer.wrong(epochs=epochs).end(committed=committed), version, label)
                    if not answer.error_code:
                        producer.await_complete()
                    producer.described(label)


@scenario
def every_epoch_with_nothing_begun(peer: Peer) -> None:
    every_epoch(peer, "Empty")


@scenario
def every_epoch_with_a_transaction_open(peer: Peer) -> None:
    every_epoch(peer, "Ongoing")


@scenario
def every_epoch_after_a_commit(peer: Peer) -> None:
    every_epoch(peer, "CompleteCommit")


@scenario
def every_epoch_after_an_abort(peer: Peer) -> None:
    every_epoch(peer, "CompleteAbort")


@scenario
def wrong_producers(peer: Peer) -> None:
    peer.create_topic("end-wrong")
    for state in ("Empty", "Ongoing", "CompleteCommit", "CompleteAbort"):
        producer = in_state(peer, state, f"end-wrong-{state}", "end-wrong", OLD_WAY)
        for label, wrong in producer.wrongs().items():
            if "older" in label or "later" in label:
                continue  # every_epoch asks with those
            for committed in (True, False):
                peer.ask_each(
                    EndTxnRequest,
                    lambda _, wrong=wrong, committed=committed: wrong.end(committed=committed),
                    f"{state} {label} {committed}",
                )
        producer.described(state)


@scenario
def repeated_requests(peer: Peer) -> None:
    """The answer was lost: the same again hears the same, until the next transaction begins."""
    peer.create_topic("end-again")
    for committed in (True, False):
        for version in range(6):
            name = f"end-again-{version}-{committed}"
            before = TransactionalProducer.ready(peer, name)
            before.opened("end-again", version=PRODUCE_OF_WAY[NEW_WAY if version == NEW_WAY else OLD_WAY])
            after = before.after(peer.ask(before.end(committed=committed), version, f"{committed} first"))
            before.await_complete()
            for label in ("again", "and again"):
                peer.ask(before.end(committed=committed), version, f"{committed} {label}")
            peer.ask(before.end(committed=not committed), version, f"{committed} otherwise")
            after.opened("end-again")
            peer.ask(before.end(committed=committed), version, f"{committed} again, the next one open")
            before.await_complete() if version < NEW_WAY else None
            note_stored(peer, name)
    stored(peer, "end-again")


@scenario
def an_abort_with_nothing_to_abort(peer: Peer) -> None:
    """A producer in doubt asks for one: version 5 raises the epoch each time, before it is an error."""
    for version in range(6):
        producer = TransactionalProducer.ready(peer, f"end-nothing-{version}")
        for n in range(3):
            answer = peer.ask(producer.end(committed=False), version, f"abort {n}")
            if not answer.error_code:
                producer.await_complete()
            producer = producer.after(answer)
        peer.ask(producer.end(committed=True), version, "commit")
        producer.described(f"v{version}")
        note_stored(peer, producer.name)


@scenario
def the_ways_are_mixed(peer: Peer) -> None:
    """A transaction begun by a client of one version is ended by one of another."""
    peer.create_topic("end-mixed")
    for produce_version, versions in ((11, (5, 4, 5, 3)), (13, (4, 5, 4, 0))):
        producer = TransactionalProducer.ready(peer, f"end-mixed-{produce_version}")
        for n, version in enumerate(versions):
            producer.opened("end-mixed", version=produce_version) if n == 0 or version == NEW_WAY else None
            answer = peer.ask(producer.end(committed=n % 2 == 0), version, f"begun by v{produce_version}, {n}")
            if not answer.error_code:
                producer.await_complete()
            producer = producer.after(answer) if version == NEW_WAY else producer
        note_stored(peer, producer.name)
    stored(peer, "end-mixed")
