"""Compaction beside Apache Kafka's cleaner: from one directory that Kafka wrote, both make the same log.

Kafka writes two compacted topics with small segments (every codec, tombstones, headers, idempotent producers; committed
and aborted transactions) and must not clean them. Then it cleans one copy and we clean another. What kafka-dump-log
prints of both, batch by batch and record by record, is the same, as are the transaction indexes. A second round finds
what the first one left: tombstones and markers past their horizon, segments to be merged, producers' last sequences.
Who cleans is the broker itself, booted on the copy. In the end Kafka boots on the directory that we have cleaned.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from pathlib import Path

import pytest

from compat_tests.apache_kafka import DUMP_LOG, ApacheKafka, jar_directory, java_tool
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.tools import need

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

TOPICS = ("plain", "transactional")
SEGMENT_BYTES = 20_000
DELETE_RETENTION_MS = 100
BROKER_SETTINGS = {"log.cleaner.backoff.ms": "100", "log.flush.offset.checkpoint.interval.ms": "500"}
NEVER, AT_ONCE = "1.0", "0.001"
CLEANING_SECONDS_MAX = 40.0
# What differs between two rewritings of the same records: codecs' sizes, and with them positions, checksums, clocks.
VARYING = re.compile(r" ?(?:position|size|crc|isvalid|sizeInBytes|batchSize): \S+|deleteHorizonMs: OptionalLong\[\d+\]")


def test_both_cleaners_make_the_same_log_and_kafka_boots_on_ours(tmp_path: Path) -> None:
    need(jar_directory)
    written = tmp_path / "written"
    with ApacheKafka(BROKER_SETTINGS, data_dir=written) as kafka:
        create_topics(kafka.bootstrap)
        produce_plain(kafka.bootstrap, seed=1, codecs=("none", "gzip", "snappy", "lz4", "zstd"))
        produce_transactions(kafka.bootstrap, seed=2, transactional_ids=("first", "second"))
    cleaned_by_kafka = compare_cleanings(written, tmp_path / "round-1")

    with ApacheKafka(BROKER_SETTINGS, data_dir=cleaned_by_kafka) as kafka:
        produce_plain(kafka.bootstrap, seed=3, codecs=("none", "lz4"))
        produce_transactions(kafka.bootstrap, seed=4, transactional_ids=("first",))
    compare_cleanings(cleaned_by_kafka, tmp_path / "round-2")

    theirs, ours = tmp_path / "round-2" / "kafka", tmp_path / "round-2" / "kafkapy"
    tables = []
    for directory in (theirs, ours):
        with ApacheKafka(BROKER_SETTINGS, data_dir=directory) as kafka:
            tables.append({topic: read_table(kafka.bootstrap, topic) for topic in TOPICS})
    assert tables[0] == tables[1]
    assert all(tables[1].values())


def compare_cleanings(written: Path, directory: Path) -> Path:
    """Clean two copies; returns the one that Kafka has cleaned."""
    theirs, ours = directory / "kafka", directory / "kafkapy"
    for copy in (theirs, ours):
        shutil.copytree(written, copy)
    their_checkpoints = clean(ApacheKafka(BROKER_SETTINGS, data_dir=theirs), theirs)
    assert clean(KafkapyProcess({**BROKER_SETTINGS, "node.id": "1"}, data_dir=ours), ours) == their_checkpoints
    for topic in TOPICS:
        their_records, their_complaints = dump(theirs / f"{topic}-0")
        our_records, our_complaints = dump(ours / f"{topic}-0")
        assert our_records == their_records
        # An empty batch kept for its producer's sequence has no record for the time index to agree with: it says so
        # of Kafka's own segments as well.
        assert our_complaints <= their_complaints, f"kafka-dump-log complains: {our_complaints}"
        assert transaction_indexes(ours / f"{topic}-0") == transaction_indexes(theirs / f"{topic}-0")
    return theirs


def create_topics(bootstrap: str) -> None:
    config = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": NEVER,
        "internal.segment.bytes": str(SEGMENT_BYTES),
        "delete.retention.ms": str(DELETE_RETENTION_MS),
    }
    admin = confluent_admin.AdminClient({"bootstrap.servers": bootstrap})
    topics = [
        confluent_admin.NewTopic(topic, num_partitions=1, replication_factor=1, config=config) for topic in TOPICS
    ]
    for future in admin.create_topics(topics).values():
        future.result(timeout=PATIENCE_SECONDS)


def produce_plain(bootstrap: str, *, seed: int, codecs: tuple[str, ...]) -> None:
    chance = random.Random(seed)
    for codec in codecs:
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap,
                "compression.type": codec,
                "linger.ms": 2,
                "batch.num.messages": 20,
                "enable.idempotence": codec != "none",
            }
        )
        for number in range(600):
            producer.produce(
                "plain",
                key=b"key-%d" % chance.randrange(150),
                value=None if chance.random() < 0.15 else b"%d-%d-" % (seed, number) + b"x" * chance.randrange(80),
                headers=[("origin", codec.encode())] if chance.random() < 0.3 else None,
            )
        assert producer.flush(PATIENCE_SECONDS) == 0


def produce_transactions(bootstrap: str, *, seed: int, transactional_ids: tuple[str, ...]) -> None:
    chance = random.Random(seed)
    for transactional_id in transactional_ids:
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": transactional_id,
                "linger.ms": 1,
                "batch.num.messages": 5,
            }
        )
        producer.init_transactions(PATIENCE_SECONDS)
        for transaction in range(40):
            producer.begin_transaction()
            for number in range(chance.randrange(1, 12)):
                value = b"%d-%d-%d-" % (seed, transaction, number) + b"y" * chance.randrange(100)
                producer.produce(
                    "transactional",
                    key=b"key-%d" % chance.randrange(60),
                    value=None if chance.random() < 0.1 else value,
                )
            producer.flush(PATIENCE_SECONDS)
            if chance.random() < 0.6:
                producer.commit_transaction(PATIENCE_SECONDS)
            else:
                producer.abort_transaction(PATIENCE_SECONDS)


def clean(broker: ApacheKafka | KafkapyProcess, directory: Path) -> dict[str, int]:
    """Have the broker clean both topics in `directory`; returns the checkpoints it leaves."""
    before = checkpoints(directory)
    with broker:
        set_dirty_ratio(broker.bootstrap, AT_ONCE)
        deadline = time.monotonic() + CLEANING_SECONDS_MAX
        while not all(checkpoints(directory).get(topic, 0) > before.get(topic, 0) for topic in TOPICS):
            assert time.monotonic() < deadline, f"nothing is cleaned:\n{broker.output()}"
            time.sleep(0.05)
        set_dirty_ratio(broker.bootstrap, NEVER)
    return checkpoints(directory)


def set_dirty_ratio(bootstrap: str, ratio: str) -> None:
    operation = confluent_admin.AlterConfigOpType.SET
    entry = confluent_admin.ConfigEntry("min.cleanable.dirty.ratio", ratio, incremental_operation=operation)
    kind = confluent_admin.ConfigResource.Type.TOPIC
    admin = confluent_admin.AdminClient({"bootstrap.servers": bootstrap})
    resources = [confluent_admin.ConfigResource(kind, topic, incremental_configs=[entry]) for topic in TOPICS]
    for future in admin.incremental_alter_configs(resources).values():
        future.result(timeout=PATIENCE_SECONDS)


def checkpoints(directory: Path) -> dict[str, int]:
    """Up to where each topic's only partition is clean."""
    try:
        _version, _count, *entries = (directory / "cleaner-offset-checkpoint").read_text().splitlines()
    except (FileNotFoundError, ValueError):  # none yet, or empty, as Apache Kafka creates it
        return {}
    return {topic: int(offset) for topic, _partition, offset in (entry.split() for entry in entries)}


