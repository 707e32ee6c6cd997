"""The log that a broker wrote, read four ways: kcat, the console consumer, and the files by `kafka-dump-log`."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import CONSOLE_CONSUMER, DUMP_LOG, java_tool
from compat_tests.broker import Broker
from compat_tests.conftest import StartBroker
from compat_tests.deadlines import PATIENCE_SECONDS

confluent_kafka = pytest.importorskip("confluent_kafka")

pytestmark = pytest.mark.usefixtures("java")

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SEGMENT_BYTES = 1 << 20  # Apache Kafka allows no smaller segments (KIP-1030)
START_MS = time.time_ns() // 1_000_000 - 3_600_000  # what is older than its retention does not stay
SEED = 20_261_121
BATCH_LINE = re.compile(
    r"baseOffset: (?P<base>\d+) lastOffset: (?P<last>\d+) count: (?P<count>\d+) baseSequence: (?P<sequence>-?\d+) "
    r".*producerId: (?P<producer_id>-?\d+) .*size: (?P<size>\d+) magic: 2 compresscodec: (?P<codec>\w+) crc: \d+ "
    r"isvalid: (?P<valid>\w+)"
)
RECORD_LINE = re.compile(
    r"\| offset: (?P<offset>\d+) CreateTime: (?P<timestamp>\d+) keySize: (?P<key_size>-?\d+) "
    r"valueSize: (?P<value_size>-?\d+) sequence: (?P<sequence>-?\d+) headerKeys: \[(?P<headers>.*?)\]"
    r"(?: key: (?P<key>\S*))?(?: payload: (?P<value>.*))?"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as all the readers can show it: dump-log shows no header's value, so those are compared apart."""

    offset: int
    timestamp: int
    key: str | None
    value: str | None
    header_keys: tuple[str, ...]


def produce_every_codec(broker: Broker, topic: str) -> list[Seen]:
    """Batches of each codec, by an idempotent producer each: tombstones, headers, unicode, more than one segment."""
    seeded = random.Random(SEED)
    produced: list[Seen] = []
    for codec in CODECS:
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": broker.bootstrap,
                "compression.type": codec,
                "enable.idempotence": True,
                "linger.ms": 5,
                "batch.num.messages": 5,
            }
        )
        headers = [("color", b"blue"), ("träce", "é".encode()), ("none", None)]
        records: list[tuple[str | None, str | None, list[Any]]] = [
            (f"tombstone-{codec}", None, headers),
            ("clé", "Grüße, 世界 🦊", []),
            (None, "no key", headers[:1]),
            ("", "", []),
            *((f"{codec}-{n}", seeded.randbytes(6_000).hex(), []) for n in range(60)),
        ]
        for key, value, with_headers in records:
            timestamp = START_MS + len(produced)
            produced.append(Seen(len(produced), timestamp, key, value, tuple(name for name, _ in with_headers)))
            producer.produce(topic, value, key, partition=0, timestamp=timestamp, headers=with_headers)
        assert producer.flush(PATIENCE_SECONDS) == 0
    return produced


