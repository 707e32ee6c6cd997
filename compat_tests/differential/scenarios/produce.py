"""Produce, and what is stored of it."""

from __future__ import annotations

import struct
import time

import google_crc32c

from compat_tests.differential.peer import Peer, versions_of
from compat_tests.differential.plain import Plain
from compat_tests.differential.registry import scenario
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.records import BATCH_HEADER_BYTES, Compression, NewRecord, TimestampType, build_batch
from kafkapy_wire.uuid import ZERO_UUID, Uuid

BASE_MS = 1_700_000_000_000
UNKNOWN_ID = Uuid(b"\x05\x06" * 8)
ALL = versions_of(ApiKey.PRODUCE)
LATEST = -1
EARLIEST = -2


def batch(
    *values: bytes | None,
    timestamp: int = BASE_MS,
    compression: Compression = Compression.NONE,
    timestamp_type: TimestampType = TimestampType.CREATE_TIME,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    key: bytes | None = b"key",
    is_transactional: bool = False,
    is_control: bool = False,
    base_offset: int = 0,
) -> bytes:
    """One batch of records with timestamps one millisecond apart."""
    return build_batch(
        [NewRecord(timestamp + n, key, value, (("header", b"\xff"), ("null", None))) for n, value in enumerate(values)],
        base_offset=base_offset,
        compression=compression,
        timestamp_type=timestamp_type,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        is_transactional=is_transactional,
        is_control=is_control,
    )


def patched(data: bytes, position: int, replacement: bytes, *, crc: bool = True) -> bytes:
    """`data` with other bytes at a position, and a CRC that fits unless that is the point."""
    changed = bytearray(data)
    changed[position : position + len(replacement)] = replacement
    if crc:
        changed[17:21] = struct.pack(">I", google_crc32c.value(bytes(changed[21:])))
    return bytes(changed)


def produce(
    peer: Peer,
    version: int,
    topic: str,
    records: bytes | None,
    *,
    partition: int = 0,
    acks: int = -1,
    transactional_id: str | None = None,
) -> ProduceRequest:
    """A request for one partition; from version 13 on the topic is named by its id."""
    topic_id = Uuid(peer.topic_ids.get(topic, UNKNOWN_ID)) if version >= 13 else ZERO_UUID
    return ProduceRequest(
        transactional_id=transactional_id,
        acks=acks,
        timeout_ms=5_000,
        topic_data=[
            TopicProduceData(
                name="" if version >= 13 else topic,
                topic_id=topic_id,
                partition_data=[PartitionProduceData(index=partition, records=records)],
            )
        ],
    )


def stored(peer: Peer, topic: str, partition: int = 0, label: str = "stored") -> None:
    """All that the partition holds, and where it ends."""
    fetch = FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        topics=[
            FetchTopic(
                topic_id=Uuid(peer.topic_ids[topic]),
                partitions=[FetchPartition(partition=partition, fetch_offset=0, partition_max_bytes=10_000_000)],
            )
        ],
    )
    peer.ask(fetch, label=label)
    ends = ListOffsetsTopic(name=topic, partitions=[ListOffsetsPartition(partition_index=partition, timestamp=LATEST)])
    peer.ask(ListOffsetsRequest(replica_id=-1, topics=[ends]), label=label)


@scenario
def every_version(peer: Peer) -> None:
    peer.create_topic("produce-versions", 2)
    for acks in (1, -1):
        peer.ask_each(
            ProduceRequest,
            lambda version, acks=acks: produce(peer, version, "produce-versions", batch(b"a", None, b""), acks=acks),
            f"acks {acks}",
        )
    stored(peer, "produce-versions")


@scenario
def acks_0_is_not_answered(peer: Peer) -> None:
    peer.create_topic("produce-acks-0")
    for version in ALL:
        connection = peer.connect()
        connection.post(produce(peer, version, "produce-acks-0", batch(b"a"), acks=0), version)
        # The next answer on the connection is the next request's.
        peer.ask(MetadataRequest(topics=[], allow_auto_topic_creation=False), 12, "after", connection)
    stored(peer, "produce-acks-0")


@scenario
def acks_0_with_an_error_closes_the_connection(peer: Peer) -> None:
    for version in (3, 8, 12, 13):
        connection = peer.connect()
        connection.post(produce(peer, version, "produce-unknown", batch(b"a"), acks=0), version)
        peer.ask(MetadataRequest(topics=[], allow_auto_topic_creation=False), 12, f"after v{version}", connection)