def dump(directory: Path) -> tuple[list[str], set[str]]:
    """Every batch and record that kafka-dump-log prints, and what it has to say against the files."""
    logs = ",".join(str(path) for path in sorted(directory.glob("*.log")))
    records = java_tool(DUMP_LOG, "--deep-iteration", "--print-data-log", "--files", logs)
    assert records.returncode == 0, records.stderr
    indexes = ",".join(str(path) for kind in ("index", "timeindex") for path in sorted(directory.glob(f"*.{kind}")))
    checked = java_tool(DUMP_LOG, "--deep-iteration", "--files", indexes)
    sane = java_tool(DUMP_LOG, "--index-sanity-check", "--files", indexes)
    assert (checked.returncode, sane.returncode) == (0, 0), checked.stderr + sane.stderr
    lines = [line for line in records.stdout.splitlines() if not line.startswith(("Dumping", "Starting"))]
    complaints = (records.stderr + checked.stderr + sane.stderr).replace(str(directory), "").splitlines()
    return [VARYING.sub("", line) for line in lines], {line for line in complaints if "mismatch" in line}


def transaction_indexes(directory: Path) -> dict[str, bytes]:
    return {path.name: content for path in directory.glob("*.txnindex") if (content := path.read_bytes())}


def read_table(bootstrap: str, topic: str) -> dict[bytes | None, bytes | None]:
    """What a consumer of committed records knows in the end."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    table: dict[bytes | None, bytes | None] = {}
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                assert error.name() == "_PARTITION_EOF", error
                break
            table[message.key()] = message.value()
    finally:
        consumer.close()
    return {key: value for key, value in table.items() if value is not None}