def read_by_kcat(kcat: str, broker: Broker, topic: str) -> list[Seen]:
    result = subprocess.run(
        [kcat, "-b", broker.bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [
        Seen(line["offset"], line["ts"], line["key"], line["payload"], tuple(line.get("headers", [])[::2]))
        for line in lines
    ]


def read_by_console_consumer(broker: Broker, topic: str, count: int) -> list[Seen]:
    separator = "\x1f"
    shown = (f"print.{what}=true" for what in ("offset", "timestamp", "key", "headers"))
    properties = (*shown, f"key.separator={separator}", "null.literal=NULL", "headers.separator=;")
    printed = console_consumer(broker, topic, count, *(x for p in properties for x in ("--formatter-property", p)))
    seen = []
    for line in printed.splitlines():
        timestamp, offset, headers, key, value = line.split(separator)
        header_keys = () if headers == "NO_HEADERS" else tuple(header.split(":")[0] for header in headers.split(";"))
        seen.append(
            Seen(
                int(offset.removeprefix("Offset:")),
                int(timestamp.removeprefix("CreateTime:")),
                None if key == "NULL" else key,
                None if value == "NULL" else value,
                header_keys,
            )
        )
    return seen


def console_consumer(broker: Broker, topic: str, count: int, *arguments: str) -> str:
    result = java_tool(
        CONSOLE_CONSUMER,
        *("--bootstrap-server", broker.bootstrap, "--topic", topic, "--from-beginning"),
        *("--max-messages", str(count), "--timeout-ms", "20000", *arguments),
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def files(directory: Path, *suffixes: str) -> str:
    """For `--files`: what is in a partition's directory, a segment's files together."""
    return ",".join(str(path) for path in sorted(directory.iterdir()) if path.suffix in suffixes)


def dump_log(*arguments: str) -> str:
    result = java_tool(DUMP_LOG, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    # What it finds wrong it says beside the dump and still exits with 0. That a segment's first offset does not follow
    # -1 it says of every segment but the first.
    complaints = [
        line
        for line in result.stderr.splitlines()
        if line.strip() and not line.startswith("Non-consecutive offsets in") and "-1 is followed by" not in line
    ]
    assert complaints == []
    assert "Mismatches" not in result.stdout
    assert "isvalid: false" not in result.stdout
    return result.stdout


def records_of(dump: str) -> list[Seen]:
    seen = []
    for found in (RECORD_LINE.fullmatch(line) for line in dump.splitlines() if line.startswith("| offset: ")):
        assert found is not None
        seen.append(
            Seen(
                int(found["offset"]),
                int(found["timestamp"]),
                found["key"] if int(found["key_size"]) >= 0 else None,
                found["value"] if int(found["value_size"]) >= 0 else None,
                tuple(found["headers"].split(",")) if found["headers"] else (),
            )
        )
    return seen


def decoded(dump: str, mark: str) -> list[Any]:
    """The JSON after `mark` in each line that has it."""
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(line.split(mark, 1)[1])[0] for line in dump.splitlines() if mark in line]


def test_every_reader_agrees_on_a_log(
    start_broker: StartBroker, kcat: str, new_name: Callable[..., str], tmp_path: Path
) -> None:
    broker = start_broker(log_segment_bytes=str(SEGMENT_BYTES))
    topic = new_name()
    produced = produce_every_codec(broker, topic)
    assert read_by_kcat(kcat, broker, topic) == produced
    assert read_by_console_consumer(broker, topic, len(produced)) == produced
    broker.stop()

    assert broker.data_dir is not None
    directory = broker.data_dir / f"{topic}-0"
    segments = sorted(directory.glob("*.log"))
    assert len(segments) > 2
    assert all(segment.stat().st_size <= SEGMENT_BYTES for segment in segments)
    dump = dump_log("--deep-iteration", "--print-data-log", "--files", files(directory, ".log", ".snapshot"))
    assert records_of(dump) == produced
    batches = [found.groupdict() for found in BATCH_LINE.finditer(dump)]
    assert {batch["codec"] for batch in batches} == set(CODECS)
    assert {batch["valid"] for batch in batches} == {"true"}
    assert [int(batch["base"]) for batch in batches[1:]] == [int(batch["last"]) + 1 for batch in batches[:-1]]
    # Each of the five producers is in the state that the clean shutdown left, with the last record it wrote.
    snapshot = dump.split(f"{len(produced):020}.snapshot\n", 1)[1]
    last_of_producer = {batch["producer_id"]: batch["last"] for batch in batches}
    assert dict(re.findall(r"producerId: (\d+) .* lastOffset: (\d+) ", snapshot)) == last_of_producer
    assert len(last_of_producer) == len(CODECS)

    indexes = files(directory, ".index", ".timeindex")
    sane = dump_log("--index-sanity-check", "--files", indexes)
    assert sane.count("passed sanity check.") == len(indexes.split(","))
    dump_log("--verify-index-only", "--files", indexes)
    entries = dump_log("--files", files(directory, ".index"))
    assert len(re.findall(r"^offset: \d+ position: \d+$", entries, re.MULTILINE)) > len(segments)


def test_groups_offsets_and_metadata_decode_in_the_release_tools(
    start_broker: StartBroker, new_name: Callable[..., str]
) -> None:
    """What is in `__consumer_offsets` by the console consumer's formatters and from its files, and the metadata log."""
    broker = start_broker(offsets_topic_num_partitions="1")
    topic, group = new_name(), new_name("group")
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(topic, "one")
    assert producer.flush(PATIENCE_SECONDS) == 0
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": group, "group.instance.id": "static"}
        | {"auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([topic])
    (message,) = consumer.consume(1, PATIENCE_SECONDS)
    consumer.commit(message, asynchronous=False)
    _, end = consumer.get_watermark_offsets(confluent_kafka.TopicPartition("__consumer_offsets", 0), PATIENCE_SECONDS)

    def formatted(name: str) -> list[Any]:
        formatter = ("--formatter", f"org.apache.kafka.tools.consumer.{name}")
        # Each of these consumers commits nothing, but its group is written: only what was there before is read.
        printed = console_consumer(broker, "__consumer_offsets", end, *formatter, "--group", f"{group}-{name}")
        return list(json_values(printed))

    (committed,) = formatted("OffsetsMessageFormatter")
    assert committed["key"] == {"type": 1, "data": {"group": group, "topic": topic, "partition": 0}}
    value = committed["value"]["data"]
    assert (value["offset"], value["leaderEpoch"], value["metadata"]) == (1, 0, "")
    groups = [line for line in formatted("GroupMetadataMessageFormatter") if line["key"]["data"] == {"group": group}]
    assert groups[-1]["value"]["data"]["protocolType"] == "consumer"
    (member,) = groups[-1]["value"]["data"]["members"]
    assert (member["groupInstanceId"], member["clientHost"]) == ("static", "/127.0.0.1")
    consumer.close()
    broker.stop()

    assert broker.data_dir is not None
    dump = dump_log("--offsets-decoder", "--files", files(broker.data_dir / "__consumer_offsets-0", ".log"))
    keys, payloads = decoded(dump, " key: "), decoded(dump, " payload: ")
    assert {"type": "1", "data": {"group": group, "topic": topic, "partition": 0}} in keys
    assert value in [payload["data"] for payload in payloads]
    members = [member for payload in payloads for member in payload["data"].get("members", [])]
    assert member["memberId"] in [member["memberId"] for member in members]

    metadata = dump_log(
        "--cluster-metadata-decoder", "--files", files(broker.data_dir / "__cluster_metadata-0", ".log")
    )
    records = decoded(metadata, " payload: ")
    topics = [record["data"]["name"] for record in records if record["type"] == "TOPIC_RECORD"]
    assert sorted(topics) == sorted([topic, "__consumer_offsets"])
    assert {"FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "PARTITION_RECORD"} <= {r["type"] for r in records}
    assert "LeaderChange: {" in metadata


MARKS = (
    *("key: ", "payload: ", "endTxnMarker: ", "LeaderChange: ", "KRaftVersion: ", "KRaftVoters: "),
    *("SnapshotHeader: ", "SnapshotFooter: "),
)
"""What stands before the contents of a record, or of a control record."""


def kafkapy_dump(*paths: Path) -> str:
    """What `kafkapy log dump` prints: it finds by itself what to decode."""
    done = subprocess.run(
        [sys.executable, "-m", "kafkapy", "log", "dump", *map(str, paths)],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def facts(dump: str, *, decoded_records: bool) -> list[dict[str, str]]:
    """Each line of a dump as its names and values; keys and values of records only where both tools decode them."""
    found = []
    for line in dump.splitlines():
        values, _, content = line.partition(" headerKeys: " if " headerKeys: " in line else " headers: ")
        row = dict(re.findall(r"(\w+): (\S+)", values)) if re.match(r"\|? ?\w+: \S+ \w+: ", line) else {}
        if not row:
            continue
        # What Java shows of a number that may be missing.
        row = {name: re.sub(r"OptionalLong(\.empty|\[(\d+)\])", r"\2", value) or "null" for name, value in row.items()}
        row.pop("timestamp" if "lastTimestamp" in row else "", None)  # Apache Kafka tells it twice
        content = re.sub(r"\b(KRaftVersion|KRaftVoters|SnapshotHeader|SnapshotFooter) {", r"\1: {", content)
        for mark in MARKS:
            if mark in content and (decoded_records or mark not in ("key: ", "payload: ")):
                text = content.split(mark, 1)[1]
                if text.startswith("{"):
                    value = json.JSONDecoder(parse_int=str).raw_decode(text)[0]
                else:
                    value = text.split(" ")[0].strip('"')
                row[mark] = value
        found.append(row)
    return found


def test_kafkapy_dumps_the_same_facts_as_the_release_tool(
    start_broker: StartBroker, new_name: Callable[..., str]
) -> None:
    """Segments, indexes, producer snapshots, aborted transactions; the records of three internal topics; snapshots."""
    broker = start_broker(
        offsets_topic_num_partitions="1", transaction_state_log_num_partitions="1", log_index_interval_bytes="100"
    )
    topic, group = new_name(), new_name("group")
    transactional = confluent_kafka.Producer(
        {"bootstrap.servers": broker.bootstrap, "transactional.id": new_name("tx"), "compression.type": "zstd"}
    )
    transactional.init_transactions(PATIENCE_SECONDS)
    for ends in ("commit", "abort", "commit"):
        transactional.begin_transaction()
        for number in range(20):
            transactional.produce(topic, f"value {number}" * 20, f"k{number}", partition=0, headers=[("h", b"1")])
            transactional.flush(PATIENCE_SECONDS)
        getattr(transactional, f"{ends}_transaction")(PATIENCE_SECONDS)
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": group}
        | {"auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([topic])
    (message,) = consumer.consume(1, PATIENCE_SECONDS)
    consumer.commit(message, asynchronous=False)
    consumer.close()
    del transactional, consumer  # or they look for the broker as long as the tools run
    broker.stop()

    assert broker.data_dir is not None
    for directory, decoder in (
        (f"{topic}-0", ""),
        ("__consumer_offsets-0", "--offsets-decoder"),
        ("__transaction_state-0", "--transaction-log-decoder"),
        ("__cluster_metadata-0", "--cluster-metadata-decoder"),
    ):
        suffixes = (".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint")
        paths = [path for path in sorted((broker.data_dir / directory).iterdir()) if path.suffix in suffixes]
        theirs = dump_log(decoder or "--print-data-log", "--files", ",".join(map(str, paths)))
        ours = kafkapy_dump(*paths)
        assert facts(ours, decoded_records=bool(decoder)) == facts(theirs, decoded_records=bool(decoder))
        assert len(facts(ours, decoded_records=True)) > 3
    # Aborted transactions and index entries were among them.
    assert "lastStableOffset: " in kafkapy_dump(broker.data_dir / f"{topic}-0")
    assert re.search(r"^offset: \d+ position: \d+$", kafkapy_dump(broker.data_dir / f"{topic}-0"), re.MULTILINE)


def json_values(text: str) -> list[Any]:
    """JSON values one after the other: the formatters put no line end between them."""
    decoder, position, values = json.JSONDecoder(), 0, []
    while position < len(text.rstrip()):
        value, position = decoder.raw_decode(text, position)
        values.append(value)
    return values