@scenario
def invalid_acks(peer: Peer) -> None:
    peer.create_topic("produce-acks")
    for acks in (2, -2, 32_767):
        peer.ask_each(
            ProduceRequest,
            lambda version, acks=acks: produce(peer, version, "produce-acks", batch(b"a"), acks=acks),
            f"acks {acks}",
        )
    stored(peer, "produce-acks")


@scenario
def unknown_topics_and_partitions(peer: Peer) -> None:
    peer.create_topic("produce-known")
    for topic in ("produce-unknown", "produce unknown", ""):
        peer.ask_each(
            ProduceRequest, lambda version, topic=topic: produce(peer, version, topic, batch(b"a")), f"topic {topic!r}"
        )
    for partition in (1, -1, 2_147_483_647):
        peer.ask_each(
            ProduceRequest,
            lambda version, partition=partition: produce(
                peer, version, "produce-known", batch(b"a"), partition=partition
            ),
            f"partition {partition}",
        )
    peer.ask_each(
        ProduceRequest, lambda version: produce(peer, version, "__consumer_offsets", batch(b"a")), "internal topic"
    )


@scenario
def no_records(peer: Peer) -> None:
    peer.create_topic("produce-none")
    for label, records in {"empty": b"", "part of a header": batch(b"a")[:30]}.items():
        peer.ask_each(
            ProduceRequest, lambda version, records=records: produce(peer, version, "produce-none", records), label
        )
    peer.ask_versions(ProduceRequest(acks=1, timeout_ms=1_000, topic_data=[]), "no topics")
    stored(peer, "produce-none")


@scenario
def null_records(peer: Peer) -> None:
    peer.create_topic("produce-null")
    for version in (3, 13):
        connection = peer.connect()
        connection.be_patient(1.0)
        peer.ask(produce(peer, version, "produce-null", None), version, connection=connection)
    stored(peer, "produce-null")


@scenario
def damaged_batches(peer: Peer) -> None:
    """A batch whose bytes are not what they should be is refused, and nothing of it is stored."""
    peer.create_topic("produce-damaged")
    good = batch(b"value one", b"value two", b"value three")
    wild = struct.pack(">i", 1 << 30)
    cases = {
        "wrong CRC": patched(good, 17, b"\0\0\0\0", crc=False),
        "a bit flipped": patched(good, 70, bytes([good[70] ^ 1]), crc=False),
        "magic 0": patched(good, 16, b"\x00"),
        "magic 1": patched(good, 16, b"\x01"),
        "magic 3": patched(good, 16, b"\x03"),
        "length too long": patched(good, 8, struct.pack(">i", len(good) - 12 + 5)),
        "length too short": patched(good, 8, struct.pack(">i", len(good) - 12 - 5)),
        "length negative": patched(good, 8, struct.pack(">i", -1)),
        "length absurd": patched(good, 8, wild),
        "cut": good[:-3],
        "cut within the header": good[:40],
        "count too large": patched(good, 57, struct.pack(">i", 5)),
        "count too small": patched(good, 57, struct.pack(">i", 2)),
        "count 0": patched(good, 57, struct.pack(">i", 0)),
        "count negative": patched(good, 57, struct.pack(">i", -1)),
        "count absurd": patched(good, 57, wild),
        "last offset delta too small": patched(good, 23, struct.pack(">i", 1)),
        "last offset delta too large": patched(good, 23, struct.pack(">i", 7)),
        "last offset delta negative": patched(good, 23, struct.pack(">i", -1)),
        "base offset": patched(good, 0, struct.pack(">q", 77)),
        "base offset negative": patched(good, 0, struct.pack(">q", -77)),
        "leader epoch": patched(good, 12, struct.pack(">i", 77)),
        "unknown codec": patched(good, 21, struct.pack(">h", 7)),
        "unused attribute": patched(good, 21, struct.pack(">h", 0x80)),
        "delete horizon without reason": patched(good, 21, struct.pack(">h", 0x40)),
        "codec that it is not": patched(good, 21, struct.pack(">h", 4)),
        "record length wrong": patched(good, BATCH_HEADER_BYTES, b"\x02"),
        "two batches": good + good,
        "a batch and bytes": good + b"bytes",
        "control batch": batch(b"x", is_control=True),
        "bytes after the records": _longer(good, b"more"),
    }
    for label, records in cases.items():
        for version in (3, 7, 8, 9, 12, 13):
            peer.ask(produce(peer, version, "produce-damaged", records), version, label)
    stored(peer, "produce-damaged")


def _longer(data: bytes, extra: bytes) -> bytes:
    return patched(data + extra, 8, struct.pack(">i", len(data) - 12 + len(extra)))


