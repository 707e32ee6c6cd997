"""InitProducerId with a transactional id: the next epoch, and who is fenced by it."""

from __future__ import annotations

from compat_tests.differential.peer import ConnectionClosed, Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.api_versions import header
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.transaction_log import note_stored
from compat_tests.differential.transactional_producer import TIMEOUT_MS, TransactionalProducer
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.produce import ProduceRequest
from kafkapy_wire.messages.txn_offset_commit import TxnOffsetCommitRequest

WITH_EPOCHS = range(3, 6)  # the versions that carry the producer id and epoch the producer has (KIP-360)


@scenario
def every_version(peer: Peer) -> None:
    TransactionalProducer.ready(peer, "init-ready")
    for version in range(6):
        request = InitProducerIdRequest(transactional_id=f"init-{version}", transaction_timeout_ms=TIMEOUT_MS)
        peer.ask(request, version, "first")
        peer.ask(request, version, "again")


@scenario
def two_phase_commit_is_not_served(peer: Peer) -> None:
    """Version 6, with `enable2_pc` and `keep_prepared_txn` (KIP-939), is one of Apache Kafka's unstable ones."""
    for enable in (False, True):
        request = InitProducerIdRequest(
            transactional_id="init-2pc", transaction_timeout_ms=TIMEOUT_MS, enable2_pc=enable, keep_prepared_txn=enable
        )
        connection = peer.connect()
        connection.post_frame(header(int(ApiKey.INIT_PRODUCER_ID), 6, flexible=True) + encode(request, 6))
        try:
            peer.note(f"InitProducerId v6 {enable}", connection.receive_frame().hex())
        except ConnectionClosed:
            peer.note(f"InitProducerId v6 {enable}", "connection closed")


@scenario
def bad_ids_and_timeouts(peer: Peer) -> None:
    producer = TransactionalProducer.ready(peer, "init-bad")
    for name in ("", None):
        for timeout_ms in (TIMEOUT_MS, 0, -1, 900_001):
            request = InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=timeout_ms)
            peer.ask_versions(request, f"{name!r} timeout {timeout_ms}")
    for timeout_ms in (0, -1, 1, 900_000, 900_001, 2**31 - 1):
        peer.ask_versions(producer.initialise(timeout_ms=timeout_ms), f"timeout {timeout_ms}")
        producer.described(f"timeout {timeout_ms}")
    for name in ("init-bad", "init-bad-new", "", None):
        for producer_id, epoch in ((5, -1), (-1, 5), (-2, -1), (-1, -2), (-5, -5)):
            request = InitProducerIdRequest(
                transactional_id=name,
                transaction_timeout_ms=TIMEOUT_MS,
                producer_id=producer_id,
                producer_epoch=epoch,
            )
            peer.ask_versions(request, f"{name!r} producer id {producer_id} epoch {epoch}", WITH_EPOCHS)


@scenario
def a_producer_that_goes_on(peer: Peer) -> None:
    """It names its epoch: the next is for it, a repeated request gets the same answer, all else is fenced (KIP-360)."""
    for version in WITH_EPOCHS:
        name = f"init-goes-on-{version}"
        first = TransactionalProducer.ready(peer, name)
        second = first.after(peer.ask(first.initialise(goes_on=True), version, "first"))
        peer.ask(first.initialise(goes_on=True), version, "first again")
        third = second.after(peer.ask(second.initialise(goes_on=True), version, "second"))
        peer.ask(first.initialise(goes_on=True), version, "too old")
        peer.ask(third.wrong(epochs=1).initialise(goes_on=True), version, "later epoch")
        peer.ask(third.wrong(producer_ids=1_000).initialise(goes_on=True), version, "other producer id")
        peer.ask(third.wrong(name=f"{name}-new").initialise(goes_on=True), version, "new transactional id")
        peer.ask(third.wrong(name=f"{name}-new").initialise(goes_on=True), version, "new transactional id again")
        peer.ask(third.initialise(), version, "without epoch")
        peer.ask(third.initialise(goes_on=True), version, "after another came")
        for one in (name, f"{name}-new"):
            note_stored(peer, one)


@scenario
def an_anonymous_producer_that_goes_on(peer: Peer) -> None:
    """Without a transactional id there is a fresh producer id each time."""
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=TIMEOUT_MS)
    for version in range(6):
        known = peer.ask(request, version)
        if version in WITH_EPOCHS:
            goes_on = InitProducerIdRequest(
                transactional_id=None,
                transaction_timeout_ms=TIMEOUT_MS,
                producer_id=known.producer_id,
                producer_epoch=known.producer_epoch,
            )
            peer.ask(goes_on, version, "goes on")


@scenario
def the_producer_before_is_fenced(peer: Peer) -> None:
    """INVALID_PRODUCER_EPOCH for those who know no PRODUCER_FENCED, and for who produces."""
    peer.create_topic("init-fenced")
    old = TransactionalProducer.ready(peer, "init-fenced")
    old.opened("init-fenced")
    new = old.initialised()
    where = {"init-fenced": [0]}

    def ask_all(label: str) -> None:
        peer.ask_each(AddPartitionsToTxnRequest, lambda version: old.add(version, where), label)
        peer.ask_versions(old.verify(where), label, range(4, 6))
        peer.ask_each(AddOffsetsToTxnRequest, lambda _: old.add_offsets("init-fenced-group"), label)
        for instance in (old, new.wrong(producer_ids=1_000)):
            who = label if instance is old else f"{label}, other producer id"
            peer.ask_each(
                TxnOffsetCommitRequest,
                lambda _, one=instance: one.commit_offsets("init-fenced-group", {"init-fenced": {0: 1}}),
                who,
            )
            peer.ask_each(
                ProduceRequest, lambda version, one=instance: one.produce(version, "init-fenced", sequence=1), who
            )
        for committed in (True, False):
            peer.ask_each(
                EndTxnRequest, lambda _, committed=committed: old.end(committed=committed), f"{label} {committed}"
            )

    peer.ask_versions(old.initialise(goes_on=True), "idle", WITH_EPOCHS)
    ask_all("idle")
    new.opened("init-fenced")
    ask_all("new one's transaction open")
    peer.ask(fetch(peer, 18, "init-fenced", partition(), isolation_level=1), label="committed only")


@scenario
def an_open_transaction_is_aborted_first(peer: Peer) -> None:
    peer.create_topic("init-open")
    for produce_version in (11, 13):
        for version in range(6):
            for goes_on in (False, True):
                if goes_on and version not in WITH_EPOCHS:
                    continue
                label = f"begun by v{produce_version}, goes on {goes_on}"
                producer = TransactionalProducer.ready(peer, f"init-open-{produce_version}-{version}-{goes_on}")
                producer.opened("init-open", version=produce_version)
                peer.ask(producer.wrong(epochs=7).initialise(goes_on=goes_on), version, f"{label}, later epoch")
                producer.await_complete()
                producer.described("aborted")
                peer.ask(producer.initialise(goes_on=goes_on), version, f"{label} again")
                producer.described("at last")
                note_stored(peer, producer.name)
    peer.ask(fetch(peer, 18, "init-open", partition(), isolation_level=1), label="committed only")
