"""InitProducerId with a transactional id to EndTxn, and what of it is seen: DescribeTransactions, ListTransactions."""

from __future__ import annotations

import time
from typing import Any

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.group_offsets import fetch as fetch_offsets
from compat_tests.differential.scenarios.offsets import list_offsets
from compat_tests.differential.scenarios.produce import batch, produce, stored
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)

TIMEOUT_MS = 60_000
RETRIABLE = {14, 15, 16, 51}  # loading, not available, not the coordinator, the transaction before is still ending


def ready(peer: Peer, transactional_id: str) -> Any:
    """A producer id for the transactional id, once the coordinator has what it needs."""
    find = FindCoordinatorRequest(key_type=1, coordinator_keys=[transactional_id])
    peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, "a coordinator")
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS)
    return peer.until(request, lambda answer: answer.error_code not in RETRIABLE, "a producer id")


def add_partitions(
    transactional_id: str, producer_id: int, epoch: int, topic: str, *partitions: int
) -> AddPartitionsToTxnRequest:
    return AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=transactional_id,
        v3_and_below_producer_id=producer_id,
        v3_and_below_producer_epoch=epoch,
        v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic, partitions=list(partitions))],
    )


def end(transactional_id: str, producer_id: int, epoch: int, *, committed: bool) -> EndTxnRequest:
    return EndTxnRequest(
        transactional_id=transactional_id, producer_id=producer_id, producer_epoch=epoch, committed=committed
    )


def ended(peer: Peer, transactional_id: str) -> None:
    """Wait until the markers are written and the transaction is complete."""
    request = DescribeTransactionsRequest(transactional_ids=[transactional_id])
    peer.until(
        request,
        lambda answer: answer.transaction_states[0].transaction_state in {"CompleteCommit", "CompleteAbort"},
        "the transaction is complete",
    )


def now_ms() -> int:
    return int(time.time() * 1_000)


@scenario
def a_transaction_in_the_old_way(peer: Peer) -> None:
    """AddPartitionsToTxn v3, Produce v11, EndTxn v4: the epoch stays (before KIP-890 part 2)."""
    peer.create_topic("txn-old", 2)
    for committed in (True, False):
        name = f"txn-old-{committed}"
        producer = ready(peer, name)
        producer_id, epoch = producer.producer_id, producer.producer_epoch
        peer.ask(add_partitions(name, producer_id, epoch, "txn-old", 0, 1), 3, name)
        sent = batch(
            b"a",
            timestamp=now_ms(),
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=0,
            is_transactional=True,
        )
        peer.ask(produce(peer, 11, "txn-old", sent, transactional_id=name), 11, name)
        peer.ask(DescribeTransactionsRequest(transactional_ids=[name]), label=f"{name} open")
        peer.ask(list_offsets("txn-old", -1, isolation_level=1), label=f"{name} open, stable")
        peer.ask(fetch(peer, 18, "txn-old", partition(), isolation_level=1), label=f"{name} open, committed only")
        peer.ask(end(name, producer_id, epoch, committed=committed), 4, name)
        ended(peer, name)
        peer.ask(DescribeTransactionsRequest(transactional_ids=[name]), label=f"{name} ended")
        peer.ask(end(name, producer_id, epoch, committed=committed), 4, f"{name} again")
        peer.ask(end(name, producer_id, epoch, committed=not committed), 4, f"{name} otherwise")
    peer.ask(fetch(peer, 18, "txn-old", partition(), isolation_level=1), label="committed only")
    stored(peer, "txn-old")


@scenario
def a_transaction_in_the_new_way(peer: Peer) -> None:
    """Produce v12 adds the partition itself, EndTxn v5 answers with the next epoch (KIP-890)."""
    peer.create_topic("txn-new")
    producer = ready(peer, "txn-new")
    producer_id, epoch = producer.producer_id, producer.producer_epoch
    for committed in (True, False, True):
        sent = batch(
            b"a",
            timestamp=now_ms(),
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=0,
            is_transactional=True,
        )
        peer.ask(produce(peer, 13, "txn-new", sent, transactional_id="txn-new"), 13, f"epoch {epoch}")
        answer = peer.ask(end("txn-new", producer_id, epoch, committed=committed), 5, f"epoch {epoch}")
        ended(peer, "txn-new")
        peer.ask(end("txn-new", producer_id, epoch, committed=committed), 5, f"epoch {epoch} again")
        producer_id, epoch = answer.producer_id, answer.producer_epoch
    stored(peer, "txn-new")


