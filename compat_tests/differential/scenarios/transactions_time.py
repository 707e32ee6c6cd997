"""What time does to transactions: the coordinator aborts one that is open for too long, and forgets idle ids."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.produce import stored
from compat_tests.differential.transaction_log import note_stored
from compat_tests.differential.transactional_producer import TransactionalProducer
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.produce import ProduceRequest
from kafkapy_wire.messages.txn_offset_commit import TxnOffsetCommitRequest

TIMEOUT_MS = 500  # enough for a slow machine to begin a transaction
NOT_FOUND = 105  # TRANSACTIONAL_ID_NOT_FOUND


def timed_out(peer: Peer, topic: str, *versions: int, suffixes: tuple[str, ...] = ("",)) -> list[TransactionalProducer]:
    """Producers whose transactions the coordinator has just aborted, each begun in a partition of its own, with one of
    the versions of Produce.
    """
    kinds = [(version, suffix) for version in versions for suffix in suffixes]
    peer.create_topic(topic, len(kinds))
    producers = [
        TransactionalProducer.ready(peer, f"{topic}-v{version}{suffix}", timeout_ms=TIMEOUT_MS).opened(
            topic, index, version=version
        )
        for index, (version, suffix) in enumerate(kinds)
    ]
    for producer in producers:
        producer.await_complete()
    return producers


@scenario
def a_transaction_times_out(peer: Peer) -> None:
    """It is aborted, and its producer fenced: that one begins anew with InitProducerId."""
    topic = "timeout"
    for index, producer in enumerate(timed_out(peer, topic, 11, 13)):
        name = producer.name
        producer.described("aborted")
        peer.ask(fetch(peer, 18, topic, partition(index), isolation_level=1), label=f"{name} aborted")
        peer.ask_each(
            ProduceRequest,
            lambda version, late=producer, index=index: late.produce(version, topic, partition=index, sequence=1),
            name,
        )
        peer.ask_each(AddPartitionsToTxnRequest, lambda version, late=producer: late.add(version, {topic: [0]}), name)
        peer.ask_each(AddOffsetsToTxnRequest, lambda _, late=producer: late.add_offsets("timeout-group"), name)
        peer.ask_each(
            TxnOffsetCommitRequest,
            lambda _, late=producer: late.commit_offsets("timeout-group", {topic: {0: 1}}),
            name,
        )
        note_stored(peer, name)
        stored(peer, topic, index)


@scenario
def ends_that_come_too_late(peer: Peer) -> None:
    """The producer commits or aborts what the coordinator has aborted already."""
    for producer in timed_out(peer, "timeout-end", 11, 13):
        for committed in (True, False):
            peer.ask_each(
                EndTxnRequest,
                lambda _, late=producer, committed=committed: late.end(committed=committed),
                f"{producer.name} {committed}",
            )
            producer.await_complete()
        producer.described()


@scenario
def the_producer_begins_anew(peer: Peer) -> None:
    """With the epoch that it had, or without."""
    for producer in timed_out(peer, "timeout-again", 11, 13, suffixes=("", "-goes-on")):
        goes_on = producer.name.endswith("-goes-on")
        for version in range(3 if goes_on else 0, 6):
            answer = peer.ask(producer.initialise(goes_on=goes_on, timeout_ms=60_000), version, producer.name)
        following = producer.after(answer)
        peer.ask(following.produce(13, "timeout-again"), label=producer.name)
        following.described()
        note_stored(peer, producer.name)


@scenario
def idle_transactional_ids_are_forgotten(peer: Peer) -> None:
    """transactional.id.expiration.ms after their last use; what their producers ask then is answered as to nobody."""
    peer.create_topic("expiry")
    idle = TransactionalProducer.ready(peer, "expiry-idle", epoch=1)
    ended = TransactionalProducer.ready(peer, "expiry-ended", epoch=1).opened("expiry").ended(committed=True)
    busy = TransactionalProducer.ready(peer, "expiry-busy").opened("expiry")
    for producer in (idle, ended):
        forgotten = DescribeTransactionsRequest(transactional_ids=[producer.name])
        peer.until(
            forgotten, lambda answer: answer.transaction_states[0].error_code == NOT_FOUND, f"{producer.name} forgotten"
        )
    busy.described()
    for label, producer in {"idle": idle, "ended": ended}.items():
        peer.ask_each(AddPartitionsToTxnRequest, lambda version, one=producer: one.add(version, {"expiry": [0]}), label)
        peer.ask_each(AddOffsetsToTxnRequest, lambda _, one=producer: one.add_offsets("expiry-group"), label)
        peer.ask_each(EndTxnRequest, lambda _, one=producer: one.end(committed=True), label)
        peer.ask_each(ProduceRequest, lambda version, one=producer: one.produce(version, "expiry"), label)
        peer.ask_versions(producer.initialise(goes_on=True), label, range(3, 6))
        peer.ask_each(InitProducerIdRequest, lambda _, one=producer: one.initialise(), label)
        note_stored(peer, producer.name)
    busy.ended(committed=True)
