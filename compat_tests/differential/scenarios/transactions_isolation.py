"""read_committed: what Fetch, ListOffsets and DeleteRecords make of open and aborted transactions."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import fetch, partition
from compat_tests.differential.scenarios.offsets import SPECIAL_TIMESTAMPS, list_offsets
from compat_tests.differential.scenarios.produce import BASE_MS, batch, produce
from compat_tests.differential.transactional_producer import TransactionalProducer, now_ms
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.fetch import FetchRequest

LEVELS = (0, 1)  # READ_UNCOMMITTED, READ_COMMITTED


def interleaved(peer: Peer, topic: str) -> TransactionalProducer:
    """Offsets 0 to 12: three transactions that overlap, records outside of any, and one that stays open from 10 on,
    whose producer this returns.

    ```
    0 a   1 b   2 -   3 b   4 ABORT a   5 c   6 COMMIT b   7 c   8 ABORT c   9 -   10 d   11 -   12 d
    ```
    """
    peer.create_topic(topic)
    a, b, c, d = (TransactionalProducer.ready(peer, f"{topic}-{letter}") for letter in "abcd")
    for producer in (a, b, c, d):
        producer.described()  # so that the transcript knows them in this order

    def plain(value: bytes) -> None:
        peer.quietly(produce(peer, 13, topic, batch(value, timestamp=now_ms())), 13)

    a.opened(topic)
    b.opened(topic)
    plain(b"2")
    b.opened(topic, sequence=1)
    a.ended(committed=False)
    c.opened(topic, version=11)
    b.ended(committed=True)
    c.opened(topic, version=11, sequence=1)
    c.ended(committed=False, version=4)
    plain(b"9")
    d.opened(topic)
    plain(b"11")
    return d.opened(topic, sequence=1)


@scenario
def every_version_fetches(peer: Peer) -> None:
    interleaved(peer, "isolation-versions")
    for level in LEVELS:
        peer.ask_each(
            FetchRequest,
            lambda version, level=level: fetch(peer, version, "isolation-versions", partition(), isolation_level=level),
            f"isolation {level}",
        )


@scenario
def levels_that_are_none(peer: Peer) -> None:
    peer.create_topic("isolation-levels")
    for level in (2, -1):
        asked = fetch(peer, 18, "isolation-levels", partition(), isolation_level=level)
        peer.ask(asked, label=f"isolation {level}")
        peer.ask(list_offsets("isolation-levels", -1, isolation_level=level), label=f"isolation {level}")


@scenario
def aborted_transactions_by_offset(peer: Peer) -> None:
    """The list names those that overlap what is read, from the offset on and as far as the batches go."""
    interleaved(peer, "isolation-offsets")
    for offset in range(15):
        for version in (4, 12, 18):
            for level in LEVELS:
                asked = fetch(peer, version, "isolation-offsets", partition(0, offset), isolation_level=level)
                peer.ask(asked, version, f"from {offset}, isolation {level}")


@scenario
def aborted_transactions_of_one_batch(peer: Peer) -> None:
    interleaved(peer, "isolation-one")
    for offset in range(15):
        asked = fetch(peer, 18, "isolation-one", partition(0, offset, max_bytes=1), isolation_level=1)
        peer.ask(asked, label=f"from {offset}")


@scenario
def waiting_for_the_end_of_a_transaction(peer: Peer) -> None:
    """A read_committed fetch at the last stable offset waits, and is woken by the marker, not by records."""
    peer.create_topic("isolation-waiting")
    producer = TransactionalProducer.ready(peer, "isolation-waiting").opened("isolation-waiting")
    for level in LEVELS:
        asked = fetch(peer, 18, "isolation-waiting", partition(), max_wait_ms=50, min_bytes=1, isolation_level=level)
        peer.ask(asked, label=f"open, isolation {level}")
    asked = fetch(peer, 18, "isolation-waiting", partition(), max_wait_ms=10_000, min_bytes=1, isolation_level=1)
    pending = peer.post(asked, 18, "woken by the commit")
    producer.opened("isolation-waiting", sequence=1)
    producer = producer.ended(committed=True)
    pending.answer()
    producer.opened("isolation-waiting")
    asked = fetch(peer, 18, "isolation-waiting", partition(0, 3), max_wait_ms=10_000, min_bytes=1, isolation_level=1)
    pending = peer.post(asked, 18, "woken by the abort")
    producer.ended(committed=False)
    pending.answer()


@scenario
def fetch_sessions(peer: Peer) -> None:
    """An incremental fetch names a partition again when its last stable offset has moved."""
    peer.create_topic("isolation-session", 2)
    producer = TransactionalProducer.ready(peer, "isolation-session").opened("isolation-session", 0, 1)
    for version in (7, 12, 18):
        opening = fetch(
            peer, version, "isolation-session", partition(0), partition(1), session_epoch=0, isolation_level=1
        )
        session_id = peer.ask(opening, version, "opens").session_id
        label = "nothing new"
        for epoch in range(1, 5):
            asked = fetch(
                peer, version, "isolation-session", session_id=session_id, session_epoch=epoch, isolation_level=1
            )
            peer.ask(asked, version, label)
            if epoch == 1:
                producer.opened("isolation-session", 0, sequence=1)
                label = "more of the transaction"
            elif epoch == 2:
                producer = producer.ended(committed=True)
                label = "committed"
            else:
                label = "the same again"
        producer.opened("isolation-session", 0, 1)


@scenario
def list_offsets_in_every_version(peer: Peer) -> None:
    interleaved(peer, "isolation-list")
    for level in LEVELS:
        for label, timestamp in SPECIAL_TIMESTAMPS.items():
            if label == "max timestamp":
                continue  # list_offsets_by_timestamp asks for it, where the timestamps are known
            peer.ask_versions(
                list_offsets("isolation-list", timestamp, isolation_level=level), f"{label}, isolation {level}"
            )


@scenario
def list_offsets_by_timestamp(peer: Peer) -> None:
    """An offset beyond the last stable one is not told to who reads committed records only."""
    peer.create_topic("isolation-times")
    producer = TransactionalProducer.ready(peer, "isolation-times")

    def look(label: str) -> None:
        for level in LEVELS:
            for delta in (-1, 0, 5, 10, 15, 20, 21):
                peer.ask_versions(
                    list_offsets("isolation-times", BASE_MS + delta, isolation_level=level),
                    f"{label}, +{delta}, isolation {level}",
                    (1, 2, 6, 7, 11),
                )
            peer.ask(list_offsets("isolation-times", -3, isolation_level=level), label=f"{label}, max, {level}")

    peer.quietly(produce(peer, 13, "isolation-times", batch(b"0", timestamp=BASE_MS)), 13)
    for sequence, delta in enumerate((20, 10)):
        records = batch(
            b"in a transaction",
            timestamp=BASE_MS + delta,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            base_sequence=sequence,
            is_transactional=True,
        )
        peer.ask(produce(peer, 13, "isolation-times", records, transactional_id=producer.name), label=f"+{delta}")
    peer.quietly(produce(peer, 13, "isolation-times", batch(b"3", timestamp=BASE_MS + 5)), 13)
    look("open")
    producer.ended(committed=False)
    look("aborted")


@scenario
def records_are_deleted(peer: Peer) -> None:
    """Beyond the last stable offset nothing is held back: the open transaction loses its records."""
    for offset in (1, 4, 5, 9, 10, 11, 12, 13, -1):
        topic = f"isolation-delete-{offset}"
        producer = interleaved(peer, topic)
        cut = DeleteRecordsTopic(name=topic, partitions=[DeleteRecordsPartition(partition_index=0, offset=offset)])
        peer.ask(DeleteRecordsRequest(topics=[cut], timeout_ms=5_000), label=f"below {offset}")
        for level in LEVELS:
            for start in (max(offset, 0), 13):
                asked = fetch(peer, 18, topic, partition(0, start), isolation_level=level)
                peer.ask(asked, label=f"below {offset}, from {start}, isolation {level}")
            for label in ("latest", "earliest"):
                asked_offset = list_offsets(topic, SPECIAL_TIMESTAMPS[label], isolation_level=level)
                peer.ask(asked_offset, label=f"below {offset}, {label}, isolation {level}")
        peer.ask(producer.produce(13, topic, sequence=2), label=f"below {offset}, goes on")
        peer.ask(producer.end(committed=False), label=f"below {offset}")
        producer.await_complete()
        asked = fetch(peer, 18, topic, partition(0, max(offset, 13)), isolation_level=1)
        peer.ask(asked, label=f"below {offset}, ended")
        peer.ask(list_offsets(topic, -1, isolation_level=1), label=f"below {offset}, ended")