@scenario
def bad_transaction_requests(peer: Peer) -> None:
    peer.create_topic("txn-bad")
    producer = ready(peer, "txn-bad")
    producer_id, epoch = producer.producer_id, producer.producer_epoch
    cases = {
        "unknown transactional id": ("txn-bad-unknown", producer_id, epoch),
        "empty transactional id": ("", producer_id, epoch),
        "other producer id": ("txn-bad", producer_id + 1_000, epoch),
        "later epoch": ("txn-bad", producer_id, epoch + 1),
        "negative epoch": ("txn-bad", producer_id, -1),
    }
    for label, (name, who, at) in cases.items():
        peer.ask_versions(add_partitions(name, who, at, "txn-bad", 0), label, versions=range(4))
        peer.ask_versions(end(name, who, at, committed=True), label, versions=range(5))
        offsets = AddOffsetsToTxnRequest(
            transactional_id=name, producer_id=who, producer_epoch=at, group_id="txn-group"
        )
        peer.ask_versions(offsets, label, versions=range(4))
    peer.ask_versions(
        add_partitions("txn-bad", producer_id, epoch, "txn-unknown", 0), "unknown topic", versions=range(4)
    )
    peer.ask_versions(add_partitions("txn-bad", producer_id, epoch, "txn-bad", 0, 9), "partition 9", versions=range(4))
    peer.ask_versions(end("txn-bad", producer_id, epoch, committed=True), "nothing begun", versions=range(5))
    sent = batch(b"a", producer_id=producer_id, producer_epoch=epoch, base_sequence=0, is_transactional=True)
    for version in (3, 8, 11):
        request = produce(peer, version, "txn-bad", sent, transactional_id="txn-bad")
        peer.ask(request, version, "partition not added")
        request = produce(peer, version, "txn-bad", sent)
        peer.ask(request, version, "no transactional id")
    stored(peer, "txn-bad")


@scenario
def transactional_producer_ids(peer: Peer) -> None:
    producer = ready(peer, "txn-init")
    for timeout_ms in (0, -1, 900_001):
        request = InitProducerIdRequest(transactional_id="txn-init", transaction_timeout_ms=timeout_ms)
        peer.ask_versions(request, f"timeout {timeout_ms}")
    for version in range(6):
        request = InitProducerIdRequest(transactional_id=f"txn-init-{version}", transaction_timeout_ms=TIMEOUT_MS)
        peer.ask(request, version, "first")
        peer.ask(request, version, "again")
    known = InitProducerIdRequest(
        transactional_id="txn-init",
        transaction_timeout_ms=TIMEOUT_MS,
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
    )
    peer.ask(known, label="with its epoch")
    peer.ask(known, label="with the epoch before")
    known.producer_epoch += 5
    peer.ask(known, label="with a later epoch")
    known.producer_id += 1_000
    peer.ask(known, label="with another producer id")


@scenario
def offsets_in_a_transaction(peer: Peer) -> None:
    peer.create_topic("txn-offsets")
    for committed in (True, False):
        name, group = f"txn-offsets-{committed}", f"txn-group-{committed}"
        producer = ready(peer, name)
        producer_id, epoch = producer.producer_id, producer.producer_epoch
        added = AddOffsetsToTxnRequest(
            transactional_id=name, producer_id=producer_id, producer_epoch=epoch, group_id=group
        )
        peer.ask(added, 3, name)
        offsets = TxnOffsetCommitRequest(
            transactional_id=name,
            group_id=group,
            producer_id=producer_id,
            producer_epoch=epoch,
            topics=[
                TxnOffsetCommitRequestTopic(
                    name="txn-offsets",
                    partitions=[TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=7)],
                )
            ],
        )
        peer.ask_versions(offsets, name, versions=range(5))
        for stable in (False, True):
            request = fetch_offsets(peer, 10, group, {"txn-offsets": [0]}, require_stable=stable)
            peer.ask(request, label=f"{name} open, stable {stable}")
        peer.ask(end(name, producer_id, epoch, committed=committed), 4, name)
        ended(peer, name)
        settled = fetch_offsets(peer, 10, group, {"txn-offsets": [0]}, require_stable=True)
        peer.until(
            settled, lambda answer: answer.groups[0].topics[0].partitions[0].error_code == 0, "the offset is settled"
        )
        peer.ask(settled, label=f"{name} ended")


@scenario
def transactions_are_listed(peer: Peer) -> None:
    peer.create_topic("txn-listed")
    producer = ready(peer, "txn-listed")
    peer.quietly(add_partitions("txn-listed", producer.producer_id, producer.producer_epoch, "txn-listed", 0), 3)
    for states in ([], ["Ongoing"], ["ongoing"], ["NoSuchState"], ["Empty"]):
        for version in range(3):
            answer = peer.quietly(ListTransactionsRequest(state_filters=states), version)
            answer.transaction_states = [t for t in answer.transaction_states if t.transactional_id == "txn-listed"]
            peer.note(f"ListTransactions v{version} {states}", peer.normaliser.plain(answer, version))
    peer.ask(DescribeTransactionsRequest(transactional_ids=["txn-unknown", "", "txn-listed"]), label="some")
    peer.ask(DescribeTransactionsRequest(transactional_ids=[]), label="none")
    peer.ask(end("txn-listed", producer.producer_id, producer.producer_epoch, committed=False), 4)
