"""ListOffsets, OffsetForLeaderEpoch, DeleteRecords."""

from __future__ import annotations

import itertools
import struct

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.fetch import filled
from compat_tests.differential.scenarios.produce import BASE_MS, batch, patched, produce, stored
from kafkapy_wire.compression import Compression
from kafkapy_wire.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kafkapy_wire.records import NewRecord, build_batch

SPECIAL_TIMESTAMPS = {
    "latest": -1,
    "earliest": -2,
    "max timestamp": -3,
    "earliest local": -4,
    "tiered": -5,
    "pending": -6,
}


def list_offsets(
    topic: str, timestamp: int, *, partition: int = 0, epoch: int = -1, replica_id: int = -1, isolation_level: int = 0
) -> ListOffsetsRequest:
    asked = ListOffsetsPartition(partition_index=partition, timestamp=timestamp, current_leader_epoch=epoch)
    return ListOffsetsRequest(
        replica_id=replica_id,
        isolation_level=isolation_level,
        topics=[ListOffsetsTopic(name=topic, partitions=[asked])],
        timeout_ms=1_000,
    )


@scenario
def special_timestamps(peer: Peer) -> None:
    filled(peer, "offsets-special")
    peer.create_topic("offsets-empty")
    for topic in ("offsets-special", "offsets-empty"):
        for label, timestamp in {**SPECIAL_TIMESTAMPS, "unknown": -7, "far below": -(2**63)}.items():
            for isolation_level in (0, 1):
                request = list_offsets(topic, timestamp, isolation_level=isolation_level)
                peer.ask_versions(request, f"{topic} {label} isolation {isolation_level}")


@scenario
def by_timestamp(peer: Peer) -> None:
    filled(peer, "offsets-time")
    for timestamp in (0, BASE_MS - 1, BASE_MS, BASE_MS + 1, BASE_MS + 2, BASE_MS + 2_001, BASE_MS + 4_002, 2**62):
        peer.ask_versions(list_offsets("offsets-time", timestamp), f"at +{timestamp - BASE_MS}")


@scenario
def by_timestamp_out_of_order(peer: Peer) -> None:
    """The answer is the first offset with that timestamp or a later one, whatever comes between."""
    peer.create_topic("offsets-disorder")
    for delta in (50, 10, 90, 20, 90):
        peer.quietly(produce(peer, 13, "offsets-disorder", batch(b"a", timestamp=BASE_MS + delta)), 13)
    for delta in (0, 15, 50, 51, 90, 91):
        peer.ask(list_offsets("offsets-disorder", BASE_MS + delta), label=f"+{delta}")
    peer.ask(list_offsets("offsets-disorder", -3), label="max timestamp")


@scenario
def without_timestamps(peer: Peer) -> None:
    """-1 is a timestamp like others, the lowest; -5 is none."""
    for name, timestamps in {"none": (-1, -1), "first": (-1, BASE_MS), "below": (-5, -5), "mixed": (-5, -1)}.items():
        topic = f"offsets-without-{name}"
        peer.create_topic(topic)
        for timestamp in timestamps:
            records = build_batch([NewRecord(timestamp, None, b"a"), NewRecord(timestamp, None, b"b")])
            peer.ask(produce(peer, 13, topic, records), label=f"{name} {timestamp}")
        for timestamp in (-3, 0, BASE_MS):
            peer.ask_versions(list_offsets(topic, timestamp), f"{name}, {timestamp}", (7, 11))
        stored(peer, topic, label=name)


@scenario
def headers_that_claim_another_timestamp(peer: Peer) -> None:
    """Apache Kafka corrects a max_timestamp above or below those of the records."""
    deltas = {"rising": (0, 10, 20), "falling": (20, 10, 0), "in the middle": (0, 300, 20), "equal": (0, 0, 0)}
    claims = (0, 20, 21, 299, 301, 5_000)
    for compression in (Compression.NONE, Compression.GZIP):
        topic = f"offsets-claimed-{int(compression)}"
        peer.create_topic(topic, len(deltas) * len(claims))
        for index, ((name, delays), claimed) in enumerate(itertools.product(deltas.items(), claims)):
            records = build_batch([NewRecord(BASE_MS + delta, None, b"v") for delta in delays], compression=compression)
            claiming = patched(records, 35, struct.pack(">q", BASE_MS + claimed))
            label = f"{name}, {claimed}, {compression.name}"
            peer.ask(produce(peer, 13, topic, claiming, partition=index), label=label)
            for timestamp in (-3, BASE_MS + 20, BASE_MS + 300):
                peer.ask(list_offsets(topic, timestamp, partition=index), label=f"{label}, {timestamp}")
            stored(peer, topic, index, label)


