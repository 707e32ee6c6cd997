"""Kilobytes that decompress to very much."""

from __future__ import annotations

from kafkapy_wire.compression import Compression
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkapy_wire.records import NewRecord, build_batch
from tests.attack.attacker import produce_request
from tests.attack.scenario import Ground, Scenario
from tests.wire.batches_of_many import batch_of, batch_of_many

NOW_MS = 1_700_000_000_000
CODECS = [codec for codec in Compression if codec is not Compression.NONE]
SETTINGS = {"message.max.bytes": "20000000"}


def many_records(ground: Ground) -> None:
    """A million records a batch, in a plain topic, a compacted one, and one whose records are too old."""
    attacker = ground.attacker()
    attacker.create_topic("plain")
    attacker.create_topic("compacted", cleanup_policy="compact")
    attacker.create_topic("late", message_timestamp_before_max_ms="1000")
    for codec in CODECS:
        for topic in ("plain", "compacted", "late"):
            records = batch_of_many(ground.scaled(1_000_000), codec, timestamp=NOW_MS, key=b"k")
            assert attacker.answered_or_closed(attacker.frame(produce_request(topic, {0: records}), 12)) > 0
    refused = batch_of(b"", 33_000_000, Compression.ZSTD, timestamp=NOW_MS)
    assert attacker.answered_or_closed(attacker.frame(produce_request("plain", {0: refused}), 12)) > 0


def many_at_once(ground: Ground) -> None:
    """Ten in one request, and twenty requests on another connection, none of which waits for the answer before."""
    one, other = ground.attacker(), ground.attacker()
    one.create_topic("compacted", 10, cleanup_policy="compact")
    other.create_topic("pipelined", cleanup_policy="compact")
    records = batch_of_many(ground.scaled(200_000), Compression.ZSTD, timestamp=NOW_MS, key=b"k")
    one.send(produce_request("compacted", dict.fromkeys(range(10), records)), 12)
    frame = other.frame(produce_request("pipelined", {0: records}), 12)
    other.send_frame(frame * 20)
    for _ in range(20):
        other.receive_frame()
    one.receive_frame()


def one_large_record(ground: Ground) -> None:
    attacker = ground.attacker()
    attacker.create_topic("large")
    attacker.create_topic("compacted", cleanup_policy="compact")
    for size in (ground.scaled(60 << 20), 200 << 20):
        for codec in CODECS:
            records = build_batch([NewRecord(NOW_MS, b"k", bytes(size))], compression=codec)
            for topic in ("large", "compacted"):
                assert attacker.answered_or_closed(attacker.frame(produce_request(topic, {0: records}), 12)) > 0


def looked_up_by_time(ground: Ground) -> None:
    """Headers that claim a later record than there is: every record of every batch is looked at."""
    attacker = ground.attacker()
    attacker.create_topic("lies")
    records = batch_of_many(
        ground.scaled(200_000), Compression.ZSTD, timestamp=NOW_MS, max_timestamp=NOW_MS + 10_000, key=b"k"
    )
    for _ in range(10):
        assert attacker.answered_or_closed(attacker.frame(produce_request("lies", {0: records}), 12)) > 0
    for timestamp in (NOW_MS + 5_000, -3):
        wanted = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
        request = ListOffsetsRequest(topics=[ListOffsetsTopic(name="lies", partitions=[wanted])])
        assert attacker.answered_or_closed(attacker.frame(request, 9)) > 0


SCENARIOS = [
    Scenario(
        "a million records in a batch",
        "all codecs; a plain, a compacted topic, and one with a bound of time",
        many_records,
        cpu_seconds_max=6,
        memory_mb_max=120,
        settings=SETTINGS,
    ),
    Scenario(
        "ten batches at once, and twenty pipelined",
        "each of 200,000 records, for compacted topics",
        many_at_once,
        cpu_seconds_max=6,
        memory_mb_max=120,
        settings=SETTINGS,
    ),
    Scenario(
        "a record of sixty megabytes",
        "of zeros: kilobytes on the wire; and one of two hundred, which is refused",
        one_large_record,
        cpu_seconds_max=8,
        memory_mb_max=400,
        settings=SETTINGS,
    ),
    Scenario(
        "look-ups by time in headers that lie",
        "ten batches of 200,000 records",
        looked_up_by_time,
        cpu_seconds_max=6,
        memory_mb_max=120,
        settings=SETTINGS,
    ),
]