@scenario
def every_codec(peer: Peer) -> None:
    peer.create_topic("produce-codecs")
    for codec in Compression:
        peer.ask_each(
            ProduceRequest,
            lambda version, codec=codec: produce(
                peer, version, "produce-codecs", batch(*[b"value"] * 20, compression=codec)
            ),
            codec.name,
        )
    stored(peer, "produce-codecs")


@scenario
def damaged_compression(peer: Peer) -> None:
    peer.create_topic("produce-compressed")
    for codec in Compression:
        if codec is not Compression.NONE:
            good = batch(*[b"value"] * 20, compression=codec)
            garbled = patched(good, BATCH_HEADER_BYTES + 10, b"\xff" * 8)
            peer.ask(produce(peer, 13, "produce-compressed", garbled), 13, f"{codec.name} garbled")
            cut = patched(good[:-8], 8, struct.pack(">i", len(good) - 20))
            peer.ask(produce(peer, 13, "produce-compressed", cut), 13, f"{codec.name} cut")
            miscounted = patched(good, 57, struct.pack(">i", 21))
            peer.ask(produce(peer, 13, "produce-compressed", miscounted), 13, f"{codec.name} miscounted")
    stored(peer, "produce-compressed")


def elements(value: Plain, name: str) -> list[Plain]:
    """The list of that name in a plain struct."""
    assert isinstance(value, dict)
    found = value[name]
    assert isinstance(found, list)
    return found


@scenario
def topic_compression(peer: Peer) -> None:
    """With compression.type the broker stores every batch in the topic's codec; `producer` keeps the producer's."""
    for name in ("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"):
        topic = f"produce-to-{name}"
        peer.create_topic(topic, config={"compression.type": name})
        for codec in (Compression.NONE, Compression.GZIP, Compression.ZSTD):
            values = [b"value %d" % n for n in range(20)]
            peer.ask(produce(peer, 13, topic, batch(*values, compression=codec)), 13, codec.name)
        fetch = FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            topics=[
                FetchTopic(
                    topic_id=Uuid(peer.topic_ids[topic]),
                    partitions=[FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=10_000_000)],
                )
            ],
        )
        answer = peer.normaliser.plain(peer.quietly(fetch), 18)
        # Two libraries compress to different sizes; what is inside has to be the same.
        (stored_topic,) = elements(answer, "responses")
        (stored_partition,) = elements(stored_topic, "partitions")
        batches = elements(stored_partition, "records")
        for one in batches:
            assert isinstance(one, dict)
            del one["size_bytes"]
        peer.note(f"stored as {name}", batches)


@scenario
def sizes(peer: Peer) -> None:
    peer.create_topic("produce-sizes", config={"max.message.bytes": "2000"})
    overhead = len(batch(b"x" * 1_000)) - 1_000
    for size in (1_999, 2_000, 2_001, 5_000):
        peer.ask_each(
            ProduceRequest,
            lambda version, size=size: produce(peer, version, "produce-sizes", batch(b"x" * (size - overhead))),
            f"{size} bytes",
        )
    many = batch(*[b"x" * 400] * 10, compression=Compression.GZIP)
    peer.ask(produce(peer, 13, "produce-sizes", many), 13, "small when compressed")
    stored(peer, "produce-sizes")


@scenario
def timestamps(peer: Peer) -> None:
    bounds = {"message.timestamp.before.max.ms": "3600000", "message.timestamp.after.max.ms": "3600000"}
    peer.create_topic("produce-bounded", config=bounds)
    peer.create_topic("produce-any-time")
    peer.create_topic("produce-append-time", config={"message.timestamp.type": "LogAppendTime"})
    far = 4_000_000_000_000
    for topic in ("produce-bounded", "produce-any-time", "produce-append-time"):
        for timestamp in (BASE_MS, 0, -1, -5, far):
            for version in (3, 8, 13):
                request = produce(peer, version, topic, batch(b"a", b"b", timestamp=timestamp))
                peer.ask(request, version, f"{topic} at {timestamp}")
            squeezed = batch(b"a", b"b", timestamp=timestamp, compression=Compression.GZIP)
            peer.ask(produce(peer, 13, topic, squeezed), 13, f"{topic} at {timestamp}, gzip")
        log_append = batch(b"a", timestamp_type=TimestampType.LOG_APPEND_TIME)
        peer.ask(produce(peer, 13, topic, log_append), 13, f"{topic} says LogAppendTime")
        wrong_max = patched(batch(b"a", b"b"), 35, struct.pack(">q", BASE_MS + 9))
        peer.ask(produce(peer, 13, topic, wrong_max), 13, f"{topic} wrong max timestamp")
        hidden = patched(batch(b"a", b"b", timestamp=far), 35, struct.pack(">q", BASE_MS))
        peer.ask(produce(peer, 13, topic, hidden), 13, f"{topic} max timestamp hides the records'")
        stored(peer, topic, label=topic)