@scenario
def after_records_were_deleted(peer: Peer) -> None:
    filled(peer, "offsets-deleted")
    cut = DeleteRecordsTopic(name="offsets-deleted", partitions=[DeleteRecordsPartition(partition_index=0, offset=5)])
    peer.ask(DeleteRecordsRequest(topics=[cut], timeout_ms=5_000))
    for label, timestamp in SPECIAL_TIMESTAMPS.items():
        peer.ask(list_offsets("offsets-deleted", timestamp), label=label)
    for delta in (0, 1_000, 2_000, 2_001, 3_000):
        peer.ask(list_offsets("offsets-deleted", BASE_MS + delta), label=f"+{delta}")


@scenario
def unknown_and_fenced(peer: Peer) -> None:
    filled(peer, "offsets-known", batches=1)
    peer.ask_versions(list_offsets("offsets-unknown", -1), "unknown topic")
    peer.ask_versions(list_offsets("offsets unknown", -1), "invalid topic")
    for partition in (1, -1):
        peer.ask_versions(list_offsets("offsets-known", -1, partition=partition), f"partition {partition}")
    for epoch in (0, 1, -2):
        peer.ask_versions(list_offsets("offsets-known", -1, epoch=epoch), f"epoch {epoch}")
        peer.ask_versions(list_offsets("offsets-known", BASE_MS, epoch=epoch), f"epoch {epoch} by time")
    for replica_id in (1, 7, -2, -3):
        peer.ask_versions(list_offsets("offsets-known", -1, replica_id=replica_id), f"replica {replica_id}")
    twice = ListOffsetsTopic(
        name="offsets-known",
        partitions=[ListOffsetsPartition(partition_index=0, timestamp=timestamp) for timestamp in (-1, -2)],
    )
    peer.ask_versions(ListOffsetsRequest(replica_id=-1, topics=[twice]), "partition twice")
    peer.ask_versions(ListOffsetsRequest(replica_id=-1, topics=[]), "nothing")


@scenario
def ends_of_epochs(peer: Peer) -> None:
    filled(peer, "epochs")
    peer.create_topic("epochs-empty")

    def ask(label: str, topic: str, epoch: int, *, partition: int = 0, current: int = -1, replica: int = -1) -> None:
        asked = OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)
        request = OffsetForLeaderEpochRequest(
            replica_id=replica, topics=[OffsetForLeaderTopic(topic=topic, partitions=[asked])]
        )
        peer.ask_each(OffsetForLeaderEpochRequest, lambda version: at_version(request, version), label)

    def at_version(request: OffsetForLeaderEpochRequest, version: int) -> OffsetForLeaderEpochRequest:
        # Before version 3 the field does not exist and has to keep its default.
        replica_id = request.replica_id if version >= 3 else -2
        return OffsetForLeaderEpochRequest(replica_id=replica_id, topics=request.topics)

    for topic in ("epochs", "epochs-empty"):
        for epoch in (0, 1, 5, -1, -2):
            ask(f"{topic} {epoch}", topic, epoch)
    for current in (0, 1, -2):
        ask(f"current {current}", "epochs", 0, current=current)
    ask("unknown topic", "epochs-unknown", 0)
    ask("unknown partition", "epochs", 0, partition=3)
    ask("negative partition", "epochs", 0, partition=-1)
    ask("debugging consumer", "epochs", 0, replica=-2)
    ask("replica", "epochs", 0, replica=7)
    peer.ask_versions(OffsetForLeaderEpochRequest(topics=[]), "nothing")


@scenario
def records_are_deleted(peer: Peer) -> None:
    filled(peer, "delete-records", 2)

    def delete(topic: str, offset: int, partition: int = 0) -> DeleteRecordsRequest:
        cut = DeleteRecordsPartition(partition_index=partition, offset=offset)
        return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=[cut])], timeout_ms=5_000)

    for offset in (0, 3, 3, 1, 11, -2, 7, 10, -1):
        peer.ask_versions(delete("delete-records", offset), f"below {offset}")
        peer.ask(list_offsets("delete-records", -2), label=f"earliest after {offset}")
    peer.ask_versions(delete("delete-records", -1, 1), "all")
    peer.ask_versions(delete("delete-records", 0, 9), "unknown partition")
    peer.ask_versions(delete("delete-records-unknown", 0), "unknown topic")
    peer.ask_versions(delete("delete records", 0), "invalid topic")
    peer.ask_versions(delete("__consumer_offsets", 0), "internal topic")
    peer.ask_versions(DeleteRecordsRequest(topics=[], timeout_ms=1_000), "nothing")
    peer.create_topic("delete-compacted", config={"cleanup.policy": "compact"})
    peer.quietly(produce(peer, 13, "delete-compacted", batch(b"a", b"b")), 13)
    peer.ask_versions(delete("delete-compacted", 1), "compacted topic")
