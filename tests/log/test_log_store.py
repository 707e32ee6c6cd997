"""A data directory: its lock and identity, partitions that come and go, clean and unclean stops."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, LogStore, PartitionLog, StorageError, StoreError, TopicPartition
from kafkapy_log.log_store import remove_directories
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import parse_uuid, random_uuid, uuid_text

NOW_MS = 1_700_000_000_000
TOPIC_ID = parse_uuid("j6hL9ZS7Q42LbbyWltCRqQ")


def open_store(directory: Path, *, node_id: int = 1, cluster_id: str | None = "cluster") -> LogStore:
    return LogStore.open(directory, node_id=node_id, cluster_id=cluster_id, now_ms=NOW_MS, fsync=False)


def append(log: PartitionLog, count: int = 1) -> None:
    for _ in range(count):
        log.append_as_leader(build_batch([NewRecord(NOW_MS, b"k", b"v")]), leader_epoch=0, now_ms=NOW_MS)


def reopened(store: LogStore, *, clean: bool = True) -> LogStore:
    store.close({}, broker_epoch=7, clean=clean)
    return open_store(store.directory)


def log_of(store: LogStore, topic: str = "orders", partition: int = 0) -> PartitionLog:
    log = store.get(topic, partition, now_ms=NOW_MS)
    assert log is not None
    return log


def filled_store(directory: Path, partition_count: int) -> LogStore:
    store = open_store(directory)
    for partition in range(partition_count):
        append(store.create("orders", partition, TOPIC_ID, now_ms=NOW_MS), 2)
    return store


def test_recovery_in_parts(tmp_path: Path) -> None:
    filled_store(tmp_path, 10).close(clean=False)
    store = LogStore.open(tmp_path, node_id=1, now_ms=NOW_MS, fsync=False, recover=False)
    assert (store.unrecovered_count, store.opened()) == (10, [])
    store.recover(NOW_MS, lambda: len(store.opened()) == 3)
    assert store.unrecovered_count == 7
    assert log_of(store, partition=8).log_end_offset == 2, "who is asked for is recovered first"
    store.delete("orders", 9)
    assert store.unrecovered_count == 5
    store.recover(NOW_MS)
    assert (store.unrecovered_count, len(store.opened())) == (0, 9)
    assert reopened(store).had_clean_shutdown


def test_a_store_that_was_recovered_in_part_is_not_clean(tmp_path: Path) -> None:
    filled_store(tmp_path, 3).close(clean=False)
    path = tmp_path / "orders-2" / f"{0:020d}.log"
    path.write_bytes(path.read_bytes() + b"torn")
    store = LogStore.open(tmp_path, node_id=1, now_ms=NOW_MS, fsync=False, recover=False)
    store.recover(NOW_MS, lambda: True)
    store = reopened(store)
    assert not store.had_clean_shutdown
    assert [log_of(store, partition=partition).log_end_offset for partition in range(3)] == [2, 2, 2]
    assert path.stat().st_size == log_of(store, partition=2).size_bytes


def test_closing_thousands_needs_few_descriptors(tmp_path: Path) -> None:
    store = filled_store(tmp_path, 600)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(os.listdir("/proc/self/fd"))
    store._pool.open_files_max = 16
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 300, hard))
    try:
        store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_store(tmp_path).had_clean_shutdown


def test_a_checkpoint_that_says_the_same_is_not_written_again(tmp_path: Path) -> None:
    store = filled_store(tmp_path, 1)
    store.write_checkpoints({})
    path = tmp_path / "recovery-point-offset-checkpoint"
    path.unlink()
    store.write_checkpoints({})
    assert not path.exists()
    log_of(store).flushing.flush()
    store.write_checkpoints({})
    assert "orders 0 1" in path.read_text(), "a record less: its index entry is not on the disk"


def test_a_new_directory_gets_an_identity_and_keeps_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "new" / "data", cluster_id=None)
    identity = (store.cluster_id, store.node_id, store.directory_id)
    assert not store.had_clean_shutdown
    store.close()
    store = open_store(tmp_path / "new" / "data", cluster_id=None)
    assert (store.cluster_id, store.node_id, store.directory_id) == identity
    assert store.had_clean_shutdown
    store.close()
    assert open_store(tmp_path / "new" / "data", cluster_id=identity[0]).cluster_id == identity[0]


@pytest.mark.parametrize(
    ("node_id", "cluster_id", "says"),
    [(2, "cluster", "set node.id=1"), (1, "other", "belongs to cluster.id cluster, not other")],
)
def test_the_directory_of_another_is_refused(tmp_path: Path, node_id: int, cluster_id: str, says: str) -> None:
    open_store(tmp_path).close()
    with pytest.raises(StoreError, match=says) as refused:
        open_store(tmp_path, node_id=node_id, cluster_id=cluster_id)
    assert "\n" not in str(refused.value)
    open_store(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version=0\n",
        b"\xff",
        b"nonsense",
        b"n" * 100_000,
        b"version=1\ncluster.id=\nnode.id=1\n",
        b"version=1\ncluster.id=two words\nnode.id=1\n",
        b"version=1\ncluster.id=cluster\nnode.id=one\n",
        b"version=1\ncluster.id=cluster\nnode.id=-1\n",
        b"version=1\ncluster.id=cluster\nnode.id=" + b"1" * 5_000 + b"\n",
        b"version=1\ncluster.id=cluster\nnode.id=1\ndirectory.id=short\n",
    ],
    ids=lambda content: repr(content[:80]),
)
def test_damaged_meta_properties_are_refused_in_one_line_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "meta.properties").write_bytes(content)
    with pytest.raises(StoreError) as refused:
        open_store(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}/meta.properties ")
    assert message.endswith(": restore it from a copy, or name another directory")
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("content", [None, b"", b"version: 0\ntopic_id: short", b"version: 1\n", b"\xff"])
def test_a_topic_id_that_cannot_be_read_is_written_anew(tmp_path: Path, content: bytes | None) -> None:
    """The metadata says which topic it is; Apache Kafka would not start without the file."""
    filled_store(tmp_path, 1).close()
    path = tmp_path / "orders-0" / "partition.metadata"
    before = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    store = open_store(tmp_path)
    assert store.topic_id("orders", 0) is None
    assert store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS).log_end_offset == 2
    assert store.topic_id("orders", 0) == TOPIC_ID
    assert path.read_bytes() == before
    store.close()


def test_a_directory_without_an_id_gets_one_to_keep(tmp_path: Path) -> None:
    """Apache Kafka before 3.7 wrote none (KIP-858)."""
    (tmp_path / "meta.properties").write_bytes(b"version=1\ncluster.id=cluster\nnode.id=1\n")
    store = open_store(tmp_path)
    directory_id = store.directory_id
    assert reopened(store).directory_id == directory_id


@pytest.mark.parametrize(
    ("name", "consequence"),
    [
        ("recovery-point-offset-checkpoint", "after an unclean stop every log is recovered from its beginning"),
        ("log-start-offset-checkpoint", "records that DeleteRecords has deleted may be readable again"),
        ("replication-offset-checkpoint", "high watermarks are found anew"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_reported(tmp_path: Path, name: str, consequence: str) -> None:
    store = reopened(filled_store(tmp_path, 1))
    assert store.unreadable_files == []
    store.close()
    (tmp_path / name).write_bytes(b"0\n1\norders 0 minus one\n")
    store = open_store(tmp_path)
    (file,) = store.unreadable_files
    assert (file.path, file.consequence) == (tmp_path / name, consequence)
    assert "orders 0 minus one" in file.reason
    assert log_of(store).log_end_offset == 2
    store.close()


def test_a_directory_is_used_by_one_store(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(StoreError, match="in use by another broker"):
        open_store(tmp_path)
    script = (
        "import sys; from pathlib import Path; from kafkapy_log import LogStore, StoreError\n"
        "try:\n    LogStore.open(Path(sys.argv[1]), node_id=1, now_ms=0)\n"
        "except StoreError as error:\n    print(error)\n"
    )
    other = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=30)
    assert "in use by another broker" in other.stdout, other.stderr
    store.close()
    open_store(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="name another directory"):
        open_store(tmp_path / "file" / "data")


@pytest.mark.parametrize("clean", [True, False])
def test_partitions_survive_a_restart(tmp_path: Path, clean: bool) -> None:
    store = open_store(tmp_path)
    append(store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS), 3)
    store.create("orders", 12, TOPIC_ID, now_ms=NOW_MS)
    store.create("with-dashes-1", 0, random_uuid(), now_ms=NOW_MS)
    store = reopened(store, clean=clean)
    assert (store.had_clean_shutdown, store.previous_broker_epoch) == ((True, 7) if clean else (False, -1))
    assert sorted(store) == [("orders", 0), ("orders", 12), ("with-dashes-1", 0)]
    assert store.topic_id("orders", 12) == TOPIC_ID
    assert log_of(store).log_end_offset == 3
    assert not (tmp_path / ".kafka_cleanshutdown").exists()
    append(log_of(store))
    assert log_of(reopened(store, clean=clean)).log_end_offset == 4
    assert store.get("payments", 0, now_ms=NOW_MS) is None


def test_creating_again_is_the_same_partition(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    assert store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS) is log
    with pytest.raises(StoreError, match=f"belongs to topic id {uuid_text(TOPIC_ID)}"):
        store.create("orders", 0, random_uuid(), now_ms=NOW_MS)


def test_a_deleted_partition_frees_its_name_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    append(log)
    piece = log.read(0, 1000)
    flush = log.flushing.begin()
    assert flush is not None
    store.delete("orders", 0)
    assert TopicPartition("orders", 0) not in store
    new_id = random_uuid()
    assert store.create("orders", 0, new_id, now_ms=NOW_MS).log_end_offset == 0
    flush.sync()
    log.flushing.end(flush)
    assert not (tmp_path / "orders-0" / "leader-epoch-checkpoint").exists(), "the flush went to the old directory"
    (left,) = store.take_deleted()
    assert left.name.startswith("orders-0.")
    assert left.name.endswith("-delete")
    remove_directories([left])
    assert len(piece.read()) == len(piece), "on its way to a client"
    store = reopened(store)
    assert (store.topic_id("orders", 0), store.take_deleted()) == (new_id, [])


def test_what_a_crash_left_to_be_removed_is_found_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("x" * 249, 0, TOPIC_ID, now_ms=NOW_MS)
    store.delete("x" * 249, 0)
    store = reopened(store, clean=False)
    (left,) = store.take_deleted()
    assert len(left.name) == 255
    assert len(store) == 0


def test_checkpoints_are_what_kafka_reads(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    append(log, 5)
    log.delete_records_before(2)
    store.write_checkpoints({TopicPartition("orders", 0): 4})
    assert (tmp_path / "replication-offset-checkpoint").read_bytes() == b"0\n1\norders 0 4\n"
    assert (tmp_path / "recovery-point-offset-checkpoint").read_bytes() == b"0\n1\norders 0 0\n"
    assert (tmp_path / "log-start-offset-checkpoint").read_bytes() == b"0\n1\norders 0 2\n"
    store.close({TopicPartition("orders", 0): 5}, broker_epoch=3)
    assert (tmp_path / "recovery-point-offset-checkpoint").read_bytes() == b"0\n1\norders 0 5\n"
    assert (tmp_path / ".kafka_cleanshutdown").read_bytes() == b'{"version":0,"brokerEpoch":3}'
    store = open_store(tmp_path)
    assert store.high_watermark("orders", 0) == 5
    assert log_of(store).log_start_offset == 2
    store.close({})
    assert (tmp_path / "log-start-offset-checkpoint").read_bytes() == b"0\n1\norders 0 2\n"


def test_a_partition_that_was_not_opened_keeps_its_checkpoints(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    append(log, 5)
    log.delete_records_before(2)
    store.close({TopicPartition("orders", 0): 5})
    for _ in range(2):
        store = open_store(tmp_path)
        store.close()
    store = open_store(tmp_path)
    assert (store.high_watermark("orders", 0), log_of(store).log_start_offset) == (5, 2)


def test_damaged_checkpoints_cost_a_recovery_and_nothing_else(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    append(store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS), 5)
    store.close()
    for path in tmp_path.glob("*-checkpoint"):
        path.write_bytes(b"\xff\0")
    assert log_of(open_store(tmp_path)).log_end_offset == 5


def test_a_failed_log_leaves_no_clean_marker(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    log = store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    log._files.failure = OSError("disk")
    with pytest.raises(StorageError, match="orders-0 has failed before"):
        store.close({})
    assert not (tmp_path / ".kafka_cleanshutdown").exists()


def test_a_disk_that_fails_while_closing_leaves_no_clean_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LogStore.open(tmp_path, node_id=1, cluster_id="cluster", now_ms=NOW_MS)
    for n in range(20):
        append(store.create("orders", n, TOPIC_ID, now_ms=NOW_MS))
    calls = iter(range(1000))
    real = os.fdatasync

    def fails_once(fd: int) -> None:
        if next(calls) == 7:
            raise OSError(5, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fdatasync", fails_once)
    with pytest.raises(StorageError, match="Input/output error"):
        store.close({})
    assert next(calls) == 20, "the others are on the disk"
    assert not (tmp_path / ".kafka_cleanshutdown").exists()
    store = open_store(tmp_path)
    assert [log_of(store, "orders", n).log_end_offset for n in range(20)] == [1] * 20


def test_settings_are_asked_for_when_a_partition_is_opened(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("orders", 0, TOPIC_ID, now_ms=NOW_MS)
    store.close()
    settings = LogSettings(segment_bytes=12345)
    store = LogStore.open(tmp_path, node_id=1, now_ms=NOW_MS, settings_for=lambda _: settings, fsync=False)
    assert log_of(store).settings is settings


def test_thousands_of_partitions_are_cheap(tmp_path: Path) -> None:
    """1,000 partitions with a record each: few open files, and quick to create, open, and find again."""
    store = open_store(tmp_path)
    began = time.perf_counter()
    for n in range(1000):
        append(store.create("orders", n, TOPIC_ID, now_ms=NOW_MS))
    created = time.perf_counter()
    assert len(store._pool) <= store._pool.open_files_max
    store.close()
    closed = time.perf_counter()
    store = open_store(tmp_path)
    opened = time.perf_counter()
    assert all(log_of(store, "orders", n).log_end_offset == 1 for n in range(1000))
    read = time.perf_counter()
    store.close(clean=False)
    unclean = time.perf_counter()
    store = open_store(tmp_path)
    recovered = time.perf_counter()
    assert len(store) == 1000
    figures = [created - began, closed - created, opened - closed, read - opened, recovered - unclean]
    print("create, close, open, first use, recover:", [f"{figure:.3f} s" for figure in figures])
    assert opened - closed < 1, "after a clean stop no log is read"