@scenario
def compacted_topics_need_keys(peer: Peer) -> None:
    peer.create_topic("produce-compact", config={"cleanup.policy": "compact"})
    for version in ALL:
        peer.ask(produce(peer, version, "produce-compact", batch(b"a", b"b", key=None)), version, "no key")
        squeezed = batch(b"a", b"b", key=None, compression=Compression.GZIP)
        peer.ask(produce(peer, version, "produce-compact", squeezed), version, "no key, gzip")
    peer.ask(produce(peer, 13, "produce-compact", batch(b"a", None)), 13, "key")
    stored(peer, "produce-compact")


def new_producer(peer: Peer) -> int:
    answer = peer.quietly(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000))
    producer_id: int = answer.producer_id
    return producer_id


@scenario
def sequences(peer: Peer) -> None:
    """The last five batches of a producer are known again, what leaves a gap is refused (KIP-98, KIP-360)."""
    peer.create_topic("sequences")
    now_ms = int(time.time() * 1_000)
    producer = new_producer(peer)

    def send(label: str, sequence: int, count: int = 1, *, epoch: int = 0, producer_id: int = producer) -> None:
        # Apache Kafka forgets a producer whose last record is older than producer.id.expiration.ms: it has to be new.
        records = batch(
            *[b"v"] * count,
            timestamp=now_ms,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
        )
        for version in (8, 13):
            peer.ask(produce(peer, version, "sequences", records), version, label)

    send("gap at the start, unknown producer", 5)
    send("first", 0, 2)
    send("second", 2, 3)
    send("gap", 9)
    for n in range(5):
        send(f"number {n}", 5 + n)
    send("duplicate of the last", 9)
    send("duplicate of the fifth last", 5)
    send("duplicate of a forgotten one", 0, 2)
    send("overlaps the last", 8, 4)
    send("older, other size", 7, 2)
    send("new epoch, not from 0", 3, epoch=1)
    send("new epoch", 0, epoch=1)
    send("old epoch", 10, epoch=0)
    send("next of the new epoch", 1, epoch=1)
    send("negative sequence", -1, epoch=1)
    send("negative epoch", 2, epoch=-1)
    send("unknown producer, from 0", 0, producer_id=987_654_321)
    send("unknown producer, high epoch", 0, producer_id=987_654_322, epoch=7)
    stored(peer, "sequences")


@scenario
def sequences_of_old_records(peer: Peer) -> None:
    """What is known of a producer ends with the age of its records, not with the time it wrote them."""
    peer.create_topic("sequences-old")
    producer = new_producer(peer)
    for label, sequence in (("first", 0), ("again", 0), ("gap", 9)):
        records = batch(b"v", producer_id=producer, producer_epoch=0, base_sequence=sequence)
        peer.ask(produce(peer, 13, "sequences-old", records), 13, label)
    stored(peer, "sequences-old")


@scenario
def sequences_wrap(peer: Peer) -> None:
    peer.create_topic("sequences-wrap")
    now_ms = int(time.time() * 1_000)
    producer = new_producer(peer)
    largest = 2**31 - 1
    for label, sequence, count in (("near the end", largest - 1, 2), ("over the end", largest, 3), ("from 0", 2, 1)):
        records = batch(
            *[b"v"] * count, timestamp=now_ms, producer_id=producer, producer_epoch=0, base_sequence=sequence
        )
        peer.ask(produce(peer, 13, "sequences-wrap", records), 13, label)
    stored(peer, "sequences-wrap")


@scenario
def several_partitions(peer: Peer) -> None:
    """Each partition has its own answer; one that fails does not hold the others back."""
    peer.create_topic("produce-several", 3)
    for version in (3, 8, 12):
        request = ProduceRequest(
            acks=-1,
            timeout_ms=5_000,
            topic_data=[
                TopicProduceData(
                    name="produce-several",
                    partition_data=[
                        PartitionProduceData(index=0, records=batch(b"a")),
                        PartitionProduceData(index=1, records=patched(batch(b"b"), 17, bytes(4), crc=False)),
                        PartitionProduceData(index=9, records=batch(b"c")),
                        PartitionProduceData(index=2, records=batch(b"d")),
                    ],
                ),
                TopicProduceData(
                    name="produce-several-not", partition_data=[PartitionProduceData(index=0, records=batch(b"e"))]
                ),
            ],
        )
        peer.ask(request, version)
    for partition in range(3):
        stored(peer, "produce-several", partition)
